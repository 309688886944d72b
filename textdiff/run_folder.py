"""A Generation becomes a folder of PNG sprites and one run.json, and that a .zip. run_loading.py reads both.

Layout:

    run.json                          everything that is not a picture; its shape is in run_json.py
    best.png                          the winning picture, small or large
    candidate-00/final.png            the candidate's picture
    candidate-00/{noisy,x0,eps,x0_unconditional}.png
                                      sprites: one row, one column per step, 8-bit RGB,
                                      value = low + (high - low) * level / 255
    candidate-00/attention-00.png     one atlas per layer, 8-bit grey: tile column = step,
                                      tile row = head * tokens + token, resolution x resolution cells
                                      a tile, weight = level / 255 * scale
    upscaled-00/final.png             a large picture
    upscaled-00/{noisy,x0}.png        sprites like those of the candidates, value = 2 * level / 255 - 1

File names are ours; the user's text is only in run.json.
"""

import dataclasses
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from textdiff import similarity
from textdiff.run_json import FORMAT, MAX_PNG_BYTES, RANGES, UPSCALED_PICTURES, picture_files
from textdiff.run_loading import open_run, read_json
from textdiff.trajectory import Candidate, Generation, Step, Upscaled, UpscaledStep

Picture = TypeVar("Picture", Candidate, Upscaled)
_OURS = re.compile(r"run\.json|best\.png|(candidate|upscaled)-[0-9]{2}")


def save(generation: Generation, folder: str | os.PathLike) -> None:
    """Write `generation` as the run folder `folder`, whole or not at all; an older run there is replaced.

    Raises ValueError when `folder` holds anything other than a run, or when the generation has no steps.
    """
    folder = Path(folder).resolve()
    if not all(candidate.steps for candidate in generation.candidates):
        raise ValueError("This run was stopped before its first step, so there is nothing to save.")
    if folder.exists() and not _replaceable(folder):
        raise ValueError(f"{folder.name} already holds something other than a run; choose another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".run-") as scratch:
        fresh, former = Path(scratch, "fresh"), Path(scratch, "former")
        fresh.mkdir()
        _write(generation, fresh)
        if folder.exists():
            folder.rename(former)
        try:
            fresh.rename(folder)
        except OSError:
            if former.exists():
                former.rename(folder)
            raise


def to_zip(folder: str | os.PathLike, file: str | os.PathLike) -> None:
    """Pack the run in `folder` into the .zip `file`: the files of the run and nothing else.

    Equal runs give equal bytes. Raises ValueError when `folder` is not a run.
    """
    folder, file = Path(folder), Path(file).resolve()
    with open_run(folder) as source:
        try:
            names = ["run.json", "best.png", *picture_files(read_json(source))]
            contents = {name: source.read(name, MAX_PNG_BYTES) for name in names}
        except OSError as error:
            raise ValueError(f"{folder.name} is not a whole run: a picture is missing.") from error
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".zip-") as scratch:
        packed = Path(scratch, "run.zip")
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in contents.items():
                entry = zipfile.ZipInfo(name)  # dated 1980: equal runs give equal bytes
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED if name == "run.json" else zipfile.ZIP_STORED
                archive.writestr(entry, content)
        os.replace(packed, file)


# ---- writing


def _replaceable(folder: Path) -> bool:
    """Whether `folder` is empty or holds a run and nothing else."""
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else ["a file"]
    return not names or ("run.json" in names and all(_OURS.fullmatch(name) for name in names))


def _write(generation: Generation, folder: Path) -> None:
    steps = generation.candidates[0].steps
    run = {
        "format": FORMAT,
        "request": dataclasses.asdict(generation.request),
        "model": {"name": generation.model, "sha256": generation.model_sha256},
        "reader": generation.reader,
        "size": steps[0].x0.shape[0],
        "tokens": ["START", *generation.request.text],
        "steps": _numbers(steps),
        "ranges": RANGES,
        "layers": [dataclasses.asdict(layer) for layer in generation.layers],
        "candidates": _at_once(_write_candidate, generation.candidates, generation, folder),
        "best": generation.best,
        "upscaling": _write_upscaling(generation, folder) if generation.upscaled else None,
        "seconds": generation.seconds,
        "stopped": generation.stopped,
    }
    if generation.origin is not None:
        run["origin"] = dataclasses.asdict(generation.origin)
    _write_png(generation.winner.final, folder / "best.png")
    (folder / "run.json").write_text(json.dumps(run, indent=1, allow_nan=False), encoding="utf-8")


