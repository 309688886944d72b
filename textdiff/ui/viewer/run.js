/*
 * A run folder in the browser: run.json as it is (textdiff/run_json.py says what is in it) and its pictures, each
 * fetched once, when it is first asked for, and decoded to exactly the levels that were written.
 */
(() => {
  "use strict";
  const { named, visible } = window.textdiff;

  const KINDS = ["noisy", "x0", "eps", "x0_unconditional"];

  /** The pixels of a PNG exactly as they were written: no colour management, no premultiplied alpha. */
  async function decode(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${answer.status}`);
    return createImageBitmap(await answer.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  }

  /** The canvas, `side` pixels wide and high, to draw on. */
  function square(canvas, side) {
    if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
    return canvas.getContext("2d", { willReadFrequently: true });
  }

  /** Draw the square `column`, `row` of a sheet of squares `side` pixels wide; nothing while there is no sheet. */
  function drawTile(canvas, sheet, side, column, row = 0) {
    const context = square(canvas, side);
    if (sheet) context.drawImage(sheet, column * side, row * side, side, side, 0, 0, side, side);
    else context.clearRect(0, 0, side, side);
    return context;
  }

  class Run {
    /**
     * The run in the folder `base`. `files`, optional, has other addresses for some names, or, for a picture that no
     * browser can decode by itself, a function that promises its ImageBitmap.
     */
    static async open(base, files) {
      const address = (name) => files?.[name] ?? base + name;
      const answer = await fetch(address("run.json"));
      if (!answer.ok) throw new Error(`${answer.status}`);
      return new Run(await answer.json(), address);
    }

    constructor(json, address) {
      Object.assign(this, json);
      this.address = address;
      this.last = json.steps.length - 1;
      this.scratch = document.createElement("canvas");
      this.loading = new Map();
      this.sheets = new Map();
      this.ranking = [...json.candidates].sort((a, b) => a.verdict.rank - b.verdict.rank);
    }

    /** One sentence about a run that left another one on its way; null for any other. */
    comesFrom() {
      if (!this.origin) return null;
      const { step, text, guidance, sampler, seed, eta, muted } = this.origin;
      const quoted = (words) => (words ? `“${visible(words)}”` : "no text");
      const { request } = this;
      const changes = [
        request.text !== text && `${quoted(request.text)} instead of ${quoted(text)}`,
        request.guidance !== guidance && `guidance ${request.guidance} instead of ${guidance}`,
        request.sampler !== sampler && `${request.sampler} instead of ${sampler}`,
        seed !== null && `later noise of seed ${seed}`,
        eta !== null && `eta ${eta}`,
        muted.length > 0 && `${muted.map((token) => named(this.tokens[token])).join(" ")} muted`,
      ].filter(Boolean);
      return `A branch of another run, from step ${step + 1} on with ${changes.join(", ") || "nothing changed"}.`;
    }

    /** Whether a guided step was one network call instead of two, so that there is no guess without the text. */
    get inOneCall() {
      return Boolean(this.request.one_call) && this.request.guidance !== 1;
    }

    /** The request that gives `candidate` alone again, as experiments_panel.py takes it. */
    requestOf(candidate) {
      const { text, steps, sampler, guidance, reader, one_call = false } = this.request;
      return { text, seed: this.candidates[candidate].seed, steps, sampler, guidance, reader, one_call };
    }

    load(name) {
      if (!this.loading.has(name)) {
        const keep = (sheet) => {
          if (this.closed) return sheet.close();
          this.sheets.set(name, sheet);
          this.onload?.();
        };
        const source = this.address(name);
        this.loading.set(name, (typeof source === "function" ? source() : decode(source)).then(keep));
      }
      return this.loading.get(name);
    }

    /** The picture, or undefined while it is on its way; `onload` is called when it has come. */
    sheet(name) {
      if (!this.loading.has(name)) this.load(name).catch(() => this.closed || this.onfailure?.());
      return this.sheets.get(name);
    }

    /** Kind -> file name, for the kinds of pictures of steps that `candidate` has. */
    names(candidate) {
      const { files } = this.candidates[candidate];
      return Object.fromEntries(KINDS.filter((kind) => files[kind]).map((kind) => [kind, files[kind]]));
    }

    /** RGBA levels of one square of a sheet; null while it is on its way. */
    levels(name, side, column, row = 0) {
      const sheet = this.sheet(name);
      return sheet ? drawTile(this.scratch, sheet, side, column, row).getImageData(0, 0, side, side).data : null;
    }

    /** What a candidate or a large picture is in the end, as large as it is. */
    drawFinal(canvas, { files }) {
      const sheet = this.sheet(files.final);
      drawTile(canvas, sheet, sheet ? sheet.height : this.size, 0);
    }

    /** What `candidate` looks like at `step`: its picture in the end, before that the guess at it. */
    drawCandidate(canvas, candidate, step) {
      const picture = this.candidates[candidate];
      if (step === this.last) this.drawFinal(canvas, picture);
      else drawTile(canvas, this.sheet(picture.files.x0), this.size, step);
    }

    close() {
      this.closed = true;
      for (const sheet of this.sheets.values()) sheet.close();
      this.sheets.clear();
    }
  }

  Object.assign(window.textdiff, { Run, decode, square, drawTile });
})();
