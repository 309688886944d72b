"""The writer answers a request with a Generation that says all that happened, and refuses in one sentence."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import lively_unet

from textdiff import writer as writer_module
from textdiff.checkpoints import Checkpoint
from textdiff.trajectory import IMAGE_TO_TEXT, MAX_SEED, TEXT_TO_IMAGE, Generation, Reading, Request
from textdiff.writer import Progress, Writer

REQUEST = Request(text="Hi", candidates=3, seed=5, steps=4, guidance=2.0)


class ScriptedReader:
    """Reads "Hi" in the second picture of a batch and misreads the others."""

    name = "scripted 1"

    def read(self, pictures):
        assert all(picture.dtype == np.uint8 for picture in pictures)
        return [Reading(text="Hi" if k == 1 else "Ho", confidence=0.5) for k in range(len(pictures))]


@pytest.fixture(scope="module")
def tiny_checkpoint():
    return Checkpoint(lively_unet(), "tiny", "0" * 64, {})


@pytest.fixture
def writer(tiny_checkpoint, monkeypatch):
    def open_reader(name, allow_download):
        if name == "easyocr":
            raise ValueError("EasyOCR has no weights here.")
        return ScriptedReader()

    monkeypatch.setattr(writer_module, "open_reader", open_reader)
    return Writer(tiny_checkpoint)


def answer(writer, request, **options) -> tuple[list[Progress], Generation]:
    *progress, generation = writer.write(request, **options)
    return progress, generation


def test_a_run_reports_every_step_then_the_reading_then_the_generation(writer):
    progress, generation = answer(writer, REQUEST)
    assert [(event.stage, event.step) for event in progress] == [
        ("denoising", 1),
        ("denoising", 2),
        ("denoising", 3),
        ("denoising", 4),
        ("reading", 4),
    ]
    assert all(event.x0.shape == (3, 16, 16, 3) and event.x0.dtype == np.uint8 for event in progress)
    assert [len(candidate.steps) for candidate in generation.candidates] == [4, 4, 4]
    assert not generation.stopped


def test_the_best_reading_wins_and_the_reader_is_named(writer):
    _, generation = answer(writer, REQUEST)
    assert generation.best == 1
    assert generation.ranking[0].index == 1
    assert generation.candidates[1].verdict.exact
    assert not generation.candidates[0].verdict.kept  # 0.143 while another reaches 0.95
    assert generation.reader == "scripted 1"


def test_the_final_picture_is_the_last_guess_at_the_clean_picture(writer):
    _, generation = answer(writer, REQUEST)
    candidate = generation.candidates[2]
    levels = np.rint((candidate.steps[-1].x0 + 1) * 127.5)
    assert np.array_equal(candidate.final, levels.astype(np.uint8))


def test_a_step_is_signal_plus_noise(writer):
    _, generation = answer(writer, REQUEST)
    step = generation.candidates[0].steps[1]
    assert np.allclose(step.noisy, step.alpha * step.x0 + step.sigma * step.eps, atol=1e-5)


def test_the_same_request_gives_the_same_bits_twice(writer):
    (_, first), (_, second) = answer(writer, REQUEST), answer(writer, REQUEST)
    for one, other in zip(first.candidates, second.candidates, strict=True):
        assert np.array_equal(one.final, other.final)
        assert all(np.array_equal(a.x0, b.x0) for a, b in zip(one.steps, other.steps, strict=True))


def test_a_candidate_alone_is_the_candidate_in_the_batch(writer):
    _, batch = answer(writer, REQUEST)
    _, alone = answer(writer, replace(REQUEST, candidates=1, seed=REQUEST.seed + 2))
    assert alone.candidates[0].seed == batch.candidates[2].seed
    assert np.array_equal(alone.candidates[0].steps[-1].x0, batch.candidates[2].steps[-1].x0)


def test_watching_keeps_both_directions_of_every_layer_and_changes_no_bit(writer):
    _, watched = answer(writer, REQUEST)
    _, unwatched = answer(writer, replace(REQUEST, watch=False))
    assert {layer.direction for layer in watched.layers} == {TEXT_TO_IMAGE, IMAGE_TO_TEXT}
    for layer, weights in zip(watched.layers, watched.candidates[0].steps[0].attention, strict=True):
        assert weights.shape == (layer.heads, layer.resolution**2, 1 + len(REQUEST.text))
        axis = 2 if layer.direction == TEXT_TO_IMAGE else 1
        assert np.allclose(weights.sum(axis=axis), 1, atol=1e-4)
    assert unwatched.layers == () and unwatched.candidates[0].steps[0].attention == ()
    assert np.array_equal(watched.candidates[0].steps[-1].x0, unwatched.candidates[0].steps[-1].x0)


def test_without_guidance_there_is_no_unconditional_guess(writer):
    _, generation = answer(writer, replace(REQUEST, guidance=1.0))
    assert generation.candidates[0].steps[0].x0_unconditional is None


def test_stopping_keeps_what_there_is_and_says_so(writer):
    answers = iter([False, True])
    _, generation = answer(writer, REQUEST, should_stop=lambda: next(answers))
    assert generation.stopped
    assert len(generation.candidates[0].steps) == 2
    assert generation.ranking[0].index == 1


def test_the_empty_text_is_allowed(writer):
    _, generation = answer(writer, replace(REQUEST, text="", candidates=1))
    assert generation.candidates[0].final.shape == (16, 16, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text": "x" * 9}, "9 characters"),
        ({"text": "a\nb\nc"}, "3 lines"),
        ({"text": "né"}, "never seen"),
        ({"seed": -1}, "seed"),
        ({"seed": MAX_SEED + 1}, "seed"),
        ({"candidates": 0}, "candidates"),
        ({"candidates": 17}, "candidates"),
        ({"steps": 0}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"guidance": 0.5}, "guidance"),
        ({"guidance": float("nan")}, "guidance"),
        ({"candidates": 16, "steps": 200}, "at most 800"),
        ({"sampler": "euler"}, "euler"),
        ({"reader": "easyocr"}, "EasyOCR"),
    ],
)
def test_a_bad_request_gets_one_sentence(writer, change, words):
    sentence = writer.problem_with(replace(REQUEST, **change))
    assert words in sentence and sentence.endswith(".") and "\n" not in sentence
    with pytest.raises(ValueError, match=words):
        next(writer.write(replace(REQUEST, **change)))
