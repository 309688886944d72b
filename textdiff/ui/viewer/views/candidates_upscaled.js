/* The second round of a run: kept candidates drawn large, and what was read before and after. */
(() => {
  "use strict";
  const { node, plural, cut, shares, drawTile, pictureWithBoxes, readingElements } = window.textdiff;

  /** Stands below the candidates of a run with large pictures. */
  function upscaled({ run }) {
    const { pictures, size, model } = run.upscaling;
    const ranked = [...pictures].sort((a, b) => a.verdict.rank - b.verdict.rank);
    const pairs = ranked.map((large) => buildPair(run, large, size));
    const note = node("p", { class: "td-note", role: "status" });
    const meaning = `The candidates that were kept, drawn again by ${model.name} at ${size} pixels, each in turn, and `
      + "read once more. The best of these is the answer.";
    const element = node("section", { class: "td-upscaled" },
      node("h3", {}, `Enlarged: ${plural(pictures.length, "picture")}`),
      node("p", { class: "td-rule" }, meaning), note,
      node("ol", { class: "td-cards" }, ...pairs.map((pair) => pair.element)));

    /** `own`: whether the thresholds are the run's; otherwise `fates` says what others would have enlarged. */
    function render(fates, own) {
      const counts = shares(fates, pictures.length);
      const would = run.candidates.filter(({ index }) => counts[index]);
      would.sort((a, b) => fates[a.index].rank - fates[b.index].rank);
      const list = would.map(({ index, seed }) => `seed ${seed} (${plural(counts[index], "time")})`).join(", ");
      note.textContent = own ? "" : `With these thresholds a new run would enlarge: ${list}.`;
      pairs.forEach((pair) => pair.render());
    }

    return { element, render };
  }

  function buildPair(run, large, size) {
    const { verdict, source, files, index } = large;
    const candidate = run.candidates[source];
    const small = node("canvas", { role: "img", "aria-label": `Candidate of seed ${candidate.seed}, small` });
    const { canvas, element: picture } = pictureWithBoxes(large, size);
    const before = candidate.verdict.similarity;
    const winner = index === run.upscaling.best;
    const element = node("li", { class: winner ? "td-card" : "td-card td-pruned" },
      node("div", { class: "td-pair-of" }, small, node("span", { "aria-hidden": "true" }, "→"), picture),
      node("div", { class: "td-verdict" },
        node("p", { class: "td-rank" }, node("b", {}, `#${verdict.rank}`), ` from seed ${candidate.seed} `,
          node("span", { class: "td-badge" }, winner ? "the answer" : "not chosen")),
        node("p", { class: "td-change" }, `read ${cut(before)} before, ${cut(verdict.similarity)} after`),
        ...readingElements(run.request.text, large),
        node("p", { class: "td-rule" }, verdict.rule)));

    function render() {
      run.drawCandidate(small, source, run.last);
      drawTile(canvas, run.sheet(files.final), size, 0);
    }

    return { element, render };
  }

  Object.assign(window.textdiff, { upscaled });
})();
