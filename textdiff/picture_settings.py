"""A picture that knows how it was made: a PNG with the request in its text, and the request read back.

The text is an iTXt chunk with the key "textdiff", which holds JSON:
{"format": 1, "request": {...}, "model": {"name": ..., "sha256": ...}}.
"""

import dataclasses
import io
import json
import os
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from textdiff.request_rules import checked
from textdiff.trajectory import Generation, Request

KEY, FORMAT = "textdiff", 1
MAX_BYTES = 2**20  # of the file; Pillow bounds what a compressed text in it may grow to
MAX_SETTINGS = 2**16  # characters


def picture_with_settings(generation: Generation) -> bytes:
    """The winning picture as the bytes of a PNG, pixel by pixel, with the settings that made it.

    Raises ValueError with one sentence when no settings do.
    """
    if generation.origin is not None:
        raise ValueError("This run left another one on its way, and no settings give it again.")
    settings = {
        "format": FORMAT,
        "request": dataclasses.asdict(generation.request),
        "model": {"name": generation.model, "sha256": generation.model_sha256},
    }
    text = PngInfo()
    text.add_itxt(KEY, json.dumps(settings))
    file = io.BytesIO()
    Image.fromarray(generation.winner.final).save(file, "PNG", optimize=True, pnginfo=text)
    return file.getvalue()


def read_settings(file: str | os.PathLike) -> Request:
    """The request that a picture of `picture_with_settings` carries. No pixel is decoded.

    Raises ValueError with one sentence for whatever else the file may be.
    """
    file = Path(file)
    if not file.is_file() or file.stat().st_size > MAX_BYTES:
        raise ValueError("This is no picture of textdiff: those are PNG files of at most 1 MB.")
    try:
        with Image.open(file, formats=["PNG"]) as image:
            text = image.info.get(KEY)
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:  # Pillow raises all of these, the last one where warnings are errors
        raise ValueError("This is no picture of textdiff, or a damaged one: it is not a PNG.") from error
    if not isinstance(text, str):
        raise ValueError(
            "This picture does not say how it was made; many programs drop that when they save a picture."
        )
    return _request(text)


def _request(text: str) -> Request:
    try:
        settings = json.loads(text) if len(text) <= MAX_SETTINGS else None
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict) or settings.keys() != {"format", "request", "model"}:
        raise ValueError("The settings in this picture cannot be read.")
    if settings["format"] != FORMAT or not isinstance(settings["request"], dict):
        raise ValueError(f"The settings in this picture are not in format {FORMAT}, which is read here.")
    try:
        return checked(settings["request"])
    except ValueError as problem:
        raise ValueError(f"The settings in this picture cannot be used. {problem}") from problem
