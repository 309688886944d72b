/* Attention: where the picture listens to each character, and which characters each place of the picture reads. */
(() => {
  "use strict";
  const { fields, node, segmented, layerIndex, chosen, mapsOfTokens, mapsOfSteps, topOf, cellOf } =
    window.textdiff;
  const { largeMap, legend, allCharacters, overSteps, characterRow, muting, withinPicture } = window.textdiff;

  const MAPS = [
    ["one", "One character"],
    ["all", "All characters"],
    ["steps", "Over the steps"],
    ["within", "Within the picture"],
  ];
  const MEANINGS = {
    text_to_image: "how much of its attention a place of the picture gives to the character",
    image_to_text: "how much of its attention the character gives to a place of the picture",
    within: "how much of its attention the place gives to each place",
  };
  const DIRECTIONS = [
    ["text_to_image", "Text to picture", "each place of the picture chooses among the characters"],
    ["image_to_text", "Picture to text", "each character chooses among the places of the picture"],
  ];

  /** Where a run opens: at the last layer from text to picture that has a taught head. */
  function openingLayer(run) {
    const into = run.layers.filter((layer) => layer.direction === "text_to_image");
    return into.findLast((one) => one.taught_head !== null) ?? into.at(-1) ?? run.layers.at(-1);
  }

  const mostHeads = (run) => Math.max(0, ...run.layers.map((layer) => layer.heads));
  const mostCells = (run) => Math.max(1, ...run.layers.map((layer) => layer.resolution ** 2));

  window.textdiff.views.attention = {
    title: "Attention",

    fields: {
      maps: fields.choice(MAPS.map(([maps]) => maps), "one"), // what is shown
      layer: fields.choice(
        (run) => run.layers.map((layer) => layer.name), // with the direction it is one of run.layers
        (run) => openingLayer(run)?.name ?? "",
      ),
      direction: fields.choice(
        DIRECTIONS.map(([direction]) => direction),
        (run) => openingLayer(run)?.direction ?? "text_to_image",
      ),
      head: fields.choice( // "taught" is the taught one, whichever that is in a layer
        (run) => ["mean", "taught", ...Array(mostHeads(run)).keys()],
        (run) => openingLayer(run)?.taught_head ?? "mean",
      ),
      opacity: fields.real(0, 1, 0.8),
      stretch: fields.flag(false), // whether the colours span these maps, or everything the layer did in the run
      within: fields.whole(0, 63, () => null), // which self-attention; null is the last one
      pin: fields.whole(0, (run) => run.size ** 2 - 1, () => null), // a pixel of the picture
      cell: fields.passing(fields.whole(0, (run) => mostCells(run) - 1, () => null)), // the one under the pointer
      more: fields.flag(false), // whether the settings are open
    },

    settle(state, run) {
      if (!run.layers.length) return;
      if (layerIndex(run, state) < 0) {
        state.direction = run.layers.find((layer) => layer.name === state.layer).direction;
      }
      const { heads, resolution, taught_head: taught } = run.layers[layerIndex(run, state)];
      if (state.head === "taught") state.head = taught ?? "mean";
      if (state.head >= heads) state.head = "mean";
      if (state.maps !== "within" && state.cell >= resolution ** 2) state.cell = null;
    },

    build(stage) {
      const { run, state, panel } = stage;
      const watched = run.candidates.map((candidate) => run.layers.length > 0 && candidate.files.attention.length > 0);
      const unseen = node("p", { class: "td-lesson" }, watched.includes(true)
        ? "The attention of this candidate is not in this file. Choose a better one below."
        : "Nobody watched the attention of this run, so there is nothing to show here.");
      const seen = node("div", { class: "td-maps" });
      panel.append(unseen, seen);
      const maps = watched.includes(true) ? buildAttention({ ...stage, panel: seen }) : null;

      function render() {
        seen.hidden = !watched[state.candidate];
        unseen.hidden = !seen.hidden;
        if (!seen.hidden) maps.render();
      }

      return { render, answer: maps?.answer };
    },
  };

  function buildAttention(stage) {
    const { run, state, set, ask, panel } = stage;
    const offered = MAPS.filter(([maps]) => ask || maps !== "within");
    const choice = segmented("Maps", offered, (maps) => set({ maps, cell: null }));
    const characters = characterRow(stage);
    const hint = node("p", { class: "td-hint" });
    const words = node("div", { class: "td-words" }, characters.element, hint);
    const shows = { one: largeMap(stage), all: allCharacters(stage), steps: overSteps(stage) };
    const within = ask && withinPicture(stage);
    const scale = legend();
    const mute = ask && muting(stage);
    const settings = buildSettings(stage);
    const columns = node("div", { class: "td-columns" },
      words,
      node("div", { class: "td-shown" },
        ...Object.values(shows).map((one) => one.element), ...(within ? [within.element] : []), scale.element),
      node("div", { class: "td-rest" }, ...(ask ? [mute.button, within.button] : []), settings.element));
    panel.append(choice.element, columns, ...(mute ? [mute.result] : []));
    panel.onkeydown = (event) => {
      if (event.key === "Escape" && state.pin !== null) set({ pin: null, cell: null });
    };

    function render() {
      const shown = offered.some(([maps]) => maps === state.maps) ? state.maps : "one";
      choice.follow(shown);
      columns.classList.toggle("td-wide", shown === "all" || shown === "steps");
      for (const [name, { element }] of Object.entries(shows)) element.hidden = name !== shown;
      words.hidden = shown === "all" || shown === "within";
      settings.element.hidden = shown === "within";
      if (ask) {
        mute.button.hidden = shown !== "one";
        within.element.hidden = within.button.hidden = shown !== "within";
      }
      if (shown === "within") {
        mute.result.hidden = true;
        scale.render(within.render(), MEANINGS.within);
      } else renderMaps(shown);
    }

    function renderMaps(shown) {
      const { character, direction } = state;
      const wanted = chosen(run, state);
      const maps = shown === "steps" ? mapsOfSteps(run, state, wanted) : mapsOfTokens(run, state, wanted);
      const onScreen = shown === "one" ? maps && [maps[character]] : maps;
      const top = topOf(run, state, wanted, onScreen ?? []);
      const cell = shown === "one" ? cellOf(run, state, wanted.side) : null;

      characters.render(maps && cell !== null ? maps.map((map) => map[cell]) : null, top);
      hint.textContent = {
        one: "Choose a character. Or point at the picture, and see which characters that place reads; a click holds it.",
        steps: "Choose a character, and see when its place is found. A click on a map goes to that step.",
      }[shown] ?? "";
      if (maps || shown === "one") shows[shown].render(wanted, maps, top);
      scale.render(top, MEANINGS[direction]);
      if (mute) {
        mute.render(wanted, shown === "one" && maps ? maps[character] : null);
        mute.result.hidden ||= shown !== "one";
      }
      settings.render(wanted);
    }

    function answer(details) {
      mute.answer(details);
      within.answer(details);
    }

    return { render, answer };
  }

  /** What a beginner need not see. */
  function buildSettings({ run, state, set }) {
    const directions = segmented("Direction", DIRECTIONS, (direction) => set({ direction, cell: null }));
    const meaning = node("small", {});
    const names = [...new Set(run.layers.map((layer) => layer.name))];
    const layer = node(
      "select", { onchange: () => set({ layer: layer.value, cell: null }) },
      ...names.map((name) => node("option", { value: name }, name)),
    );
    const head = node("select", {
      onchange: () => set({ head: head.value === "mean" ? "mean" : Number(head.value), cell: null }),
    });
    const taught = node("p", { class: "td-taught" });
    const opacity = node("input", {
      type: "range", min: 0, max: 1, step: 0.05, oninput: () => set({ opacity: opacity.valueAsNumber }),
    });
    const stretch = node("input", { type: "checkbox", onchange: () => set({ stretch: stretch.checked }) });
    const element = node("details", { class: "td-settings", ontoggle: () => set({ more: element.open }) },
      node("summary", {}, "More: layer, head, direction, colours"),
      node("div", { class: "td-controls" },
        node("div", { class: "td-pair" }, node("label", {}, "Layer", layer), node("label", {}, "Head", head)),
        taught,
        node("fieldset", {}, node("legend", {}, "Direction"), directions.element, meaning),
        node("div", { class: "td-pair" },
          node("label", {}, "Opacity", opacity),
          node("label", { class: "td-check" }, stretch, "Stretch the colours to what is shown"))));

    let followed = null; // a browser tells late of what a visitor opens: only a change of the state may undo it

    function render({ taught: taughtHead, index }) {
      if (state.more !== followed) element.open = followed = state.more;
      directions.follow(state.direction, (direction) => layerIndex(run, { ...state, direction }) >= 0);
      meaning.textContent = DIRECTIONS.find(([direction]) => direction === state.direction)[2];
      layer.value = state.layer;
      const options = ["mean", ...Array(run.layers[index].heads).keys()];
      const titles = options.map((option) =>
        option === "mean" ? "mean of heads" : `head ${option}${option === taughtHead ? " (taught)" : ""}`);
      if (head.dataset.titles !== titles.join()) {
        head.dataset.titles = titles.join();
        head.replaceChildren(...options.map((option, at) => node("option", { value: option }, titles[at])));
      }
      head.value = state.head;
      taught.textContent =
        taughtHead === null ? "No head of this layer was taught where to look; all found it by themselves."
        : state.head === taughtHead
          ? "This head was taught in training to look at the character that covers each place."
        : `Head ${taughtHead} of this layer was taught where to look; the others found it by themselves.`;
      opacity.value = state.opacity;
      stretch.checked = state.stretch;
    }

    return { element, render };
  }
})();
