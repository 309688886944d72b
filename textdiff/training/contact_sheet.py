"""Samples of one text, small and large beside each other, with what was read in them: a PNG to look at.

python -m textdiff.training.contact_sheet --out FILE.png [--text TEXT] [--samples 16]

Seed 001 judges its model by such a sheet of its five-line prompt, which is the text where none is given.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PIL import Image

from textdiff import alphabet, figures
from textdiff.checkpoints import load_checkpoint, mismatch
from textdiff.noise_schedule import SHIFT
from textdiff.readers import READERS, open_reader
from textdiff.request_rules import filled_in
from textdiff.training.film_strip import PROMPTS
from textdiff.training.samples import Prompt, enlarged, model_pictures
from textdiff.training.scores import OVERALL, Reading, scores
from textdiff.trajectory import Request
from textdiff.weight_files import SHIPPED, upscaler_beside

_DEFAULT = Request(text="")
COLUMNS = 4
GAP = 4  # pixels between a small and its large picture
FRAME, EXACT = 3, (18, 58, 111)  # pixels around a picture that was read exactly, and their colour
_FONT_SIZE = 11
_WIDTH = 20  # characters of a caption under each picture; a picture of noise may be read as more


def sheet(
    small: Sequence[np.ndarray],
    small_readings: Sequence[Reading],
    large: Sequence[np.ndarray],
    large_readings: Sequence[Reading],
    reader: str,
) -> np.ndarray:
    """(H, W, 3) uint8: each small picture (S, S, 3) magnified beside its large one (2S, 2S, 3), the readings
    below them, a frame around those that were read exactly, and the scores of all above them.

    Without large pictures the small ones stand alone.
    """
    columns = [(small, small_readings)] + ([(large, large_readings)] if large else [])
    side = 2 * small[0].shape[0]
    cells = [
        (
            np.concatenate([_framed(picture, side, one.exact) for picture, one in pair], axis=1),
            _caption([one for _, one in pair]),
        )
        for pair in zip(*(list(zip(*column, strict=True)) for column in columns), strict=True)
    ]
    rows = [cells[start : start + COLUMNS] for start in range(0, len(cells), COLUMNS)]
    title = "   ".join(_score(pictures[0].shape[0], readings) for pictures, readings in columns)
    title = f"{title}   read by {reader}"
    return figures.contact_sheet(rows, scale=1, font_size=_FONT_SIZE, title=title)


def _framed(picture: np.ndarray, side: int, exact: bool) -> np.ndarray:
    """The picture `side` pixels wide, with a frame, in `EXACT` or in white, and white to the right of it."""
    magnified = picture.repeat(side // picture.shape[0], axis=0).repeat(side // picture.shape[1], axis=1)
    framed = np.empty((side + 2 * FRAME, side + 2 * FRAME + GAP, 3), np.uint8)
    framed[:] = figures.PAPER
    if exact:
        framed[:, :-GAP] = EXACT
    framed[FRAME:-FRAME, FRAME : FRAME + side] = magnified
    return framed


def _caption(readings: Sequence[Reading]) -> str:
    """What was read, line by line, side by side as the pictures are."""
    columns = [
        ["exact" if one.exact else f"NED {one.ned:.2f}", *(one.read or "(nothing)").split("\n")]
        for one in readings
    ]
    return "\n".join(
        "".join(line[: _WIDTH - 1].ljust(_WIDTH) for line in lines).rstrip()
        for lines in zip_longest(*columns, fillvalue="")
    )


def _score(size: int, readings: Sequence[Reading]) -> str:
    exact = sum(bool(one.exact) for one in readings)
    return f"{size} px: {exact} of {len(readings)} exact, NED {scores(readings)[OVERALL]['ned']:.3f}"


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    try:
        if not options.out.parent.is_dir():
            raise ValueError(f"There is no folder {options.out.parent} to put {options.out.name} into.")
        reader = open_reader(options.reader)
        base = load_checkpoint(options.weights, options.device)
        large_weights = options.upscaler_weights or upscaler_beside(options.weights)
        upscaler = load_checkpoint(large_weights, options.device) if large_weights else None
        config = base.network.config
        problem = mismatch(base, upscaler)
        if problem := problem or alphabet.problem_with(options.text, config.max_characters, config.max_lines):
            raise ValueError(problem)
    except ValueError as error:
        sys.exit(str(error))
    said = {"guidance": options.guidance, "sampler": None, "one_call": None}
    settings = filled_in(said, config.distilled_guidance) | {"shift": SHIFT}
    prompts = [Prompt(options.text, OVERALL)]
    small = list(model_pictures(base, prompts, options.samples, options.seed, options.steps, **settings))
    large = list(enlarged(upscaler, small, options.upscaler_steps)) if upscaler else []
    pictures = [[one.picture for one in drawn] for drawn in (small, large)]
    readings = [
        [
            Reading(one.prompt.text, one.prompt.bucket, one.seed, read.text)
            for one, read in zip(drawn, reader.read(seen), strict=True)
        ]
        for drawn, seen in zip((small, large), pictures, strict=True)
    ]
    made = sheet(pictures[0], readings[0], pictures[1], readings[1], reader.name)
    Image.fromarray(made).save(options.out, "PNG", optimize=True)
    print("; ".join(_score(s[0].shape[0], r) for s, r in zip(pictures, readings, strict=True) if s))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Samples of one text, small and large, and what was read.")
    parser.add_argument("--out", type=Path, required=True, help="the PNG to write")
    parser.add_argument("--text", default=PROMPTS[-1], help="default: the five-line prompt of the seed")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--seed", type=int, default=_DEFAULT.seed)
    parser.add_argument("--steps", type=int, default=_DEFAULT.steps)
    parser.add_argument("--guidance", type=float, help="default: that of the page's untouched form")
    parser.add_argument("--upscaler-steps", type=int, default=_DEFAULT.upscaler_steps)
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--upscaler-weights", type=Path, help="default: NAME-upscaler beside NAME, if any")
    parser.add_argument("--reader", choices=READERS, default=_DEFAULT.reader)
    parser.add_argument("--device", default="cpu")
    return parser


if __name__ == "__main__":
    main()
