"""A run made again is the run, bit by bit: the Writer is the oracle."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import ReadsHi, lively_checkpoint

from textdiff import writer as writer_module
from textdiff.experiments.replay import alone, picture, replayed
from textdiff.samplers import STEP_RULES
from textdiff.trajectory import MAX_SEED, Request
from textdiff.writer import Writer

REQUEST = Request(text="Hi", candidates=3, seed=5, steps=4, guidance=2.0)


@pytest.fixture(scope="module")
def checkpoint():
    return lively_checkpoint()


@pytest.fixture
def writer(checkpoint, monkeypatch):
    monkeypatch.setattr(writer_module, "open_reader", lambda name, allow_download: ReadsHi())
    return Writer(checkpoint)


@pytest.mark.parametrize("sampler", STEP_RULES)
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_moment_is_that_of_the_original_run_bit_by_bit(writer, checkpoint, sampler, guidance):
    request = replace(REQUEST, sampler=sampler, guidance=guidance)
    *_, generation = writer.write(request)
    steps = generation.candidates[2].steps
    for step in (0, 1, 3):
        *_, moment = replayed(checkpoint, request, 2, step)
        assert (moment.step, moment.t) == (step, steps[step].t)
        assert np.array_equal(picture(moment.x_t), steps[step].noisy)
        if step == 0:
            assert moment.before is None
        else:
            assert np.array_equal(picture(moment.before.belief.x0), steps[step - 1].x0)
            assert np.array_equal(picture(moment.before.belief.eps), steps[step - 1].eps)
            assert moment.before.t == steps[step - 1].t


def test_the_request_for_a_candidate_alone_gives_that_candidate(writer):
    *_, batch = writer.write(REQUEST)
    *_, one = writer.write(alone(REQUEST, 1))
    assert np.array_equal(one.candidates[0].final, batch.candidates[1].final)
    assert one.candidates[0].seed == batch.candidates[1].seed


def test_going_to_a_step_asks_the_network_once_per_step_before_it(checkpoint):
    asked = []
    handle = checkpoint.network.register_forward_hook(lambda *_: asked.append(1))
    try:
        *progress, _ = replayed(checkpoint, REQUEST, 0, 3)
    finally:
        handle.remove()
    assert len(asked) == 3
    assert [(event.stage, event.step, event.steps) for event in progress] == [
        ("denoising", step, 3) for step in (1, 2, 3)
    ]
    assert all(event.x0.shape == (1, 16, 16, 3) and event.x0.dtype == np.uint8 for event in progress)


@pytest.mark.parametrize(
    ("change", "candidate", "step", "words"),
    [
        ({}, 3, 0, "candidate must be a whole number from 0 to 2"),
        ({}, -1, 0, "candidate"),
        ({}, 0, 4, "step must be a whole number from 0 to 3"),
        ({}, 0, 1.5, "step"),
        ({"text": "x" * 9}, 0, 0, "9 characters"),
        ({"seed": MAX_SEED + 1}, 0, 0, "Seed"),
        ({"steps": 0}, 0, 0, "Steps"),
        ({"candidates": 17}, 0, 0, "Candidates"),
        ({"guidance": float("nan")}, 0, 0, "Guidance"),
        ({"sampler": "euler"}, 0, 0, "euler"),
    ],
)
def test_a_moment_that_cannot_be_gets_one_sentence(checkpoint, change, candidate, step, words):
    with pytest.raises(ValueError, match=words) as caught:
        next(replayed(checkpoint, replace(REQUEST, **change), candidate, step))
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
