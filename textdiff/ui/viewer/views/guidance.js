/*
 * Guidance: one noisy picture, and the network's guess at what lies under it without the text, with it, and further in
 * that direction. No run has a record of more than one scale, so the page is asked, once for all scales of a step.
 */
(() => {
  "use strict";
  const { fields, node, unique, decode, drawTile } = window.textdiff;

  const SCALES = [1, 2, 3, 4, 5, 6, 7, 8]; // as in experiments_panel.py
  // In the order of the answer, where the scales come after them.
  const GUESSES = [
    ["Without the text", "the text is kept from the network, so it may be anything"],
    ["With the text", "the same as scale 1"],
    ["With the empty text “”", "not the same as without: the network is told that there is nothing to write"],
  ];
  const NEEDS_MODEL = "Other scales are not in the record of a run, so this view needs the model: open the run on a page "
    + "of textdiff.";

  const IN_ONE_CALL = "This run was guided in one call: the network was told the scale and answered at once, as it has "
    + "learned from two guesses, one with the text and one without. Here the same network is asked for both.";

  window.textdiff.views.guidance = {
    title: "Guidance",

    fields: {
      scale: fields.whole(SCALES[0], SCALES.at(-1), (run) =>
        Math.min(SCALES.at(-1), Math.max(SCALES[0], Math.round(run.request.guidance)))),
    },

    build(stage) {
      if (stage.run.inOneCall) stage.panel.append(node("p", { class: "td-lesson" }, IN_ONE_CALL));
      if (stage.ask) return buildGuidance(stage);
      stage.panel.append(node("p", { class: "td-lesson" }, NEEDS_MODEL));
      return { render() {} };
    },
  };

  function buildGuidance({ run, state, set, ask, panel }) {
    const asking = node("button", { type: "button", class: "td-ask", onclick: begin });
    const status = node("small", { role: "status" });
    const shown = buildAnswer(run, set);
    panel.append(node("div", { class: "td-question td-guiding" }, asking, status), shown.element);
    const answers = new Map(); // candidate and step -> { candidate, step, sheet }
    let latest = null; // the newest answer, which stays on screen when the step changes
    let pending = null; // { number, candidate, step } of the question that is on its way
    let [progress, problem] = ["", ""];

    const key = ({ candidate, step }) => `${candidate}, ${step}`;

    function begin() {
      const { candidate, step } = state;
      pending = { number: unique("guidance"), candidate, step };
      [progress, problem] = ["", ""];
      ask("guidance", {
        number: pending.number, model: run.model.sha256, step,
        request: run.requestOf(candidate),
      });
      set({ playing: false });
    }

    async function answer({ action, number, step, steps, problem: sentence, picture }) {
      if (action !== "guidance" || !pending || (number && number !== pending.number)) return;
      if (step !== undefined) progress = ` Step ${step} of ${steps}.`;
      else {
        const about = pending;
        pending = null;
        problem = sentence ?? "";
        if (picture) {
          latest = { ...about, sheet: await decode(picture) };
          answers.set(key(about), latest);
        }
      }
      set({});
    }

    function render() {
      const here = answers.get(key(state));
      latest = here ?? latest;
      asking.hidden = Boolean(here);
      asking.disabled = pending !== null || run.stopped;
      asking.textContent = latest ? `Ask again at step ${state.step + 1}` : "Ask the model";
      status.textContent = here ? `The answers at this step, ${where(here)}.`
        : pending ? `Going through the run again, up to step ${pending.step + 1} …${progress}`
        : run.stopped ? "This run was stopped early, so it cannot be gone through again."
        : problem || (latest ? `These are still the answers at ${where(latest)}.`
          : "What else the network would have answered at this step is not in the record, so it has to be asked.");
      shown.element.hidden = !latest;
      if (latest) shown.render(latest, state.scale, !here);
    }

    function where({ candidate, step }) {
      return `step ${step + 1} of candidate #${run.candidates[candidate].verdict.rank}`;
    }

    return { render, answer };
  }

  /** { element, render(answer, scale, stale) }: everything that came with one answer. */
  function buildAnswer(run, set) {
    const figure = (title, meaning) => {
      const canvas = node("canvas", { role: "img" });
      const heading = node("b", {}, title);
      const small = node("small", {}, meaning);
      return { canvas, heading, small, element: node("figure", {}, canvas, node("figcaption", {}, heading, small)) };
    };
    const large = figure("", "");
    const noisy = figure("Noisy picture", "what all of these are guesses about");
    const guesses = GUESSES.map(([title, meaning]) => figure(title, meaning));
    const slider = node("input", {
      type: "range", min: SCALES[0], max: SCALES.at(-1), step: 1, "aria-label": "Guidance scale",
      oninput: () => set({ scale: slider.valueAsNumber }),
    });
    const small = SCALES.map((scale) => {
      const canvas = node("canvas", { role: "img" });
      const button = node(
        "button", { type: "button", "aria-label": `Scale ${scale}`, onclick: () => set({ scale }) },
        canvas, node("span", {}, scale));
      return { scale, canvas, button };
    });
    const element = node("section", { class: "td-guided", "aria-label": "What the network answers" },
      node("div", { class: "td-chosen" }, large.element),
      node("div", { class: "td-scales" },
        slider, node("div", { class: "td-row" }, ...small.map(({ button }) => button))),
      node("div", { class: "td-guesses" }, noisy.element, ...guesses.map((one) => one.element)));

    function render({ candidate, step, sheet }, scale, stale) {
      const draw = (canvas, column, title) => {
        drawTile(canvas, sheet, sheet.height, column);
        canvas.setAttribute("aria-label", `${title}, at step ${step + 1}`);
      };
      element.classList.toggle("td-stale", stale);
      drawTile(noisy.canvas, run.sheet(run.names(candidate).noisy), run.size, step);
      noisy.canvas.setAttribute("aria-label", `Noisy picture, at step ${step + 1}`);
      guesses.forEach(({ canvas }, at) => draw(canvas, at, GUESSES[at][0]));
      for (const { scale: one, canvas, button } of small) {
        draw(canvas, GUESSES.length + one - SCALES[0], `Guided with scale ${one}`);
        button.setAttribute("aria-pressed", one === scale);
      }
      draw(large.canvas, GUESSES.length + scale - SCALES[0], `Guided with scale ${scale}`);
      large.heading.textContent = `Guided with scale ${scale}`;
      large.small.textContent = (scale === 1 ? "The guess with the text, as it is."
        : `${scale} times as far from the guess without the text as the guess with it.`)
        + (scale === run.request.guidance ? " This run was made with this scale." : "");
      slider.value = scale;
      slider.setAttribute("aria-valuetext", `scale ${scale}`);
    }

    return { element, render };
  }
})();
