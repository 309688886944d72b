"""A Laboratory is a Writer that answers questions about the Writer's own runs."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import ReadsHi, lively_unet

from textdiff import writer as writer_module
from textdiff.checkpoints import Checkpoint
from textdiff.experiments.laboratory import Laboratory
from textdiff.experiments.records import Branch
from textdiff.trajectory import Request

REQUEST = Request(text="Hi", candidates=1, seed=5, steps=2, guidance=2.0, watch=False, readability=False)


@pytest.fixture
def laboratory(monkeypatch):
    monkeypatch.setattr(writer_module, "open_reader", lambda name, allow_download: ReadsHi())
    return Laboratory(Checkpoint(lively_unet(), "tiny", "5" * 64, {}))


def test_it_repeats_what_it_wrote_and_mutes_a_character(laboratory):
    *_, run = laboratory.write(REQUEST)
    assert run.model_sha256 == laboratory.sha256
    *_, comparison = laboratory.branched(Branch(of=REQUEST, candidate=0, step=0, muted=(1,)))
    assert np.array_equal(comparison.old.candidates[0].final, run.candidates[0].final)
    assert comparison.new.candidates[0].reading.text == "Hi"
    assert comparison.change.any()


def test_it_looks_into_a_step_of_what_it_wrote(laboratory):
    *progress, maps = laboratory.self_attention(REQUEST, 0, 1)
    assert len(progress) == 1 and maps.step == 1
    for layer, weights in zip(maps.layers, maps.weights, strict=True):
        assert weights.shape == (layer.heads, layer.resolution**2, layer.resolution**2)
    with pytest.raises(ValueError, match="step must be a whole number from 0 to 1"):
        next(laboratory.self_attention(REQUEST, 0, 2))


def test_it_answers_a_step_of_what_it_wrote_with_its_own_guess_among_the_scales(laboratory):
    *_, run = laboratory.write(REQUEST)
    *progress, guidance = laboratory.guided(REQUEST, 0, 1, [1, REQUEST.guidance])
    assert len(progress) == 1 and guidance.step == 1
    np.testing.assert_allclose(guidance.guided[1], run.candidates[0].steps[1].x0, atol=1e-4)


@pytest.mark.parametrize("probe", ["ddim_against_ddpm", "half_of_a_longer_run"])
def test_its_probes_begin_with_the_noise_of_what_it_wrote(laboratory, probe):
    *_, run = laboratory.write(REQUEST)
    *_, comparison = getattr(laboratory, probe)(REQUEST, 0)
    for other in (comparison.old, comparison.new):
        (candidate,) = other.candidates
        assert np.array_equal(candidate.steps[0].noisy, run.candidates[0].steps[0].noisy)
        assert len(candidate.steps) == REQUEST.steps


@pytest.mark.parametrize(
    ("change", "muted", "words"),
    [
        ({"seed": -1}, (1,), "Seed"),
        ({"steps": 251}, (1,), "Steps"),
        ({"guidance": float("inf")}, (1,), "Guidance"),
        ({"text": "é"}, (1,), "never seen"),
        ({}, (3,), "muted character"),
        ({}, (-1,), "muted character"),
        ({"text": ""}, (0,), "leave START"),
    ],
)
def test_a_question_that_cannot_be_gets_one_sentence(laboratory, change, muted, words):
    branch = Branch(of=replace(REQUEST, **change), candidate=0, step=0, muted=muted)
    with pytest.raises(ValueError, match=words):
        next(laboratory.branched(branch))
