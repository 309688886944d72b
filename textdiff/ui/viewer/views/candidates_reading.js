/* What a reader read in a picture, letter by letter beside the text, and why that makes the similarity what it is. */
(() => {
  "use strict";
  const { node, svg, visible, named, cut, plural, PAD, align, compareTrigrams } = window.textdiff;

  const FEW = 6; // so many runs of three are shown without a click: those that one or two wrong letters break
  const FEW_EDITS = 2; // so many are said in words

  /** The picture's canvas with boxes around what was read in it; `side` is its width in pixels. */
  function pictureWithBoxes({ reading }, side) {
    const canvas = node("canvas", { role: "img", "aria-hidden": "true" });
    const rectangles = reading.boxes.map(([x0, y0, x1, y1]) =>
      svg("rect", { x: x0, y: y0, width: Math.max(0, x1 - x0), height: Math.max(0, y1 - y0) }));
    const boxes = svg("svg", { viewBox: `0 0 ${side} ${side}`, class: "td-boxes", "aria-hidden": "true" }, ...rectangles);
    return { canvas, element: node("span", { class: "td-boxed" }, canvas, boxes) };
  }

  /** Everything there is to say about what was read, as a list of elements. */
  function readingElements(text, { reading, verdict }) {
    const { matched, missing, extra } = compareTrigrams(text, reading.text);
    const all = matched.length + missing.length + extra.length;
    const bar = node("div", { class: "td-similarity", "aria-hidden": "true" },
      ...[["matched", matched], ["missing", missing], ["extra", extra]].map(([kind, list]) => {
        const part = node("span", { class: `td-${kind}` });
        part.style.flexGrow = list.length;
        return part;
      }));
    const spoken = mistakes(align(text, reading.text));
    const edits = verdict.exact ? "exact"
      : spoken.length <= FEW_EDITS ? spoken.join(", ") : `${plural(verdict.edit_distance, "edit")} away`;
    return [
      transcript(text, reading.text),
      bar,
      node("p", {}, node("b", {}, `similarity ${cut(verdict.similarity)}`), ` · ${edits}`),
      ...(all ? [node("p", { class: "td-why" }, `${matched.length} of ${all} runs of three characters agree.`)] : []),
      runs("missing", "of the text are missing", missing),
      runs("extra", "were read instead", extra),
      runs("matched", "are in both", matched),
    ].filter(Boolean);
  }

  const mistakes = (columns) => columns.filter(({ kind }) => kind !== "equal").map(inWords);

  function inWords({ kind, wanted, found }) {
    if (kind === "replace") return `${named(wanted)} read as ${named(found)}`;
    return kind === "delete" ? `${named(wanted)} not read` : `${named(found)} read in addition`;
  }

  /** The reading, and above each wrong place what should stand there. */
  function transcript(text, reading) {
    const columns = align(text, reading);
    const label = `Read: ${reading || "nothing legible"}. ${mistakes(columns).join(", ")}`;
    const lines = [node("span", { class: "td-line" })];
    for (const { kind, wanted, found } of columns) {
      if (!(kind === "equal" && found === "\n")) {
        const above = node("small", {}, kind === "equal" ? "" : visible(wanted ?? "+"));
        const letter = kind === "equal" ? found : visible(found ?? "·");
        lines.at(-1).append(node("span", { class: `td-letter td-${kind}` }, above, letter));
      }
      if (found === "\n") lines.push(node("span", { class: "td-line" }));
    }
    const nothing = reading ? [] : [node("em", {}, "nothing legible")];
    return node("p", { class: "td-transcript", role: "img", "aria-label": label }, ...nothing, ...lines);
  }

  function runs(kind, title, list) {
    if (!list.length) return null;
    const chips = list.map((trigram) => node("code", {}, visible(trigram)));
    const open = kind !== "matched" && list.length <= FEW;
    const atEdge = kind === "missing" && list.some((trigram) => trigram.includes(PAD));
    const edge = atEdge ? [node("small", {}, `${PAD} is the edge of the text`)] : [];
    return node("details", { class: `td-trigrams td-${kind}`, open },
      node("summary", {}, `${list.length} ${title}`), node("div", {}, ...chips, ...edge));
  }

  Object.assign(window.textdiff, { pictureWithBoxes, readingElements, transcript });
})();
