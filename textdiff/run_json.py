"""What a run.json must look like, and whether one does. A run may come from anywhere: believe nothing.

Format 2 has large pictures ("upscaling", null without any) and what was read step by step ("readability" of a
candidate, empty if nothing was). Format 1 knew neither; such a run is read as one of format 2 without them.
A run that left another one on its way says so under "origin", which no other run has. Runs of before guidance
in one call do not name it in their request; they are read as made in two.
"""

import dataclasses
import json
import re
from collections.abc import Iterable

from textdiff.trajectory import IMAGE_TO_TEXT, TEXT_TO_IMAGE, AttentionLayer, Request, Verdict

FORMAT = 2
# Noise is wider than a picture; three standard deviations are shown, the rest (0.3 %) is clipped.
RANGES = {"noisy": (-1.0, 1.0), "x0": (-1.0, 1.0), "eps": (-3.0, 3.0), "x0_unconditional": (-1.0, 1.0)}
UPSCALED_PICTURES = ("noisy", "x0")  # what is kept of a large picture's steps

MAX_CANDIDATES, MAX_STEPS, MAX_SIZE, MAX_TOKENS, MAX_LAYERS, MAX_HEADS = 16, 250, 1024, 1025, 64, 64
MAX_UPSCALED, MAX_UPSCALER_STEPS = 16, 50
MAX_JSON_BYTES, MAX_PNG_BYTES = 2**23, 2**27
MAX_VALUES = 2**30  # numbers in all arrays of a run together: 4 GiB as float32

_PICTURE = re.compile(r"(candidate|upscaled)-[0-9]{2}/[a-z0-9_-]+\.png")


@dataclasses.dataclass(frozen=True)
class _Nullable:
    """null, or a value of this shape."""

    shape: object


def _fields(kind: type) -> dict:
    return {field.name: field.type for field in dataclasses.fields(kind)}


# What run.json must look like: a type for a value, [shape] for a list of any length, (shape, ...) for a list
# of exactly these, {...} for exactly these keys.
_STEPS = [{"index": int, "t": float, "alpha": float, "sigma": float}]
_JUDGED = {
    "index": int,
    "seed": int,
    "reading": {"text": str, "confidence": float, "boxes": [(float, float, float, float)]},
    "verdict": _fields(Verdict),
    "matched": [(str, int)],  # trigrams with their counts
    "missing": [(str, int)],
}
_CANDIDATE = _JUDGED | {
    "readability": [{"text": str, "similarity": float, "right": [bool]}],
    "files": {
        "final": str,
        "noisy": str,
        "x0": str,
        "eps": str,
        "x0_unconditional": str | None,
        "attention": [{"file": str, "scale": float}],
    },
}
_UPSCALING = {
    "model": {"name": str, "sha256": str},
    "size": int,
    "steps": _STEPS,
    "pictures": [_JUDGED | {"source": int, "files": {"final": str, "noisy": str, "x0": str}}],
    "best": int,
}
_RUN = {
    "format": int,
    "request": _fields(Request),
    "model": {"name": str, "sha256": str},
    "reader": str,
    "size": int,
    "tokens": [str],
    "steps": _STEPS,
    "ranges": {name: (float, float) for name in RANGES},
    "layers": [_fields(AttentionLayer)],
    "candidates": [_CANDIDATE],
    "best": int,
    "upscaling": _Nullable(_UPSCALING),
    "seconds": float,
    "stopped": bool,
}
_ORIGIN = {
    "step": int,
    "text": str,
    "guidance": float,
    "sampler": str,
    "seed": _Nullable(int),
    "eta": _Nullable(float),
    "muted": [int],
}
_LATER_IN_REQUEST = {"one_call": False}  # what runs of format 2 have not always had
_NEW_IN_REQUEST = _LATER_IN_REQUEST | {
    "readability": False,
    "upscaled": 0,
    "upscaler_steps": Request(text="").upscaler_steps,
}


def _without(shape: dict, *names: str) -> dict:
    return {name: inner for name, inner in shape.items() if name not in names}


_RUN_1 = _without(_RUN, "upscaling") | {
    "request": _without(_RUN["request"], *_NEW_IN_REQUEST),
    "candidates": [_without(_CANDIDATE, "readability")],
}


def parse(content: bytes) -> dict:
    """The values of a run.json, every field of the right type and every number within its limits.

    Raises ValueError with one sentence.
    """
    try:
        run = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("This is not a run: its run.json is not JSON.") from error
    if not isinstance(run, dict) or run.get("format") not in (1, FORMAT):
        raise ValueError(f"This run is not in format 1 or {FORMAT}, which this textdiff can read.")
    if run["format"] == 1:
        _check_shape(run, _RUN_1, "run.json")
        run = _from_format_1(run)
    if isinstance(run.get("request"), dict):
        run["request"] = _LATER_IN_REQUEST | run["request"]
    _check_shape(run, _RUN | ({"origin": _ORIGIN} if "origin" in run else {}), "run.json")
    _check_numbers(run)
    return run


def _from_format_1(run: dict) -> dict:
    return run | {
        "format": FORMAT,
        "request": run["request"] | _NEW_IN_REQUEST,
        "candidates": [candidate | {"readability": []} for candidate in run["candidates"]],
        "upscaling": None,
    }


def _check_shape(value, shape, where: str) -> None:
    """Raises ValueError naming the place where `value` does not have `shape` (see `_RUN`)."""
    if isinstance(shape, _Nullable):
        good, inner = True, [] if value is None else [(value, shape.shape, where)]
    elif isinstance(shape, dict):
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


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"The run cannot be read: {what}.")


