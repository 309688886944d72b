"""Learning to spell as a film: python -m textdiff.training.film --strips DIR/strip-*.png --log LOG [LOG ...].

The film is a folder, which the page plays. Its film.png has a row for each checkpoint, earliest first, and a
column for each prompt; they are squares as the model drew them, side by side, lossless. film.json has

    size          pixels along the side of a square
    prompts       the text of each column
    checkpoints   of each row {"pictures", "minutes"}: how much training the weights had seen
    loss          [[pictures, value], ...] of the training pictures, each the mean of some steps
    letter_gap    the same of letter_gap.py, at the later of its times
    scores        [[pictures, EM, NED], ...] of the checkpoints that evaluate.py measured

The command adds the strips of a run to the film that is there, and takes the curves from the logs anew.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from textdiff import figures, pixels
from textdiff.training.curve import GAP, read_logs
from textdiff.training.film_strip import PROMPTS

FILM = Path(__file__).parents[2] / "assets" / "training" / "first-words"
_STRIP = re.compile(r"strip-([0-9]+)\.png")
_SCALE, _SPACE = 2, 2  # of a strip, as pixels.film_strip makes it
_LABELS, _LABEL_PX = 110, 15  # of the sheet: the width of its column of labels, and their size


@dataclass(frozen=True, eq=False)
class Film:
    """Pictures seen -> what the weights drew then, (P, S, S, 3) uint8, a picture for each of `prompts`."""

    prompts: tuple[str, ...]
    rows: dict[int, np.ndarray]

    def joined(self, other: "Film") -> "Film":
        """Both; where they have the same number of pictures, the other's row. Raises ValueError."""
        if other.prompts != self.prompts or other.size != self.size:
            raise ValueError("The strips are not of the same prompts and size as the film.")
        return Film(self.prompts, dict(sorted((self.rows | other.rows).items())))

    def thinned(self, most: int) -> "Film":
        """At most so many rows, at least two: the first, the last, and those nearest to even distances."""
        seen = np.array(sorted(self.rows))
        if len(seen) <= most:
            return self
        kept = [0]
        for place in range(1, most):
            # Enough rows have to be left for the places that follow.
            open_ones = np.arange(kept[-1] + 1, len(seen) - (most - 1 - place))
            wanted = seen[0] + (seen[-1] - seen[0]) * place / (most - 1)
            kept.append(int(open_ones[np.abs(seen[open_ones] - wanted).argmin()]))
        return Film(self.prompts, {int(pictures): self.rows[pictures] for pictures in seen[kept]})

    @property
    def size(self) -> int:
        return next(iter(self.rows.values())).shape[1]


def read_strips(files: Sequence[Path], before: int = 0, prompts: Sequence[str] = PROMPTS) -> Film:
    """The strips that training left, strip-PICTURES.png, one square for each of `prompts`.

    `before` is added to the pictures in their names. Raises ValueError for a file that is not such a strip.
    """
    rows = {}
    for file in files:
        name = _STRIP.fullmatch(file.name)
        if not name:
            raise ValueError(f"{file} is not called strip-PICTURES.png.")
        try:
            squares = pixels.cut_strip(_pixels(file))
        except ValueError as error:
            raise ValueError(f"{file} is not a strip: {error}") from error
        if len(squares) != len(prompts):
            raise ValueError(f"{file} has {len(squares)} pictures, not {len(prompts)}.")
        rows[before + int(name[1])] = squares
    if len({row.shape for row in rows.values()}) > 1:
        raise ValueError("The strips are of different sizes.")
    return Film(tuple(prompts), dict(sorted(rows.items())))


def read_film(folder: Path) -> Film:
    """The film in the folder. Raises ValueError if there is none."""
    try:
        values = json.loads((folder / "film.json").read_text(encoding="utf-8"))
        sheet, size = _pixels(folder / "film.png"), values["size"]
        prompts, seen = tuple(values["prompts"]), [row["pictures"] for row in values["checkpoints"]]
        squares = sheet.reshape(len(seen), size, len(prompts), size, 3).swapaxes(1, 2)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} has no film.") from error
    return Film(prompts, dict(zip(seen, squares, strict=True)))


