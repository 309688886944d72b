/* The answer of a run with large pictures: the picture that won, as large as it is, with what was read in it. */
(() => {
  "use strict";
  const { node, cut, plural, winner } = window.textdiff;

  /** Stands above the pictures of the steps; null where no picture was drawn large. */
  function answerOf({ run, set }) {
    if (!run.upscaling) return null;
    const { transcript } = window.textdiff; // of the view Candidates, which is loaded later
    const { pictures, best, size } = run.upscaling;
    const large = pictures[best];
    const answer = winner(run.candidates[run.best], large);
    const { reading, verdict } = answer;
    const canvas = node("canvas", {
      role: "img", "aria-label": `The answer, ${answer === large ? size : run.size} pixels wide`,
    });
    const kept = run.candidates.filter((candidate) => candidate.verdict.kept).length;
    const drawn = `${kept} of ${plural(run.candidates.length, "candidate")} stayed, and ${plural(pictures.length, "picture")} `
      + `of ${size} pixels ${pictures.length === 1 ? "was" : "were"} drawn from them. `;
    const how = drawn + (answer === large
      ? `This one, from the candidate ranked ${run.candidates[large.source].verdict.rank}, was read best. `
        + `The steps below are those at ${run.size} pixels.`
      : "Drawing it large spoiled it: this, the best candidate, was read better.");
    const element = node("figure", { class: "td-winner" }, canvas,
      node("figcaption", {},
        node("b", {}, "The answer"),
        transcript(run.request.text, reading.text),
        node("p", {}, verdict.exact ? "Read exactly as it should be." : `Read with similarity ${cut(verdict.similarity)}.`),
        node("small", {}, how),
        node("button", { type: "button", class: "td-ask", onclick: () => set({ view: "candidates" }) },
          "See how it was chosen")));
    return { element, render: () => run.drawFinal(canvas, answer) };
  }

  Object.assign(window.textdiff, { answerOf });
})();
