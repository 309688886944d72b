/*
 * Self-attention: where a place of the picture looks in the picture. No run has a record of it, so the page is asked,
 * once for all places and layers of a step.
 */
(() => {
  "use strict";
  const { node, unique, decode, square, cellOf, pointedMap, place, strongestSentence } = window.textdiff;

  /** { element: the picture, button: what asks, render() returns the weight that is yellow, answer(details) }. */
  function withinPicture(stage) {
    const { run, state, set, ask } = stage;
    const pointed = pointedMap(stage, "td-within");
    const asking = node("button", { type: "button", class: "td-ask", onclick: begin }, "Ask the model");
    const status = node("small", { role: "status" });
    const layer = node("select", { onchange: () => set({ within: Number(layer.value), cell: null }) });
    const layers = node("label", {}, "Layer", layer);
    const button = node("div", { class: "td-asks" },
      node("div", { class: "td-question" }, asking, status), layers);
    const answers = new Map(); // candidate and step -> layers
    let pending = null; // { number, key } of the question that is on its way
    let [progress, problem] = ["", ""];
    let listed = null;

    const key = () => `${state.candidate}, ${state.step}`;

    function begin() {
      pending = { number: unique("within"), key: key() };
      [progress, problem] = ["", ""];
      ask("within", {
        number: pending.number, model: run.model.sha256, step: state.step,
        request: run.requestOf(state.candidate),
      });
      set({});
    }

    async function answer({ action, number, step, steps, problem: sentence, layers: found }) {
      if (action !== "within" || !pending || (number && number !== pending.number)) return;
      if (step !== undefined) progress = ` Step ${step} of ${steps}.`;
      else {
        const about = pending.key;
        pending = null;
        problem = sentence ?? "";
        if (found) answers.set(about, await Promise.all(found.map(weightsOf)));
      }
      set({});
    }

    function render() {
      const found = answers.get(key()) ?? null;
      asking.hidden = found !== null;
      asking.disabled = pending !== null || run.stopped;
      layers.hidden = found === null;
      status.textContent = found
        ? "Self-attention: a place also looks at other places, so that strokes meet and lines stay straight. This is "
          + "the mean of the heads."
        : pending ? `Going through the run again, up to this step …${progress}`
        : run.stopped ? "This run was stopped early, so it cannot be gone through again."
        : problem || "What the places of the picture say to each other is not in the record, so the model has to be "
          + "asked.";
      if (found && listed !== found) {
        layer.replaceChildren(...found.map(({ name }, at) => node("option", { value: at }, name)));
        listed = found;
      }
      const shown = found && (found[state.within] ?? found.at(-1));
      if (found) layer.value = found.indexOf(shown);
      return renderMap(shown);
    }

    function renderMap(shown) {
      const cell = shown && cellOf(run, state, shown.side);
      if (cell === null) {
        const hint = shown ? "Point at a place of the picture; a click holds it." : "";
        pointed.render(shown?.side ?? 0, null, 1, ["How the places of the picture look at each other"], hint);
        return shown?.top ?? 1;
      }
      const { side, top } = shown;
      const map = shown.weights.subarray(cell * side * side, (cell + 1) * side * side);
      const most = state.stretch ? Math.max(...map) : top;
      const about = ["Where the place at ", node("b", {}, place(cell, side)), " looks in the picture"];
      pointed.render(side, map, most, about, strongestSentence(map, side));
      return most;
    }

    return { element: pointed.element, button, render, answer };
  }

  /** { name, side, top, weights }: side ** 2 maps of side ** 2 weights each, one map after the other. */
  async function weightsOf({ name, resolution: side, picture, top }) {
    const sheet = await decode(picture);
    const context = square(document.createElement("canvas"), side * side);
    context.drawImage(sheet, 0, 0);
    sheet.close();
    const levels = context.getImageData(0, 0, side * side, side * side).data;
    const weights = Float64Array.from({ length: side ** 4 }, (_, at) => (levels[4 * at] / 255) * top);
    return { name, side, top, weights };
  }

  Object.assign(window.textdiff, { withinPicture });
})();
