"""What a run.json must look like, and whether one does. A run may come from anywhere: believe nothing."""

import dataclasses
import json
import re
from collections.abc import Iterable

from textdiff.trajectory import IMAGE_TO_TEXT, TEXT_TO_IMAGE, AttentionLayer, Request, Verdict

FORMAT = 1
# Noise is wider than a picture; three standard deviations are shown, the rest (0.3 %) is clipped.
RANGES = {"noisy": (-1.0, 1.0), "x0": (-1.0, 1.0), "eps": (-3.0, 3.0), "x0_unconditional": (-1.0, 1.0)}

MAX_CANDIDATES, MAX_STEPS, MAX_SIZE, MAX_TOKENS, MAX_LAYERS, MAX_HEADS = 16, 250, 1024, 1025, 64, 64
MAX_JSON_BYTES, MAX_PNG_BYTES = 2**23, 2**27
MAX_VALUES = 2**30  # numbers in all arrays of a run together: 4 GiB as float32

_PICTURE = re.compile(r"candidate-[0-9]{2}/[a-z0-9_-]+\.png")


def _fields(kind: type) -> dict:
    return {field.name: field.type for field in dataclasses.fields(kind)}


# What run.json must look like: a type for a value, [shape] for a list of any length, (shape, ...) for a list
# of exactly these, {...} for exactly these keys.
_RUN = {
    "format": int,
    "request": _fields(Request),
    "model": {"name": str, "sha256": str},
    "reader": str,
    "size": int,
    "tokens": [str],
    "steps": [{"index": int, "t": float, "alpha": float, "sigma": float}],
    "ranges": {name: (float, float) for name in RANGES},
    "layers": [_fields(AttentionLayer)],
    "candidates": [
        {
            "index": int,
            "seed": int,
            "reading": {"text": str, "confidence": float, "boxes": [(float, float, float, float)]},
            "verdict": _fields(Verdict),
            "matched": [(str, int)],  # trigrams with their counts
            "missing": [(str, int)],
            "files": {
                "final": str,
                "noisy": str,
                "x0": str,
                "eps": str,
                "x0_unconditional": str | None,
                "attention": [{"file": str, "scale": float}],
            },
        }
    ],
    "best": int,
    "seconds": float,
    "stopped": bool,
}


def parse(content: bytes) -> dict:
    """The values of a run.json, every field of the right type and every number within its limits.

    Raises ValueError with one sentence.
    """
    try:
        run = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("This is not a run: its run.json is not JSON.") from error
    if not isinstance(run, dict) or run.get("format") != FORMAT:
        raise ValueError(f"This run is not in format {FORMAT}, the only one that this textdiff can read.")
    _check_shape(run, _RUN, "run.json")
    _check_numbers(run)
    return run


def _check_shape(value, shape, where: str) -> None:
    """Raises ValueError naming the place where `value` does not have `shape` (see `_RUN`)."""
    if isinstance(shape, dict):
        good = isinstance(value, dict) and value.keys() == shape.keys()
        inner = [(value[key], shape[key], f"{where}: {key}") for key in shape] if good else []
    elif isinstance(shape, list | tuple):
        good = isinstance(value, list) and (isinstance(shape, list) or len(value) == len(shape))
        shapes = shape * len(value) if good and isinstance(shape, list) else shape
        pairs = zip(value, shapes, strict=True) if good else ()
        inner = [(item, its_shape, f"{where}[{i}]") for i, (item, its_shape) in enumerate(pairs)]
    elif isinstance(value, bool):
        good, inner = shape is bool, []  # for Python, True is also an int
    elif shape is float:
        good, inner = isinstance(value, int | float) and abs(value) < 1e9, []  # NaN is never less
    else:
        good, inner = isinstance(value, shape), []
    if not good:
        raise ValueError(f"The run cannot be read: {where} is not what textdiff writes.")
    for item in inner:
        _check_shape(*item)


def _check_numbers(run: dict) -> None:
    """Raises ValueError when run.json contradicts itself, names strange files or asks for too much memory."""

    def require(condition: bool, what: str) -> None:
        if not condition:
            raise ValueError(f"The run cannot be read: {what}.")

    candidates, steps, layers, tokens = run["candidates"], run["steps"], run["layers"], run["tokens"]
    count = len(candidates)
    require(1 <= count <= MAX_CANDIDATES, f"it has {count} candidates, not 1 to {MAX_CANDIDATES}")
    require(1 <= len(steps) <= MAX_STEPS, f"it has {len(steps)} steps, not 1 to {MAX_STEPS}")
    require(1 <= run["size"] <= MAX_SIZE, f"its pictures are {run['size']} pixels wide, not 1 to {MAX_SIZE}")
    require(len(tokens) <= MAX_TOKENS, f"its text is longer than {MAX_TOKENS - 1} characters")
    require(len(layers) <= MAX_LAYERS, f"it has more than {MAX_LAYERS} attention layers")
    require(tokens == ["START", *run["request"]["text"]], "its tokens are not those of its text")
    require([step["index"] for step in steps] == list(range(len(steps))), "its steps are not in order")
    require([c["index"] for c in candidates] == list(range(count)), "its candidates are not in order")
    ranks = sorted(candidate["verdict"]["rank"] for candidate in candidates)
    require(ranks == list(range(1, count + 1)), "its ranks are not 1, 2, ...")
    require(0 <= run["best"] < count, "its best candidate does not exist")
    sane = all(-99 <= low < high <= 99 for low, high in run["ranges"].values())
    require(sane, "the range of a picture makes no sense")

    cells = 0
    for layer in layers:
        require(
            layer["direction"] in (TEXT_TO_IMAGE, IMAGE_TO_TEXT), "an attention layer has no known direction"
        )
        require(1 <= layer["resolution"] <= run["size"], "an attention layer is finer than the picture")
        require(1 <= layer["heads"] <= MAX_HEADS, f"an attention layer has not 1 to {MAX_HEADS} heads")
        taught = layer["taught_head"]
        require(taught is None or 0 <= taught < layer["heads"], "the taught head of a layer does not exist")
        cells += layer["resolution"] ** 2 * layer["heads"]
    values = count * len(steps) * (len(RANGES) * 3 * run["size"] ** 2 + cells * len(tokens))
    require(values <= MAX_VALUES, "it is too large for this machine's memory")

    for candidate in candidates:
        attention = candidate["files"]["attention"]
        require(len(attention) in (0, len(layers)), "a candidate has not one attention picture per layer")
        require(
            all(0 < entry["scale"] <= 1.001 for entry in attention), "an attention scale is not in (0, 1]"
        )
    for name in picture_files(run):
        require(_PICTURE.fullmatch(name) is not None, "a picture has a name that textdiff does not give")


def picture_files(run: dict) -> Iterable[str]:
    """The names of all pictures of the candidates."""
    for candidate in run["candidates"]:
        files = candidate["files"]
        yield files["final"]
        yield from (files[name] for name in RANGES if files[name] is not None)
        yield from (entry["file"] for entry in files["attention"])
