"""A Generation as a folder of PNG sprites and one run.json, or the same as a .zip; and back.

Layout:

    run.json                          everything that is not a picture; its shape is in run_json.py
    best.png                          the winning picture, a large one if there are any
    candidate-00/final.png            the candidate's picture
    candidate-00/{noisy,x0,eps,x0_unconditional}.png
                                      sprites: one row, one column per step, 8-bit RGB,
                                      value = low + (high - low) * level / 255
    candidate-00/attention-00.png     one atlas per layer, 8-bit grey: tile column = step,
                                      tile row = head * tokens + token, resolution x resolution cells
                                      a tile, weight = level / 255 * scale
    upscaled-00/final.png             a large picture
    upscaled-00/{noisy,x0}.png        sprites like those of the candidates, value = 2 * level / 255 - 1

A run folder may come from anywhere, so `load` believes nothing: every field must have its type, every picture
its size, and no name may lead out of the folder. File names are ours; the user's text is only in run.json.
"""

import contextlib
import dataclasses
import io
import json
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from textdiff import similarity
from textdiff.run_json import (
    FORMAT,
    MAX_JSON_BYTES,
    MAX_PNG_BYTES,
    MAX_SIZE,
    RANGES,
    UPSCALED_PICTURES,
    parse,
    picture_files,
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


def load(path: str | os.PathLike) -> Generation:
    """Read a run folder or the .zip of one. Arrays come back to within half a level, clipped to `RANGES`.

    Raises ValueError with one sentence when there is no run at `path`, or none that `save` could write.
    """
    path = Path(path)
    with _open(path) as source:
        run = _read_json(source)
        try:
            return _generation(run, source)
        except OSError as error:
            raise ValueError(f"{path.name} is not a whole run: a picture is missing.") from error


def to_zip(folder: str | os.PathLike, file: str | os.PathLike) -> None:
    """Pack the run in `folder` into the .zip `file`: the files of the run and nothing else.

    Equal runs give equal bytes. Raises ValueError when `folder` is not a run.
    """
    folder, file = Path(folder), Path(file).resolve()
    with _open(folder) as source:
        try:
            names = ["run.json", "best.png", *picture_files(_read_json(source))]
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
        "candidates": [
            _write_candidate(candidate, generation, folder) for candidate in generation.candidates
        ],
        "best": generation.best,
        "upscaling": _write_upscaling(generation, folder) if generation.upscaled else None,
        "seconds": generation.seconds,
        "stopped": generation.stopped,
    }
    if generation.origin is not None:
        run["origin"] = dataclasses.asdict(generation.origin)
    _write_png(generation.winner.final, folder / "best.png")
    (folder / "run.json").write_text(json.dumps(run, indent=1, allow_nan=False), encoding="utf-8")


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
        "pictures": [_write_upscaled(picture, generation, folder) for picture in generation.upscaled],
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
    # Run-length strategy: on attention atlases it is faster than deflate's level 1 and the files are smaller.
    Image.fromarray(np.ascontiguousarray(levels)).save(file, "PNG", compress_type=zlib.Z_RLE)


# ---- reading


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
        except (KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            raise FileNotFoundError(name) from error


@contextlib.contextmanager
def _open(path: Path):
    """The files of the run at `path`, a folder or a .zip."""
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"There is no run folder and no .zip of one at {path.name}.") from error
    with archive:
        yield _Zip(archive)


def _read_json(source: _Folder | _Zip) -> dict:
    try:
        content = source.read("run.json", MAX_JSON_BYTES)
    except OSError as error:
        raise ValueError("This is not a run: it has no run.json.") from error
    return parse(content)


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
    """(steps, heads, cells, tokens) float32, the inverse of `_atlas`."""
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
