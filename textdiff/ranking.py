"""Which candidates stay, and in which order: pure functions of what was read.

The rule is the original system's. The candidates are read at base resolution; if the best similarity reaches
`keep_only_if_above`, only those that reach it stay, otherwise those at or above `delete_under`; if that
leaves nobody, everybody stays. A `keep_only_if_above` over 1 and a `delete_under` of 0 switch the two off.
"""

from collections.abc import Sequence

from textdiff.similarity import edit_distance, is_exact, trigram_similarity
from textdiff.trajectory import Reading, Verdict


def prune(
    similarities: Sequence[float], keep_only_if_above: float, delete_under: float
) -> tuple[tuple[bool, str], ...]:
    """For each similarity, whether its candidate is kept and the one sentence that says why."""
    if not similarities:
        return ()
    best_similarity = max(similarities)
    if best_similarity >= keep_only_if_above:
        threshold = keep_only_if_above
        kept = "Kept: similarity {} reaches {:g}."
        pruned = "Pruned: its similarity is {}, and the best candidate reaches {:g}."
    elif best_similarity >= delete_under:
        threshold = delete_under
        kept = "Kept: similarity {} is not under {:g}."
        pruned = "Pruned: similarity {} is under {:g}."
    else:
        sentence = f"Kept: every candidate is under {delete_under:g}, and pruning never removes all of them."
        return tuple((True, sentence) for _ in similarities)
    return tuple(
        (s >= threshold, (kept if s >= threshold else pruned).format(_shown(s), threshold))
        for s in similarities
    )


def rank(
    text: str, readings: Sequence[Reading], keep_only_if_above: float = 0.95, delete_under: float = 0.1
) -> tuple[Verdict, ...]:
    """One verdict per reading, in the order given.

    Rank 1 is best: kept before pruned, then by similarity; ties go to an exact reading, then to the higher
    confidence of the reader, then to the earlier candidate, so that equal readings always give equal ranks.
    """
    similarities = [trigram_similarity(text, reading.text) for reading in readings]
    exact = [is_exact(text, reading.text) for reading in readings]
    pruned = prune(similarities, keep_only_if_above, delete_under)
    order = sorted(
        range(len(readings)),
        key=lambda i: (not pruned[i][0], -similarities[i], not exact[i], -readings[i].confidence, i),
    )
    ranks = {index: position for position, index in enumerate(order, start=1)}
    return tuple(
        Verdict(
            similarity=similarities[index],
            exact=exact[index],
            edit_distance=edit_distance(text, reading.text),
            kept=pruned[index][0],
            rule=pruned[index][1],
            rank=ranks[index],
        )
        for index, reading in enumerate(readings)
    )


def best(verdicts: Sequence[Verdict]) -> int:
    """The index of the winning candidate."""
    assert verdicts, "there is nothing to choose from"
    return min(range(len(verdicts)), key=lambda index: verdicts[index].rank)


def _shown(similarity: float) -> str:
    # Cut, not rounded: 0.94996 must not be shown as a 0.950 that misses a threshold of 0.95.
    return f"{int(similarity * 1000) / 1000:.3f}"
