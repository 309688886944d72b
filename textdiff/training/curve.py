"""The curve of a training run: how well it spells against the pictures it has seen.

The log.jsonl of a run holds lines of three kinds, each with "step", "pictures" and "minutes": losses and
letter gaps, which train.py writes, and evaluations, which evaluate.py adds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from textdiff import figures
from textdiff.training.scores import OVERALL, markdown

GAP = "letter_gap_"  # then the time at which it was measured
_GAP_LINEAR = 0.01  # below it, the letter gap is mostly noise and may be negative
_LOG_SPAN = 10  # from this ratio of last to first on, the pictures are shown on a logarithmic axis


def place_in_training(info: dict) -> dict[str, float]:
    """Step, pictures and minutes of a checkpoint's info. Raises ValueError if it does not say them all."""
    try:
        return {"step": info["step"], "pictures": info["pictures"], "minutes": round(info["minutes"], 3)}
    except KeyError as error:
        raise ValueError(
            f"The weights do not say their {error.args[0]} in training, so that no log has a place for them."
        ) from error


def log_line(info: dict, rows: dict[str, dict]) -> dict:
    """An evaluation as a line of the log of the run that the weights come from.

    `info` is what a checkpoint knows of itself, `rows` a report of scores.py.
    """
    overall = rows[OVERALL]
    return place_in_training(info) | {
        "em": overall["model"]["em"],
        "em_interval": overall["model"]["em_interval"],
        "ned": overall["model"]["ned"],
        "em_over_ceiling": overall["em_over_ceiling"],
        "buckets": {
            bucket: {name: row["model"][name] for name in ("em", "ned")}
            for bucket, row in rows.items()
            if bucket != OVERALL
        },
    }


@dataclass(frozen=True)
class Curve:
    """What the logs of one run say, by pictures seen."""

    evaluations: list[dict]  # lines as `log_line` makes them, one for each number of pictures
    gaps: dict[int, dict[str, float]]  # pictures -> time, such as "0.35" -> letter gap

    @property
    def buckets(self) -> list[str]:
        return sorted({bucket for line in self.evaluations for bucket in line["buckets"]})

    @property
    def gap_times(self) -> list[str]:
        return sorted({time for gaps in self.gaps.values() for time in gaps})


def read_logs(paths: Sequence[Path]) -> list[dict]:
    """All lines of the logs of one run, earliest first. Where a log begins, those before it end.

    For a run that goes on elsewhere begins at its last checkpoint. Raises ValueError with one sentence.
    """
    lines: list[dict] = []
    for path in paths:
        piece = _lines(path)
        begin = min(line["pictures"] for line in piece)
        if lines and begin <= min(line["pictures"] for line in lines):
            raise ValueError(
                f"{path} begins before the logs named before it: name one run's, earliest first."
            )
        lines = [line for line in lines if line["pictures"] <= begin] + piece
    return lines


def load_curve(paths: Sequence[Path]) -> Curve:
    """The curve that the logs of one run tell, as `read_logs` reads them.

    Of evaluations at the same number of pictures the last one counts. Raises ValueError with one sentence.
    """
    lines = read_logs(paths)
    evaluations = {line["pictures"]: line for line in lines if "em" in line}
    if not evaluations:
        names = " and ".join(map(str, paths))
        raise ValueError(f"There are no evaluations in {names}: evaluate --log LOG adds a checkpoint's.")
    gaps: dict[int, dict[str, float]] = {}
    for line in lines:
        found = {name.removeprefix(GAP): value for name, value in line.items() if name.startswith(GAP)}
        if found:
            gaps[line["pictures"]] = found
    return Curve([evaluations[seen] for seen in sorted(evaluations)], dict(sorted(gaps.items())))


def _lines(path: Path) -> list[dict]:
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        if lines and all(line["pictures"] >= 0 for line in lines):
            return lines
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not the log of a training run.") from error
    raise ValueError(f"{path} is not the log of a training run.")


def table(curve: Curve) -> str:
    """One line for each evaluation, as a Markdown table; the letter gap of the same checkpoint beside it."""
    head = ["pictures", "minutes", "EM", "95 %", "NED", "EM / ceiling"]
    head += [f"{bucket} EM, NED" for bucket in curve.buckets]
    head += [f"gap at t = {time}" for time in curve.gap_times]
    rows = []
    for line in curve.evaluations:
        low, high = line["em_interval"]
        cells = [f"{line['pictures']:,}", f"{line['minutes']:.0f}", f"{line['em']:.3f}"]
        cells += [f"{low:.2f} to {high:.2f}", f"{line['ned']:.3f}", _number(line["em_over_ceiling"])]
        for bucket in curve.buckets:
            scores = line["buckets"].get(bucket, {})
            cells.append(f"{_number(scores.get('em'))}, {_number(scores.get('ned'))}")
        gaps = curve.gaps.get(line["pictures"], {})
        rows.append([*cells, *(_number(gaps.get(time)) for time in curve.gap_times)])
    return markdown(head, rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def figure(curve: Curve) -> np.ndarray:
    """(H, W, 3) uint8: EM, NED and letter gap against pictures seen, overall and by bucket."""
    seen = [line["pictures"] for line in curve.evaluations]
    band = tuple([line["em_interval"][edge] for line in curve.evaluations] for edge in (0, 1))
    shades = np.linspace(0.9, 0.05, len(curve.buckets)).tolist()

    def lines(measure: str, band: tuple | None) -> list[figures.Line]:
        overall = figures.Line(OVERALL, seen, [line[measure] for line in curve.evaluations], "o-", band=band)
        buckets = []
        for bucket, shade in zip(curve.buckets, shades, strict=True):
            having = [line for line in curve.evaluations if bucket in line["buckets"]]
            ys = [line["buckets"][bucket][measure] for line in having]
            buckets.append(figures.Line(bucket, [line["pictures"] for line in having], ys, "o-", shade))
        return [*buckets, overall]

    panels = [
        figures.Panel("EM (shaded: 95 %)", lines("em", band), (-0.03, 1.03)),
        figures.Panel("NED", lines("ned", None), (-0.03, 1.03)),
    ]
    if curve.gaps:
        gap_lines = []
        for time, style in zip(curve.gap_times, ("-", "--", ":", "-."), strict=False):
            having = [(pictures, gaps[time]) for pictures, gaps in curve.gaps.items() if time in gaps]
            xs, ys = zip(*having, strict=True)
            gap_lines.append(figures.Line(f"t = {time}", xs, ys, style))
        every_gap = [gap for gaps in curve.gaps.values() for gap in gaps.values()]
        y_range = (min(0, *every_gap) - 0.2 * _GAP_LINEAR, 1.5 * max(_GAP_LINEAR, *every_gap))
        panels.append(figures.Panel("letter gap", gap_lines, y_range, linear_below=_GAP_LINEAR))
    everywhere = [*seen, *curve.gaps]
    log_x = 0 < _LOG_SPAN * min(everywhere) <= max(everywhere)
    return figures.stacked(panels, "pictures seen in training", log_x)
