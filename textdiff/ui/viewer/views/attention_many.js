/* Small multiples: the maps of all characters at one step, or those of one character at all steps. */
(() => {
  "use strict";
  const { node, visible, named, number, drawTile, strongest, paintMap } = window.textdiff;

  /** A small map over the picture, on a button. */
  function smallMap(caption, properties) {
    const [under, map] = [node("canvas", {}), node("canvas", { class: "td-map" })];
    const text = node("span", {}, caption);
    const element = node("button", { type: "button", class: "td-small", ...properties },
      node("span", { class: "td-stack", "aria-hidden": "true" }, under, map), text);

    function draw(run, state, step, choice, weights, top) {
      drawTile(under, run.sheet(run.names(state.candidate).x0), run.size, step);
      map.style.opacity = state.opacity;
      paintMap(map, choice.side, weights, top);
    }

    return { element, draw };
  }

  /** The elements of `make(token, index)` in lines as in the text; START has one of its own. */
  function inLines(run, make) {
    const lines = [node("div", { class: "td-line" })];
    run.tokens.forEach((token, index) => {
      lines.at(-1).append(make(token, index));
      if (index === 0 || token === "\n") lines.push(node("div", { class: "td-line" }));
    });
    return lines;
  }

  /** One map per character; a click shows it large. */
  function allCharacters({ run, state, set }) {
    const small = run.tokens.map((token, index) => smallMap(index ? visible(token) : "START", {
      title: `Show ${named(token)} large`, onclick: () => set({ character: index, maps: "one", cell: null }),
    }));
    const element = node(
      "div", { class: "td-characters td-all", role: "group", "aria-label": "A map for every character" },
      ...inLines(run, (_, index) => small[index].element));

    function render(choice, maps, top) {
      small.forEach(({ element: button, draw }, index) => {
        draw(run, state, state.step, choice, maps[index], top);
        const weight = number(maps[index][strongest(maps[index])]);
        button.setAttribute("aria-label", `${named(run.tokens[index])}, strongest ${weight}; show it large`);
        button.setAttribute("aria-pressed", index === state.character);
      });
    }

    return { element, render };
  }

  /** One map per step; a click goes there. */
  function overSteps({ run, state, set }) {
    const small = run.steps.map((_, step) => smallMap(`${step + 1}`, {
      "aria-label": `Step ${step + 1}`, title: `Go to step ${step + 1}`,
      onclick: () => set({ step, playing: false }),
    }));
    const element = node(
      "div", { class: "td-strip", role: "group", "aria-label": "A map for every step" },
      ...small.map((one) => one.element));
    let drawn = null; // what the maps on screen were drawn from: while only the step changes, they stay

    function render(choice, maps, top) {
      const { candidate, character, head, opacity } = state;
      const ready = Boolean(run.sheet(run.names(candidate).x0));
      const wanted = [candidate, choice.index, head, character, top, opacity, ready].join();
      if (drawn !== wanted) small.forEach(({ draw }, step) => draw(run, state, step, choice, maps[step], top));
      drawn = wanted;
      small.forEach(({ element: button }, step) => {
        button.setAttribute("aria-current", step === state.step ? "step" : "false");
        button.tabIndex = step === state.step ? 0 : -1;
      });
    }

    return { element, render };
  }

  Object.assign(window.textdiff, { inLines, allCharacters, overSteps });
})();
