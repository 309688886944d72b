/*
 * The picture that gets noisy: the finished one of the run, a text of one's own, or a file, which never leaves the
 * browser.
 *
 * noiseSource(stage, most) returns { element, render, picture }; picture() is { side, levels }, RGBA, or null while
 * there is none. A text has at most `most` characters. Files may be dropped anywhere on the view.
 */
(() => {
  "use strict";
  const { node, segmented, square } = window.textdiff;

  const SIDE = 64;
  const MARGIN = 3;
  const PAPER = "#fafafa";
  const INK = "#141414";
  const SOURCES = [
    ["run", "This run", "the finished picture of the candidate that is chosen"],
    ["text", "Own text", "what you type, set by your browser"],
    ["file", "Own picture", "a file of yours, which stays in your browser"],
  ];
  const UNREADABLE = "Your browser cannot read this file as a picture; try a PNG or a JPEG.";

  let chosen = null; // the visitor's picture { name, picture }: runs come and go, it stays until the page is left

  /** Levels of what `draw(context)` draws on paper. */
  function drawn(side, draw) {
    const context = square(document.createElement("canvas"), side);
    context.fillStyle = PAPER;
    context.fillRect(0, 0, side, side);
    context.imageSmoothingQuality = "high";
    draw(context);
    return { side, levels: context.getImageData(0, 0, side, side).data };
  }

  /** `text` in lines no wider than `width`, broken at spaces; null where one word is wider. */
  function linesOf(context, text, width) {
    const fits = (line) => context.measureText(line).width <= width;
    const lines = text.split("\n").flatMap((line) =>
      line.split(" ").reduce((broken, word) => {
        const longer = `${broken.at(-1)} ${word}`;
        return broken.length && fits(longer) ? [...broken.slice(0, -1), longer] : [...broken, word];
      }, []));
    return lines.every(fits) ? lines : null;
  }

  /** The text as large as it goes. */
  const setInType = (text) => drawn(SIDE, (context) => {
    const room = SIDE - 2 * MARGIN;
    context.fillStyle = INK;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let size = 36; size >= 5; size--) {
      context.font = `600 ${size}px system-ui, sans-serif`;
      const lines = linesOf(context, text, room);
      const height = 1.15 * size;
      if (size > 5 && (!lines || lines.length * height > room)) continue;
      const all = lines ?? text.split("\n");
      const top = SIDE / 2 - ((all.length - 1) * height) / 2;
      return all.forEach((line, at) => context.fillText(line, SIDE / 2, top + at * height, room));
    }
  });

  /** The middle of the picture in the file, small; rejects what is no picture. */
  async function readFile(file) {
    const whole = await createImageBitmap(file);
    const side = Math.min(whole.width, whole.height);
    const small = await createImageBitmap(
      whole, (whole.width - side) >> 1, (whole.height - side) >> 1, side, side,
      { resizeWidth: SIDE, resizeHeight: SIDE, resizeQuality: "high" },
    );
    const picture = drawn(SIDE, (context) => context.drawImage(small, 0, 0));
    whole.close();
    small.close();
    return { name: file.name, picture };
  }

  function noiseSource({ run, state, set, panel }, most) {
    const choice = segmented("Picture", SOURCES, (source) => set({ source }));
    const words = node("textarea", {
      rows: 2, maxlength: most, spellcheck: "false", "aria-label": "Own text", placeholder: "a word or two",
      oninput: () => set({ words: words.value }),
    });
    const files = node("input", {
      type: "file", accept: "image/*", "aria-label": "Own picture", onchange: () => take(files.files[0]),
    });
    const about = node("small", {});
    const own = node("label", { class: "td-file" }, files, about);
    const problem = node("p", { class: "td-problem", role: "alert", hidden: true });
    const element = node("div", { class: "td-source" }, choice.element, words, own, problem);
    let typed = null; // what the text looks like, and which text that was

    panel.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
    panel.addEventListener("drop", (event) => {
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    });

    let latest = 0; // of two files, the slower one may have been chosen first

    async function take(file) {
      if (!file) return;
      const mine = ++latest;
      const read = await readFile(file).catch(() => null);
      if (mine !== latest) return;
      files.value = "";
      if (read) chosen = read;
      problem.textContent = read ? "" : UNREADABLE;
      problem.hidden = read !== null;
      set({ source: "file" });
    }

    function finished() {
      const sheet = run.sheet(run.candidates[state.candidate].files.final);
      return sheet ? drawn(run.size, (context) => context.drawImage(sheet, 0, 0, run.size, run.size)) : null;
    }

    function ownText() {
      if (typed?.text !== state.words) typed = { text: state.words, picture: setInType(state.words) };
      return typed.picture;
    }

    const picture = () => ({ run: finished, text: ownText, file: () => chosen?.picture ?? null })[state.source]();

    function render() {
      choice.follow(state.source);
      words.hidden = state.source !== "text";
      own.hidden = state.source !== "file";
      if (words.value !== state.words) words.value = state.words;
      if (state.source !== "file") problem.hidden = true;
      own.classList.toggle("td-empty", !chosen);
      about.textContent = chosen
        ? `${chosen.name}, its middle, ${SIDE} × ${SIDE} pixels. It stays in your browser.`
        : "or drop one here. It stays in your browser.";
    }

    return { element, render, picture };
  }

  Object.assign(window.textdiff, { noiseSource });
})();
