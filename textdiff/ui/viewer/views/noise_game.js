/*
 * "Guess t": how well can one see how much noise there is? Rounds of a picture at a time that is not told.
 *
 * noiseGame(stage, { picture, draw }) returns { element, render }; picture() is what is made noisy, or null, and
 * draw(canvas, picture, seed, [alpha, sigma]) does it. Everything works by keyboard: arrow keys, then Enter twice.
 */
(() => {
  "use strict";
  const { node, unique, plural, SCHEDULES } = window.textdiff;

  const ROUNDS = 5;
  const MOST = 10; // points in a round
  const points = (off) => Math.max(0, MOST - Math.round(40 * off)); // none for a quarter of the time axis

  function noiseGame({ state, set }, { picture, draw }) {
    let secret = null; // { t, seed } of this round
    let answered = false;
    let round = 0;
    let score = 0;

    const id = unique("game");
    const toggle = node("button", { type: "button", class: "td-ask", "aria-controls": id, onclick: open });
    const canvas = node("canvas", { role: "img", "aria-label": "A noisy picture; at which time?" });
    const slider = node("input", {
      type: "range", class: "td-slider", min: 0, max: 1, step: 0.01, "aria-label": "Your guess at t",
      oninput: render,
      onkeydown: (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        go();
      },
    });
    const guess = node("output", { class: "td-where" });
    const button = node("button", { type: "button", class: "td-answer", onclick: go });
    const result = node("p", { class: "td-result", role: "status" });
    const standing = node("small", {});
    const task = "How noisy is this picture? Set the slider to the time t at which you think it is, and press Enter.";
    const board = node("div", { class: "td-board", id }, canvas,
      node("div", {},
        node("p", {}, task), node("div", { class: "td-guess" }, slider, guess), button, result, standing));
    const element = node("section", { class: "td-game", "aria-label": "Guess t" }, toggle, board);

    function open() {
      set({ guessing: !state.guessing });
      if (state.guessing) slider.focus({ preventScroll: true });
    }

    function go() {
      if (answered) next();
      else answer();
      render();
      (answered ? button : slider).focus({ preventScroll: true });
    }

    function next() {
      if (round === ROUNDS) round = score = 0;
      round += 1;
      answered = false;
      secret = { t: (2 + Math.floor(97 * Math.random())) / 100, seed: Math.floor(2 ** 31 * Math.random()) };
      slider.value = 0.5;
      result.textContent = "";
    }

    function answer() {
      const off = Math.abs(slider.valueAsNumber - secret.t);
      answered = true;
      score += points(off);
      const verdict = off < 0.005 ? "Exactly right" : `You are ${off.toFixed(2)} off`;
      result.textContent = `It is t = ${secret.t.toFixed(2)}. ${verdict}: ${plural(points(off), "point")}.`;
    }

    function render() {
      toggle.setAttribute("aria-expanded", state.guessing);
      toggle.textContent = state.guessing ? "Close the game" : "Guess t: a game";
      board.hidden = !state.guessing;
      const shown = picture();
      if (board.hidden || !shown) return;
      if (!secret) next();
      draw(canvas, shown, secret.seed, SCHEDULES[state.schedule](secret.t));
      slider.disabled = answered;
      guess.value = `t = ${slider.valueAsNumber.toFixed(2)}`;
      button.textContent = !answered ? "That is my guess" : round < ROUNDS ? "Next picture" : "Play again";
      const possible = MOST * (answered ? round : round - 1);
      standing.textContent = `Round ${round} of ${ROUNDS}` + (possible ? ` · ${score} of ${possible} points` : "");
    }

    return { element, render };
  }

  Object.assign(window.textdiff, { noiseGame });
})();
