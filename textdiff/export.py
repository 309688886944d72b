"""Share a run: one file that plays anywhere, a .zip, a film, or the picture with its settings.

python -m textdiff.export RUN --replay f.html --zip f.zip --apng f.png --gif f.gif --webp f.webp --png f.png
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from textdiff import animation, run_folder, run_loading
from textdiff.picture_settings import picture_with_settings
from textdiff.ui.replay_page import replay_page

KINDS = {
    "replay": "an HTML page that plays the run, without Python or a network",
    "zip": "the run folder, packed",
    "apng": "a film of the steps, lossless",
    "gif": "the same in 256 colours a frame",
    "webp": "the same as apng, smaller",
    "png": "the winning picture with the settings that made it",
}


def export(run: str | os.PathLike, kind: str, candidate: int | None = None, seconds: float = 4.0) -> bytes:
    """What the file of one of KINDS holds. `run` is a run folder or the .zip of one.

    `candidate` and `seconds` are for films: whose steps, the winner's if None, and how long they take.
    Raises ValueError with one sentence.
    """
    if kind == "replay":
        return replay_page(run)
    if kind == "zip":
        return _zipped(run)
    generation = run_loading.load(run)
    if kind == "png":
        return picture_with_settings(generation)
    return animation.animated(animation.frames(generation, candidate), kind, seconds)


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    wanted = {kind: getattr(options, kind).resolve() for kind in KINDS if getattr(options, kind)}
    try:
        if not wanted:
            raise ValueError(f"Say what to make of the run: {', '.join(f'--{kind}' for kind in KINDS)}.")
        if len(set(wanted.values())) < len(wanted):
            raise ValueError("Two outputs have the same name; give each its own.")
        made = {kind: export(options.run, kind, options.candidate, options.seconds) for kind in wanted}
        for kind, content in made.items():
            write_whole(wanted[kind], content)
            print(f"{wanted[kind].name}: {len(content):,} bytes")
    except ValueError as error:
        sys.exit(str(error))


def write_whole(file: Path, content: bytes) -> None:
    """Write the file whole or not at all. Raises ValueError with one sentence when it cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".export-") as scratch:
            whole = Path(scratch, "whole")
            whole.write_bytes(content)
            os.replace(whole, file)
    except OSError as error:
        raise ValueError(f"{file.name} could not be written: {error.strerror}.") from error


def _zipped(run: str | os.PathLike) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "run.zip")
        run_folder.to_zip(run, file)
        return file.read_bytes()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Share a run: give the name of every file that you want.")
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder, or the .zip of one")
    parser.add_argument("--replay", type=Path, metavar="FILE", help=KINDS["replay"])
    parser.add_argument("--zip", type=Path, metavar="FILE", help=KINDS["zip"])
    parser.add_argument("--apng", type=Path, metavar="FILE", help=KINDS["apng"])
    parser.add_argument("--gif", type=Path, metavar="FILE", help=KINDS["gif"])
    parser.add_argument("--webp", type=Path, metavar="FILE", help=KINDS["webp"])
    parser.add_argument("--png", type=Path, metavar="FILE", help=KINDS["png"])
    parser.add_argument("--candidate", type=int, help="whose steps a film shows; default: the winner's")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long a film takes for its steps")
    return parser


if __name__ == "__main__":
    main()
