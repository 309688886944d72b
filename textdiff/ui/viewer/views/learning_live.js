/*
 * The real thing: a tiny model trained on the machine that serves the page, and watched. The page answers each time
 * with everything since the start (trained() in experiments_panel.py), so that an answer that got lost does no harm.
 *
 * buildLive(stage) returns { element, render(), answer(details) }.
 */
(() => {
  "use strict";
  const { node, segmented, plural, decode, drawTile, chart, axis } = window.textdiff;

  const MINUTES = [1, 2, 3]; // as in live_training.py
  const SHOWN = 12; // checkpoints side by side; of more, as many at even distances
  const PATIENCE = 120; // seconds without an answer, after which none will come
  const HOPE = "A network of a quarter of a million numbers, a fiftieth of the other one, starts from nothing and learns to "
    + "draw single characters in pictures of 16 pixels. First there is noise, then a dark blob in the right place, then "
    + "strokes. On a quiet laptop most of these letters can be told apart after a minute or two; on a busy machine it may "
    + "take longer than there is time.";

  // Of the training on screen, whatever run is beside it: a visitor has one at a time.
  const training = { number: null, going: false, answer: null, sheet: null, problem: "", heard: 0 };

  /** Who has this number may stop the training, so it must not be guessed. */
  const secret = () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16)).join("-");

  const evenly = (all, most) =>
    all.length <= most ? all.map((_, at) => at)
      : [...Array(most).keys()].map((at) => Math.round((at * (all.length - 1)) / (most - 1)));

  function buildLive({ state, set, ask }) {
    const choice = segmented(
      "Minutes", MINUTES.map((minutes) => [minutes, `${minutes} min`]), (minutes) => set({ minutes }));
    const button = node(
      "button", { type: "button", class: "td-ask", onclick: () => (training.going ? stop() : begin()) });
    const status = node("small", { role: "status" });
    const progress = node("progress", { "aria-label": "Progress of the training", max: 1, value: 0 });
    const curve = node("div", { class: "td-live-curve" });
    const samples = node("div", { class: "td-live-samples" });
    const element = node("section", { class: "td-training", "aria-label": "Train a model yourself" },
      node("h3", {}, "Train one yourself"), node("p", { class: "td-lesson" }, HOPE),
      node("div", { class: "td-question" }, choice.element, button, status), progress,
      node("div", { class: "td-live-shown" }, curve, samples));
    let drawn = null; // the answer that is on screen

    function begin() {
      const number = secret();
      Object.assign(training, {
        number, going: true, answer: null, sheet: null, problem: "", heard: performance.now(), minutes: state.minutes,
      });
      ask("train", { number, minutes: state.minutes });
      set({});
    }

    function stop() {
      ask("stop_training", { number: training.number });
      training.going = null; // until the page says that it has ended
      set({});
    }

    async function answer({ action, number, problem, picture, ended, ...rest }) {
      if (action !== "train" || number !== training.number) return;
      const sheet = picture ? await decode(picture) : null;
      if (number !== training.number || rest.losses?.length < training.answer?.losses.length) return sheet?.close();
      training.heard = performance.now();
      if (problem) Object.assign(training, { problem, going: false });
      else Object.assign(training, { answer: rest, sheet: sheet ?? training.sheet });
      if (ended) training.going = false;
      set({});
    }

    function sentence() {
      if (training.problem) return training.problem;
      const { answer: known, going } = training;
      if (!known && !going) return "It runs on the machine that serves this page, one training at a time.";
      if (going === null) return "Stopping …";
      if (!known || (going && known.left === null)) return "Starting …";
      const seen = known.checkpoints.at(-1)?.pictures ?? known.losses.at(-1)?.[0] ?? 0;
      const pictures = `${seen.toLocaleString("en")} pictures seen`;
      return going ? `${plural(Math.ceil(known.left), "second")} left, ${pictures}.` : `Over: ${pictures}.`;
    }

    function render() {
      const { answer: known } = training;
      if (training.going !== false && performance.now() - training.heard > 1000 * PATIENCE) training.going = false;
      choice.follow(state.minutes, () => training.going === false);
      button.textContent = training.going === false ? (known ? "Train again" : "Start training") : "Stop";
      button.disabled = training.going === null;
      status.textContent = sentence();
      progress.value = !known || known.left === null ? 0 : 1 - known.left / (60 * training.minutes);
      if (drawn === known && drawn) return;
      drawn = known;
      renderCurve(known);
      renderSamples(known);
    }

    function renderCurve(known) {
      const losses = known?.losses ?? [];
      const high = Math.max(0.5, ...losses.map(([, loss]) => loss));
      const share = known && known.left !== null ? Math.max(0.05, 1 - known.left / (60 * training.minutes)) : 1;
      const most = Math.max(1, ...losses.map(([seen]) => seen)) / share; // the whole width is the whole time
      const points = losses.map(([seen, loss]) => [seen / most, Math.min(1, loss / high)]);
      const [name, value] = [node("b", {}, "Loss"), losses.length ? ` ${losses.at(-1)[1].toFixed(3)}` : ""];
      const plot = chart([{ kind: "a", curve: points.length ? points : [[0, 1]], points }]);
      const [x, y] = points.at(-1) ?? [0, null];
      plot.mark(x, [y]);
      plot.name(`The loss of this training${value && `, now${value}`}`);
      curve.replaceChildren(
        node("p", {}, name, value), node("div", { class: "td-live-plot" }, axis(high.toFixed(1), "0"), plot.element));
    }

    function renderSamples(known) {
      const letters = known?.letters ?? [];
      const all = known?.checkpoints ?? [];
      const rows = evenly(all, SHOWN);
      const heads = [...Array(SHOWN).keys()].map((at) =>
        node("span", {}, at < rows.length ? thousands(all[rows[at]].pictures) : ""));
      const tiles = letters.flatMap((letter, column) => [
        node("b", {}, letter),
        ...[...Array(SHOWN).keys()].map((at) => {
          if (at >= rows.length) return node("i", {});
          const label = `${letter} after ${all[rows[at]].pictures.toLocaleString("en")} pictures`;
          const canvas = node("canvas", { role: "img", "aria-label": label, title: label });
          drawTile(canvas, training.sheet, known.size, column, rows[at]);
          return canvas;
        }),
      ]);
      samples.replaceChildren(node("b", {}), ...heads, ...(letters.length ? tiles : placeholders()));
    }

    const placeholders = () => [...Array(6 * (SHOWN + 1)).keys()].map((at) => node(at % (SHOWN + 1) ? "i" : "b", {}));
    const thousands = (pictures) => (pictures < 1000 ? pictures : `${(pictures / 1000).toFixed(pictures < 9950 ? 1 : 0)}k`);

    return { element, render, answer };
  }

  Object.assign(window.textdiff, { buildLive, LIVE_MINUTES: MINUTES });
})();
