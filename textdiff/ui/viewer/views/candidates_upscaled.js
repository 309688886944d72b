/* The second round of a run: kept candidates drawn large, step by step, and what was read before and after. */
(() => {
  "use strict";
  const { node, segmented, plural, cut, shares, drawTile } = window.textdiff;
  const { pictureWithBoxes, readingElements, transcript } = window.textdiff;

  const ONE_STEP = " In a single step an upscaler draws the mean of all large pictures that fit the small one and the text. "
    + "With more it settles for one of them: try 8, and see what becomes of doubtful letters.";

  /** Stands below the candidates of a run with large pictures, which are `ranked`, best first. */
  function upscaled(stage) {
    const { run, state, set } = stage;
    const { pictures, size, model, steps } = run.upscaling;
    const ranked = [...pictures].sort((a, b) => a.verdict.rank - b.verdict.rank);
    const pairs = ranked.map((large) => buildPair(run, large, size));
    const note = node("p", { class: "td-note", role: "status" });
    const meaning = `The candidates that were kept, drawn again by ${model.name} at ${size} pixels, each in turn, and `
      + "read once more. The best of these is the answer, unless a candidate was read better.";
    const slider = node("input", {
      type: "range", class: "td-slider", "aria-label": "Step of the large pictures",
      min: 0, max: steps.length - 1, step: 1,
      oninput: () => set({ large_step: slider.valueAsNumber }),
    });
    const where = node("output", { class: "td-where" });
    slider.hidden = where.hidden = steps.length === 1;
    const kinds = [["x0", "Guess", "Guess at the picture"], ["noisy", "Noisy picture", "What the upscaler sees"]];
    const choice = segmented("Large pictures", kinds, (kind) => set({ large_picture: kind }));
    const element = node("section", { class: "td-upscaled" },
      node("h3", {}, `Enlarged: ${plural(pictures.length, "picture")}`),
      node("p", { class: "td-rule" }, meaning, ` ${balance(run, pictures)}`, steps.length === 1 ? ONE_STEP : ""), note,
      node("div", { class: "td-scrub" }, choice.element, slider, where),
      node("ol", { class: "td-cards" }, ...pairs.map((pair) => pair.element)));

    /** `own`: whether the thresholds are the run's; otherwise `fates` says what others would have enlarged, and
     *  `left` are those of the pictures that would be there. `answer` is the picture that would win, of any size. */
    function render(fates, left, own, answer) {
      const { large_step: step, large_picture: kind } = state;
      note.textContent = own ? "" : `With these thresholds a new run would enlarge: ${wouldEnlarge(fates)}. `
        + (left.length ? "What is shown was drawn with the run’s own thresholds; nothing is drawn anew."
          : "None of the pictures below would be there.");
      slider.value = step;
      where.value = `step ${step + 1} of ${steps.length}`;
      slider.setAttribute("aria-valuetext", `${where.value}, time ${steps[step].t.toFixed(2)}`);
      choice.follow(kind, (one) => pictures.some(({ files }) => files[one])); // a replay may have left some out
      pairs.forEach((pair) => pair.render(left.indexOf(pair.large), answer, own, step, kind));
    }

    function wouldEnlarge(fates) {
      const counts = shares(fates, pictures.length);
      const would = run.candidates.filter(({ index }) => counts[index]);
      would.sort((a, b) => fates[a.index].rank - fates[b.index].rank);
      return would.map(({ index, seed }) => `seed ${seed} (${plural(counts[index], "time")})`).join(", ");
    }

    /** Arrows, Home and End go through the steps of the large pictures. */
    function press(key) {
      const last = steps.length - 1;
      const to = { ArrowLeft: state.large_step - 1, ArrowRight: state.large_step + 1, Home: 0, End: last }[key];
      if (to === undefined) return false;
      set({ large_step: to });
      return true;
    }

    return { element, render, press, ranked };
  }

  /** Whether the upscaler repaired letters or broke them, over all pairs. */
  function balance(run, pictures) {
    const changes = pictures.map((large) => large.verdict.edit_distance - before(run, large).verdict.edit_distance);
    const [fewer, more] = [changes.filter((change) => change < 0).length, changes.filter((change) => change > 0).length];
    return `Read with fewer mistakes than its small picture: ${fewer}; with more: ${more}; `
      + `with as many: ${pictures.length - fewer - more}.`;
  }

  const before = (run, { source }) => run.candidates[source];

  function buildPair(run, large, size) {
    const { verdict, source, files } = large;
    const { text } = run.request;
    const candidate = before(run, large);
    const last = run.upscaling.steps.length - 1;
    const small = node("canvas", { role: "img", "aria-label": `Candidate of seed ${candidate.seed}, small` });
    const { canvas, element: picture } = pictureWithBoxes(large, size);
    const similarities = `read ${cut(candidate.verdict.similarity)} before, ${cut(verdict.similarity)} after`;
    const badge = node("span", { class: "td-badge" });
    const rule = node("p", { class: "td-rule" });
    const [after, ...details] = readingElements(text, large);
    const first = transcript(text, candidate.reading.text);
    const missing = node("p", { class: "td-why" }, "Its steps are not in this file: this is how it ended.");
    const element = node("li", {},
      node("div", { class: "td-pair-of" }, small, node("span", { "aria-hidden": "true" }, "→"), picture),
      node("div", { class: "td-verdict" },
        node("p", { class: "td-rank" }, node("b", {}, `#${verdict.rank}`), ` from seed ${candidate.seed} `, badge),
        missing, node("p", { class: "td-change" }, similarities),
        node("div", { class: "td-readings" },
          node("div", { class: "td-before" }, node("small", {}, `${run.size} px`), first),
          node("div", {}, node("small", {}, `${size} px`), after)),
        ...details, rule));

    /** `own` and `answer` as above; `place` is the picture's among those that would be there, -1 without it. */
    function render(place, answer, own, step, kind) {
      const [left, wins, beaten] = [place >= 0, answer === large, place === 0 && answer !== large];
      const atEnd = step === last && kind === "x0";
      const shown = !atEnd && files[kind];
      element.className = wins ? "td-card" : "td-card td-pruned";
      picture.classList.toggle("td-unread", Boolean(shown));
      missing.hidden = atEnd || Boolean(shown);
      badge.textContent = wins ? "the answer" : left ? "not chosen" : "not drawn";
      rule.textContent = beaten ? "The best of the large pictures, but the best candidate was read better."
        : own ? verdict.rule
          : !left ? "Its candidate would be pruned."
            : wins ? "The best of those whose candidate would be kept." : "Another one would be better.";
      run.drawCandidate(small, source, run.last);
      drawTile(canvas, run.sheet(shown || files.final), size, shown ? step : 0);
    }

    return { element, large, render };
  }

  Object.assign(window.textdiff, { upscaled });
})();
