/*
 * The viewer: plays one run folder in the browser. Plain JavaScript, no build step, no library, and no request
 * while scrubbing. It works in any page:
 *
 *     <div id="here"></div> <script src="viewer.js"></script>
 *     <script>mountViewer(document.getElementById("here"), { runUrl: "runs/hello/" })</script>
 *
 * mountViewer(element, { runUrl, files, lessons, recorded }) returns { show, state, destroy }.
 *     runUrl    the folder of a run, where run.json lies (textdiff/run_folder.py says what is in it)
 *     files     optional: file name -> address, for a page that carries the run in itself as data: addresses
 *     lessons   optional: { denoising, attention, candidates }, a few plain sentences for each view
 *     recorded  whether this run was recorded beforehand; it then opens halfway, where there is most to see
 *     show({ run, files, recorded, live, problem })  another run, the progress of one, or one sentence
 *     state     everything that can be chosen in the view; what is on screen follows from it and the run
 *
 * Prompts and transcripts come from strangers: they enter the page as text nodes only, never as HTML.
 */
const mountViewer = (() => {
  "use strict";

  const VIEWS = { denoising: "Denoising", attention: "Attention", candidates: "Candidates" };
  const PICTURES = {
    noisy: ["Noisy picture", "xₜ", "what the network sees"],
    x0: ["Guess at the picture", "x₀", "what it believes lies under the noise"],
    eps: ["Guess at the noise", "ε", "grey is none; what it would take away"],
    x0_unconditional: ["Guess without the text", "x₀ ∅", "the same, had it not been told the prompt"],
  };
  const DIRECTIONS = {
    text_to_image: ["Text to picture", "each cell of the picture chooses among the characters"],
    image_to_text: ["Picture to text", "each character chooses among the cells of the picture"],
  };
  const SHAPES = { play: "M4 2l10 6-10 6z", pause: "M4 2h3v12H4zM9 2h3v12H9z" };

  // The 256 colours of matplotlib's cividis: even in lightness, and the same to colour-blind eyes.
  const CIVIDIS =
    "00224e00234f00245100255300255400265600275800285900285b00295d002a5f002a61002b62002c64002c66002d68" +
    "002e6a002e6c002f6d00306f0030700031700031710132710533710833700c34700f357012357014367016377018376f" +
    "1a386f1c396f1e3a6f203a6f213b6e233c6e243c6e263d6e273e6e293f6e2a3f6d2b406d2d416d2e416d2f426d31436d" +
    "32436d33446d34456c35456c36466c38476c39486c3a486c3b496c3c4a6c3d4a6c3e4b6c3f4c6c404c6c414d6c424e6c" +
    "434e6c444f6c45506c46516c47516c48526c49536c4a536c4b546c4c556c4d556c4e566c4f576c50576c51586d52596d" +
    "535a6d545a6d555b6d555c6d565c6d575d6d585e6d595e6e5a5f6e5b606e5c616e5d616e5e626e5e636f5f636f60646f" +
    "61656f62656f636670646770656870656870666970676a71686a71696b716a6c716b6d726c6d726c6e726d6f726e6f73" +
    "6f70737071737172747272747273747374757474757575757676767777767777777878777979777a7a787b7a787c7b78" +
    "7d7c787e7c787e7d787f7e78807f78817f788280798381798482798582798683798784788885788985788a86788b8778" +
    "8c88788d88788e89788f8a78908b78918b78928c78928d78938e78948e77958f779690779791779892779992779a9376" +
    "9b94769c95769d95769e96769f9775a09875a19975a29975a39a74a49b74a59c74a69c74a79d73a89e73a99f73aaa073" +
    "aba072aca172ada272aea371afa471b0a571b1a570b3a670b4a76fb5a86fb6a96fb7a96eb8aa6eb9ab6dbaac6dbbad6d" +
    "bcae6cbdae6cbeaf6bbfb06bc0b16ac1b26ac2b369c3b369c4b468c5b568c6b667c7b767c8b866c9b965cbb965ccba64" +
    "cdbb63cebc63cfbd62d0be62d1bf61d2c060d3c05fd4c15fd5c25ed6c35dd7c45cd9c55cdac65bdbc75adcc859ddc858" +
    "dec958dfca57e0cb56e1cc55e2cd54e4ce53e5cf52e6d051e7d150e8d24fe9d34eead34cebd44bedd54aeed649efd748" +
    "f0d846f1d945f2da44f3db42f5dc41f6dd3ff7de3ef8df3cf9e03afbe138fce236fde334fee434fee535fee636fee838";

  const colour = (level) => [0, 2, 4].map((at) => parseInt(CIVIDIS.substr(6 * level + at, 2), 16));

  /** An element. Strings among the children become text nodes; `on…` properties become listeners. */
  function node(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    svg.firstChild.setAttribute("d", SHAPES[name]);
    return svg;
  }

  const visible = (text) => text.replaceAll("\n", "↵").replaceAll(" ", "␣");
  const named = (token) => ({ "\n": "line break", " ": "space", START: "START" })[token] ?? token;
  const number = (value) => (value === 0 ? "0" : value < 0.01 ? value.toPrecision(1) : value.toFixed(2));
  const cut = (similarity) => (Math.floor(similarity * 1000 + 1e-9) / 1000).toFixed(3);  // 0.9499 is not 0.95
  const plural = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

  /** The pixels of a PNG exactly as they were written: no colour management, no premultiplied alpha. */
  async function decode(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${answer.status}`);
    return createImageBitmap(await answer.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  }

  /** Draw the square `column`, `row` of a sheet of squares `side` pixels wide. */
  function drawTile(canvas, sheet, side, column, row = 0) {
    if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (sheet) context.drawImage(sheet, column * side, row * side, side, side, 0, 0, side, side);
    else context.clearRect(0, 0, side, side);
    return context;
  }

  /** A run folder: run.json and its pictures, each fetched once, when it is first asked for. */
  class Run {
    static async open(base, files) {
      const address = (name) => files?.[name] ?? base + name;
      const answer = await fetch(address("run.json"));
      if (!answer.ok) throw new Error(`${answer.status}`);
      return new Run(await answer.json(), address);
    }

    constructor(json, address) {
      Object.assign(this, json);
      this.address = address;
      this.scratch = document.createElement("canvas");
      this.loading = new Map();
      this.sheets = new Map();
      this.ranking = [...json.candidates].sort((a, b) => a.verdict.rank - b.verdict.rank);
    }

    load(name) {
      if (!this.loading.has(name)) {
        const keep = (sheet) => {
          if (this.closed) return sheet.close();
          this.sheets.set(name, sheet);
          this.onload?.();
        };
        this.loading.set(name, decode(this.address(name)).then(keep));
      }
      return this.loading.get(name);
    }

    /** The picture, or undefined while it is on its way; `onload` is called when it has come. */
    sheet(name) {
      if (!this.loading.has(name)) this.load(name).catch(() => this.closed || this.onfailure?.());
      return this.sheets.get(name);
    }

    names(candidate) {
      const { files } = this.candidates[candidate];
      const kinds = Object.keys(PICTURES).filter((kind) => files[kind]);
      return Object.fromEntries(kinds.map((kind) => [kind, files[kind]]));
    }

    /** What `candidate` looks like at `step`: its picture in the end, before that the guess at it. */
    drawCandidate(canvas, candidate, step) {
      const { files } = this.candidates[candidate];
      const last = step === this.steps.length - 1;
      const sheet = this.sheet(files.final);
      const guesses = last ? null : this.sheet(files.x0);
      if (last) drawTile(canvas, sheet, sheet ? sheet.height : this.size, 0);
      else drawTile(canvas, guesses, this.size, step);
    }

    /** Weights (cells) of one character, the mean over `heads`; null while the atlas is on its way. */
    weights(candidate, layer, step, token, heads) {
      const atlas = this.candidates[candidate].files.attention[layer];
      const sheet = this.sheet(atlas.file);
      if (!sheet) return null;
      const side = this.layers[layer].resolution;
      const sum = new Float64Array(side * side);
      for (const head of heads) {
        const row = head * this.tokens.length + token;
        const pixels = drawTile(this.scratch, sheet, side, step, row).getImageData(0, 0, side, side).data;
        for (let cell = 0; cell < sum.length; cell++) sum[cell] += pixels[4 * cell];
      }
      return sum.map((levels) => (levels / heads.length / 255) * atlas.scale);
    }

    close() {
      this.closed = true;
      for (const sheet of this.sheets.values()) sheet.close();
      this.sheets.clear();
    }
  }

  const GONE = "This run is no longer there. Runs are kept for a while only; write it again to see it.";

  return function mountViewer(element, { runUrl = null, files = null, lessons = {}, recorded = false } = {}) {
    const state = {
      view: "denoising",
      candidate: 0,
      step: 0,
      character: 0, // a token: 0 is START, i is character i - 1 of the text
      layer: "", // the name of a place in the network; with the direction it is one of run.layers
      direction: "text_to_image",
      head: "mean", // or its number
      opacity: 0.8,
      stretch: false, // whether the colours span this map, or everything the layer did in the run
      cell: null, // the cell under the pointer
      playing: false,
    };
    let run = null; // what is on screen
    let wanted = null; // the address of the newest run asked for: slower, older answers are dropped
    let live = 0; // how many previews have come, for the same reason
    let timer = null;

    // ---- what is on screen whatever the run

    const problem = node("p", { class: "td-problem", role: "alert", hidden: true });
    const prompt = node("p", { class: "td-prompt" });
    const facts = node("p", { class: "td-facts" });
    const tabs = {};
    const panels = {};
    const identity = `td-${Math.random().toString(36).slice(2)}`;
    for (const [view, title] of Object.entries(VIEWS)) {
      const id = `${identity}-${view}`;
      tabs[view] = node(
        "button",
        { type: "button", role: "tab", id: `${id}-tab`, "aria-controls": id, class: "td-tab", onclick: openTab },
        title,
      );
      tabs[view].dataset.view = view;
      panels[view] = node("div", { role: "tabpanel", id, "aria-labelledby": `${id}-tab`, class: `td-${view}` });
    }
    const tablist = node(
      "div",
      { role: "tablist", class: "td-tabs", "aria-label": "Views of this run", onkeydown: moveTab },
      ...Object.values(tabs),
    );
    const play = node("button", { type: "button", class: "td-play", onclick: () => set({ playing: !state.playing }) });
    const slider = node("input", {
      type: "range", class: "td-slider", min: 0, step: 1, "aria-label": "Step",
      oninput: () => set({ step: slider.valueAsNumber, playing: false }),
    });
    const where = node("output", { class: "td-where" });
    const equation = node("p", { class: "td-equation" });
    const transport = node("div", { class: "td-transport" }, play, slider, where);
    const thumbs = node("div", { class: "td-thumbs", role: "group", "aria-label": "Candidates, best first" });
    const keys = node("p", { class: "td-keys" }, "← → one step · Home End first and last · space plays");
    const stage = node(
      "div", { class: "td-stage", hidden: true },
      node("header", { class: "td-head" }, node("div", {}, prompt, facts), tablist),
      ...Object.values(panels), transport, equation, thumbs, keys,
    );
    const preview = node("div", { class: "td-live", hidden: true });
    const root = node(
      "section", { class: "td-viewer", tabindex: "-1", "aria-label": "A run, step by step" },
      problem, preview, stage,
    );
    element.replaceChildren(root);
    document.addEventListener("keydown", onKey);

    // ---- state

    function set(changes) {
      Object.assign(state, changes);
      state.step = Math.max(0, Math.min(run.steps.length - 1, state.step));
      if (state.playing !== (timer !== null)) {
        if (state.playing) start();
        else stop();
      }
      render();
    }

    function start() {
      const last = run.steps.length - 1;
      if (state.step >= last) state.step = 0;
      const advance = () => set({ step: state.step + 1, playing: state.step + 1 < last });
      timer = setInterval(advance, Math.max(60, Math.min(300, 4000 / run.steps.length)));
    }

    function stop() {
      clearInterval(timer);
      timer = null;
    }

    function layerIndex(direction = state.direction) {
      return run.layers.findIndex((layer) => layer.name === state.layer && layer.direction === direction);
    }

    /** Another layer or direction, and a head that it has. */
    function chooseLayer(changes) {
      Object.assign(state, changes);
      if (layerIndex() < 0) {
        state.direction = run.layers.find((layer) => layer.name === state.layer).direction;
      }
      const { heads } = run.layers[layerIndex()];
      set({ head: state.head === "mean" || state.head >= heads ? "mean" : state.head, cell: null });
    }

    function onKey(event) {
      if (!root.isConnected) return destroy();
      if (!run || stage.hidden || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
      const { target, key } = event;
      const inside = root.contains(target);
      if (!inside && target !== document.body) return;
      if (target.closest("select, textarea, [contenteditable], [role=tab]")) return; // they have their own use for keys
      if (target.closest("input") && !(target === slider && key === " ")) return;
      const last = run.steps.length - 1;
      const jumps = { ArrowLeft: state.step - 1, ArrowRight: state.step + 1 };
      if (inside) Object.assign(jumps, { Home: 0, End: last }); // elsewhere these keys scroll the page
      if (key in jumps) set({ step: jumps[key], playing: false });
      else if (key === " " && inside && !target.closest("button")) set({ playing: !state.playing });
      else return;
      event.preventDefault();
    }

    function openTab(event) {
      set({ view: event.currentTarget.dataset.view });
      if (event.detail) root.focus({ preventScroll: true }); // after a click the arrow keys belong to the steps
    }

    function moveTab(event) {
      const views = Object.keys(VIEWS);
      const at = views.indexOf(state.view);
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: views.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      set({ view: views[(to + views.length) % views.length] });
      tabs[state.view].focus();
    }

    // ---- building: what depends on the run, but not on the state

    const pictures = {}; // canvases of the denoising view
    let thumbnails = [];
    let cards = [];
    let tokens = [];
    let attention = null; // the controls of the attention view; null when nobody watched

    function build() {
      const { request, model, tokens: all } = run;
      const text = visible(request.text);
      prompt.replaceChildren(request.text ? text : node("em", {}, "no text"));
      facts.replaceChildren(
        ...[
          run.recorded && node("strong", {}, "Recorded run"),
          run.stopped && node("strong", {}, "Stopped early"),
          model.name,
          `${plural(run.steps.length, "step")} of ${request.sampler}`,
          `guidance ${request.guidance}`,
          `read by ${run.reader}`,
          `${run.seconds.toFixed(1)} s`,
        ].filter(Boolean).flatMap((part, at) => (at ? [" · ", part] : [part])),
      );
      slider.max = run.steps.length - 1;
      thumbnails = run.ranking.map((candidate) => {
        const canvas = node("canvas", { role: "img" });
        const caption = `#${candidate.verdict.rank}`;
        const button = pick(candidate, { class: "td-thumb" }, canvas, node("span", {}, caption));
        return { button, canvas, candidate };
      });
      thumbs.replaceChildren(...thumbnails.map(({ button }) => button));
      buildDenoising();
      buildAttention(all);
      buildCandidates();
    }

    function pick(candidate, properties, ...children) {
      const { verdict, reading } = candidate;
      const label = `Candidate ranked ${verdict.rank}, reads ${JSON.stringify(reading.text)}, similarity `
        + `${cut(verdict.similarity)}, ${verdict.kept ? "kept" : "pruned"}`;
      const onclick = () => set({ candidate: candidate.index });
      return node("button", { type: "button", "aria-label": label, title: label, onclick, ...properties }, ...children);
    }

    function lesson(view) {
      return lessons[view] ? [node("p", { class: "td-lesson" }, lessons[view])] : [];
    }

    function buildDenoising() {
      const figures = Object.keys(run.names(0)).map((kind) => {
        const [title, symbol, meaning] = PICTURES[kind];
        const [low, high] = run.ranges[kind];
        pictures[kind] = node("canvas", { role: "img" });
        const scale = kind === "eps" ? ` (black ${low}, white ${high})`.replace("-", "−") : "";
        return node(
          "figure", {}, pictures[kind],
          node(
            "figcaption", {},
            node("span", {}, title, " ", node("i", {}, symbol)), node("small", {}, meaning + scale),
          ),
        );
      });
      panels.denoising.replaceChildren(...lesson("denoising"), node("div", { class: "td-figures" }, ...figures));
    }

    function buildAttention(all) {
      attention = null;
      if (!run.layers.length || !run.candidates.every((candidate) => candidate.files.attention.length)) {
        const sentence = "Nobody watched the attention of this run, so there is nothing to show here.";
        panels.attention.replaceChildren(node("p", { class: "td-lesson" }, sentence));
        return;
      }
      tokens = all.map((token, index) => {
        const place = `Character ${index} of ${all.length - 1}: ${named(token)}`;
        const label = index ? place : "START, the token before the text";
        const onclick = () => set({ character: index, cell: null });
        const quiet = index === 0 || token === "\n" || token === " ";
        return node(
          "button",
          { type: "button", class: quiet ? "td-token td-quiet" : "td-token", "aria-label": label, title: label, onclick },
          index ? visible(token) : "START",
        );
      });
      const lines = [node("div", { class: "td-line" })];
      tokens.forEach((token, index) => {
        lines.at(-1).append(token);
        if (index === 0 || all[index] === "\n") lines.push(node("div", { class: "td-line" }));
      });
      const characters = node(
        "div",
        { class: "td-characters", role: "group", "aria-label": "Characters", onkeydown: moveCharacter },
        ...lines,
      );

      const names = [...new Set(run.layers.map((layer) => layer.name))];
      const layer = node(
        "select", { onchange: () => chooseLayer({ layer: layer.value }) },
        ...names.map((name) => node("option", { value: name }, name)),
      );
      const head = node("select", {
        onchange: () => set({ head: head.value === "mean" ? "mean" : Number(head.value), cell: null }),
      });
      const directions = Object.entries(DIRECTIONS).map(([direction, [title, meaning]]) => {
        const radio = node("input", {
          type: "radio", name: `${identity}-direction`, value: direction, onchange: () => chooseLayer({ direction }),
        });
        return { direction, radio, label: node("label", { title: meaning }, radio, title) };
      });
      const meaning = node("small", {});
      const opacity = node("input", {
        type: "range", min: 0, max: 1, step: 0.05, oninput: () => set({ opacity: opacity.valueAsNumber }),
      });
      const stretch = node("input", { type: "checkbox", onchange: () => set({ stretch: stretch.checked }) });
      const taught = node("p", { class: "td-taught" });

      const under = node("canvas", { "aria-hidden": "true" });
      const map = node("canvas", { role: "img", class: "td-map", onpointermove: point, onpointerdown: point,
        onpointerleave: () => set({ cell: null }) });
      const bar = node("canvas", { width: 256, height: 1, class: "td-bar", "aria-hidden": "true" });
      const context = bar.getContext("2d");
      for (let level = 0; level < 256; level++) {
        context.fillStyle = `rgb(${colour(level)})`;
        context.fillRect(level, 0, 1, 1);
      }
      const ticks = [0, 0.5, 1].map(() => node("span", {}));
      const readout = node("output", { class: "td-readout" });

      attention = { layer, head, directions, meaning, opacity, stretch, taught, under, map, ticks, readout };
      panels.attention.replaceChildren(
        ...lesson("attention"),
        node("div", { class: "td-columns" },
          node("div", { class: "td-heat" },
            node("div", { class: "td-stack" }, under, map),
            node("div", { class: "td-legend" }, bar, node("div", { class: "td-ticks" }, ...ticks)),
            readout),
          node("div", { class: "td-controls" },
            characters,
            node("fieldset", {},
              node("legend", {}, "Direction"),
              node("div", { class: "td-choice" }, ...directions.map(({ label }) => label)),
              meaning),
            node("div", { class: "td-pair" },
              node("label", {}, "Layer", layer),
              node("label", {}, "Head", head)),
            taught,
            node("div", { class: "td-pair" },
              node("label", {}, "Opacity", opacity),
              node("label", { class: "td-check" }, stretch, "Stretch colours to this map")))),
      );
    }

    function moveCharacter(event) {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      set({ character: Math.max(0, Math.min(tokens.length - 1, state.character + by)), cell: null });
      tokens[state.character].focus();
    }

    function point(event) {
      const box = event.currentTarget.getBoundingClientRect();
      const side = run.layers[layerIndex()].resolution;
      const at = (part, whole) => Math.max(0, Math.min(side - 1, Math.floor((part / whole) * side)));
      const cell = at(event.clientY - box.top, box.height) * side + at(event.clientX - box.left, box.width);
      if (cell !== state.cell) set({ cell });
    }

    function buildCandidates() {
      cards = run.ranking.map((candidate) => {
        const { verdict, reading, seed } = candidate;
        const canvas = node("canvas", { role: "img" });
        const button = pick(candidate, { class: "td-choose" }, canvas);
        const shown = reading.text ? reading.text : node("em", {}, "nothing legible");
        const bar = node("div", { class: "td-similarity", "aria-hidden": "true" }, node("span", {}));
        bar.firstChild.style.width = `${100 * verdict.similarity}%`;
        const detail = verdict.exact ? "exact" : `${plural(verdict.edit_distance, "edit")} away`;
        const card = node(
          "li", { class: verdict.kept ? "td-card" : "td-card td-pruned" }, button,
          node("div", { class: "td-verdict" },
            node("p", { class: "td-rank" }, node("b", {}, `#${verdict.rank}`), ` seed ${seed} `,
              node("span", { class: "td-badge" }, verdict.kept ? "kept" : "pruned")),
            node("p", { class: "td-transcript" }, shown),
            bar,
            node("p", {}, `similarity ${cut(verdict.similarity)} · ${detail}`),
            node("p", { class: "td-rule" }, verdict.rule),
            trigrams("matched", candidate.matched), trigrams("missing", candidate.missing)),
        );
        return { card, button, canvas, candidate };
      });
      panels.candidates.replaceChildren(
        ...lesson("candidates"),
        node("p", { class: "td-reader" }, `Read by ${run.reader}, which is not told what the pictures should say.`),
        node("ol", { class: "td-cards" }, ...cards.map(({ card }) => card)),
      );
    }

    function trigrams(kind, list) {
      const count = list.reduce((sum, [, times]) => sum + times, 0);
      const chips = list.map(([trigram, times]) =>
        node("code", {}, visible(trigram) + (times > 1 ? ` ×${times}` : "")));
      return node("details", { class: `td-trigrams td-${kind}` },
        node("summary", {}, `${plural(count, "trigram")} ${kind}`), node("div", {}, ...chips));
    }

    // ---- rendering: what follows from the state; asks for pictures that are not there yet, and draws again then

    function render() {
      if (!run || stage.hidden) return;
      const { step, view } = state;
      for (const name of Object.keys(VIEWS)) {
        tabs[name].setAttribute("aria-selected", name === view);
        tabs[name].tabIndex = name === view ? 0 : -1;
        panels[name].hidden = name !== view;
      }
      renderTransport();
      thumbs.hidden = view === "candidates";
      for (const { button, canvas, candidate } of thumbs.hidden ? [] : thumbnails) {
        button.setAttribute("aria-pressed", candidate.index === state.candidate);
        run.drawCandidate(canvas, candidate.index, run.steps.length - 1);
      }
      if (view === "denoising") {
        for (const [kind, file] of Object.entries(run.names(state.candidate))) {
          drawTile(pictures[kind], run.sheet(file), run.size, step);
          pictures[kind].setAttribute("aria-label", `${PICTURES[kind][0]} at step ${step + 1}`);
        }
      } else if (view === "attention" && attention) renderAttention();
      else if (view === "candidates") {
        for (const { card, button, canvas, candidate } of cards) {
          card.classList.toggle("td-chosen", candidate.index === state.candidate);
          button.setAttribute("aria-pressed", candidate.index === state.candidate);
          run.drawCandidate(canvas, candidate.index, step);
        }
      }
    }

    function renderTransport() {
      const { t, alpha, sigma } = run.steps[state.step];
      const position = `step ${state.step + 1} of ${run.steps.length}`;
      slider.value = state.step;
      slider.setAttribute("aria-valuetext", `${position}, time ${t.toFixed(2)}`);
      where.value = position;
      const parts = ["xₜ = ", alpha.toFixed(2), " x₀ + ", sigma.toFixed(2), " ε"];
      const bold = parts.map((part, at) => (at % 2 ? node("b", {}, part) : part));
      equation.replaceChildren(`time ${t.toFixed(2)}: `, ...bold);
      const action = state.playing ? "pause" : "play";
      if (play.dataset.action !== action) {
        play.dataset.action = action;
        play.setAttribute("aria-label", state.playing ? "Pause" : "Play all steps");
        play.replaceChildren(icon(action));
      }
    }

    function renderAttention() {
      const index = layerIndex();
      const layer = run.layers[index];
      const { scale } = run.candidates[state.candidate].files.attention[index];
      const { layer: select, head, directions, under, map, ticks } = attention;
      tokens.forEach((token, at) => {
        token.setAttribute("aria-pressed", at === state.character);
        token.tabIndex = at === state.character ? 0 : -1;
      });
      select.value = state.layer;
      const options = ["mean", ...Array(layer.heads).keys()];
      const titles = options.map((option) =>
        option === "mean" ? "mean of heads" : `head ${option}${option === layer.taught_head ? " (taught)" : ""}`);
      if (head.dataset.titles !== titles.join()) {
        head.dataset.titles = titles.join();
        head.replaceChildren(...options.map((option, at) => node("option", { value: option }, titles[at])));
      }
      head.value = state.head;
      for (const { direction, radio } of directions) {
        radio.checked = direction === state.direction;
        radio.disabled = layerIndex(direction) < 0;
      }
      attention.meaning.textContent = DIRECTIONS[state.direction][1];
      attention.opacity.value = state.opacity;
      attention.stretch.checked = state.stretch;
      attention.taught.textContent =
        layer.taught_head === null ? "No head of this layer was taught where to look; all found it by themselves."
        : state.head === layer.taught_head
          ? "This head was taught in training to look at the character that covers each cell."
        : `Head ${layer.taught_head} of this layer was taught where to look; the others found it by themselves.`;

      drawTile(under, run.sheet(run.names(state.candidate).x0), run.size, state.step);
      const heads = state.head === "mean" ? [...Array(layer.heads).keys()] : [state.head];
      const weights = run.weights(state.candidate, index, state.step, state.character, heads);
      map.style.opacity = state.opacity;
      map.hidden = weights === null;
      if (!weights) return;
      const side = layer.resolution;
      const peak = weights.reduce((best, weight, cell) => (weight > weights[best] ? cell : best), 0);
      const top = (state.stretch && weights[peak]) || scale;
      if (map.width !== side || map.height !== side) map.width = map.height = side;
      const image = new ImageData(side, side);
      weights.forEach((weight, cell) =>
        image.data.set([...colour(Math.min(255, Math.round((255 * weight) / top))), 255], 4 * cell));
      map.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
      ticks.forEach((tick, at) => (tick.textContent = number((top * at) / 2)));
      const place = (cell) => `row ${Math.floor(cell / side) + 1}, column ${(cell % side) + 1}`;
      const token = named(run.tokens[state.character]);
      attention.readout.value = state.cell === null
        ? `strongest: ${number(weights[peak])} at ${place(peak)}`
        : `${number(weights[state.cell])} at ${place(state.cell)}`;
      map.setAttribute("aria-label", `Attention of ${token} at step ${state.step + 1}, ${attention.readout.value}`);
    }

    // ---- runs that come and go

    function tell(sentence) {
      problem.textContent = sentence ?? "";
      problem.hidden = !sentence;
    }

    async function open(base, addresses, wasRecorded) {
      wanted = base;
      let next;
      try {
        next = await Run.open(base, addresses);
        const best = Object.values(next.names(next.best));
        const finals = next.candidates.map((candidate) => candidate.files.final);
        await Promise.all([...best, ...finals].map((name) => next.load(name)));
      } catch {
        if (wanted === base) finish(GONE);
        return;
      }
      if (wanted !== base) return next.close();
      stop();
      run?.close();
      run = next;
      run.recorded = wasRecorded;
      run.onload = render;
      run.onfailure = () => tell(GONE);
      finish(null);
      Object.assign(state, firstLook(), { candidate: run.best, cell: null, playing: false });
      stage.hidden = false;
      build();
      render();
    }

    /** Where a run opens: a fresh one at its end, a recorded one halfway; the attention at a taught head. */
    function firstLook() {
      const last = run.steps.length - 1;
      const looks = { step: run.recorded ? Math.floor(last * 0.6) : last, character: run.tokens.length > 1 ? 1 : 0 };
      const into = run.layers.filter((layer) => layer.direction === "text_to_image");
      const layer = into.findLast((one) => one.taught_head !== null) ?? into.at(-1) ?? run.layers.at(-1);
      if (!layer) return looks;
      return { ...looks, layer: layer.name, direction: layer.direction, head: layer.taught_head ?? "mean" };
    }

    /** The preview is over: the run takes its place, or what was there before. */
    function finish(sentence) {
      live += 1;
      preview.hidden = true;
      preview.replaceChildren();
      stage.hidden = !run;
      tell(sentence);
    }

    async function showLive({ step, steps, stage: doing, size, seeds, picture }) {
      const mine = ++live;
      const strip = picture ? await decode(picture) : null;
      if (mine !== live) return strip?.close();
      if (run) set({ playing: false });
      stage.hidden = true;
      preview.hidden = false;
      tell(null);
      const sentence = {
        waiting: "Waiting for the model …",
        denoising: `Step ${step} of ${steps}: what the model believes each picture will be`,
        reading: "Reading what was written …",
      }[doing];
      if (preview.children.length !== 3 || preview.lastChild.children.length !== seeds.length) {
        preview.replaceChildren(
          node("p", { role: "status" }), node("progress", { "aria-label": "Progress" }),
          node("div", { class: "td-previews" }, ...seeds.map((seed) =>
            node("figure", {}, node("canvas", { role: "img", "aria-label": `Preview of seed ${seed}` }),
              node("figcaption", {}, `seed ${seed}`)))),
        );
      }
      const [status, progress, figures] = preview.children;
      if (status.textContent !== sentence) status.textContent = sentence;
      progress.max = steps;
      progress.value = step;
      if (strip) [...figures.children].forEach((figure, at) => drawTile(figure.firstChild, strip, size, at));
      strip?.close();
    }

    function show({ run: base = null, files: addresses = null, recorded: isRecorded = false, live: progress = null,
      problem: sentence = null }) {
      if (progress) showLive(progress);
      else if (sentence) finish(sentence);
      else if (base !== null && base !== wanted) open(base, addresses, isRecorded);
      else finish(null);
    }

    function destroy() {
      document.removeEventListener("keydown", onKey);
      stop();
      wanted = null;
      run?.close();
      root.remove();
    }

    if (runUrl !== null) show({ run: runUrl, files, recorded });
    return { show, state, destroy };
  };
})();
