"""Find the lines of text in a picture with an even background, and draw each the way a recogniser likes it.

Our pictures have a background of one colour and text of another. So each pixel lies somewhere on the way
from one to the other, and that share is its ink, whatever the two colours are. Rows without ink separate the
lines, or rows with little, where they touch. On pictures this small it reads as well as a text detector and
costs nothing; where the background is not even, the lines are nonsense, and the recogniser's low confidence
says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from textdiff.trajectory import Reading

INK = 0.35  # from this share on, a pixel counts as inked
FAINTEST = 20.0  # contrast (of 255) under which nothing counts as text
THINNEST = (
    3 / 64
)  # of the picture's height: a band of rows thinner than this is a dot or an accent, not a line
NEAR = 4 / 64  # of the picture's height: so far a dot may be from its line
LOWEST = 0.35  # of the tallest band: the same, for large text
LEAST = 5 / 64  # of the picture's height: what is left of a line on each side where it is divided
FAINT = 0.35  # of the darkest row on either side: so much ink may be in a row that divides


Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels of the picture, ends exclusive


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of text: where it is, and its ink."""

    box: Box
    ink: np.ndarray  # (y1 - y0, x1 - x0) float32, 0 background to 1 text


def ink_of(picture: np.ndarray) -> np.ndarray:
    """How much of the text's colour is in each pixel of a picture (H, W, 3) uint8: (H, W) float32, 0 to 1.

    All 0 if the picture is flat. The text may be lighter or darker, as long as it covers the smaller part.
    """
    height, width = picture.shape[:2]
    colours = picture.reshape(-1, 3).astype(np.float32)
    background = np.median(colours, axis=0)
    offset = colours - background
    distance = np.linalg.norm(offset, axis=1)
    direction = offset[distance >= distance.max() / 2].mean(axis=0)
    contrast = np.linalg.norm(direction)
    if contrast < FAINTEST:
        return np.zeros((height, width), np.float32)
    along = offset @ (direction / contrast)
    # Full ink is the median of what is clearly text: thin strokes never reach the text's colour, and still
    # come out black.
    return (along / np.median(along[along >= along.max() / 2])).clip(0, 1).reshape(height, width)


def find_lines(picture: np.ndarray) -> list[Line]:
    """The lines of a picture (H, W, 3) uint8, top to bottom; none in a flat picture."""
    ink = ink_of(picture)
    solid = _solid(ink)
    lines = []
    for top, bottom in _bands(solid.sum(axis=1) > 0.5):
        columns = np.nonzero(solid[top:bottom].sum(axis=0) > 0.4)[0]
        if len(columns):
            left, right = int(columns[0]), int(columns[-1]) + 1
            lines.append(Line((left, top, right, bottom), ink[top:bottom, left:right]))
    return lines


def read_by_lines(picture: np.ndarray, read_line: Callable[[np.ndarray], tuple[str, float]]) -> Reading:
    """The picture (H, W, 3) uint8, read line by line; what may be two lines both ways, and the surer counts.

    `read_line` gives the text and the confidence, 0 to 1, of a line's ink (h, w) float32.
    """
    known: dict[Box, tuple[str, float]] = {}  # most lines are the same when others are divided

    def sureness(lines: Sequence[Line]) -> float:
        """The mean confidence; a line that nobody can read counts as 0."""
        known.update((line.box, read_line(line.ink)) for line in lines if line.box not in known)
        return float(np.mean([known[line.box][1] for line in lines])) if lines else 0.0

    lines = max(both_ways(find_lines(picture), len(picture)), key=sureness)
    legible = [(*known[line.box], line.box) for line in lines if known[line.box][0]]
    return Reading(
        text="\n".join(text for text, _, _ in legible),
        confidence=float(np.mean([confidence for _, confidence, _ in legible])) if legible else 0.0,
        boxes=tuple(tuple(map(float, box)) for _, _, box in legible),
    )


def both_ways(lines: Sequence[Line], height: int) -> list[Sequence[Line]]:
    """The lines of a picture with `height` rows as they are and, if some may be two that touch, divided."""
    parts = divided(lines, height)
    return [lines, parts] if len(parts) > len(lines) else [lines]


def divided(lines: Sequence[Line], height: int) -> list[Line]:
    """The lines of a picture with `height` rows, parted at faint rows between dark ones. A guess.

    Where a tail reaches as low as the next line's heads, no row without ink separates the two. But the rows
    of an E alone look like that as well: only reading both tells.
    """
    parts = []
    for line in lines:
        left, top, right, _ = line.box
        for first, last in _parts(_solid(line.ink).sum(axis=1), round(LEAST * height)):
            parts.append(Line((left, top + first, right, top + last), line.ink[first:last]))
    return parts


def draw_line(ink: np.ndarray, height: int, margin: float) -> np.ndarray:
    """The ink (h, w) black on white, as (height, W, 3) uint8 with `margin` times h of white on each side."""
    h, w = ink.shape
    edge = margin * h
    scale = height / (h + 2 * edge)
    width = max(round((w + 2 * edge) * scale), height // 3)
    # Pixel centres: the picture's point (x + 0.5) lands on (x + 0.5 + edge) * scale.
    shift = (edge + 0.5) * scale - 0.5
    matrix = np.array([[scale, 0, shift], [0, scale, shift]], np.float32)
    large = cv2.warpAffine(
        ink, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    return np.repeat((255 * (1 - large) + 0.5).astype(np.uint8)[..., None], 3, axis=2)


def _solid(ink: np.ndarray) -> np.ndarray:
    """The ink of inked pixels alone: no trace of a soft edge or of noise."""
    return np.where(ink > INK, ink, 0)


def _parts(rows: np.ndarray, least: int) -> list[tuple[int, int]]:
    """Rows of ink (H,) as (first, last + 1) of each part, which has at least so many rows."""
    if len(rows) < 2 * least + 1:
        return [(0, len(rows))]
    place = least + int(np.argmin(rows[least : len(rows) - least]))
    if rows[place] > FAINT * min(rows[:place].max(), rows[place + 1 :].max()):
        return [(0, len(rows))]
    below = _parts(rows[place:], least)
    return [*_parts(rows[:place], least), *((place + first, place + last) for first, last in below)]


def _bands(inked: np.ndarray) -> list[tuple[int, int]]:
    """Runs of inked rows, (H,) bool, as (first, last + 1). Thin ones (i dots) join a near neighbour or go."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inked, [False]]).astype(np.int8)))
    bands = [(int(top), int(bottom)) for top, bottom in edges.reshape(-1, 2)]
    while len(bands) > 1:
        heights = [bottom - top for top, bottom in bands]
        thin = int(np.argmin(heights))
        if heights[thin] >= max(THINNEST * len(inked), LOWEST * max(heights)):
            break
        above = bands[thin][0] - bands[thin - 1][1] if thin else len(inked)
        below = bands[thin + 1][0] - bands[thin][1] if thin + 1 < len(bands) else len(inked)
        if min(above, below) > NEAR * len(inked):
            del bands[thin]
        else:
            upper = thin - 1 if above <= below else thin
            bands[upper : upper + 2] = [(bands[upper][0], bands[upper + 1][1])]
    return bands