def _at_once(
    write: Callable[[Picture, Generation, Path], dict],
    pictures: Sequence[Picture],
    generation: Generation,
    folder: Path,
) -> list[dict]:
    """What `write` says about each, in order; Pillow compresses on as many cores as there are."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda picture: write(picture, generation, folder), pictures))


def _write_candidate(candidate: Candidate, generation: Generation, folder: Path) -> dict:
    """Write the pictures of one candidate; what run.json says about it."""
    shared = _numbers(generation.candidates[0].steps)
    assert _numbers(candidate.steps) == shared, "the candidates of a run share their steps"
    place = f"candidate-{candidate.index:02d}"
    (folder / place).mkdir()

    files: dict = {"final": f"{place}/final.png"}
    _write_png(candidate.final, folder / files["final"])
    for name, (low, high) in RANGES.items():
        pictures = [getattr(step, name) for step in candidate.steps]
        files[name] = None
        if pictures[0] is not None:
            files[name] = f"{place}/{name}.png"
            _write_png(_levels(np.concatenate(pictures, axis=1), low, high), folder / files[name])

    files["attention"] = []
    if candidate.steps[0].attention:
        for number, layer in enumerate(generation.layers):
            name = f"{place}/attention-{number:02d}.png"
            weights = np.stack([step.attention[number] for step in candidate.steps])
            scale = float(weights.max()) or 1.0
            _write_png(_atlas(_levels(weights, 0.0, scale), layer.resolution), folder / name)
            files["attention"].append({"file": name, "scale": scale})

    readability = [dataclasses.asdict(reading) for reading in candidate.readability]
    return _judged(candidate, generation.request.text) | {"readability": readability, "files": files}


def _write_upscaling(generation: Generation, folder: Path) -> dict:
    """Write the large pictures; what run.json says about them."""
    steps = generation.upscaled[0].steps
    return {
        "model": {"name": generation.upscaler, "sha256": generation.upscaler_sha256},
        "size": steps[0].x0.shape[0],
        "steps": _numbers(steps),
        "pictures": _at_once(_write_upscaled, generation.upscaled, generation, folder),
        "best": generation.best_upscaled,
    }


def _write_upscaled(picture: Upscaled, generation: Generation, folder: Path) -> dict:
    shared = _numbers(generation.upscaled[0].steps)
    assert _numbers(picture.steps) == shared, "the large pictures of a run share their steps"
    place = f"upscaled-{picture.index:02d}"
    (folder / place).mkdir()
    files = {"final": f"{place}/final.png"}
    _write_png(picture.final, folder / files["final"])
    for name in UPSCALED_PICTURES:
        files[name] = f"{place}/{name}.png"
        _write_png(np.concatenate([getattr(s, name) for s in picture.steps], axis=1), folder / files[name])
    return _judged(picture, generation.request.text) | {"source": picture.source, "files": files}


def _judged(picture: Candidate | Upscaled, text: str) -> dict:
    """What run.json says about any picture that was read and ranked."""
    trigrams = similarity.compare_trigrams(text, picture.reading.text)
    return {
        "index": picture.index,
        "seed": picture.seed,
        "reading": dataclasses.asdict(picture.reading),
        "verdict": dataclasses.asdict(picture.verdict),
        "matched": trigrams.matched,
        "missing": trigrams.missing,
    }


def _numbers(steps: Sequence[Step | UpscaledStep]) -> list[dict]:
    """What run.json says about the steps, whichever picture takes them."""
    return [{"index": s.index, "t": s.t, "alpha": s.alpha, "sigma": s.sigma} for s in steps]


def _levels(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """The 8-bit levels nearest to `values`, clipped to [low, high]."""
    return np.rint(np.clip((values - low) * (255 / (high - low)), 0, 255)).astype(np.uint8)


def _atlas(levels: np.ndarray, resolution: int) -> np.ndarray:
    """(steps, heads, cells, tokens) -> (heads * tokens * resolution, steps * resolution)."""
    steps, heads, cells, tokens = levels.shape
    assert cells == resolution**2
    tiles = levels.reshape(steps, heads, resolution, resolution, tokens)
    return tiles.transpose(1, 4, 2, 0, 3).reshape(heads * tokens * resolution, steps * resolution)


def _write_png(levels: np.ndarray, file: Path) -> None:
    import cv2  # not at the top: a page is there before the first run

    blue_first = levels if levels.ndim == 2 else levels[..., ::-1]
    # Half of the time that Pillow takes, which looks for the best filter of every row; the files are a tenth
    # larger.
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(blue_first))
    file.write_bytes(encoded.tobytes())
