"""From readings to scores: exact match, similarity and character errors, each with a 95 % interval.

EM is the share of pictures whose reading equals the prompt (case counts, line breaks count, runs of spaces
are one). NED is 1 - edit distance / longer length, a similarity. CER is edit distance / length of the prompt.
The ceiling is the same figure for clean renders of the same prompts at the same size; a model's EM over its
ceiling is the honest figure.

Intervals are percentile bootstraps over prompts: all the pictures of a prompt are drawn together, for they
tend to fail together, and the model's go together with the clean renders of the same prompt. Where every
prompt is right, or none is, an interval has no width: it cannot know what other prompts would show.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from textdiff.similarity import edit_distance, trigram_similarity

OVERALL = "overall"
_MEASURES = ("em", "ned", "cer")
_RESAMPLES = 2000
_EDGES = (0.025, 0.975)

Scores = dict[str, float | int | list[float]]


@dataclass(frozen=True)
class Reading:
    """One picture, read."""

    text: str
    bucket: str
    seed: int
    read: str

    @property
    def exact(self) -> float:
        return float(folded(self.text) == folded(self.read))

    @property
    def ned(self) -> float:
        text, read = folded(self.text), folded(self.read)
        return 1 - edit_distance(text, read) / max(len(text), len(read), 1)

    @property
    def cer(self) -> float:
        return edit_distance(folded(self.text), folded(self.read)) / max(len(self.text), 1)


def folded(text: str) -> str:
    """Lines without spaces at their ends, runs of spaces as one."""
    return "\n".join(re.sub(" +", " ", line).strip(" ") for line in text.split("\n"))


def best_of(readings: Sequence[Reading]) -> list[int]:
    """Of each prompt's readings the index of the most similar one: what selection by their reader chooses."""
    return [
        max(group, key=lambda index: trigram_similarity(readings[index].text, readings[index].read))
        for group in by_prompt(readings)
    ]


def by_prompt(readings: Sequence[Reading]) -> list[list[int]]:
    """The indices of each prompt's readings, in the order given."""
    groups: dict[tuple[str, str], list[int]] = {}
    for index, reading in enumerate(readings):
        groups.setdefault((reading.bucket, reading.text), []).append(index)
    return list(groups.values())


def scores(readings: Sequence[Reading]) -> dict[str, Scores]:
    """EM, NED and CER with their 95 % intervals, and the number of pictures, per bucket and overall."""
    return {bucket: _score(group) for bucket, group in _by_bucket(readings).items()}


def report(readings: Sequence[Reading], clean: Sequence[Reading]) -> dict[str, dict]:
    """Per bucket the scores of the model and of the clean renders, and their EM ratio with its interval.

    The ceiling is None in a bucket without clean renders; so is the ratio, also where the ceiling is 0.
    """
    model, ceiling = scores(readings), scores(clean)
    groups, clean_groups = _by_bucket(readings), _by_bucket(clean)
    rows = {}
    for bucket in model:
        ratio, interval = _ratio(groups[bucket], clean_groups.get(bucket, []))
        rows[bucket] = {
            "model": model[bucket],
            "ceiling": ceiling.get(bucket),
            "em_over_ceiling": ratio,
            "em_over_ceiling_interval": interval,
        }
    return rows


def table(rows: dict[str, dict]) -> str:
    """The report for people, as a Markdown table."""
    head = "bucket, pictures, EM, 95 %, NED, CER, ceiling EM, ceiling NED, EM / ceiling, 95 %"
    lines = []
    for bucket, row in rows.items():
        model, ceiling, ratio = row["model"], row["ceiling"], row["em_over_ceiling"]
        cells = [bucket, model["pictures"], f"{model['em']:.3f}", _span(model["em_interval"])]
        cells += [f"{model['ned']:.3f}", f"{model['cer']:.3f}"]
        cells += ["-", "-"] if ceiling is None else [f"{ceiling['em']:.3f}", f"{ceiling['ned']:.3f}"]
        cells += ["-", "-"] if ratio is None else [f"{ratio:.3f}", _span(row["em_over_ceiling_interval"])]
        lines.append(cells)
    return markdown(head.split(", "), lines)


def markdown(head: Sequence[str], rows: Iterable[Sequence]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(map(str, cells))} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def _span(interval: Sequence[float]) -> str:
    return f"{interval[0]:.2f} to {interval[1]:.2f}"


def _by_bucket(readings: Sequence[Reading]) -> dict[str, list[Reading]]:
    """The readings of each bucket, and all of them; nothing for no readings."""
    if not readings:
        return {}
    names = sorted({reading.bucket for reading in readings})
    groups = {name: [reading for reading in readings if reading.bucket == name] for name in names}
    return {**groups, OVERALL: list(readings)}


def _score(readings: Sequence[Reading]) -> Scores:
    totals = np.array(list(_totals(readings).values()))
    sums = totals.sum(axis=0)
    drawn = _resampled(totals)
    edges = np.quantile(drawn[:, 1:] / drawn[:, :1], _EDGES, axis=0).T
    result: Scores = {"pictures": len(readings)}
    for measure, total, interval in zip(_MEASURES, sums[1:], edges, strict=True):
        result[measure] = round(float(total / sums[0]), 4)
        result[f"{measure}_interval"] = _rounded(interval)
    return result


def _ratio(
    readings: Sequence[Reading], clean: Sequence[Reading]
) -> tuple[float, list[float]] | tuple[None, None]:
    """EM over the EM of the clean renders, and its interval."""
    ours, theirs = _totals(readings), _totals(clean)
    none = np.zeros(1 + len(_MEASURES))  # a prompt that fits into no face has no clean render
    pairs = np.array([[*ours[prompt][:2], *theirs.get(prompt, none)[:2]] for prompt in ours])
    if not pairs[:, 3].any():
        return None, None
    drawn = _resampled(pairs)
    drawn = drawn[drawn[:, 3] > 0]  # a resample without one exact clean render has no ratio
    return round(float(_quotient(pairs.sum(axis=0))), 4), _rounded(np.quantile(_quotient(drawn), _EDGES))


def _quotient(sums: np.ndarray) -> np.ndarray:
    """(...) ratios of EM to EM from (..., 4) sums of pictures and exact ones, the model's and the clean."""
    pictures, exact, clean_pictures, clean_exact = np.moveaxis(sums, -1, 0)
    return exact / pictures / (clean_exact / clean_pictures)


def _totals(readings: Sequence[Reading]) -> dict[tuple[str, str], np.ndarray]:
    """Per prompt the number of its pictures and the sums of EM, NED and CER over them."""
    totals: dict[tuple[str, str], np.ndarray] = {}
    for reading in readings:
        key = (reading.bucket, reading.text)
        one = np.array([1.0, reading.exact, reading.ned, reading.cer])
        totals[key] = totals.get(key, 0) + one
    return totals


def _resampled(totals: np.ndarray) -> np.ndarray:
    """(resamples, columns) sums over as many prompts as there are, drawn with replacement."""
    picks = np.random.default_rng(0).integers(0, len(totals), (_RESAMPLES, len(totals)))
    return totals[picks].sum(axis=1)


def _rounded(interval: np.ndarray) -> list[float]:
    return [round(float(edge), 4) for edge in interval]
