/*
 * While a run is going on: how far it has got, and what the model believes each picture will be.
 *
 * livePreview() returns { element, show(progress), end() }; progress is what show_live in viewer_component.py makes.
 */
(() => {
  "use strict";
  const { node, decode, drawTile } = window.textdiff;

  function livePreview() {
    const element = node("div", { class: "td-live", hidden: true });
    let latest = 0; // slower, older pictures are dropped

    async function show({ step, steps, stage, size, seeds, picture }) {
      const mine = ++latest;
      const strip = picture ? await decode(picture) : null;
      if (mine !== latest) return strip?.close();
      element.hidden = false;
      const sentence = {
        waiting: "Waiting for the model …",
        denoising: `Step ${step} of ${steps}: what the model believes each picture will be`,
        reading: "Reading what was written …",
      }[stage];
      if (element.children.length !== 3 || element.lastChild.children.length !== seeds.length) build(seeds);
      const [status, progress, figures] = element.children;
      if (status.textContent !== sentence) status.textContent = sentence;
      progress.max = steps;
      progress.value = step;
      if (strip) [...figures.children].forEach((figure, at) => drawTile(figure.firstChild, strip, size, at));
      strip?.close();
    }

    function build(seeds) {
      const figures = seeds.map((seed) =>
        node("figure", {}, node("canvas", { role: "img", "aria-label": `Preview of seed ${seed}` }),
          node("figcaption", {}, `seed ${seed}`)));
      element.replaceChildren(
        node("p", { role: "status" }), node("progress", { "aria-label": "Progress" }),
        node("div", { class: "td-previews" }, ...figures));
    }

    function end() {
      latest += 1;
      element.hidden = true;
      element.replaceChildren();
    }

    return { element, show, end };
  }

  Object.assign(window.textdiff, { livePreview });
})();
