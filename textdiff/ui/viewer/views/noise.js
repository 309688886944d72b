/* Noise: the forward process. Any picture, any moment, two schedules; no model and no request. */
(() => {
  "use strict";
  const { fields, node, signed, chart, axis, square } = window.textdiff;
  const { SCHEDULES, logSnr, gaussians, noised, noiseSource, noiseGame } = window.textdiff;

  const MOST_WORDS = 48;
  const MOST_SEED = 2 ** 31 - 1;
  const HIGHEST = 10; // of the curve, log signal-to-noise; −HIGHEST is the lowest
  const SHADES = [-3, 3]; // black and white in a picture of noise, as in a run folder
  const TITLES = {
    cosine: ["Cosine schedule", "as much picture as noise at half time"],
    linear: ["Linear schedule", "nearly all noise at half time"],
  };

  window.textdiff.views.noise = {
    title: "Noise",
    hides: ["transport", "thumbs"],

    fields: {
      t: fields.real(0, 1, 0.5),
      schedule: fields.choice(Object.keys(SCHEDULES), "cosine"), // of the large picture; both are on screen
      noise: fields.whole(0, MOST_SEED, 0), // the seed of the noise
      source: fields.choice(["run", "text", "file"], "run"),
      words: fields.text(MOST_WORDS, "Your\ntext"),
      guessing: fields.flag(false), // whether the game is open
    },

    build(stage) {
      const source = noiseSource(stage, MOST_WORDS);
      const pictures = buildPictures(stage);
      const time = buildTime(stage);
      const game = noiseGame(stage, { picture: source.picture, draw: drawNoised });
      const now = node("div", {}, pictures.large, time.element);
      const all = node("div", { class: "td-forward" }, now, pictures.parts);
      stage.panel.append(source.element, all, game.element);
      return {
        render() {
          source.render();
          const picture = source.picture();
          all.hidden = game.element.hidden = picture === null;
          if (picture) pictures.render(picture);
          time.render();
          game.render();
        },
      };
    },
  };

  const eps = { seed: null, numbers: [] }; // the noise drawn last: it stays while t moves

  function noiseOf(seed, count) {
    const drawn = eps.seed === seed && eps.numbers.length === count;
    if (!drawn) Object.assign(eps, { seed, numbers: gaussians(seed, count) });
    return eps.numbers;
  }

  function drawLevels(canvas, side, levels) {
    square(canvas, side).putImageData(new ImageData(levels, side, side), 0, 0);
  }

  function drawNoised(canvas, { side, levels }, seed, shares) {
    drawLevels(canvas, side, noised(levels, noiseOf(seed, 3 * side * side), shares));
  }

  /** The noise alone. */
  function drawNoise(canvas, side, seed) {
    const [low, high] = SHADES;
    const grey = new Uint8ClampedArray(4 * side * side).fill(127.5);
    drawLevels(canvas, side, noised(grey, noiseOf(seed, 3 * side * side), [0, 2 / (high - low)]));
  }

  // ---- pictures

  function figure(kind, canvas, title, symbol, meaning, ...more) {
    return node("figure", { class: `td-${kind}` }, canvas,
      node("figcaption", {}, node("span", {}, title, " ", symbol), node("small", {}, meaning), ...more));
  }

  function buildPictures({ state, set }) {
    const picture = () => node("canvas", { role: "img" });
    const large = picture();
    const clean = picture();
    const noise = picture();
    const symbols = [node("i", {}), node("i", {})];
    const another = node("button", {
      type: "button", class: "td-ask", onclick: () => set({ noise: (state.noise + 1) % (MOST_SEED + 1) }),
    }, "new noise");
    const schedules = Object.entries(TITLES).map(([schedule, [title, meaning]]) => {
      const canvas = picture();
      const button = node("button", { type: "button", class: "td-pick", onclick: () => set({ schedule }) }, canvas);
      const value = node("i", {});
      return { schedule, title, canvas, button, value, figure: figure(schedule, button, title, value, meaning) };
    });
    const parts = node("div", { class: "td-parts" },
      figure("clean", clean, "Picture", symbols[0], "what is there at t = 0"),
      figure("pure", noise, "Noise", symbols[1], "chance, for every pixel and colour", another),
      ...schedules.map((one) => one.figure));

    function render({ side, levels }) {
      const { t, noise: seed, schedule } = state;
      const shares = SCHEDULES[schedule](t);
      drawNoised(large, { side, levels }, seed, shares);
      large.setAttribute("aria-label", `The picture at time ${t.toFixed(2)}, ${TITLES[schedule][0].toLowerCase()}`);
      drawLevels(clean, side, levels);
      clean.setAttribute("aria-label", "The picture without noise");
      drawNoise(noise, side, seed);
      noise.setAttribute("aria-label", "The noise alone");
      symbols.forEach((symbol, at) => (symbol.textContent = `${shares[at].toFixed(2)} ${["x₀", "ε"][at]}`));
      for (const one of schedules) {
        const [alpha, sigma] = SCHEDULES[one.schedule](t);
        drawNoised(one.canvas, { side, levels }, seed, [alpha, sigma]);
        one.button.setAttribute("aria-pressed", one.schedule === schedule);
        one.button.setAttribute("aria-label", `${one.title} at time ${t.toFixed(2)}: show it large`);
        one.value.textContent = `${alpha.toFixed(2)} x₀ + ${sigma.toFixed(2)} ε`;
      }
    }

    return { large, parts, render };
  }

  // ---- time: the slider, the equation, and the curves exactly under the slider

  const bounded = (value) => Math.max(-HIGHEST, Math.min(HIGHEST, value));
  const height = (value) => (bounded(value) + HIGHEST) / (2 * HIGHEST);
  const infinite = (value) => Math.abs(value) > 30; // cos(pi / 2) is not quite zero in a computer
  const worded = (value) => signed(infinite(value) ? (value < 0 ? "-∞" : "∞") : value.toFixed(1));

  function buildTime({ state, set }) {
    const slider = node("input", {
      type: "range", class: "td-slider", min: 0, max: 1, step: 0.01, "aria-label": "Time t",
      oninput: () => set({ t: slider.valueAsNumber }),
    });
    const equation = node("p", { class: "td-mixture" });
    const grid = [...Array(201).keys()].map((at) => at / 200);
    const curves = chart(Object.values(SCHEDULES).map((schedule, line) => ({
      kind: "ab"[line], curve: grid.map((t) => [t, height(logSnr(schedule(t)))]), points: [],
    })));
    const values = Object.keys(SCHEDULES).map(() => node("b", {}));
    const names = Object.keys(SCHEDULES).map((schedule, line) =>
      node("p", {}, node("span", { class: `td-key-${"ab"[line]}` }), `${schedule} `, values[line]));
    const meaning = "Signal to noise: the logarithm of α² / σ². At 0 there is as much picture as noise; each unit less "
      + "is 2.7 times as much noise for the same picture.";
    const element = node("div", { class: "td-time" },
      slider,
      node("div", { class: "td-ends", "aria-hidden": "true" },
        node("span", {}, "t = 0, all picture"), node("span", {}, "t = 1, all noise")),
      equation,
      axis(`+${HIGHEST}`, signed(-HIGHEST)), curves.element, node("div", { class: "td-snr" }, ...names),
      node("small", {}, meaning));

    function render() {
      const [t, alpha, sigma] = [state.t, ...SCHEDULES[state.schedule](state.t)].map((one) => one.toFixed(2));
      slider.value = state.t;
      slider.setAttribute("aria-valuetext", `${t}, picture ${alpha}, noise ${sigma}`);
      const parts = ["t = ", t, ": xₜ = ", alpha, " x₀ + ", sigma, " ε"];
      equation.replaceChildren(...parts.map((part, at) => (at % 2 ? node("b", {}, part) : part)));
      const ratios = Object.values(SCHEDULES).map((one) => logSnr(one(state.t)));
      curves.mark(state.t, ratios.map(height));
      values.forEach((value, line) => (value.textContent = worded(ratios[line])));
      const said = Object.keys(SCHEDULES).map((name, line) => `${name} ${worded(ratios[line])}`);
      curves.name(`Logarithm of signal to noise over time; at this time ${said.join(", ")}`);
    }

    return { element, render };
  }
})();