def _check_numbers(run: dict) -> None:
    """Raises ValueError when run.json contradicts itself, names strange files or asks for too much memory."""
    candidates, steps, layers, tokens = run["candidates"], run["steps"], run["layers"], run["tokens"]
    upscaling, text = run["upscaling"], run["request"]["text"]
    count = len(candidates)
    _require(1 <= count <= MAX_CANDIDATES, f"it has {count} candidates, not 1 to {MAX_CANDIDATES}")
    _require(1 <= len(steps) <= MAX_STEPS, f"it has {len(steps)} steps, not 1 to {MAX_STEPS}")
    _require(1 <= run["size"] <= MAX_SIZE, f"its pictures are {run['size']} pixels wide, not 1 to {MAX_SIZE}")
    _require(len(tokens) <= MAX_TOKENS, f"its text is longer than {MAX_TOKENS - 1} characters")
    _require(len(layers) <= MAX_LAYERS, f"it has more than {MAX_LAYERS} attention layers")
    _require(tokens == ["START", *text], "its tokens are not those of its text")
    _require([step["index"] for step in steps] == list(range(len(steps))), "its steps are not in order")
    _require([c["index"] for c in candidates] == list(range(count)), "its candidates are not in order")
    ranks = sorted(candidate["verdict"]["rank"] for candidate in candidates)
    _require(ranks == list(range(1, count + 1)), "its ranks are not 1, 2, ...")
    _require(0 <= run["best"] < count, "its best candidate does not exist")
    sane = all(-99 <= low < high <= 99 for low, high in run["ranges"].values())
    _require(sane, "the range of a picture makes no sense")

    if origin := run.get("origin"):
        _require(0 <= origin["step"] < len(steps), "it left another run at a step that it does not have")
        _require(len(origin["text"]) < MAX_TOKENS, f"its text was longer than {MAX_TOKENS - 1} characters")
        _require(set(origin["muted"]) <= set(range(len(tokens))), "a muted character does not exist")

    cells = 0
    for layer in layers:
        _require(
            layer["direction"] in (TEXT_TO_IMAGE, IMAGE_TO_TEXT), "an attention layer has no known direction"
        )
        _require(1 <= layer["resolution"] <= run["size"], "an attention layer is finer than the picture")
        _require(1 <= layer["heads"] <= MAX_HEADS, f"an attention layer has not 1 to {MAX_HEADS} heads")
        taught = layer["taught_head"]
        _require(taught is None or 0 <= taught < layer["heads"], "the taught head of a layer does not exist")
        cells += layer["resolution"] ** 2 * layer["heads"]
    values = count * len(steps) * (len(RANGES) * 3 * run["size"] ** 2 + cells * len(tokens))
    if upscaling is not None:
        _check_upscaling(upscaling, run)
        tiles = len(upscaling["pictures"]) * len(upscaling["steps"]) * len(UPSCALED_PICTURES)
        values += tiles * 3 * upscaling["size"] ** 2
    _require(values <= MAX_VALUES, "it is too large for this machine's memory")

    for candidate in candidates:
        readability = candidate["readability"]
        _require(len(readability) in (0, len(steps)), "a candidate has not one reading per step")
        for reading in readability:
            _require(len(reading["right"]) == len(text), "a reading does not judge every character")
            _require(0 <= reading["similarity"] <= 1, "a similarity is not from 0 to 1")
        attention = candidate["files"]["attention"]
        _require(len(attention) in (0, len(layers)), "a candidate has not one attention picture per layer")
        _require(
            all(0 < entry["scale"] <= 1.001 for entry in attention), "an attention scale is not in (0, 1]"
        )
    for name in picture_files(run):
        _require(_PICTURE.fullmatch(name) is not None, "a picture has a name that textdiff does not give")


def _check_upscaling(upscaling: dict, run: dict) -> None:
    pictures, steps, candidates = upscaling["pictures"], upscaling["steps"], run["candidates"]
    count, size = len(pictures), upscaling["size"]
    _require(1 <= count <= MAX_UPSCALED, f"it has {count} large pictures, not 1 to {MAX_UPSCALED}")
    _require(
        1 <= len(steps) <= MAX_UPSCALER_STEPS,
        f"its large pictures took {len(steps)} steps, not 1 to {MAX_UPSCALER_STEPS}",
    )
    _require(size == 2 * run["size"] <= MAX_SIZE, "its large pictures are not twice as large as the others")
    _require([step["index"] for step in steps] == list(range(len(steps))), "its steps are not in order")
    _require([one["index"] for one in pictures] == list(range(count)), "its large pictures are not in order")
    sources = [one["source"] for one in pictures]
    kept = {candidate["index"] for candidate in candidates if candidate["verdict"]["kept"]}
    _require(set(sources) <= kept, "a large picture enlarges no candidate that was kept")
    ranks = sorted(one["verdict"]["rank"] for one in pictures)
    _require(ranks == list(range(1, count + 1)), "the ranks of its large pictures are not 1, 2, ...")
    _require(0 <= upscaling["best"] < count, "its best large picture does not exist")


def picture_files(run: dict) -> Iterable[str]:
    """The names of all pictures of the candidates, and of the large ones."""
    for candidate in run["candidates"]:
        files = candidate["files"]
        yield files["final"]
        yield from (files[name] for name in RANGES if files[name] is not None)
        yield from (entry["file"] for entry in files["attention"])
    for picture in run["upscaling"]["pictures"] if run["upscaling"] is not None else ():
        yield from picture["files"].values()
