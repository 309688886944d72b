/* The answer of a run with large pictures: the one that won, as large as it is, with what was read in it. */
(() => {
  "use strict";
  const { node, cut, plural, drawTile } = window.textdiff;

  /** Stands above the pictures of the steps; null where no picture was drawn large. */
  function answerOf({ run, set }) {
    if (!run.upscaling) return null;
    const { transcript } = window.textdiff; // of the view Candidates, which is loaded later
    const { pictures, best, size } = run.upscaling;
    const { source, reading, verdict, files } = pictures[best];
    const canvas = node("canvas", { role: "img", "aria-label": `The answer, ${size} pixels wide` });
    const kept = run.candidates.filter((candidate) => candidate.verdict.kept).length;
    const how = `${kept} of ${plural(run.candidates.length, "candidate")} stayed, and ${plural(pictures.length, "picture")} `
      + `of ${size} pixels ${pictures.length === 1 ? "was" : "were"} drawn from them. This one, from the candidate ranked `
      + `${run.candidates[source].verdict.rank}, was read best. The steps below are those at ${run.size} pixels.`;
    const element = node("figure", { class: "td-winner" }, canvas,
      node("figcaption", {},
        node("b", {}, "The answer"),
        transcript(run.request.text, reading.text),
        node("p", {}, verdict.exact ? "Read exactly as it should be." : `Read with similarity ${cut(verdict.similarity)}.`),
        node("small", {}, how),
        node("button", { type: "button", class: "td-ask", onclick: () => set({ view: "candidates" }) },
          "See how it was chosen")));
    return { element, render: () => drawTile(canvas, run.sheet(files.final), size, 0) };
  }

  Object.assign(window.textdiff, { answerOf });
})();
