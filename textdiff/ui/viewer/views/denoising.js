/* Denoising: what the network sees and believes at every step, how much noise there is, and when one can read it. */
(() => {
  "use strict";
  const { fields, node, segmented, chart, axis, visible, named, signed, cut, square, drawTile } = window.textdiff;
  const { answerOf } = window.textdiff;

  const PICTURES = {
    noisy: {
      title: "Noisy picture", short: "Noisy picture", symbol: () => "xₜ",
      meaning: "what the network sees",
      more: "All that the network is shown at this step, beside the text and the time: a picture with noise on top of "
        + "it. The first one is noise alone; each step leaves a little less of it.",
    },
    x0: {
      title: "Guess at the picture", short: "Guess", symbol: ({ alpha }) => `${alpha.toFixed(2)} x₀`,
      meaning: "what it believes lies under the noise",
      more: "The network’s answer. While there is much noise many pictures are possible, and it answers with their "
        + "average: a blur. The last guess is the finished picture.",
    },
    eps: {
      title: "Guess at the noise", short: "Noise", symbol: ({ sigma }) => `${sigma.toFixed(2)} ε`,
      meaning: "what it would take away; grey is none",
      more: "The noisy picture minus the guess at the picture, each in its share. Where letters shine through, the "
        + "guess at the picture does not explain all that the network sees.",
    },
    x0_unconditional: {
      title: "Guess without text", short: "Without text", symbol: () => "x₀∅",
      meaning: "the same, had it not been told what to write",
      more: "The same network, the same noisy picture, but an empty place instead of the prompt. What it still guesses "
        + "comes from the noise and from all the pictures it was trained on.",
    },
    difference: {
      title: "What the text does", short: "Difference", symbol: () => "x₀ − x₀∅",
      meaning: "with the text minus without; grey is nothing",
      more: "Every place where the prompt makes the guess darker or lighter. Guidance multiplies this difference, so "
        + "that the picture follows the text more closely than the network would by itself.",
    },
  };
  const IN_ONE_CALL = "This run was guided in one call, so the network never had to guess without the text. What it would "
    + "have guessed, the Guidance view finds out.";
  const kindsOf = (run) => {
    const kinds = Object.keys(run.names(run.best));
    return kinds.includes("x0_unconditional") ? [...kinds, "difference"] : kinds;
  };

  window.textdiff.views.denoising = {
    title: "Denoising",

    fields: {
      picture: fields.choice((run) => ["all", ...kindsOf(run)], "all"), // side by side, or the one that is shown large
    },

    build(stage) {
      const winner = answerOf(stage);
      const pictures = buildPictures(stage);
      const readability = buildReadability(stage);
      const schedule = buildSchedule(stage);
      stage.panel.append(...(winner ? [winner.element] : []), pictures.element);
      stage.below.append(readability.element, schedule.element);
      return {
        render() {
          winner?.render();
          pictures.render();
          readability.render();
          schedule.render();
        },
      };
    },
  };

  // ---- pictures

  function buildPictures({ run, state, set }) {
    const kinds = kindsOf(run);
    const large = kinds.map((kind) => [kind, PICTURES[kind].short, PICTURES[kind].title]);
    const choice = segmented("Pictures", [["all", "Side by side"], ...large], (picture) => set({ picture }));
    const figures = kinds.map((kind) => {
      const { title, meaning, more } = PICTURES[kind];
      const canvas = node("canvas", { role: "img" });
      const enlarge = () => set({ picture: state.picture === "all" ? kind : "all" });
      const button = node("button", { type: "button", class: "td-enlarge", onclick: enlarge }, canvas);
      const symbol = node("i", {});
      const explained = node("p", { class: "td-more" }, more);
      const figure = node(
        "figure", { class: `td-${kind}` }, button,
        node("figcaption", {},
          node("span", {}, title, " ", symbol), node("small", {}, meaning + scaleOf(run, kind)), explained));
      return { kind, figure, canvas, button, symbol, explained };
    });
    const grid = node("div", { class: "td-figures" }, ...figures.map(({ figure }) => figure));

    function render() {
      const { candidate, step, picture } = state;
      choice.follow(picture);
      grid.classList.toggle("td-large", picture !== "all");
      for (const { kind, figure, canvas, button, symbol, explained } of figures) {
        figure.hidden = picture !== "all" && picture !== kind;
        if (figure.hidden) continue;
        explained.hidden = picture === "all";
        button.title = picture === "all" ? "Show this one large" : "Show all side by side";
        symbol.textContent = PICTURES[kind].symbol(run.steps[step]);
        canvas.setAttribute("aria-label", `${PICTURES[kind].title} at step ${step + 1}`);
        if (kind === "difference") drawDifference(canvas, run, candidate, step);
        else drawTile(canvas, run.sheet(run.names(candidate)[kind]), run.size, step);
      }
    }

    const missing = run.inOneCall ? [node("p", { class: "td-lesson" }, IN_ONE_CALL)] : [];
    return { element: node("div", { class: "td-pictures" }, choice.element, grid, ...missing), render };
  }

  /** The largest difference that there can be between the guess with the text and the one without. */
  function reach(run) {
    const [low, high] = run.ranges.x0;
    const [lowest, highest] = run.ranges.x0_unconditional;
    return Math.max(high - lowest, highest - low);
  }

  function scaleOf(run, kind) {
    if (kind !== "eps" && kind !== "difference") return "";
    const [low, high] = kind === "eps" ? run.ranges.eps : [-reach(run), reach(run)];
    return ` (black ${signed(low)}, white ${signed(high)})`;
  }

  /** Grey where both guesses agree, lighter where the text adds light; the same scale at every step. */
  function drawDifference(canvas, run, candidate, step) {
    const side = run.size;
    const { x0, x0_unconditional: without } = run.names(candidate);
    const one = run.levels(x0, side, step);
    const other = run.levels(without, side, step);
    const context = square(canvas, side);
    if (!one || !other) return context.clearRect(0, 0, side, side);
    const [low, high] = run.ranges.x0;
    const [lowest, highest] = run.ranges.x0_unconditional;
    const most = reach(run);
    const image = new ImageData(side, side);
    for (let at = 0; at < one.length; at++) {
      const difference = low + ((high - low) * one[at]) / 255 - lowest - ((highest - lowest) * other[at]) / 255;
      image.data[at] = at % 4 === 3 ? 255 : Math.round(127.5 * (1 + difference / most));
    }
    context.putImageData(image, 0, 0);
  }

  // ---- how well a reader reads the guess at every step, on the same line as the slider

  /** The step from which on a character is right, or null where it is not right in the end. */
  function settledAt(readability, character) {
    if (!readability.at(-1).right[character]) return null;
    return readability.findLastIndex(({ right }) => !right[character]) + 1;
  }

  function buildReadability(stage) {
    const { run, state } = stage;
    const element = node("div", { class: "td-readability" });
    const known = run.candidates.map(({ readability }) => readability?.length === run.steps.length && readability);
    let shown = null; // the candidate that the element is about
    let content = null;

    function render() {
      const { candidate, step } = state;
      element.hidden = !known[candidate];
      if (element.hidden) return;
      if (shown !== candidate) {
        shown = candidate;
        content = buildReadabilityOf(stage, known[candidate]);
        element.replaceChildren(...content.nodes);
      }
      content.render(step);
    }

    return { element, render };
  }

  function buildReadabilityOf({ run, set }, readability) {
    const across = (step) => (run.last ? step / run.last : 0);
    const points = readability.map(({ similarity }, step) => [across(step), similarity]);
    const curve = chart([{ kind: "a", curve: points, points }]);
    const value = node("output", { class: "td-value" });
    const says = node("output", { class: "td-says" });
    const lines = [node("div", { class: "td-line" })];
    const chips = run.tokens.slice(1).map((token, index) => {
      const settled = settledAt(readability, index);
      const chip = buildChip(token, settled, set);
      lines.at(-1).append(chip);
      if (token === "\n") lines.push(node("div", { class: "td-line" }));
      return { chip, settled };
    });

    function render(step) {
      const { text, similarity } = readability[step];
      curve.mark(across(step), [similarity]);
      curve.name(`Readability step by step; similarity ${cut(similarity)} at this one`);
      value.replaceChildren(node("small", {}, "similarity"), cut(similarity).slice(0, 4));
      says.replaceChildren(text ? text : node("em", {}, "nothing legible"));
      for (const { chip, settled } of chips) chip.classList.toggle("td-by-now", settled !== null && settled <= step);
    }

    const heading = "Readability: how similar the prompt and what is read in the guess are; 1 is the same";
    const nodes = [
      node("small", { class: "td-heading" }, heading),
      axis("1", "0"), curve.element, value,
      node("div", { class: "td-reads" },
        node("p", {}, node("small", {}, `${run.reader} reads at this step`), says),
        node("div", {},
          node("small", {}, "Each character is right from this step on"),
          node("div", { class: "td-characters" }, ...lines))),
    ];
    return { nodes, render };
  }

  /** A character and the step at which it became right and stayed so, which a click shows. */
  function buildChip(token, settled, set) {
    const never = settled === null;
    const label = `${named(token)}: ${never ? "not right in the end" : `right from step ${settled + 1} on`}`;
    const properties = {
      type: "button", class: never ? "td-settled td-never" : "td-settled", title: label, "aria-label": label,
      disabled: never, onclick: () => set({ step: settled, playing: false }),
    };
    const step = never ? "never" : `${settled + 1}`;
    return node("button", properties, node("b", {}, visible(token)), node("span", {}, step));
  }

  // ---- the noise schedule

  /** [t, angle] with alpha = cos(angle) and sigma = sin(angle): at every step, the two ends, and in between. */
  function scheduleAngles(steps) {
    const known = steps.map(({ t, alpha, sigma }) => [t, Math.atan2(sigma, alpha)]).sort(([a], [b]) => a - b);
    const corners = [[0, 0], ...known, [1, Math.PI / 2]];
    return corners.slice(1).flatMap(([t, angle], at) =>
      [...Array(9).keys()].map((part) => corners[at].map((from, i) => from + (([t, angle][i] - from) * part) / 8)));
  }

  function buildSchedule({ run, state }) {
    const angles = scheduleAngles(run.steps);
    const curve = chart([
      {
        kind: "a", curve: angles.map(([t, angle]) => [1 - t, Math.cos(angle)]),
        points: run.steps.map(({ t, alpha }) => [1 - t, alpha]),
      },
      {
        kind: "b", curve: angles.map(([t, angle]) => [1 - t, Math.sin(angle)]),
        points: run.steps.map(({ t, sigma }) => [1 - t, sigma]),
      },
    ]);
    const shares = [node("b", {}), node("b", {})];
    const meaning = "The noise schedule: how much of the noisy picture is picture, and how much is noise. Each dot is "
      + "a step of this run; where dots are close together, the steps are small.";
    const element = node(
      "figure", { class: "td-schedule" },
      axis("1", "0"),
      node("div", { class: "td-curves" },
        node("div", {}, curve.element,
          node("div", { class: "td-times", "aria-hidden": "true" },
            node("span", {}, "t = 1, all noise"), node("span", {}, "t = 0, all picture"))),
        node("figcaption", {},
          node("p", {}, node("span", { class: "td-key-a" }), "picture α ", shares[0]),
          node("p", {}, node("span", { class: "td-key-b" }), "noise σ ", shares[1]),
          node("small", {}, meaning))));

    function render() {
      const { t, alpha, sigma } = run.steps[state.step];
      curve.mark(1 - t, [alpha, sigma]);
      curve.name(`Noise schedule over time; at this step picture ${alpha.toFixed(2)}, noise ${sigma.toFixed(2)}`);
      shares.forEach((share, at) => (share.textContent = [alpha, sigma][at].toFixed(2)));
    }

    return { element, render };
  }
})();
