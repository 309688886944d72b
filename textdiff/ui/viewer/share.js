/*
 * Under a run: a link that brings it back, and the run as files, which the page makes (ui/sharing.py).
 *
 * shareBar({ ask, fragment }) returns { element, show(run), answer(details) }; fragment() is what is chosen, as the
 * part of an address behind the #.
 */
(() => {
  "use strict";
  const { node } = window.textdiff;

  const FILES = [
    ["replay", "Replay, HTML", "one HTML file that plays this run anywhere, without a network"],
    ["gif", "Film, GIF", "the steps as a film, for wherever films play"],
    ["webp", "Film, WebP", "the same, exact in every pixel"],
    ["png", "Picture, PNG", "the best picture as a PNG that knows its settings: dropped on the page, it fills in the form"],
    ["zip", "Run, ZIP", "the run folder, with every step and attention map, as textdiff itself reads it"],
  ];

  // What the form has beside the text, as request_link.py calls it and as the form does.
  const CONTROLS = {
    candidates: "Candidates", steps: "Steps", seed: "Seed", guidance: "Guidance", sampler: "Sampler", reader: "Reader",
    keep_only_if_above: "Keep only if above", delete_under: "Delete under", watch: "Keep the attention",
    upscaled: "Large pictures", upscaler_steps: "Steps of the large",
    one_call: "Guidance in one call",
  };

  /** The address of a page whose form says what `request` says: from_query in request_link.py reads it. */
  function linkTo(request, hidden, fragment) {
    const words = { true: "yes", false: "no" };
    const said = Object.entries(request).map(([name, value]) =>
      [name, typeof value === "boolean" ? words[value] : value]);
    if (hidden.length) said.push(["hide", hidden]);
    return `${location.origin}${location.pathname}?${new URLSearchParams(said)}${fragment && `#${fragment}`}`;
  }

  function shareBar({ ask, fragment }) {
    let run = null;
    let latest = 0; // only the file that was asked for last is saved
    const link = node("input", { class: "td-link", readonly: true, hidden: true, "aria-label": "Link to this run" });
    const told = node("p", { role: "status" });
    const copyLink = node("button", {
      type: "button", class: "td-ask", onclick: copy,
      title: "a link that fills in the form as for this run, and opens what is on screen now",
    }, "Copy link");
    const boxes = Object.keys(CONTROLS).map((name) => node("input", { type: "checkbox", value: name }));
    const hiding = node(
      "details", { class: "td-hiding", onchange: () => (link.hidden = true) },
      node("summary", {}, "Hide controls from whoever opens the link"),
      node("div", {}, ...Object.values(CONTROLS).map((title, at) => node("label", {}, boxes[at], title))));
    const files = FILES.map(([kind, title, hint]) =>
      node("button", { type: "button", class: "td-ask", title: hint, onclick: () => order(kind) }, title));
    const element = node(
      "details", { class: "td-share" },
      node("summary", {}, "Share this run"), node("div", {}, copyLink, ...files), hiding, link, told);

    async function copy() {
      const hidden = boxes.filter((box) => box.checked).map((box) => box.value);
      link.value = linkTo(run.request, hidden, fragment());
      link.hidden = false;
      link.select();
      try {
        await navigator.clipboard.writeText(link.value);
        told.textContent = "The link is copied. It fills in the form; whoever opens it presses Write.";
      } catch {
        told.textContent = "This browser lets no page copy by itself: the link is selected, copy it from here.";
      }
    }

    function order(kind) {
      latest += 1;
      link.hidden = true;
      told.textContent = "The file is being made …";
      ask("export", { kind, run: run.address(""), number: latest });
    }

    function answer({ action, number, problem, address, name }) {
      if (action !== "export" || number !== latest) return;
      const anchor = node("a", { href: address ?? null, download: name ?? null }, name ?? "");
      told.replaceChildren(...(problem ? [problem] : ["Saved as ", anchor, "."]));
      if (!problem) anchor.click();
    }

    function show(shown) {
      run = shown;
      latest += 1;
      link.hidden = true;
      told.textContent = "";
    }

    return { element, show, answer };
  }

  Object.assign(window.textdiff, { shareBar });
})();
