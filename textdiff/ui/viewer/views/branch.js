/*
 * Branch: what if the run had gone on otherwise from this step? The page writes both, and they stand beside each other
 * on the slider of the steps.
 */
(() => {
  "use strict";
  const { node, unique, visible, cut, plural, decode, drawTile, branchForm } = window.textdiff;

  const NEEDS_MODEL = "What would have become of another run is in no record, so this view needs the model: open the "
    + "run on a page of textdiff.";
  const NO_NUMBER = "Fill in every field: guidance, eta and seed are numbers.";
  const NO_CHANGE = "Change something first: from this step on, the branch follows the form.";

  window.textdiff.views.branch = {
    title: "Branch",
    fields: {},
    build(stage) {
      if (stage.ask) return buildBranch(stage);
      stage.panel.append(node("p", { class: "td-lesson" }, NEEDS_MODEL));
      return { render() {} };
    },
  };

  /** Two questions about whole runs, from the same noise. */
  function probes(run) {
    const count = run.steps.length;
    return [
      {
        action: "half",
        button: `${plural(count, "step")} of ${2 * count} is not a ${count}-step run`,
        titles: [`The first ${count} of ${2 * count} steps`, `All of ${plural(count, "step")}`],
        says: "Both begin with the same noise and ask as often. The longer run has planned smaller steps, and when it "
          + "is stopped halfway, much of the noise is still there.",
      },
      {
        action: "samplers",
        button: "DDIM against DDPM from the same noise",
        titles: ["DDIM", "DDPM"],
        says: "Both begin with the same noise. DDIM draws no more of it, so the first noise decides everything; DDPM "
          + "adds fresh noise at every step and soon goes its own way.",
      },
    ];
  }

  function buildBranch({ run, state, set, ask, panel }) {
    const asking = node("button", { type: "submit", class: "td-ask" });
    const form = branchForm(render, beginBranch, asking);
    const buttons = probes(run).map(({ action, button, ...about }) =>
      node("button", { type: "button", class: "td-ask", onclick: () => begin(action, {}, about) }, button));
    const status = node("small", { role: "status" });
    const result = buildComparison(run);
    panel.append(
      node("div", { class: "td-branching" }, form.element,
        node("div", { class: "td-probes" }, node("small", {}, "Or try one of these"), ...buttons), status),
      result.element);
    const answers = new Map(); // candidate -> the newest comparison
    let pending = null; // { number, action, candidate, titles, says } of the question that is on its way
    let [progress, problem] = ["", ""];
    let filled = null; // the candidate whose values the form began with

    function beginBranch() {
      if (asking.disabled) return; // the Enter key
      const changes = form.changes();
      const from = `step ${state.step + 1}`;
      begin("branch", { step: state.step, changes }, {
        titles: ["As it was", `Changed from ${from} on`],
        says: `Before ${from} both are the same. Changed: ${listed(changes)}.`,
        from: state.step,
      });
    }

    function begin(action, details, about) {
      const { candidate } = state;
      pending = { ...about, number: unique(action), action, candidate };
      [progress, problem] = ["", ""];
      ask(action, {
        ...details, number: pending.number, model: run.model.sha256,
        request: run.requestOf(candidate),
      });
      set({ playing: false });
    }

    async function answer({ action, number, step, steps, problem: sentence, ...found }) {
      if (action !== pending?.action || (number && number !== pending.number)) return;
      if (step !== undefined) progress = ` Step ${step} of ${steps}.`;
      else {
        const about = pending;
        pending = null;
        problem = sentence ?? "";
        if (!sentence) {
          const sheets = await Promise.all([found.old, found.new].map(({ picture }) => decode(picture)));
          answers.set(about.candidate, { ...about, ...found, sheets });
        }
      }
      set({});
    }

    function render() {
      if (filled !== state.candidate) {
        filled = state.candidate;
        const { text, guidance, sampler } = run.request;
        form.fill({ text, guidance, sampler, eta: 0, seed: run.candidates[filled].seed });
      }
      const changes = Object.values(form.changes());
      const missing = changes.includes(null) ? NO_NUMBER : changes.length ? "" : NO_CHANGE;
      const busy = pending !== null || run.stopped;
      asking.textContent = `Branch off at step ${state.step + 1}`;
      asking.disabled = busy || missing !== "";
      for (const button of buttons) button.disabled = busy;
      status.textContent = pending ? `Writing both …${progress}`
        : run.stopped ? "This run was stopped early, so it cannot be written again."
        : problem || missing;
      const found = answers.get(state.candidate);
      result.element.hidden = !found;
      if (found) result.render(found, state.step);
    }

    return { render, answer };
  }

  function listed(changes) {
    return Object.entries(changes).map(([name, value]) =>
      `${name} ${typeof value === "string" ? `“${visible(value)}”` : value}`).join(", ");
  }

  /** { element, render(comparison, step) } */
  function buildComparison(run) {
    const sides = [0, 1].map(() => {
      const [canvas, title, read] = [node("canvas", { role: "img" }), node("b", {}), node("small", {})];
      return { canvas, title, read, element: node("figure", {}, canvas, node("figcaption", {}, title, read)) };
    });
    const [says, note] = [node("p", {}), node("p", { class: "td-problem" })];
    const element = node("section", { class: "td-branched", "aria-label": "Both runs" },
      node("div", { class: "td-both" }, ...sides.map((side) => side.element)), says, note);

    function render({ titles, says: sentence, note: cannot, from = 0, sheets, ...found }, step) {
      sides.forEach(({ canvas, title, read }, at) => {
        const { text, similarity } = at ? found.new : found.old;
        drawTile(canvas, sheets[at], sheets[at].height, step);
        title.textContent = titles[at];
        read.textContent = `in the end read as ${text ? `“${visible(text)}”` : "nothing legible"}, similarity `
          + cut(similarity);
        canvas.setAttribute("aria-label", `${titles[at]}: the guess at step ${step + 1}`);
      });
      element.classList.toggle("td-shared", step < from);
      says.textContent = `${sentence} The slider below moves both; these are the guesses at step ${step + 1}.`;
      note.textContent = cannot;
      note.hidden = !cannot;
    }

    return { element, render };
  }
})();
