/* A large map over the picture, in which a place can be pointed at and pinned; and that of one character. */
(() => {
  "use strict";
  const { node, cividis, named, number, drawTile } = window.textdiff;
  const { strongest, paintMap, cellOf, pixelOf } = window.textdiff;

  /**
   * The picture with a map on top. render(side, map, top, about, sentence) draws a map of side x side cells, or
   * nothing for null; with side 0 there is no place to point at. `about` stands above the map, `sentence` below.
   */
  function pointedMap({ run, state, set }, name) {
    const under = node("canvas", { "aria-hidden": "true" });
    const map = node("canvas", { "aria-hidden": "true", class: "td-map" });
    const mark = node("div", { class: "td-cell" });
    const stack = node("div", {
      role: "img", class: "td-stack", tabindex: 0, onpointermove: point, onpointerdown: point, onclick: pin,
      onpointerleave: () => set({ cell: null }), onkeydown: move,
    }, under, map, mark);
    const heading = node("p", { class: "td-about" });
    const readout = node("output", { class: "td-readout" });
    const release = node(
      "button", { type: "button", class: "td-ask", onclick: () => set({ pin: null, cell: null }) }, "Let go");
    const element = node("div", { class: `td-heat ${name}` },
      heading, stack, node("div", { class: "td-readouts" }, readout, release));
    let side = 0;

    function cellUnder(event) {
      const box = stack.getBoundingClientRect();
      const at = (part, whole) => Math.max(0, Math.min(side - 1, Math.floor((part / whole) * side)));
      return at(event.clientY - box.top, box.height) * side + at(event.clientX - box.left, box.width);
    }

    function point(event) {
      if (!side) return;
      const cell = cellUnder(event);
      if (cell !== state.cell) set({ cell });
    }

    /** A click holds a place; a click on the same place lets go. */
    function pin(event) {
      if (!side) return;
      const cell = cellUnder(event);
      const again = state.pin !== null && cellOf(run, state, side) === cell;
      set({ pin: again ? null : pixelOf(run, cell, side) });
    }

    /** The arrow keys move the pin. */
    function move(event) {
      const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!by || !side) return;
      event.preventDefault();
      const cell = cellOf(run, state, side) ?? Math.floor(side / 2) * (side + 1);
      const within = (at) => Math.max(0, Math.min(side - 1, at));
      const [row, column] = [within(Math.floor(cell / side) + by[0]), within((cell % side) + by[1])];
      set({ pin: pixelOf(run, row * side + column, side) });
    }

    function render(cells, weights, top, about, sentence) {
      side = cells;
      drawTile(under, run.sheet(run.names(state.candidate).x0), run.size, state.step);
      map.style.opacity = state.opacity;
      map.hidden = weights === null;
      heading.replaceChildren(...about);
      readout.value = sentence;
      const seen = `${heading.textContent}, step ${state.step + 1}. ${sentence}`;
      stack.setAttribute("aria-label", `${seen} Arrow keys move a place.`);
      if (weights) paintMap(map, side, weights, top);
      const cell = side ? cellOf(run, state, side) : null;
      mark.hidden = cell === null;
      mark.classList.toggle("td-pinned", state.pin !== null);
      release.hidden = state.pin === null;
      if (cell !== null) {
        const share = (at) => `${(100 * at) / side}%`;
        Object.assign(mark.style, { left: share(cell % side), top: share(Math.floor(cell / side)), width: share(1) });
      }
    }

    return { element, render };
  }

  const place = (cell, side) => `row ${Math.floor(cell / side) + 1}, column ${(cell % side) + 1}`;

  function strongestSentence(map, side) {
    const peak = strongest(map);
    return `Strongest: ${number(map[peak])}, at ${place(peak, side)}.`;
  }

  /** The map of one character. render(choice, maps, top): of all tokens; null while they are on their way. */
  function largeMap(stage) {
    const { run, state } = stage;
    const pointed = pointedMap(stage, "td-one");

    function render({ side }, maps, top) {
      const { character, direction } = state;
      const token = node("b", {}, named(run.tokens[character]));
      const about = direction === "text_to_image"
        ? ["Where the picture listens to ", token] : ["Where ", token, " looks in the picture"];
      const cell = cellOf(run, state, side);
      const sentence = !maps ? ""
        : cell === null ? strongestSentence(maps[character], side) : placeSentence(maps, cell, side);
      pointed.render(side, maps && maps[character], top, about, sentence);
    }

    function placeSentence(maps, cell, side) {
      const weights = maps.map((map) => map[cell]);
      const most = strongest(weights);
      const [token, weight] = [named(run.tokens[most]), number(weights[most])];
      return state.direction === "text_to_image"
        ? `The place at ${place(cell, side)} listens to ${token} most: ${weight}.`
        : `Of all characters, ${token} looks at ${place(cell, side)} most: ${weight}.`;
    }

    return { element: pointed.element, render };
  }

  /** The colours with their numbers. */
  function legend() {
    const bar = node("canvas", { width: 256, height: 1, class: "td-bar", "aria-hidden": "true" });
    const context = bar.getContext("2d");
    for (let level = 0; level < 256; level++) {
      context.fillStyle = `rgb(${cividis(level)})`;
      context.fillRect(level, 0, 1, 1);
    }
    const ticks = [0, 0.5, 1].map(() => node("span", {}));
    const meaning = node("small", {});
    const element = node(
      "div", { class: "td-legend" }, bar, node("div", { class: "td-ticks" }, ...ticks), meaning);

    function render(top, sentence) {
      ticks.forEach((tick, at) => (tick.textContent = number((top * at) / 2)));
      meaning.textContent = sentence;
    }

    return { element, render };
  }

  Object.assign(window.textdiff, { pointedMap, place, strongestSentence, largeMap, legend });
})();
