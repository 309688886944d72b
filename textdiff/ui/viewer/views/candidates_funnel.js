/* The funnel of a run in one row: how many pictures were drawn, how many stayed, how many were enlarged, which won. */
(() => {
  "use strict";
  const { node, cut, plural } = window.textdiff;

  /** Stands above the thresholds and follows them. */
  function funnel({ run }) {
    const { candidates, request, upscaling } = run;
    const rounds = [
      round(`${candidates.length} drawn`, `${run.size} px, ${plural(request.steps, "step")}`),
      round("", ""),
      ...(upscaling ? [round("", `${upscaling.size} px, ${plural(upscaling.steps.length, "step")}`)] : []),
    ];
    const canvas = node("canvas", { role: "img", "aria-label": "The answer" });
    const last = round("", "", canvas);
    const element = node("ol", { class: "td-funnel", "aria-label": "From the candidates to the answer" },
      ...[...rounds, last].map((one) => one.element));

    /** `fates` are what ranking.js says about the candidates; `left` the large pictures that would be there; `answer`
     *  the picture that would win, null if it would have to be drawn. */
    function render(fates, left, own, answer) {
      const kept = fates.filter((fate) => fate.kept).length;
      rounds[1].says(`${kept} kept`, `${candidates.length - kept} pruned`);
      if (upscaling) {
        const { length } = upscaling.pictures;
        rounds[2].says(own ? `${length} enlarged` : `${left.length} of ${length} enlarged`, null);
      }
      last.element.classList.toggle("td-unknown", !answer);
      if (!answer) return last.says("no answer yet", "it would have to be drawn");
      last.says("1 answer", `similarity ${cut(answer.verdict.similarity)}${answer.verdict.exact ? ", exact" : ""}`);
      run.drawFinal(canvas, answer);
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
