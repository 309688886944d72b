"""What is behind the text: one colour, a gradient, soft noise, or simple shapes.

Legend: S pixels a side, N colours.
"""

from collections.abc import Callable

import numpy as np

_MOST_SHAPES = 6
_SPOTS = 4  # soft noise is drawn with so many random values a side, and smooth in between


def flat(rng: np.random.Generator, colours: np.ndarray, size: int) -> np.ndarray:
    """The first colour everywhere."""
    return np.broadcast_to(colours[0], (size, size, 3))


def gradient(rng: np.random.Generator, colours: np.ndarray, size: int) -> np.ndarray:
    """From the first colour to the second, in any direction."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:size, :size]
    along = x * np.cos(angle) + y * np.sin(angle)
    return _mixed(colours, (along - along.min()) / np.ptp(along))


def noise(rng: np.random.Generator, colours: np.ndarray, size: int) -> np.ndarray:
    """Soft spots between the first colour and the second."""
    spots = rng.random((_SPOTS, _SPOTS))
    place = np.linspace(0, _SPOTS - 1, size)
    low = np.minimum(place.astype(int), _SPOTS - 2)
    share = place - low
    share = share**2 * (3 - 2 * share)  # smoothstep: no edges at the spots
    rows = spots[low] + (spots[low + 1] - spots[low]) * share[:, None]
    return _mixed(colours, rows[:, low] + (rows[:, low + 1] - rows[:, low]) * share)


def shapes(rng: np.random.Generator, colours: np.ndarray, size: int) -> np.ndarray:
    """Rectangles and ellipses in the other colours on the first one."""
    picture = np.empty((size, size, 3))
    picture[:] = colours[0]
    y, x = np.mgrid[:size, :size]
    for _ in range(rng.integers(1, _MOST_SHAPES + 1)):
        (middle_y, middle_x), (height, width) = rng.uniform(0, size, 2), rng.uniform(size / 12, size / 3, 2)
        down, across = np.abs(y - middle_y) / height, np.abs(x - middle_x) / width
        inside = np.maximum(down, across) <= 1 if rng.random() < 0.5 else down**2 + across**2 <= 1
        picture[inside] = colours[rng.integers(1, len(colours))]
    return picture


# (rng, colours (N, 3) from 0 to 255, S) -> (S, S, 3) from 0 to 255, of these colours and those in between.
BACKGROUNDS: dict[str, Callable[[np.random.Generator, np.ndarray, int], np.ndarray]] = {
    "flat": flat,
    "gradient": gradient,
    "noise": noise,
    "shapes": shapes,
}


def _mixed(colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The first colour where the `share` (S, S) is 0, the second where it is 1."""
    return colours[0] + (colours[1] - colours[0]) * share[..., None]
