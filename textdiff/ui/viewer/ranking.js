/*
 * Which candidates stay and in which order, as textdiff/ranking.py says, and which picture wins, from what run.json
 * has of each: so that a learner can move the thresholds without a model.
 */
(() => {
  "use strict";

  const shown = (similarity) => (Math.trunc(similarity * 1000) / 1000).toFixed(3); // cut, not rounded, as there
  const short = (threshold) => String(Number(threshold.toPrecision(6)));

  /** Which of the rules holds: { threshold, kept, pruned }, the two being sentences; threshold null: all are kept. */
  function ruleFor(similarities, keepOnlyIfAbove, deleteUnder) {
    const best = Math.max(...similarities);
    if (best >= keepOnlyIfAbove) {
      const threshold = short(keepOnlyIfAbove);
      return {
        threshold: keepOnlyIfAbove,
        kept: (s) => `Kept: similarity ${shown(s)} reaches ${threshold}.`,
        pruned: (s) => `Pruned: its similarity is ${shown(s)}, and the best candidate reaches ${threshold}.`,
      };
    }
    const threshold = short(deleteUnder);
    if (best >= deleteUnder) {
      return {
        threshold: deleteUnder,
        kept: (s) => `Kept: similarity ${shown(s)} is not under ${threshold}.`,
        pruned: (s) => `Pruned: similarity ${shown(s)} is under ${threshold}.`,
      };
    }
    const sentence = `Kept: every candidate is under ${threshold}, and pruning never removes all of them.`;
    return { threshold: null, kept: () => sentence };
  }

  /** { kept, rule, rank } per candidate of a run.json, in the order given, had these been the thresholds. */
  function rank(candidates, keepOnlyIfAbove, deleteUnder) {
    const similarities = candidates.map(({ verdict }) => verdict.similarity);
    const rule = ruleFor(similarities, keepOnlyIfAbove, deleteUnder);
    const fates = similarities.map((similarity) => {
      const kept = rule.threshold === null || similarity >= rule.threshold;
      return { kept, rule: (kept ? rule.kept : rule.pruned)(similarity) };
    });
    const order = candidates.map((_, index) => index).sort((a, b) =>
      fates[b].kept - fates[a].kept
      || similarities[b] - similarities[a]
      || candidates[b].verdict.exact - candidates[a].verdict.exact
      || candidates[b].reading.confidence - candidates[a].reading.confidence
      || a - b);
    order.forEach((index, place) => (fates[index].rank = place + 1));
    return fates;
  }

  /** How many of `count` large pictures would enlarge each candidate: those kept take turns, best first. */
  function shares(fates, count) {
    const kept = fates.filter((fate) => fate.kept).length;
    return fates.map((fate) => (fate.kept ? Math.ceil((count - fate.rank + 1) / kept) : 0)).map((n) => Math.max(0, n));
  }

  /** The answer, as Generation.winner has it: the large picture, or the candidate if that was read better. */
  function winner(candidate, large) {
    const [before, after] = [candidate.verdict, large.verdict];
    const better = before.similarity - after.similarity || before.exact - after.exact;
    return better > 0 ? candidate : large;
  }

  Object.assign(window.textdiff, { ruleFor, rank, shares, winner });
})();
