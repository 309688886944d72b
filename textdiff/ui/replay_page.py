"""A run as one HTML file: the viewer and the run itself, which opens anywhere without Python or a network.

The pictures are repacked without loss. In a sheet the steps lie side by side; here its columns are
interleaved, so that the values that one pixel takes from step to step are neighbours, and alike: that saves a
third. replay_page.js puts them back in order.
"""

import base64
import hashlib
import html
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from textdiff import run_folder, run_loading
from textdiff.run_json import parse, picture_files
from textdiff.trajectory import Generation
from textdiff.ui.viewer_files import lessons, tour, viewer_script, viewer_style

MAX_BYTES = 8_000_000  # above it, things are left out as `_savings` says
MAX_WEBP = 16383  # pixels a side
MAX_TITLE = 60  # characters

_OPENER = Path(__file__).with_name("replay_page.js")
_STYLE = """
body {
  margin: 0; padding: clamp(12px, 3vw, 40px); background: #f7f7f4; color: #596173; color-scheme: light dark;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", sans-serif;
}
main, footer { max-width: 1120px; margin: 0 auto; }
footer { font-size: 13px; padding: 16px 4px; text-wrap: pretty; }
@media (prefers-color-scheme: dark) { body { background: #14161c; color: #a6aab6; } }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="viewer"><noscript>This page plays a recorded run, and needs JavaScript for it.</noscript></main>
<footer>{about}</footer>
<script type="application/json" id="replay">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def replay_page(run: str | os.PathLike) -> bytes:
    """The whole file. `run` is a run folder or the .zip of one, and may come from anywhere.

    All candidates are in it with all their steps, and all large pictures. So are the attention maps of the
    best candidate and the steps of the best large picture; those of the others while the file stays under
    MAX_BYTES, and it says what is left out. Raises ValueError with one sentence when `run` is not a run.
    """
    generation = run_loading.load(run)  # from now on every picture has its size and every name is ours
    files = _files(run)
    values = parse(files["run.json"])
    pictures = {name: _packed(files[name], _columns(name, values)) for name in picture_files(values)}
    for save in _savings(generation, values):
        if len(page := _page(values, pictures)) <= MAX_BYTES:
            return page
        save()
    return _page(values, pictures)


def _savings(generation: Generation, values: dict) -> Iterator[Callable[[], None]]:
    """What can be left out of `values`, the least missed first: attention maps of all candidates but the
    best, steps of all large pictures but the best, and of that one what the upscaler saw.
    """
    for worst in reversed(generation.ranking[1:]):
        yield partial(values["candidates"][worst.index]["files"].update, attention=[])
    for place, worst in enumerate(reversed(generation.upscaled_ranking), start=1):
        shown = values["upscaling"]["pictures"][worst.index]["files"]
        if place < len(generation.upscaled):
            yield partial(shown.pop, "x0")
        yield partial(shown.pop, "noisy")


def _files(run: str | os.PathLike) -> dict[str, bytes]:
    """Name -> content of the files of a run."""
    with tempfile.TemporaryDirectory() as scratch:
        packed = Path(scratch, "run.zip")
        run_folder.to_zip(run, packed)
        with zipfile.ZipFile(packed) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def _columns(name: str, values: dict) -> int:
    """How many steps lie side by side in the sheet of this name."""
    if name.endswith("/final.png"):
        return 1
    return len((values["upscaling"] if name.startswith("upscaled-") else values)["steps"])


def _packed(png: bytes, columns: int) -> tuple[str, int]:
    """The data: address of a sheet with its columns interleaved, and their number."""
    with Image.open(io.BytesIO(png)) as image:
        sheet = np.array(image)
    height, width = sheet.shape[:2]
    tiles = sheet.reshape(height, columns, width // columns, -1)
    interleaved = Image.fromarray(np.ascontiguousarray(tiles.swapaxes(1, 2)).reshape(sheet.shape))
    file = io.BytesIO()
    if max(interleaved.size) <= MAX_WEBP:
        interleaved.convert("RGB").save(file, "WEBP", lossless=True, quality=50, method=2)
        kind = "webp"
    else:
        interleaved.save(file, "PNG", optimize=True)
        kind = "png"
    return _address(f"image/{kind}", file.getvalue()), columns


def _page(values: dict, pictures: dict[str, tuple[str, int]]) -> bytes:
    data = {
        "run": _address("application/json", json.dumps(values).encode()),
        "pictures": {name: pictures[name] for name in picture_files(values)},
        "lessons": lessons(),
        "tour": tour(),
    }
    script = "\n".join([viewer_script(), _OPENER.read_text(encoding="utf-8")])
    style = viewer_style() + _STYLE
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; "
        "img-src data: blob:; connect-src data:; base-uri 'none'; form-action 'none'"
    )
    page = _PAGE.format(
        policy=policy,
        title=html.escape(_title(values["request"]["text"])),
        style=style,
        about=_about(values),
        # Without "<" nothing in it can end the script element that it stands in; the rest of it is ASCII.
        data=json.dumps(data).replace("<", "\\u003c"),
        script=script,
    )
    return page.encode()


def _about(values: dict) -> str:
    """What the page says about itself."""
    kept = sum(bool(candidate["files"]["attention"]) for candidate in values["candidates"])
    count = len(values["candidates"])
    large = values["upscaling"]["pictures"] if values["upscaling"] else []
    guesses, noisy = (sum(kind in picture["files"] for picture in large) for kind in ("x0", "noisy"))
    left_out = [f"attention maps of the best {kept} of the {count} candidates"] * (0 < kept < count)
    if noisy < len(large):
        left_out.append(f"the guesses of {guesses} and the noisy pictures of {noisy} large ones")
    small = f" To keep it small, it has {', and '.join(left_out)} only; the .zip of the run has all of them."
    return (
        "A recorded run of textdiff, a small image model that can write. All of it is in this file, which "
        f"loads nothing from elsewhere.{small if left_out else ''}"
    )


def _title(text: str) -> str:
    """The text on one line and cut short, without characters that are not seen but change how others are."""
    line = " ".join("".join(c if c.isprintable() or c.isspace() else "" for c in text).split())
    return f"textdiff: {line[:MAX_TITLE]}{'…' * (len(line) > MAX_TITLE)}" if line else "textdiff"


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _source(inline: str) -> str:
    """What names exactly this inline script or style sheet in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode('ascii')}'"
