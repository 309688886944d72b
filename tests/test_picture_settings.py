"""A picture carries its settings, and whatever else is handed in gets one sentence."""

import io
import json
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from fakes import fake_generation
from hostile import HOSTILE
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from textdiff.picture_settings import MAX_BYTES, picture_with_settings, read_settings
from textdiff.request_rules import MAX_CHARACTERS
from textdiff.trajectory import Request

REQUEST = Request(text="Hi\nyou", candidates=3, seed=11, steps=5, guidance=4.5, sampler="ddim", watch=False)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "picture.png"


def png(*chunks: tuple[bytes, bytes], size: tuple[int, int] = (4, 4)) -> bytes:
    """A black grey-level PNG with these chunks before its pixels."""
    pixels = zlib.compress(bytes(min(size[1], 9) * (1 + min(size[0], 9))))
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    whole = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in whole
    )


def itxt(text: bytes) -> tuple[bytes, bytes]:
    return b"iTXt", b"textdiff\0\0\0\0\0" + text


def settings(**changes) -> bytes:
    return json.dumps({"format": 1, "request": {"text": "Hi"}, "model": {}} | changes).encode()


@pytest.mark.parametrize("request_", [Request(text=""), REQUEST, replace(REQUEST, text="né ↵ 文\t")])
def test_what_made_a_picture_is_read_from_it(file, request_):
    generation = replace(fake_generation(), request=request_)
    file.write_bytes(picture_with_settings(generation))
    assert read_settings(file) == request_
    with Image.open(file) as image:
        np.testing.assert_array_equal(np.array(image), generation.winner.final)
        assert json.loads(image.text["textdiff"])["model"] == {"name": "fake", "sha256": "0" * 64}


@pytest.mark.parametrize("text", [text for text in HOSTILE if len(text) <= MAX_CHARACTERS])
def test_a_hostile_text_comes_back_as_the_text_it_is(file, text):
    file.write_bytes(picture_with_settings(replace(fake_generation(), request=Request(text=text))))
    assert read_settings(file).text == text


def test_settings_of_an_older_textdiff_are_filled_up_with_defaults(file):
    file.write_bytes(png(itxt(settings(request={"text": "Hi", "seed": 8}))))
    assert read_settings(file) == Request(text="Hi", seed=8)


BOMB = zlib.compress(bytes(50_000_000), 9)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "not a PNG"),
        (b"GIF89a" + bytes(100), "not a PNG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a PNG"),
        (png(size=(60_000, 60_000)), "not a PNG"),
        (bytes(MAX_BYTES + 1), "at most 1 MB"),
        (png(), "does not say how it was made"),
        (png((b"tEXt", b"Comment\0textdiff")), "does not say how it was made"),
        (png((b"zTXt", b"textdiff\0\0" + BOMB)), "not a PNG"),
        (png((b"iTXt", b"textdiff\0\1\0\0\0" + BOMB)), "not a PNG"),
        (png((b"iCCP", b"textdiff\0\0" + BOMB)), "not a PNG"),
        (png(itxt(b" " * 900_000 + settings())), "cannot be read"),
        (png(itxt(b"{")), "cannot be read"),
        (png(itxt(b"[" * 50_000)), "cannot be read"),
        (png(itxt(b"9" * 60_000)), "cannot be read"),
        (png(itxt(b"[]")), "cannot be read"),
        (png(itxt(b'{"format": 1}')), "cannot be read"),
        (png(itxt(settings(format=2))), "not in format 1"),
        (png(itxt(settings(request=["text"]))), "not in format 1"),
        (png(itxt(settings(request={}))), "needs a text"),
        (png(itxt(settings(request={"text": "Hi", "steps": 10**9}))), "Steps must be"),
    ],
)
def test_anything_else_gets_one_sentence(file, content, sentence):
    file.write_bytes(content)
    with pytest.raises(ValueError, match=sentence) as refusal:
        read_settings(file)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


def test_what_is_no_file_gets_the_same_sentence(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.png"):
        with pytest.raises(ValueError, match="PNG files"):
            read_settings(path)


def test_a_damaged_picture_is_refused_or_read_but_never_fails_otherwise(file):
    whole, rng, refused = picture_with_settings(fake_generation()), np.random.default_rng(5), 0
    for _ in range(150):
        damaged = bytearray(whole)
        for position in rng.integers(0, len(whole), 3):
            damaged[position] = rng.integers(0, 256)
        file.write_bytes(damaged)
        try:
            read_settings(file)
        except ValueError:
            refused += 1
    assert refused > 50


def test_a_picture_saved_again_by_another_program_is_not_taken_for_ours(file):
    with Image.open(io.BytesIO(picture_with_settings(fake_generation()))) as image:
        image.save(file, "PNG", pnginfo=PngInfo())
    with pytest.raises(ValueError, match="many programs drop that"):
        read_settings(file)
