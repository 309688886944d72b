/*
 * The numbers behind the heat maps, read from the atlases of a run, and their colours.
 *
 * A map is a Float64Array of weights, one per cell, row by row. `chosen(run, state)` says which layer and heads it is
 * about; of several heads it is the mean.
 */
(() => {
  "use strict";
  const { cividis, square } = window.textdiff;

  const COLOURS = [...Array(256).keys()].map(cividis);
  const scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  const layerIndex = (run, { layer, direction }) =>
    run.layers.findIndex((one) => one.name === layer && one.direction === direction);

  /** What the state asks for: { index, side, heads, taught }; `side` is the number of cells in a row. */
  function chosen(run, state) {
    const index = layerIndex(run, state);
    const { resolution: side, heads, taught_head: taught } = run.layers[index];
    return { index, side, taught, heads: state.head === "mean" ? [...Array(heads).keys()] : [state.head] };
  }

  /** RGBA levels of a part of an atlas, counted in squares of `side`; null while it is on its way. */
  function squares(run, file, side, column, row, columns, rows) {
    const sheet = run.sheet(file);
    if (!sheet) return null;
    const [width, height] = [columns * side, rows * side];
    scratch.canvas.width = Math.max(scratch.canvas.width, width);
    scratch.canvas.height = Math.max(scratch.canvas.height, height);
    scratch.globalCompositeOperation = "copy";
    scratch.drawImage(sheet, column * side, row * side, width, height, 0, 0, width, height);
    return scratch.getImageData(0, 0, width, height).data;
  }

  /** `columns` x `rows` maps, the mean over the heads, whose squares begin at `place(head)` = [column, row]. */
  function meanMaps(run, candidate, { index, side, heads }, columns, rows, place) {
    const { file, scale } = run.candidates[candidate].files.attention[index];
    const maps = Array.from({ length: columns * rows }, () => new Float64Array(side * side));
    for (const head of heads) {
      const levels = squares(run, file, side, ...place(head), columns, rows);
      if (!levels) return null;
      let at = 0;
      for (let y = 0; y < rows * side; y++) {
        for (let x = 0; x < columns * side; x++, at += 4) {
          const map = maps[Math.floor(y / side) * columns + Math.floor(x / side)];
          map[(y % side) * side + (x % side)] += levels[at];
        }
      }
    }
    for (const map of maps) map.forEach((levels, cell) => (map[cell] = (levels / heads.length / 255) * scale));
    return maps;
  }

  /** A map for every token, at one step; null while the atlas is on its way. */
  const mapsOfTokens = (run, { candidate, step }, choice) =>
    meanMaps(run, candidate, choice, 1, run.tokens.length, (head) => [step, head * run.tokens.length]);

  /** A map for every step, of one token; null while the atlas is on its way. */
  const mapsOfSteps = (run, { candidate, character }, choice) =>
    meanMaps(run, candidate, choice, run.last + 1, 1, (head) => [0, head * run.tokens.length + character]);

  const strongest = (map) => map.reduce((best, weight, cell) => (weight > map[best] ? cell : best), 0);

  /** The weight that is yellow: the largest of the layer in this run, or of the maps that are on screen. */
  function topOf(run, { candidate, stretch }, { index }, maps) {
    const most = stretch ? Math.max(0, ...maps.map((map) => map[strongest(map)])) : 0;
    return most || run.candidates[candidate].files.attention[index].scale;
  }

  const levelOf = (weight, top) => Math.min(255, Math.round((255 * weight) / top));

  /** The map in colours, one pixel a cell. */
  function paintMap(canvas, side, map, top) {
    const image = new ImageData(side, side);
    for (let cell = 0; cell < map.length; cell++) {
      const [red, green, blue] = COLOURS[levelOf(map[cell], top)];
      image.data[4 * cell] = red;
      image.data[4 * cell + 1] = green;
      image.data[4 * cell + 2] = blue;
      image.data[4 * cell + 3] = 255;
    }
    square(canvas, side).putImageData(image, 0, 0);
  }

  /** The colour of a weight, and one in which text can be read on it. */
  function shade(weight, top) {
    const level = levelOf(weight, top);
    return { background: `rgb(${COLOURS[level]})`, ink: level > 130 ? "#14161c" : "#ffffff" };
  }

  // ---- the place in the picture that the characters are asked about

  /** The cell of a layer that is pointed at, or the one that is pinned; null where there is none. */
  function cellOf(run, { cell, pin }, side) {
    if (pin === null) return cell !== null && cell < side ** 2 ? cell : null;
    const [row, column] = [Math.floor(pin / run.size), pin % run.size];
    return Math.floor((row * side) / run.size) * side + Math.floor((column * side) / run.size);
  }

  /** The pixel of the picture in the middle of a cell: layers have cells of different sizes. */
  function pixelOf(run, cell, side) {
    const middle = (at) => Math.floor(((at + 0.5) * run.size) / side);
    return middle(Math.floor(cell / side)) * run.size + middle(cell % side);
  }

  Object.assign(window.textdiff, {
    layerIndex, chosen, mapsOfTokens, mapsOfSteps, strongest, topOf, paintMap, shade, cellOf, pixelOf,
  });
})();
