/* The form of the branch view: what holds from the present step on, at first what held before. */
(() => {
  "use strict";
  const { node } = window.textdiff;

  const SAMPLERS = ["ddim", "ddpm", "dpm++2m", "unipc"];

  /** { element, fill(values), changes() }; `oninput` hears of every change, `children` stand at the end. */
  function branchForm(oninput, onsubmit, ...children) {
    const text = node("textarea", { rows: 2, spellcheck: "false" });
    const guidance = node("input", { type: "number", min: 1, max: 20, step: 0.5 });
    const sampler = node("select", {}, ...SAMPLERS.map((name) => node("option", { value: name }, name)));
    const eta = node("input", { type: "number", min: 0, max: 1, step: 0.1 });
    const seed = node("input", { type: "number", min: 0, step: 1 });
    const etaLabel = node("label", {}, "Eta, noise of ddim", eta);
    const inputs = { text, guidance, sampler, eta, seed };
    let before = {};
    const element = node("form", {
      class: "td-form", novalidate: true, oninput: () => { follow(); oninput(); },
      onsubmit: (event) => { event.preventDefault(); onsubmit(); },
    },
    node("label", { class: "td-wide-field" }, "Text", text),
    node("label", {}, "Guidance", guidance),
    node("label", {}, "Sampler", sampler),
    etaLabel,
    node("label", {}, "Seed of later noise", seed),
    ...children);

    const follow = () => (etaLabel.hidden = sampler.value !== "ddim");

    function fill(values) {
      before = values;
      for (const [name, input] of Object.entries(inputs)) input.value = values[name];
      follow();
    }

    /** What differs from what held before; null stands for a number that is none. */
    function changes() {
      const values = { text: text.value, sampler: sampler.value };
      for (const name of ["guidance", "seed"]) values[name] = numberIn(inputs[name]);
      if (sampler.value === "ddim") values.eta = numberIn(eta);
      return Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== before[name]));
    }

    return { element, fill, changes };
  }

  const numberIn = (input) => (Number.isNaN(input.valueAsNumber) ? null : input.valueAsNumber);

  Object.assign(window.textdiff, { branchForm });
})();
