"""Pictures as arrays keep their levels and their places."""

import numpy as np
from PIL import Image

from textdiff import pixels


def flat(value: float, size: int = 4) -> np.ndarray:
    return np.full((size, size, 3), value, dtype=np.float32)


def test_black_is_0_white_is_255_and_what_lies_beyond_is_clipped():
    picture = np.array([[[-1, 0, 1], [-7, 0.5, 7]]], dtype=np.float32)
    assert pixels.to_uint8(picture).tolist() == [[[0, 128, 255], [0, 191, 255]]]


def test_every_8_bit_level_survives_the_way_to_floats_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert (pixels.to_uint8((levels / 127.5 - 1).astype(np.float32)) == levels).all()
    assert pixels.to_uint8(levels) is levels


def test_a_film_strip_places_pictures_row_by_row_with_white_gaps():
    strip = pixels.film_strip([flat(-1), flat(0), flat(-0.5)], columns=2, gap=3, scale=2)
    assert strip.shape == (8 + 3 + 8, 8 + 3 + 8, 3) and strip.dtype == np.uint8
    assert (strip[:8, :8] == 0).all()
    assert (strip[:8, 11:] == 128).all()
    assert (strip[11:, :8] == 64).all()
    assert (strip[8:11] == 255).all() and (strip[:, 8:11] == 255).all() and (strip[11:, 11:] == 255).all()


def test_a_film_strip_of_fewer_pictures_than_columns_is_as_wide_as_its_pictures():
    assert pixels.film_strip([flat(0), flat(0)], columns=9, gap=1).shape == (4, 9, 3)


def test_magnifying_repeats_pixels_and_invents_none():
    picture = np.random.default_rng(1).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    strip = pixels.film_strip([picture], columns=1, scale=4)
    expected = np.array(Image.fromarray(picture).resize((20, 12), Image.Resampling.NEAREST))
    assert (strip == expected).all()
