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
      node("p", { class: "td-rule" }, meaning, ` ${balance(run, pictures)}`), note,
      node("ol", { class: "td-cards" }, ...pairs.map((pair) => pair.element)));

    /** `own`: whether the thresholds are the run's; otherwise `fates` says what others would have enlarged. */
    function render(fates, own) {
      const left = own ? ranked : ranked.filter(({ source }) => fates[source].kept);
      note.textContent = own ? "" : `With these thresholds a new run would enlarge: ${wouldEnlarge(fates)}.`
        + (left.length ? "" : " None of the pictures below would be there.");
      pairs.forEach((pair) => pair.render(left[0] === pair.large, left.includes(pair.large), own));
    }

    function wouldEnlarge(fates) {
      const counts = shares(fates, pictures.length);
      const would = run.candidates.filter(({ index }) => counts[index]);
      would.sort((a, b) => fates[a.index].rank - fates[b.index].rank);
      return would.map(({ index, seed }) => `seed ${seed} (${plural(counts[index], "time")})`).join(", ");
    }

    return { element, render };
  }

  /** Whether the upscaler repaired letters or broke them, over all pairs. */
  function balance(run, pictures) {
    const changes = pictures.map((large) => large.verdict.edit_distance - before(run, large).verdict.edit_distance);
    const [fewer, more] = [changes.filter((change) => change < 0).length, changes.filter((change) => change > 0).length];
    return `Read with fewer mistakes than its small picture: ${fewer}; with more: ${more}; `
      + `with as many: ${pictures.length - fewer - more}.`;
  }

  const before = (run, { source }) => run.candidates[source];

  function buildPair(run, large, size) {
    const { verdict, source, files } = large;
    const candidate = before(run, large);
    const small = node("canvas", { role: "img", "aria-label": `Candidate of seed ${candidate.seed}, small` });
    const { canvas, element: picture } = pictureWithBoxes(large, size);
    const similarities = `read ${cut(candidate.verdict.similarity)} before, ${cut(verdict.similarity)} after`;
    const badge = node("span", { class: "td-badge" });
    const rule = node("p", { class: "td-rule" });
    const element = node("li", {},
      node("div", { class: "td-pair-of" }, small, node("span", { "aria-hidden": "true" }, "→"), picture),
      node("div", { class: "td-verdict" },
        node("p", { class: "td-rank" }, node("b", {}, `#${verdict.rank}`), ` from seed ${candidate.seed} `, badge),
        node("p", { class: "td-change" }, similarities),
        node("p", { class: "td-before" }, "small: ", node("q", {}, candidate.reading.text.replaceAll("\n", " / ") || "nothing legible")),
        ...readingElements(run.request.text, large), rule));

    /** `own` as above; without it, `left` is whether the picture would be there, and `first` whether it would win. */
    function render(first, left, own) {
      element.className = first ? "td-card" : "td-card td-pruned";
      badge.textContent = first ? "the answer" : left ? "not chosen" : "not drawn";
      rule.textContent = own ? verdict.rule
        : !left ? "Its candidate would be pruned."
          : first ? "The best of those whose candidate would be kept." : "Another one would be better.";
      run.drawCandidate(small, source, run.last);
      drawTile(canvas, run.sheet(files.final), size, 0);
    }

    return { element, large, render };
  }

  Object.assign(window.textdiff, { upscaled });
})();
