/*
 * While a run is going on: how far it has got, how long it will take, and what the model believes each picture will be.
 *
 * livePreview() returns { element, show(progress), end() }; progress is what show_live in viewer_component.py makes.
 */
(() => {
  "use strict";
  const { node, decode, drawTile } = window.textdiff;

  /**
   * Seconds that the rest of a round will take, by the mean of its own steps; null until there were two of them.
   * Returns a function of the present step, the number of steps, and the time in milliseconds.
   */
  function remaining() {
    let first = null;
    return (step, steps, now) => {
      if (!first && step > 0) first = { step, now };
      return first && step > first.step ? ((now - first.now) / (step - first.step) / 1000) * (steps - step) : null;
    };
  }

  const spoken = (seconds) =>
    seconds > 99 ? `about ${Math.round(seconds / 60)} min left` : `about ${Math.max(1, Math.round(seconds))} s left`;

  function livePreview() {
    const says = node("span", {});
    const left = node("small", {});
    const progress = node("progress", { "aria-label": "Progress" });
    const figures = node("div", { class: "td-previews" });
    // For who does not see the rest: every stage, every quarter of it, one's place in line, and not every step.
    const told = node("div", { class: "td-unseen", role: "status" });
    const element = node("div", { class: "td-live", hidden: true }, node("p", {}, says, left), progress, figures, told);
    let latest = 0; // slower, older pictures are dropped
    let round = null; // { stage, seconds, told } of what is going on

    async function show({ step, steps, stage, before, size, seeds, picture }) {
      const mine = ++latest;
      const arrived = performance.now();
      if (round?.stage !== stage) round = { stage, seconds: remaining(), told: null };
      const seconds = round.seconds(step, steps, arrived);
      const strip = picture ? await decode(picture) : null;
      if (mine !== latest) return strip?.close();
      element.hidden = false;
      says.textContent = {
        waiting: before ? `Waiting for the model: ${before} before you …` : "Waiting for the model …",
        denoising: `Step ${step} of ${steps}: what the model believes each picture will be`,
        upscaling: `Step ${step} of ${steps}: the best, drawn large`,
        reading: "Reading the pictures …",
      }[stage];
      left.textContent = seconds && stage !== "reading" ? spoken(seconds) : "";
      announce(stage === "waiting" ? `before: ${before}` : Math.floor((4 * step) / steps));
      if (figures.dataset.seeds !== String(seeds)) {
        figures.dataset.seeds = seeds;
        figures.replaceChildren(...seeds.map(preview));
      }
      figures.style.setProperty("--least", `${Math.max(190, 2 * size)}px`); // large pictures are shown large
      progress.max = steps;
      progress.value = step;
      if (strip) [...figures.children].forEach((figure, at) => drawTile(figure.firstChild, strip, size, at));
      strip?.close();
    }

    function announce(part) {
      if (round.told === part) return;
      round.told = part;
      told.textContent = [says.textContent, left.textContent].filter(Boolean).join(", ");
    }

    const preview = (seed) =>
      node("figure", {}, node("canvas", { role: "img", "aria-label": `Preview of seed ${seed}` }),
        node("figcaption", {}, `seed ${seed}`));

    function end() {
      latest += 1;
      round = null;
      element.hidden = true;
      told.textContent = "";
      delete figures.dataset.seeds;
      figures.replaceChildren();
    }

    return { element, show, end };
  }

  Object.assign(window.textdiff, { livePreview, remaining });
})();
