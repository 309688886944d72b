/* How alike two short texts are, as textdiff/similarity.py says: character trigrams, and the edits between them. */
(() => {
  "use strict";

  const PAD = "$";

  const stripped = (text) => text.split("\n").map((line) => line.replace(/^ +| +$/g, "")).join("\n");

  /** The characters of a text as everything here looks at it, without spaces at the ends of lines. */
  const characters = (text) => [...stripped(text)];

  /** All runs of three characters from left to right, with two pads at each end; the empty text has none. */
  function trigrams(text) {
    const padded = [PAD, PAD, ...characters(text), PAD, PAD];
    return padded.length === 4 ? [] : padded.slice(2).map((_, at) => padded.slice(at, at + 3).join(""));
  }

  /** The trigrams of `ours` that `theirs` does not have, or has not as often; as a list in their order. */
  function without(ours, theirs) {
    const left = new Map();
    for (const trigram of theirs) left.set(trigram, (left.get(trigram) ?? 0) + 1);
    return ours.filter((trigram) => {
      const count = left.get(trigram) ?? 0;
      left.set(trigram, count - 1);
      return count <= 0;
    });
  }

  /** What makes the similarity what it is: matched / (matched + missing + extra), all with repetitions. */
  function compareTrigrams(text, reading) {
    const [ours, theirs] = [trigrams(text), trigrams(reading)];
    const missing = without(ours, theirs);
    return { matched: without(ours, missing), missing, extra: without(theirs, ours) };
  }

  /**
   * One shortest way from text to reading, one column after the other: { kind, wanted, found } with kind "equal",
   * "replace", "delete" (not read) or "insert" (read, but not wanted), whose missing character is null.
   */
  function align(text, reading) {
    const [ours, theirs] = [characters(text), characters(reading)];
    // cost[i][j] edits lead from what is left of `ours` at i to what is left of `theirs` at j.
    const cost = Array.from({ length: ours.length + 1 }, (_, i) =>
      Array.from({ length: theirs.length + 1 }, (_, j) =>
        (i === ours.length ? theirs.length - j : j === theirs.length ? ours.length - i : 0)));
    for (let i = ours.length - 1; i >= 0; i--) {
      for (let j = theirs.length - 1; j >= 0; j--) {
        cost[i][j] = ours[i] === theirs[j] ? cost[i + 1][j + 1]
          : 1 + Math.min(cost[i + 1][j + 1], cost[i + 1][j], cost[i][j + 1]);
      }
    }
    const columns = [];
    let [i, j] = [0, 0];
    while (i < ours.length || j < theirs.length) {
      const [both, above] = [i < ours.length && j < theirs.length, cost[i][j] - 1];
      if (both && ours[i] === theirs[j]) columns.push({ kind: "equal", wanted: ours[i++], found: theirs[j++] });
      else if (both && cost[i + 1][j + 1] === above) {
        columns.push({ kind: "replace", wanted: ours[i++], found: theirs[j++] });
      } else if (i < ours.length && cost[i + 1][j] === above) {
        columns.push({ kind: "delete", wanted: ours[i++], found: null });
      } else columns.push({ kind: "insert", wanted: null, found: theirs[j++] });
    }
    return columns;
  }

  Object.assign(window.textdiff, { PAD, compareTrigrams, align });
})();
