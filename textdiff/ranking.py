"""Which candidates stay, which are enlarged, and which picture wins: pure functions of what was read.

The rules are the original system's, its rejection sampling. The candidates are read at base resolution; if
the best similarity reaches `keep_only_if_above`, only those that reach it stay, otherwise those at or above
`delete_under`; if that leaves nobody, everybody stays. A `keep_only_if_above` over 1 and a `delete_under` of
0 switch the two off. Those that stay are enlarged, each in turn until there are enough large pictures. These
are read, too, and the most similar of them wins; here a candidate that was read better wins over all of them
(`Generation.winner`), for an upscaler may spoil what was right.
"""

from collections.abc import Sequence
from dataclasses import replace

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
    fates = prune(similarities, keep_only_if_above, delete_under)
    return _verdicts(text, readings, similarities, fates)


def tile(verdicts: Sequence[Verdict], count: int) -> tuple[int, ...]:
    """The candidate that each of `count` large pictures enlarges: those kept, best first, over and over."""
    order = sorted(range(len(verdicts)), key=lambda index: verdicts[index].rank)
    survivors = [index for index in order if verdicts[index].kept]
    return tuple(survivors[k % len(survivors)] for k in range(count))


def rank_upscaled(text: str, readings: Sequence[Reading]) -> tuple[Verdict, ...]:
    """One verdict per reading of a large picture, in the order given.

    The order is that of `rank`; rank 1 is kept, and nothing else is.
    """
    similarities = [trigram_similarity(text, reading.text) for reading in readings]
    verdicts = _verdicts(text, readings, similarities, [(True, "")] * len(readings))
    return tuple(
        replace(verdict, kept=verdict.rank == 1, rule=_choice(verdict, max(similarities)))
        for verdict in verdicts
    )


def _choice(verdict: Verdict, best_similarity: float) -> str:
    """The one sentence that says why a large picture is the best of them or not."""
    shown = _shown(verdict.similarity)
    if verdict.rank == 1:
        return f"The best: no large picture has a similarity over {shown}."
    if verdict.similarity < best_similarity:
        most = _shown(best_similarity)
        return f"Not the best: its similarity is {shown}, and the best large picture reaches {most}."
    return f"Not the best: another with similarity {shown} was read exactly, more surely, or drawn earlier."


def _verdicts(
    text: str,
    readings: Sequence[Reading],
    similarities: Sequence[float],
    fates: Sequence[tuple[bool, str]],
) -> tuple[Verdict, ...]:
    exact = [is_exact(text, reading.text) for reading in readings]
    order = sorted(
        range(len(readings)),
        key=lambda i: (not fates[i][0], -similarities[i], not exact[i], -readings[i].confidence, i),
    )
    ranks = {index: position for position, index in enumerate(order, start=1)}
    return tuple(
        Verdict(
            similarity=similarities[index],
            exact=exact[index],
            edit_distance=edit_distance(text, reading.text),
            kept=fates[index][0],
            rule=fates[index][1],
            rank=ranks[index],
        )
        for index, reading in enumerate(readings)
    )


def best(verdicts: Sequence[Verdict]) -> int:
    """The index of the one that is ranked first."""
    assert verdicts, "there is nothing to choose from"
    return min(range(len(verdicts)), key=lambda index: verdicts[index].rank)


def _shown(similarity: float) -> str:
    # Cut, not rounded: 0.94996 must not be shown as a 0.950 that misses a threshold of 0.95.
    return f"{int(similarity * 1000) / 1000:.3f}"
