/* The two thresholds of the ranking, on one line with the similarities that they divide. */
(() => {
  "use strict";
  const { node, plural, ruleFor } = window.textdiff;

  const END = 1.05; // of the line; a threshold out there is one that nobody reaches
  const place = (value) => `${(100 * Math.min(value, END)) / END}%`;
  const named = (value) => (value > 1 ? "off" : value.toFixed(2));

  /** Stands above the cards; `fates` are what ranking.js says about the candidates. */
  function thresholds({ run, state, set }) {
    const own = { keep_only_if_above: run.request.keep_only_if_above, delete_under: run.request.delete_under };
    const rule = node("output", {});
    const fall = node("div", { class: "td-fall" });
    const dots = run.ranking.map((candidate) => ({ candidate, dot: node("i", { class: "td-dot" }) }));
    stackUp(dots);
    const lines = Object.keys(own).map((name) => node("div", { class: "td-threshold" }));
    const back = node("button", { type: "button", class: "td-ask", onclick: () => set(own) }, "Put them back");
    const sliders = [
      slider("keep_only_if_above", END, "Keep only if above", "when one gets there, all others go"),
      slider("delete_under", 1, "Delete under", "otherwise only these go"),
    ];
    const element = node("section", { class: "td-thresholds", "aria-label": "Thresholds" },
      node("p", { class: "td-ruling" }, rule, back),
      node("div", { class: "td-scale", "aria-hidden": "true" },
        node("div", { class: "td-track" }, fall, ...lines, ...dots.map(({ dot }) => dot))),
      node("div", { class: "td-ticks td-scale", "aria-hidden": "true" },
        node("span", {}, "0"), node("span", {}, "similarity, a dot per candidate"), node("span", {}, "1")),
      ...sliders.map((one) => one.element));

    function slider(name, max, title, meaning) {
      const input = node("input", {
        type: "range", class: "td-slider", min: 0, max, step: 0.01,
        oninput: () => set({ [name]: Number(input.value) }),
      });
      const value = node("b", {});
      const label = node("label", { class: "td-limit" },
        node("span", {}, title, " ", value), node("small", {}, meaning), input);

      function follow() {
        input.value = state[name];
        input.setAttribute("aria-label", `${title}: ${named(state[name])}; ${meaning}`);
        value.textContent = named(state[name]);
      }

      return { element: label, follow };
    }

    function render(fates) {
      const { keep_only_if_above: keep, delete_under: under } = state;
      const similarities = run.candidates.map(({ verdict }) => verdict.similarity);
      const { threshold } = ruleFor(similarities, keep, under);
      const kept = fates.filter((fate) => fate.kept).length;
      const count = `${kept} of ${plural(fates.length, "candidate")}`;
      rule.value = threshold === null
        ? `All are under ${named(under)}, and pruning never removes everybody: ${count} stay.`
        : threshold === keep
          ? `The best reaches ${named(keep)}, so only those that do stay: ${count}.`
          : `${keep > 1 ? "The upper threshold is off" : `Nobody reaches ${named(keep)}`}, so only those under `
            + `${named(under)} go: ${count} stay.`;
      back.hidden = Object.entries(own).every(([name, value]) => state[name] === value);
      sliders.forEach((one) => one.follow());
      fall.style.width = place(threshold ?? 0);
      [keep, under].forEach((value, at) => {
        lines[at].style.left = place(value);
        lines[at].classList.toggle("td-holds", value === threshold);
      });
      for (const { candidate, dot } of dots) dot.classList.toggle("td-pruned", !fates[candidate.index].kept);
    }

    return { element, render };
  }

  /** Dots that would cover each other stand on each other. */
  function stackUp(dots) {
    const heights = new Map();
    for (const { candidate, dot } of dots) {
      const near = Math.round(candidate.verdict.similarity * 50);
      const height = heights.get(near) ?? 0;
      heights.set(near, height + 1);
      dot.style.left = place(candidate.verdict.similarity);
      dot.style.setProperty("--height", height);
    }
    const most = Math.max(...heights.values());
    for (const { dot } of dots) dot.style.setProperty("--most", most);
  }

  Object.assign(window.textdiff, { thresholds });
})();
