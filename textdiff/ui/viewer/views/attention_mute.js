/*
 * The causal check: the same noise and the same text once more, but no cell of the picture can see the character.
 * What then changes was drawn from it; whether that is where the heat map is bright is computed here.
 */
(() => {
  "use strict";
  const { node, named, visible, number, cut, decode, drawTile, paintMap, unique } = window.textdiff;

  const BRIGHTEST = 0.1; // the share of the cells that count as bright

  /** { button: what asks, result: what came of it, render(choice, map), answer(details) }. */
  function muting({ run, state, ask }) {
    const asking = node("button", { type: "button", class: "td-ask", onclick: begin });
    const status = node("small", { role: "status" });
    const button = node("div", { class: "td-question td-mute" }, asking, status);
    const result = node("section", { class: "td-muted", "aria-label": "What changed", hidden: true });
    const answers = new Map(); // candidate and character -> what came of it
    let pending = null; // { number, key, token } of the question that is on its way
    let problem = "";
    let shown = null;
    let latest = () => {};

    const key = () => `${state.candidate}, ${state.character}`;

    function begin() {
      pending = { number: unique("mute"), key: key(), token: state.character, progress: "" };
      problem = "";
      ask("mute", {
        number: pending.number, model: run.model.sha256, token: state.character,
        request: run.requestOf(state.candidate),
      });
      latest();
    }

    async function answer({ action, number: which, step, steps, problem: sentence, ...found }) {
      if (action !== "mute" || !pending || (which && which !== pending.number)) return;
      if (sentence) {
        problem = sentence;
        pending = null;
      } else if (step !== undefined) pending.progress = ` Step ${step} of ${steps}.`;
      else {
        const { key: about, token } = pending;
        pending = null;
        const pictures = await Promise.all([found.before, found.after, found.change].map((one) => decode(one.picture)));
        answers.set(about, buildResult(run, token, found, pictures));
      }
      latest();
    }

    function render(choice, map) {
      latest = () => render(choice, map);
      const token = named(run.tokens[state.character]);
      asking.textContent = `Mute ${token}`;
      asking.disabled = pending !== null || run.stopped || run.tokens.length === 1;
      status.textContent = pending ? `Writing it again without ${named(run.tokens[pending.token])} …${pending.progress}`
        : run.stopped ? "This run was stopped early, so it cannot be written again."
        : problem || "The heat map shows where the picture listens. To see whether that matters, write the picture once "
          + "more, with the same noise, while it cannot hear this character.";
      const found = answers.get(key()) ?? null;
      if (found !== shown) {
        shown = found;
        result.replaceChildren(...(found ? found.nodes : []));
      }
      result.hidden = !found;
      found?.render(choice, map);
    }

    return { button, result, render, answer };
  }

  const quoted = (text) => (text ? `“${visible(text)}”` : "nothing legible");

  function buildResult(run, token, { before, after, change }, sheets) {
    const name = named(run.tokens[token]);
    const canvases = sheets.map(() => node("canvas", { role: "img" }));
    const titles = [
      ["As it was", `read as ${quoted(before.text)}, similarity ${cut(before.similarity)}`],
      [`With ${name} muted`, `read as ${quoted(after.text)}, similarity ${cut(after.similarity)}`],
      ["What changed", `yellow is most: ${number(change.top)} of the way from black to white`],
    ];
    const changes = drawResult(canvases, sheets, change.top);
    const total = changes.reduce((sum, value) => sum + value, 0);
    const where = node("p", {});
    const reads = before.text === after.text
      ? `Without ${name} the reader still reads ${quoted(after.text)}.`
      : `Without ${name} the reader reads ${quoted(after.text)} instead of ${quoted(before.text)}: similarity `
        + `${cut(after.similarity)} instead of ${cut(before.similarity)}.`;
    const nodes = [
      node("div", { class: "td-three" }, ...canvases.map((canvas, at) => {
        canvas.setAttribute("aria-label", titles[at].join(", "));
        return node("figure", {}, canvas,
          node("figcaption", {}, node("b", {}, titles[at][0]), node("small", {}, titles[at][1])));
      })),
      node("p", {}, reads), where,
    ];

    function render({ side }, map) {
      where.textContent = total && map ? shareSentence(changes, total, side, map) : "";
    }

    return { nodes, render };
  }

  /** Draws the three pictures; returns the change of every pixel, row by row. */
  function drawResult(canvases, sheets, top) {
    sheets.slice(0, 2).forEach((sheet, at) => drawTile(canvases[at], sheet, sheet.width, 0));
    const side = sheets[2].width;
    const levels = drawTile(canvases[2], sheets[2], side, 0).getImageData(0, 0, side, side).data;
    const changes = Float64Array.from({ length: side * side }, (_, pixel) => (levels[4 * pixel] / 255) * top);
    paintMap(canvases[2], side, changes, top || 1);
    sheets.forEach((sheet) => sheet.close());
    return changes;
  }

  /** How much of the change lies where the heat map is brightest, and how much would by chance. */
  function shareSentence(changes, total, side, map) {
    const width = Math.sqrt(changes.length);
    const cells = new Float64Array(side * side);
    changes.forEach((value, pixel) => {
      const [row, column] = [Math.floor(pixel / width), pixel % width].map((at) => Math.floor((at * side) / width));
      cells[row * side + column] += value;
    });
    const bright = [...map.keys()].sort((a, b) => map[b] - map[a]).slice(0, Math.ceil(BRIGHTEST * map.length));
    const share = bright.reduce((sum, cell) => sum + cells[cell], 0) / total;
    const percent = (part) => `${Math.round(100 * part)} %`;
    return `${percent(share)} of the change lies in the ${bright.length} of ${map.length} places where the heat map is `
      + `brightest; by chance it would be ${percent(bright.length / map.length)}.`;
  }

  Object.assign(window.textdiff, { muting });
})();
