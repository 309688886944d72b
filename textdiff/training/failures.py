"""A contact sheet of pictures that were not read as they should be: a look says what to do next."""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from textdiff import figures
from textdiff.training.scores import Reading

COLUMNS = 6
ROWS = 3  # of the worst, then as many of others
_SCALE = 3
_LONGEST_LINE = 20  # characters of what was read in one line; a picture of noise may be read as more


def contact_sheet(
    pictures: Sequence[np.ndarray], readings: Sequence[Reading], seed: int
) -> np.ndarray | None:
    """(H, W, 3) uint8: first the failures of least NED, then random others; None if nothing failed.

    `pictures` (H, W, 3) uint8 and `readings` are in the same order. Under each picture stand its bucket and
    NED, and line by line the prompt and, to the right of it, what was read.
    """
    failed = sorted(
        (index for index, reading in enumerate(readings) if not reading.exact),
        key=lambda index: readings[index].ned,
    )
    if not failed:
        return None
    worst, others = failed[: ROWS * COLUMNS], failed[ROWS * COLUMNS :]
    chosen = np.random.default_rng(seed).permutation(others)[: ROWS * COLUMNS].astype(int).tolist()
    cells = {
        index: (pictures[index], _caption(kind, readings[index]))
        for kind, group in (("worst", worst), ("random", chosen))
        for index in group
    }
    rows = [
        group[start : start + COLUMNS] for group in (worst, chosen) for start in range(0, len(group), COLUMNS)
    ]
    return figures.contact_sheet([[cells[index] for index in row] for row in rows], _SCALE)


def _caption(kind: str, reading: Reading) -> str:
    wanted, read = reading.text.split("\n"), (reading.read or "(nothing)").split("\n")
    width = max(map(len, wanted)) + 3
    lines = [
        ours.ljust(width) + theirs[:_LONGEST_LINE] for ours, theirs in zip_longest(wanted, read, fillvalue="")
    ]
    return "\n".join([f"{kind}, {reading.bucket}, NED {reading.ned:.2f}", *lines])
