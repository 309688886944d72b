/*
 * The film of training: what the same prompts became at every checkpoint, and the curves beside it.
 *
 * filmOf(base) promises { size, prompts, checkpoints, loss, letter_gap, scores, sheet } of the folder `base`, fetched
 * once; textdiff/training/film.py says what is in it. buildFilm(film, stage) returns { element, render, press }.
 */
(() => {
  "use strict";
  const { node, icon, visible, segmented, decode, drawTile, chart, axis } = window.textdiff;

  const PAUSE = 700; // milliseconds that a checkpoint is on screen while the film plays
  const LONGEST = 22; // characters of a prompt on its button

  const films = new Map();

  function filmOf(base) {
    if (!films.has(base)) films.set(base, fetchFilm(base));
    return films.get(base);
  }

  async function fetchFilm(base) {
    const answer = await fetch(`${base}film.json`);
    if (!answer.ok) throw new Error(`${answer.status}`);
    return { ...(await answer.json()), sheet: await decode(`${base}film.png`) };
  }

  const count = (number) => number.toLocaleString("en");
  const time = (minutes) => (minutes < 120 ? `${Math.round(minutes)} minutes` : `${(minutes / 60).toFixed(1)} hours`);
  const short = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

  /** The nearest of points [x, …] to x. */
  const nearest = (points, x) =>
    points.reduce((best, one) => (Math.abs(one[0] - x) < Math.abs(best[0] - x) ? one : best));

  /** The value at x of the curve through the points [x, y], which have their x in order; null before and after it. */
  function at(points, x) {
    const after = points.findIndex(([seen]) => seen >= x);
    if (after <= 0) return points[0][0] === x ? points[0][1] : null;
    const [[x0, y0], [x1, y1]] = [points[after - 1], points[after]];
    return y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
  }

  function buildFilm(film, { state, set }) {
    const { prompts, checkpoints, size, sheet } = film;
    const last = checkpoints.length - 1;
    const column = () => Math.min(state.prompt, prompts.length - 1);
    const row = () => {
      const away = checkpoints.map(({ pictures }) => Math.abs(pictures - state.checkpoint));
      return away.indexOf(Math.min(...away));
    };
    const go = (to, filming = false) =>
      set({ checkpoint: checkpoints[Math.max(0, Math.min(last, to))].pictures, filming });

    const choice = segmented(
      "Prompt", prompts.map((text, at) => [at, short(visible(text)), visible(text)]), (prompt) => set({ prompt }));
    const large = node("canvas", { role: "img" });
    const heading = node("b", {});
    const meaning = node("small", {});
    const curves = buildCurves(film);
    const play = node("button", { type: "button", class: "td-play", onclick: toggle });
    const slider = node("input", {
      type: "range", class: "td-slider", min: 0, max: last, step: 1, "aria-label": "Checkpoint",
      oninput: () => go(slider.valueAsNumber),
    });
    const tiles = checkpoints.map(({ pictures }, at) => {
      const canvas = node("canvas", { role: "img", "aria-hidden": "true" });
      const label = `After ${count(pictures)} pictures`;
      const onclick = () => go(at);
      return { canvas, button: node("button", { type: "button", "aria-label": label, title: label, onclick }, canvas) };
    });
    const strip = node("div", { class: "td-film-strip" }, slider,
      node("div", { class: "td-frames" }, ...tiles.map(({ button }) => button)));
    strip.style.setProperty("--td-frames", checkpoints.length);
    const element = node("section", { class: "td-film", "aria-label": "The film of training" },
      node("div", { class: "td-film-prompts" }, choice.element),
      node("figure", { class: "td-film-picture" }, large, node("figcaption", {}, heading, meaning)),
      curves.element,
      node("div", { class: "td-film-time" }, play, strip),
      node("p", { class: "td-keys" }, "← → one checkpoint · Home End first and last · space plays"));
    let timer = null;

    function toggle() {
      if (state.filming) set({ filming: false });
      else go(row() === last ? 0 : row(), true);
    }

    function advance() {
      if (state.filming && element.isConnected) go(row() + 1, row() + 1 < last);
      else stop(); // another view or another run has come
    }

    function stop() {
      clearInterval(timer);
      timer = null;
    }

    function render() {
      if (!state.filming) stop();
      else timer ??= setInterval(advance, PAUSE);
      const [here, prompt] = [row(), column()];
      const { pictures, minutes } = checkpoints[here];
      const said = visible(prompts[prompt]);
      const label = `“${said}” after ${count(pictures)} pictures`;
      choice.follow(prompt);
      drawTile(large, sheet, size, prompt, here);
      large.setAttribute("aria-label", label);
      heading.textContent = `${count(pictures)} pictures seen`;
      meaning.textContent = `${time(minutes)} of training; checkpoint ${here + 1} of ${checkpoints.length}. `
        + "At each of them, the same prompt begins from the same noise.";
      curves.render(pictures);
      slider.value = here;
      slider.setAttribute("aria-valuetext", label);
      tiles.forEach(({ canvas, button }, at) => {
        drawTile(canvas, sheet, size, prompt, at);
        button.setAttribute("aria-pressed", at === here);
      });
      const action = state.filming ? "pause" : "play";
      if (play.dataset.action !== action) {
        play.dataset.action = action;
        play.setAttribute("aria-label", state.filming ? "Pause" : "Play the film");
        play.replaceChildren(icon(action));
      }
    }

    /** A key that no control has taken; whether it meant something. */
    function press(key) {
      const jumps = { ArrowLeft: row() - 1, ArrowRight: row() + 1, Home: 0, End: last };
      if (key in jumps) go(jumps[key]);
      else if (key === " ") toggle();
      else return false;
      return true;
    }

    return { element, render, press };
  }

  /** Loss, letter gap and scores over one another, by the pictures seen. */
  function buildCurves({ loss, letter_gap: gap, scores, checkpoints }) {
    const most = Math.max(checkpoints.at(-1).pictures, ...[...loss, ...gap, ...scores].map(([seen]) => seen));
    const em = scores.map(([x, value]) => [x, value]);
    const ned = scores.map(([x, , value]) => [x, value]);
    const panels = [
      { name: "Loss", lines: [loss], words: "How wrong the guesses are. It falls at once, and then hardly at all." },
      { name: "Letter gap", lines: [gap], words: "How much more wrong they are with every letter exchanged. While it is 0, "
        + "the prompt is not read. It drops where training went on with harder pictures." },
      { name: "Spelling", lines: [em, ned], top: 1, dots: true, words: "" },
    ].filter(({ lines }) => lines.every((line) => line.length)).map(buildPanel);

    function buildPanel({ name, lines, top, dots, words }) {
      const high = top ?? Math.max(...lines.flat().map(([, value]) => value));
      const place = ([x, value]) => [x / most, Math.max(0, Math.min(1, value / high))];
      const drawn = chart(lines.map((line, at) => ({
        kind: "ab"[at], curve: line.map(place), points: dots ? line.map(place) : [],
      })));
      const value = node("span", {});
      const about = node("small", {}, words);
      const element = node("div", { class: "td-film-curve" },
        node("p", {}, node("b", {}, name), " ", value), axis(high.toPrecision(2), "0"), drawn.element,
        about);
      const height = (line, x) => (at(line, x) === null ? null : place([x, at(line, x)])[1]);
      return { name, lines, drawn, value, about, element, height };
    }

    const number = (value) => (value >= 0.995 ? value.toFixed(1) : value.toFixed(value < 0.1 ? 3 : 2));

    function render(pictures) {
      for (const { name, lines, drawn, value, about, height } of panels) {
        drawn.mark(pictures / most, lines.map((line) => height(line, pictures)));
        if (lines.length === 1) value.textContent = number(nearest(lines[0], pictures)[1]);
        else score(value, about, nearest(scores, pictures));
        drawn.name(`${name} by pictures seen; ${value.textContent}`);
      }
    }

    function score(value, about, [measured, exact, alike]) {
      value.replaceChildren(
        node("span", { class: "td-key-a" }), `exact ${Math.round(100 * exact)} % `,
        node("span", { class: "td-key-b" }), `alike ${alike.toFixed(2)}`);
      about.textContent = "How much of other prompts a reader reads back: texts that are exactly right, and how alike the "
        + `others are. The nearest measurement, at ${count(measured)} pictures.`;
    }

    const element = node("div", { class: "td-film-curves" }, ...panels.map((one) => one.element),
      node("div", { class: "td-ticks", "aria-hidden": "true" },
        node("span", {}, "0"), node("span", {}, `${count(most)} pictures seen`)));
    return { element, render };
  }

  Object.assign(window.textdiff, { filmOf, buildFilm });
})();
