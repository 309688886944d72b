"""A run as a short film: beside what the network sees, what it believes, step by step."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from textdiff.pixels import film_strip
from textdiff.trajectory import Generation, Step, Upscaled, UpscaledStep

SIDE = 256  # a picture is magnified to about so many pixels; its own keep hard edges
GAP = 8
HOLD_SECONDS = 2.0  # how long the last frame stays before the film begins again
SECONDS = (0.1, 60.0)
FORMATS = ("apng", "gif", "webp")


def frames(generation: Generation, candidate: int | None = None) -> list[np.ndarray]:
    """The film of one candidate, or of the winner: (H, W, 3) uint8 per step, noisy picture and guess.

    If the winner is a large picture, the steps of the candidate that it enlarges come first.
    Raises ValueError when there is no such candidate.
    """
    if candidate is None:
        steps = _steps_to(generation.winner, generation)
    elif 0 <= candidate < len(generation.candidates):
        steps = generation.candidates[candidate].steps
    else:
        raise ValueError(
            f"There is no candidate {candidate}; this run has 0 to {len(generation.candidates) - 1}."
        )
    largest = max(step.x0.shape[0] for step in steps)
    side = largest * max(1, SIDE // largest)
    return [film_strip([s.noisy, s.x0], 2, GAP, side // s.x0.shape[0]) for s in steps]


def animated(pictures: Sequence[np.ndarray], format: str, seconds: float = 4.0) -> bytes:
    """The frames as a film of one of FORMATS: all of them evenly in `seconds`, the last one held, and again.

    APNG and WebP are lossless. GIF has 256 colours, chosen anew for every frame, and no dithering, which
    would tear magnified pixels apart. Raises ValueError when `seconds` are too few or too many.
    """
    if not SECONDS[0] <= seconds <= SECONDS[1]:
        raise ValueError(f"A film can take {SECONDS[0]:g} to {SECONDS[1]:g} seconds.")
    # Players slow down frames that are shorter than 20 ms, and GIF counts in hundredths of a second.
    each = max(20, round(1000 * seconds / len(pictures), -1))
    durations = [*[each] * (len(pictures) - 1), each + round(1000 * HOLD_SECONDS)]
    images = [Image.fromarray(picture) for picture in pictures]
    if format == "gif":
        few = {"colors": 256, "method": Image.Quantize.MEDIANCUT, "kmeans": 1, "dither": Image.Dither.NONE}
        images = [image.quantize(**few) for image in images]
    settings = {
        "apng": {"format": "PNG", "optimize": True},
        "gif": {"format": "GIF", "optimize": False},
        "webp": {"format": "WEBP", "lossless": True, "exact": True},
    }[format]
    file = io.BytesIO()
    first, *others = images
    first.save(file, save_all=True, append_images=others, duration=durations, loop=0, **settings)
    return file.getvalue()


def _steps_to(picture, generation: Generation) -> tuple[Step | UpscaledStep, ...]:
    """All steps that led to the picture."""
    if isinstance(picture, Upscaled):
        return generation.candidates[picture.source].steps + picture.steps
    return picture.steps
