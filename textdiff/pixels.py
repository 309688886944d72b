"""Pictures as arrays: in 8 bits, magnified, side by side in strips and cut out of them again.

A picture is either an (H, W, 3) uint8 image, or (H, W, 3) floats with -1 black and 1 white as in
trajectory.py.
"""

import math
from collections.abc import Sequence

import numpy as np

PAPER = 255


def to_uint8(picture: np.ndarray) -> np.ndarray:
    """The 8-bit levels nearest to a picture in [-1, 1], clipped; a uint8 image is returned as it is."""
    if picture.dtype == np.uint8:
        return picture
    return np.rint(np.clip((picture + 1) * 127.5, 0, 255)).astype(np.uint8)


def film_strip(pictures: Sequence[np.ndarray], columns: int, gap: int = 2, scale: int = 1) -> np.ndarray:
    """Equally large pictures in rows of `columns`, `gap` white pixels apart, magnified `scale` times."""
    height, width = (scale * side for side in pictures[0].shape[:2])
    rows, columns = math.ceil(len(pictures) / columns), min(columns, len(pictures))
    strip = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), PAPER, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        strip[top : top + height, left : left + width] = magnified(to_uint8(picture), scale)
    return strip


def cut_strip(strip: np.ndarray, gap: int = 2, scale: int = 2) -> np.ndarray:
    """(N, S, S, 3): the N squares of one row that `film_strip` magnified so, as they were.

    Raises ValueError when the width is not that of such a row.
    """
    side, width = strip.shape[:2]
    if side % scale or (width + gap) % (side + gap):
        raise ValueError("This is not a row of magnified squares.")
    lefts = range(0, width, side + gap)
    return np.stack([strip[::scale, left : left + side : scale] for left in lefts])


def magnified(image: np.ndarray, scale: int) -> np.ndarray:
    """(scale H, scale W, 3): every pixel as a square of `scale` times `scale`."""
    return image.repeat(scale, axis=0).repeat(scale, axis=1)
