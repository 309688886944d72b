"""Film strips show the same prompts every time; an upscaler's, what it was given and what it makes of it."""

import numpy as np
import torch
from oracles import lively_unet, lively_upscaler

from textdiff.denoiser import UPSCALER_GUIDANCE
from textdiff.training.film_strip import PROMPTS, SEED, draw, film_strip, upscaler_strip

SMALL = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_a_base_model_s_strip_has_every_prompt_that_it_can_take():
    fitting = [text for text in PROMPTS if len(text) <= 8 and text.count("\n") < 2]
    strip = film_strip(lively_unet())
    assert strip.shape == (2 * 16, len(fitting) * (2 * 16 + 2) - 2, 3)


def test_a_strip_may_have_other_prompts():
    strips = [film_strip(lively_unet(), prompts) for prompts in (["Hi"], ["Hi", "far too long"], ["yo"])]
    assert strips[0].shape == (2 * 16, 2 * 16, 3)
    assert np.array_equal(strips[0], strips[1]) and not np.array_equal(strips[0], strips[2])


def test_an_upscaler_s_strip_has_the_small_pictures_enlarged_above_the_large_ones():
    network = lively_upscaler()
    strip = upscaler_strip(network, SMALL, ["Hi", "yo"])
    assert strip.shape == (32 + 2 + 32, 32 + 2 + 32, 3)
    levels = np.rint((SMALL.permute(0, 2, 3, 1).numpy() + 1) * 127.5).astype(np.uint8)
    for k in range(2):
        columns = slice(34 * k, 34 * k + 32)
        assert np.array_equal(strip[:32:2, columns][:, ::2], levels[k])
        assert np.array_equal(strip[1:32:2, columns][:, 1::2], levels[k])
    large = draw(network, ["Hi", "yo"], [SEED, SEED + 1], 1, UPSCALER_GUIDANCE, shift=1.0, small=SMALL)
    assert np.array_equal(strip[34:, :32], large[0]) and np.array_equal(strip[34:, 34:], large[1])


def test_a_large_picture_comes_from_its_own_small_one():
    draws = [
        draw(lively_upscaler(), ["Hi", "Hi"], [1, 1], 2, 1.0, small=small) for small in (SMALL, SMALL.flip(0))
    ]
    assert not np.array_equal(draws[0][0], draws[0][1])
    assert np.abs(draws[0].astype(int) - draws[1][::-1]).max() <= 1
