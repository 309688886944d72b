"""What the second stage is worth: the same samples read small and large, and the best of several against one.

A repaired picture was read exactly only after it had been enlarged, a broken one only before.
"""

from collections.abc import Mapping, Sequence

from textdiff.ranking import prune
from textdiff.similarity import trigram_similarity
from textdiff.training import scores
from textdiff.training.scores import OVERALL, Reading
from textdiff.trajectory import Request

_MEASURES = ("em", "ned", "cer")
_DEFAULT = Request(text="")


def side_by_side(small: Sequence[Reading], large: Sequence[Reading]) -> dict[str, dict]:
    """Per bucket the scores of the same pictures before and after, and how many were repaired and broken."""
    assert [one.seed for one in small] == [one.seed for one in large], "these are not the same pictures"
    before, after = scores.scores(small), scores.scores(large)
    rows = {}
    for bucket in before:
        changes = [
            b.exact - a.exact for a, b in zip(small, large, strict=True) if bucket in (a.bucket, OVERALL)
        ]
        rows[bucket] = {
            "small": before[bucket],
            "large": after[bucket],
            "repaired": changes.count(1),
            "broken": changes.count(-1),
        }
    return rows


def side_by_side_table(rows: dict[str, dict], size: int, large_size: int) -> str:
    """The same for people, as a Markdown table."""
    head = ["bucket", "pictures"]
    head += [f"{name} {side} px" for name in ("EM", "NED", "CER") for side in (size, large_size)]
    lines = [
        [bucket, row["small"]["pictures"]]
        + [f"{row[side][name]:.3f}" for name in _MEASURES for side in ("small", "large")]
        + [row["repaired"], row["broken"]]
        for bucket, row in rows.items()
    ]
    return scores.markdown([*head, "repaired", "broken"], lines)


def sweep(small: Sequence[Reading], large: Mapping[tuple[int, float], Sequence[Reading]]) -> list[dict]:
    """Per (steps, guidance) of the upscaler the scores of the same pictures after it, over all lengths."""
    rows = []
    for (steps, guidance), readings in large.items():
        row = side_by_side(small, readings)[OVERALL]
        rows.append({"steps": steps, "guidance": guidance, **row})
    return rows


def sweep_table(rows: Sequence[dict]) -> str:
    """The same for people, as a Markdown table; its first line is what the upscaler began from."""
    small = [["small", "", *(f"{rows[0]['small'][name]:.3f}" for name in _MEASURES), "", ""]]
    lines = [
        [row["steps"], f"{row['guidance']:g}"]
        + [f"{row['large'][name]:.3f}" for name in _MEASURES]
        + [row["repaired"], row["broken"]]
        for row in rows
    ]
    head = ["steps", "guidance", *(name.upper() for name in _MEASURES), "repaired", "broken"]
    return scores.markdown(head, small + lines)


def singles(readings: Sequence[Reading]) -> list[int]:
    """Of each prompt the index of its first sample."""
    return [group[0] for group in scores.by_prompt(readings)]


def through_the_funnel(small: Sequence[Reading], large: Sequence[Reading]) -> list[int]:
    """Of each prompt the index of the large picture that wins.

    The rules are those of ranking.py with the thresholds of a request that names none; each sample that is
    kept is enlarged once.
    """
    winners = []
    for group in scores.by_prompt(small):
        similarities = [trigram_similarity(small[index].text, small[index].read) for index in group]
        fates = prune(similarities, _DEFAULT.keep_only_if_above, _DEFAULT.delete_under)
        kept = [index for index, (stays, _) in zip(group, fates, strict=True) if stays]
        winners.append(max(kept, key=lambda index: trigram_similarity(large[index].text, large[index].read)))
    return winners


def answers(small: Sequence[Reading], large: Sequence[Reading]) -> list[tuple[int, bool]]:
    """Of each prompt the index of the sample that is the answer, and whether it is so enlarged.

    That is the large picture that wins, or the best small one if that was read better: `Generation.winner`.
    """
    chosen = []
    for before, after in zip(scores.best_of(small), through_the_funnel(small, large), strict=True):
        enlarged = _quality(large[after]) >= _quality(small[before])
        chosen.append((after, True) if enlarged else (before, False))
    return chosen


def _quality(reading: Reading) -> tuple[float, float]:
    return trigram_similarity(reading.text, reading.read), reading.exact


def comparison_table(best_of: dict) -> str:
    """Scores per bucket of several ways to get one picture of a prompt, side by side, as a Markdown table:
    one sample, the best small one, and, where the report has them, the best large one and the answer.
    """
    first = best_of["single"]
    ways = {"one": first, "best": {bucket: row["model"] for bucket, row in best_of["buckets"].items()}}
    ways |= {"best, enlarged": best_of["large"]} if "large" in best_of else {}
    ways |= {"answer": best_of["answer"]} if "answer" in best_of else {}
    head = ["bucket", "prompts"] + [f"{name}, {way}" for name in ("EM", "NED") for way in ways]
    lines = [
        [bucket, first[bucket]["pictures"]]
        + [f"{way[bucket][name]:.3f}" for name in ("em", "ned") for way in ways.values()]
        for bucket in first
    ]
    return scores.markdown(head, lines)
