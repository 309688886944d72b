/* The funnel of a run in one row: how many pictures were drawn, how many stayed, how many were enlarged, which won. */
(() => {
  "use strict";
  const { node, cut, drawTile, plural } = window.textdiff;

  /** Stands above the thresholds and follows them. */
  function funnel({ run }) {
    const { candidates, request, upscaling } = run;
    const rounds = [
      round(`${candidates.length} drawn`, `${run.size} px, ${plural(request.steps, "step")}`),
      round("", ""),
      ...(upscaling ? [round("", `${upscaling.size} px, ${plural(upscaling.steps.length, "step")}`)] : []),
    ];
    const canvas = node("canvas", { role: "img", "aria-label": "The answer" });
    const winner = round("", "", canvas);
    const element = node("ol", { class: "td-funnel", "aria-label": "From the candidates to the answer" },
      ...[...rounds, winner].map((one) => one.element));

    /** `fates` are what ranking.js says about the candidates; `left` the large pictures that would be there. */
    function render(fates, left, own) {
      const kept = fates.filter((fate) => fate.kept).length;
      rounds[1].says(`${kept} kept`, `${candidates.length - kept} pruned`);
      if (upscaling) {
        const { length } = upscaling.pictures;
        rounds[2].says(own ? `${length} enlarged` : `${left.length} of ${length} enlarged`, null);
      }
      const best = upscaling ? left[0] : candidates.find(({ index }) => fates[index].rank === 1);
      winner.element.classList.toggle("td-unknown", !best);
      if (!best) return winner.says("no answer yet", "it would have to be drawn");
      winner.says("1 answer", `similarity ${cut(best.verdict.similarity)}${best.verdict.exact ? ", exact" : ""}`);
      if (upscaling) drawTile(canvas, run.sheet(best.files.final), upscaling.size, 0);
      else run.drawCandidate(canvas, best.index, run.last);
    }

    return { element, render };
  }

  function round(title, meaning, ...before) {
    const heading = node("b", {}, title);
    const small = node("small", {}, meaning);

    function says(newTitle, newMeaning) {
      heading.textContent = newTitle;
      if (newMeaning !== null) small.textContent = newMeaning;
    }

    return { element: node("li", {}, ...before, node("span", {}, heading, small)), says };
  }

  Object.assign(window.textdiff, { funnel });
})();
