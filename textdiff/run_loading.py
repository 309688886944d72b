"""A run folder, or the .zip of one, becomes a Generation again. run_folder.py says how it is laid out.

A run may come from anywhere, so nothing is believed: every field must have its type, every picture its size,
and no name may lead out of the folder.
"""

import contextlib
import io
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from textdiff.run_json import (
    MAX_JSON_BYTES,
    MAX_PNG_BYTES,
    MAX_SIZE,
    RANGES,
    UPSCALED_PICTURES,
    parse,
)
from textdiff.trajectory import (
    AttentionLayer,
    Candidate,
    Generation,
    Origin,
    Reading,
    Request,
    Step,
    StepReading,
    Upscaled,
    UpscaledStep,
    Verdict,
)


def load(path: str | os.PathLike) -> Generation:
    """Read a run folder or the .zip of one. Arrays come back to within half a level, clipped to `RANGES`.

    Raises ValueError with one sentence when there is no run at `path`, or none that `save` could write.
    """
    path = Path(path)
    with open_run(path) as source:
        run = read_json(source)
        try:
            return _generation(run, source)
        except OSError as error:
            raise ValueError(f"{path.name} is not a whole run: a picture is missing.") from error


# ---- files


class _Folder:
    """The files of a run folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def read(self, name: str, limit: int) -> bytes:
        file = (self.root / name).resolve()
        if not file.is_relative_to(self.root):  # a link
            raise ValueError(f"The run refers to a file outside its folder: {name}.")
        if file.stat().st_size > limit:
            raise ValueError(f"The run has a file that is too large: {name}.")
        return file.read_bytes()


class _Zip:
    """The files of a zipped run folder, read in place: nothing is unpacked onto the disk."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        for name in archive.namelist():
            if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
                raise ValueError("This .zip was not opened: a file name in it leads out of its folder.")

    def read(self, name: str, limit: int) -> bytes:
        try:
            if self.archive.getinfo(name).file_size > limit:
                raise ValueError(f"The run has a file that is too large: {name}.")
            return self.archive.read(name)
        except (KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise FileNotFoundError(name) from error


@contextlib.contextmanager
def open_run(path: Path):
    """The files of the run at `path`, a folder or a .zip, to be read by name and up to a size.

    Raises ValueError when there is neither.
    """
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        raise ValueError(f"There is no run folder and no .zip of one at {path.name}.") from error
    with archive:
        yield _Zip(archive)


def read_json(source: _Folder | _Zip) -> dict:
    """The run.json of an open run, every field checked (see run_json.py). Raises ValueError."""
    try:
        content = source.read("run.json", MAX_JSON_BYTES)
    except OSError as error:
        raise ValueError("This is not a run: it has no run.json.") from error
    return parse(content)


# ---- what is in them


def _generation(run: dict, source: _Folder | _Zip) -> Generation:
    layers = tuple(AttentionLayer(**layer) for layer in run["layers"])
    upscaling = run["upscaling"]
    large = {} if upscaling is None else _upscaling(upscaling, source)
    return Generation(
        request=Request(**run["request"]),
        model=run["model"]["name"],
        model_sha256=run["model"]["sha256"],
        reader=run["reader"],
        layers=layers,
        candidates=tuple(_candidate(entry, run, layers, source) for entry in run["candidates"]),
        best=run["best"],
        seconds=run["seconds"],
        stopped=run["stopped"],
        origin=_origin(run["origin"]) if "origin" in run else None,
        **large,
    )


def _origin(entry: dict) -> Origin:
    return Origin(**entry | {"muted": tuple(entry["muted"])})


def _upscaling(upscaling: dict, source: _Folder | _Zip) -> dict:
    """The fields of Generation that are about the large pictures."""
    return {
        "upscaler": upscaling["model"]["name"],
        "upscaler_sha256": upscaling["model"]["sha256"],
        "upscaled": tuple(_upscaled(entry, upscaling, source) for entry in upscaling["pictures"]),
        "best_upscaled": upscaling["best"],
    }


def _upscaled(entry: dict, upscaling: dict, source: _Folder | _Zip) -> Upscaled:
    files, size = entry["files"], upscaling["size"]
    pictures = {
        name: _read_tiles(source, files[name], len(upscaling["steps"]), size) for name in UPSCALED_PICTURES
    }
    return Upscaled(
        index=entry["index"],
        source=entry["source"],
        seed=entry["seed"],
        steps=tuple(
            UpscaledStep(**numbers, **{name: pictures[name][k] for name in UPSCALED_PICTURES})
            for k, numbers in enumerate(upscaling["steps"])
        ),
        final=_read_png(source, files["final"], "RGB", (size, size)),
        reading=_reading(entry),
        verdict=Verdict(**entry["verdict"]),
    )


def _candidate(
    entry: dict, run: dict, layers: tuple[AttentionLayer, ...], source: _Folder | _Zip
) -> Candidate:
    files = entry["files"]
    pictures = {
        name: _read_sprite(source, files[name], run, name) for name in RANGES if files[name] is not None
    }
    maps = [
        _read_atlas(source, atlas, run, layer)
        for atlas, layer in zip(files["attention"], layers if files["attention"] else (), strict=True)
    ]
    steps = tuple(
        Step(
            **numbers,
            **{name: pictures[name][k] if name in pictures else None for name in RANGES},
            attention=tuple(weights[k] for weights in maps),
        )
        for k, numbers in enumerate(run["steps"])
    )
    return Candidate(
        index=entry["index"],
        seed=entry["seed"],
        steps=steps,
        final=_read_png(source, files["final"], "RGB", None),
        reading=_reading(entry),
        verdict=Verdict(**entry["verdict"]),
        readability=tuple(
            StepReading(**reading | {"right": tuple(reading["right"])}) for reading in entry["readability"]
        ),
    )


def _reading(entry: dict) -> Reading:
    boxes = tuple(tuple(box) for box in entry["reading"]["boxes"])
    return Reading(**entry["reading"] | {"boxes": boxes})


def _read_sprite(source: _Folder | _Zip, file: str, run: dict, name: str) -> np.ndarray:
    """(steps, size, size, 3) float32."""
    return _values(_read_tiles(source, file, len(run["steps"]), run["size"]), *run["ranges"][name])


def _read_tiles(source: _Folder | _Zip, file: str, count: int, size: int) -> np.ndarray:
    """(count, size, size, 3) uint8, the tiles of a sprite."""
    levels = _read_png(source, file, "RGB", (size * count, size))
    return levels.reshape(size, count, size, 3).transpose(1, 0, 2, 3)


def _read_atlas(source: _Folder | _Zip, atlas: dict, run: dict, layer: AttentionLayer) -> np.ndarray:
    """(steps, heads, cells, tokens) float32, the inverse of `run_folder._atlas`."""
    count, tokens, side = len(run["steps"]), len(run["tokens"]), layer.resolution
    levels = _read_png(source, atlas["file"], "L", (side * count, side * layer.heads * tokens))
    tiles = levels.reshape(layer.heads, tokens, side, count, side).transpose(3, 0, 2, 4, 1)
    return _values(tiles.reshape(count, layer.heads, side * side, tokens), 0.0, atlas["scale"])


def _values(levels: np.ndarray, low: float, high: float) -> np.ndarray:
    """The float32 values that the 8-bit `levels` stand for."""
    table = (low + (high - low) * np.arange(256) / 255).astype(np.float32)
    return table[levels]


def _read_png(source: _Folder | _Zip, name: str, mode: str, size: tuple[int, int] | None) -> np.ndarray:
    """The levels of a PNG of exactly this mode and (width, height), None for any up to 4 * MAX_SIZE.

    The header is checked before a pixel is decoded.
    """
    content = source.read(name, MAX_PNG_BYTES)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            fits = image.size == size if size else max(image.size) <= 4 * MAX_SIZE
            if fits and image.mode == mode:
                return np.array(image)
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
    ) as error:  # Pillow raises all of these
        raise ValueError(f"The run cannot be read: {name} is damaged.") from error
    raise ValueError(f"The run cannot be read: {name} does not have the size or the colours it should.")
