"""Guidance at one moment is what the Denoiser answers there, whatever the scale."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import lively_checkpoint

from textdiff.experiments.guidance import guidance_at
from textdiff.experiments.replay import denoiser_for, picture, replayed
from textdiff.trajectory import Request

REQUEST = Request(text="Hi", candidates=2, seed=5, steps=4, guidance=2.0)
SCALES = (1, 1.5, 2.0, 8.0)


@pytest.fixture(scope="module")
def checkpoint():
    return lively_checkpoint()


@pytest.fixture(scope="module")
def moment(checkpoint):
    *_, moment = replayed(checkpoint, REQUEST, 1, 2)
    return moment


def answer(moment, text, guidance):
    return denoiser_for(moment.checkpoint, text, guidance)(moment.x_t, moment.t)


def test_every_scale_gives_what_the_denoiser_gives_at_that_scale(moment):
    guidance = guidance_at(moment, SCALES)
    assert guidance.scales == SCALES
    for scale, guided in zip(SCALES, guidance.guided, strict=True):
        expected = answer(moment, "Hi", scale)
        # Without guidance the Denoiser asks about one picture, not two, and where the network computes in
        # bfloat16 that shows.
        np.testing.assert_allclose(guided, picture(expected.x0), rtol=0, atol=0.05 if scale == 1 else 1e-5)
        if scale != 1:
            np.testing.assert_array_equal(guidance.without_text, picture(expected.x0_unconditional))
    assert not np.allclose(guidance.guided[0], guidance.guided[-1], atol=0.05)
    assert np.abs(guidance.guided[-1]).max() == 1  # clamped last, and here it has to be


def test_the_guess_with_the_text_is_scale_one(moment):
    guidance = guidance_at(moment, [1])
    assert np.array_equal(guidance.with_text, guidance.guided[0])
    assert not np.allclose(guidance.with_text, guidance.without_text, atol=1e-3)


def test_the_empty_text_is_asked_as_a_text_of_its_own(moment):
    guidance = guidance_at(moment, [2])
    assert np.array_equal(guidance.empty, picture(answer(moment, "", 1.0).x0))
    assert not np.allclose(guidance.empty, guidance.without_text, atol=1e-3)


def test_the_network_is_asked_twice_whatever_the_number_of_scales(checkpoint, moment):
    asked = []
    handle = checkpoint.network.register_forward_hook(lambda *args: asked.append(args))
    try:
        guidance_at(moment, [1 + scale / 8 for scale in range(32)])
    finally:
        handle.remove()
    assert len(asked) == 2  # with and without the text in one call, and with the empty text


def test_the_answers_say_which_step_they_belong_to_and_cannot_be_changed(moment):
    guidance = guidance_at(moment, [3])
    assert (guidance.step, guidance.t) == (2, moment.t)
    assert np.array_equal(guidance.noisy, picture(moment.x_t))
    assert guidance.alpha**2 + guidance.sigma**2 == pytest.approx(1)
    with pytest.raises(ValueError, match="read-only"):
        guidance.guided[0][...] = 0


def test_a_run_without_guidance_can_be_asked_too(checkpoint):
    *_, moment = replayed(checkpoint, replace(REQUEST, guidance=1.0), 0, 1)
    assert len(guidance_at(moment, SCALES).guided) == len(SCALES)


@pytest.mark.parametrize(
    ("scales", "words"),
    [([], "1 to 32"), ([2.0] * 33, "not 33"), ([0.5], "from 1 to 20"), ([float("nan")], "from 1 to 20")],
)
def test_bad_scales_get_one_sentence(moment, scales, words):
    with pytest.raises(ValueError, match=words):
        guidance_at(moment, scales)