def write_film(film: Film, log: Sequence[dict], folder: Path) -> None:
    """film.png and film.json; `log` has the lines of the run's logs, as `read_logs` gives them."""
    lines = sorted(log, key=lambda line: line["pictures"])
    seen, minutes = ([line[name] for line in lines] for name in ("pictures", "minutes"))
    gaps = max((name for line in lines for name in line if name.startswith(GAP)), default=None)
    scores = {line["pictures"]: [line["pictures"], line["em"], line["ned"]] for line in lines if "em" in line}
    values = {
        "size": film.size,
        "prompts": film.prompts,
        "checkpoints": [
            {"pictures": pictures, "minutes": round(float(np.interp(pictures, seen, minutes)), 1)}
            for pictures in film.rows
        ],
        "loss": _curve(lines, "loss"),
        "letter_gap": _curve(lines, gaps),
        "scores": [*scores.values()],
    }
    folder.mkdir(parents=True, exist_ok=True)
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in film.rows.values()])
    Image.fromarray(sheet).save(folder / "film.png", optimize=True)
    (folder / "film.json").write_text(json.dumps(values) + "\n", encoding="utf-8")


def _curve(lines: Sequence[dict], name: str | None) -> list[list[float]]:
    """By pictures seen; where a stage was taken again, the last attempt counts."""
    values = {line["pictures"]: line[name] for line in lines if name in line}
    return [[pictures, value] for pictures, value in values.items()]


def sheet(film: Film) -> np.ndarray:
    """(H, W, 3) uint8: all of the film at once, beside each row the pictures seen."""
    squares = [square for row in film.rows.values() for square in row]
    strip = pixels.film_strip(squares, len(film.prompts), _SPACE, _SCALE)
    page = Image.new("RGB", (_LABELS + strip.shape[1], strip.shape[0]), (figures.PAPER,) * 3)
    page.paste(Image.fromarray(strip), (_LABELS, 0))
    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", _LABEL_PX)
    pitch = _SCALE * film.size + _SPACE
    for place, pictures in enumerate(film.rows):
        middle = place * pitch + pitch // 2 - _SPACE
        ImageDraw.Draw(page).text((4, middle), f"{pictures:,}", fill=figures.INK, font=font, anchor="lm")
    return np.asarray(page)


def _pixels(file: Path) -> np.ndarray:
    try:
        with Image.open(file) as image:
            return np.array(image.convert("RGB"))
    except OSError as error:
        raise ValueError(f"{file} is not a picture that can be read.") from error


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--strips", nargs="+", type=Path, default=[], help="strip-PICTURES.png of a run")
    parser.add_argument("--before", type=int, default=0, help="pictures seen that the strips do not count")
    parser.add_argument("--log", nargs="+", type=Path, required=True, help="of the whole run, earliest first")
    parser.add_argument("--film", type=Path, default=FILM, help="the folder of the film")
    parser.add_argument("--most", type=int, default=12, help="keep at most so many checkpoints, evenly")
    parser.add_argument("--sheet", type=Path, help="also draw all of it as one .png, with labels")
    options = parser.parse_args(arguments)
    try:
        if options.most < 2:
            raise ValueError("A film has two checkpoints or more.")
        parts = [read_film(options.film)] if (options.film / "film.json").exists() else []
        parts += [read_strips(options.strips, options.before)] if options.strips else []
        if not parts:
            raise ValueError(f"There is no film in {options.film}: name the strips that it shall begin with.")
        film = parts[0] if len(parts) == 1 else parts[0].joined(parts[1])
        film = film.thinned(options.most)
        write_film(film, read_logs(options.log), options.film)
    except ValueError as error:
        parser.error(str(error))
    if options.sheet:
        Image.fromarray(sheet(film)).save(options.sheet, optimize=True)
    for pictures in film.rows:
        print(f"{pictures:>12,} pictures")


if __name__ == "__main__":
    main()
