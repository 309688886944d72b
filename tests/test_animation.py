"""The film of a run shows its steps, in their order, and stays at the last one."""

import io
from dataclasses import replace

import numpy as np
import pytest
from fakes import clean_levels, fake_generation, sprite_levels
from PIL import Image, ImageSequence

from textdiff.animation import GAP, SIDE, animated, frames
from textdiff.trajectory import Upscaled, UpscaledStep

TEXT = "Hi\nyou"


def played(film: bytes) -> tuple[list[np.ndarray], list[float]]:
    """The frames of a film as they are seen, and how long each stays, in milliseconds."""
    with Image.open(io.BytesIO(film)) as image:
        shown = [
            (np.array(frame.convert("RGB")), frame.info["duration"])
            for frame in ImageSequence.Iterator(image)
        ]
    return [picture for picture, _ in shown], [duration for _, duration in shown]


def test_a_frame_is_the_noisy_picture_beside_the_guess_magnified_with_hard_edges():
    film = frames(fake_generation(TEXT, candidates=3, steps=3, size=16))
    assert len(film) == 3
    for step, frame in enumerate(film):
        assert frame.shape == (SIDE, 2 * SIDE + GAP, 3)
        for name, left in [("noisy", 0), ("x0", SIDE + GAP)]:
            small = sprite_levels(name, TEXT, candidate=1, step=step, steps=3, size=16)  # 1 wins
            magnified = small.repeat(SIDE // 16, axis=0).repeat(SIDE // 16, axis=1)
            np.testing.assert_array_equal(frame[:, left : left + SIDE], magnified)


def test_the_film_of_another_candidate_can_be_asked_for():
    generation = fake_generation(TEXT, candidates=3, steps=2)
    film = frames(generation, candidate=2)
    np.testing.assert_array_equal(film[-1][::16, SIDE + GAP :: 16], clean_levels(TEXT, 2, 16))
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match="0 to 2"):
            frames(generation, candidate=wrong)


def test_the_film_of_a_large_picture_begins_with_the_candidate_that_it_enlarges():
    generation = fake_generation(TEXT, candidates=2, steps=3, size=16)
    large = np.full((32, 32, 3), 90, dtype=np.uint8)
    step = UpscaledStep(index=0, t=0.9, alpha=0.1, sigma=0.9, noisy=large, x0=large)
    best = generation.candidates[1]  # as good as which a candidate was repaired
    upscaled = Upscaled(
        index=0, source=0, seed=7, steps=(step,), final=large, reading=best.reading, verdict=best.verdict
    )
    drawn = replace(
        generation, upscaler="fake", upscaler_sha256="0" * 64, upscaled=(upscaled,), best_upscaled=0
    )
    film = frames(drawn)
    assert len(film) == 4 and len({frame.shape for frame in film}) == 1
    np.testing.assert_array_equal(film[2], frames(generation, candidate=0)[2])
    assert (film[3][:, :SIDE] == 90).all()


@pytest.mark.parametrize("format", ["apng", "webp"])
def test_a_lossless_film_plays_every_frame_as_it_was_and_holds_the_last(format):
    film = frames(fake_generation(TEXT, steps=4))
    shown, durations = played(animated(film, format, seconds=2))
    np.testing.assert_array_equal(shown, film)
    assert durations == [500, 500, 500, 2500]


def test_a_gif_is_close_to_the_frames_and_keeps_pixels_whole():
    film = frames(fake_generation(TEXT, steps=4))
    shown, durations = played(animated(film, "gif", seconds=2))
    assert durations == [500, 500, 500, 2500]
    for seen, frame in zip(shown, film, strict=True):
        assert np.abs(seen.astype(int) - frame).mean() < 6
        for side in (seen[:, :SIDE], seen[:, -SIDE:]):
            pixels = side.reshape(16, SIDE // 16, 16, SIDE // 16, 3)
            assert (pixels == pixels[:, :1, :, :1]).all()


@pytest.mark.parametrize("format", ["apng", "gif", "webp"])
def test_a_run_of_one_step_is_a_film_too(format):
    film = frames(fake_generation(TEXT, steps=1))
    with Image.open(io.BytesIO(animated(film, format))) as image:
        assert image.size == (2 * SIDE + GAP, SIDE)


def test_a_film_takes_a_sensible_time():
    film = frames(fake_generation(TEXT, steps=2))
    for seconds in (0, -1, 1e9, float("nan")):
        with pytest.raises(ValueError, match="0.1 to 60 seconds"):
            animated(film, "gif", seconds)
