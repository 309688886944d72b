/*
 * The viewer plays one run folder in the browser. Plain JavaScript, no build step, no library, and no request while
 * scrubbing. Its files are classic scripts: a page of your own loads all style sheets, then by script tags
 *
 *     core.js  state.js  run.js  …  views/denoising.js  …  lesson_player.js  mount.js
 *
 * (all of them, in the order of SCRIPTS in textdiff/ui/viewer_files.py) and then says textdiff.mountViewer(document.getElementById("here"), { runUrl: "runs/hello/" }). One after the other
 * they are one script as well, which may stand in an HTML file: hence no file has a script tag in it, not even here.
 *
 * Everything is in the global object `textdiff`; loading the files twice changes nothing. A view is a file that says
 *
 *     textdiff.views.attention = {
 *       title: "Attention",             on its tab; tabs stand in the order in which the files are loaded
 *       fields: { opacity: … },         what it adds to the state (state.js has the kinds of fields)
 *       settle(state, run) {},          optional: makes fields agree that depend on each other, after every change
 *       hides: ["thumbs"],              optional: "transport" (slider and all around it), "thumbs" (candidates)
 *       build(stage) { … return { render, answer, press } },
 *     };
 *
 * `build` is called when the view is first opened for a run. Everything that it may know is in the stage:
 *
 *     run     the run on screen (run.js)            state   everything chosen; read only, follow it in `render`
 *     panel   the view's own element                below   its own place under the slider, on the grid of that
 *     set     set({ step: 3 }) changes the state and renders; values that a field does not take are ignored
 *     film    the folder of the film of training, or null
 *     ask     ask("use_seed", { seed: 7 }) asks the page for what needs the model; null where there is none to ask
 *
 * `render()` makes the screen follow the state, in a few milliseconds; it is called after every change and whenever
 * a picture has come. `answer(details)`, optional, gets what the page answers (show({ answer }) in mount.js).
 * `press(key)`, optional, hears of arrows, Home, End and space where the transport is hidden, and says whether it took it.
 *
 * Prompts and transcripts come from strangers: they enter the page as text nodes only, never as HTML.
 */
if (!window.textdiff?.views) window.textdiff = { views: {} }; // an element with that id would stand there as well

(() => {
  "use strict";

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

  /** [red, green, blue] of a level from 0 to 255. */
  const cividis = (level) => [0, 2, 4].map((at) => parseInt(CIVIDIS.substr(6 * level + at, 2), 16));

  function furnish(element, properties, children) {
    for (const [name, value] of Object.entries(properties)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  /** An element. Strings among the children become text nodes; `on…` properties become listeners. */
  const node = (tag, properties = {}, ...children) => furnish(document.createElement(tag), properties, children);

  /** The same for what stands inside of an <svg>, and for that itself. */
  const svg = (tag, properties = {}, ...children) =>
    furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);

  const icon = (name) => svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: SHAPES[name] }));

  let names = 0;

  /** A name that no other element on the page has: for ids and groups of radio buttons. */
  const unique = (what) => `td-${what}-${(names += 1)}`;

  /**
   * One of a few, all of them in sight. `options` are [value, title, hint]; `choose(value)` hears of a choice.
   * Returns { element, follow(value, possible) }, which marks the one that is chosen.
   */
  function segmented(label, options, choose) {
    const name = unique("choice");
    const radios = options.map(([value]) => node("input", { type: "radio", name, onchange: () => choose(value) }));
    const labels = options.map(([, title, hint], at) => node("label", { title: hint ?? null }, radios[at], title));
    function follow(value, possible = () => true) {
      radios.forEach((radio, at) => {
        radio.checked = options[at][0] === value;
        radio.disabled = !possible(options[at][0]);
      });
    }
    return { element: node("div", { class: "td-choice", role: "radiogroup", "aria-label": label }, ...labels), follow };
  }

  /** The button that makes `candidate` the one on screen. */
  function candidateButton({ verdict, reading, index }, set, properties, ...children) {
    const label = `Candidate ranked ${verdict.rank}, reads ${JSON.stringify(reading.text)}, similarity `
      + `${cut(verdict.similarity)}, ${verdict.kept ? "kept" : "pruned"}`;
    const onclick = () => set({ candidate: index });
    return node("button", { type: "button", "aria-label": label, title: label, onclick, ...properties }, ...children);
  }

  const visible = (text) => text.replaceAll("\n", "↵").replaceAll(" ", "␣");
  const named = (token) => ({ "\n": "line break", " ": "space", START: "START" })[token] ?? token;
  const signed = (value) => String(value).replace("-", "−");
  const number = (value) => (value === 0 ? "0" : value < 0.01 ? value.toPrecision(1) : value.toFixed(2));
  const cut = (similarity) => (Math.floor(similarity * 1000 + 1e-9) / 1000).toFixed(3); // 0.9499 is not 0.95
  const plural = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

  Object.assign(window.textdiff, {
    cividis, node, svg, icon, unique, segmented, candidateButton, visible, named, signed, number, cut, plural,
  });
})();
