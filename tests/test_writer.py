"""The writer answers a request with a Generation that says all that happened, and refuses in one sentence."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import IdealDenoiser, lively_checkpoint, lively_unet, lively_upscaler

from textdiff import writer as writer_module
from textdiff.checkpoints import Checkpoint
from textdiff.config import PRESETS
from textdiff.noise_schedule import cosine, level, shifted_cosine
from textdiff.trajectory import IMAGE_TO_TEXT, MAX_SEED, TEXT_TO_IMAGE, Generation, Reading, Request
from textdiff.writer import Progress, Writer

REQUEST = Request(text="Hi", candidates=3, seed=5, steps=4, guidance=2.0, readability=False)
LARGE = replace(REQUEST, upscaled=5, upscaler_steps=3, keep_only_if_above=2.0)


class ScriptedReader:
    """Reads one line of its script in each picture; by default "Hi" in every second one and else "Ho"."""

    name = "scripted 1"

    def __init__(self, small=("Ho", "Hi", "Ho"), large=("Ho",)):
        self.small, self.large = small, large
        self.batches = []

    def read(self, pictures):
        assert all(picture.dtype == np.uint8 for picture in pictures)
        self.batches.append(pictures)
        script = self.small if len(pictures[0]) == 16 else self.large
        return [Reading(text=script[k % len(script)], confidence=0.5) for k in range(len(pictures))]


@pytest.fixture(scope="module")
def tiny_checkpoint():
    return lively_checkpoint()


@pytest.fixture(scope="module")
def tiny_upscaler():
    return Checkpoint(lively_upscaler(), "tiny-upscaler", "1" * 64, {})


@pytest.fixture
def reader():
    return ScriptedReader()


@pytest.fixture
def readers(monkeypatch, reader):
    def open_reader(name, allow_download):
        if name == "easyocr":
            raise ValueError("EasyOCR has no weights here.")
        return reader

    monkeypatch.setattr(writer_module, "open_reader", open_reader)


@pytest.fixture
def writer(tiny_checkpoint, readers):
    return Writer(tiny_checkpoint)


@pytest.fixture
def cascade(tiny_checkpoint, tiny_upscaler, readers):
    return Writer(tiny_checkpoint, tiny_upscaler)


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
        ({"seed": -1}, "Seed"),
        ({"seed": MAX_SEED + 1}, "Seed"),
        ({"candidates": 0}, "Candidates"),
        ({"candidates": 17}, "Candidates"),
        ({"steps": 0}, "Steps"),
        ({"steps": 2.5}, "Steps"),
        ({"steps": 2.0}, "Steps"),
        ({"guidance": 0.5}, "Guidance"),
        ({"guidance": float("nan")}, "Guidance"),
        ({"candidates": 16, "steps": 200}, "at most 800"),
        ({"sampler": "euler"}, "euler"),
        ({"upscaled": 1}, "no upscaler"),
        ({"upscaled": -1}, "Large pictures"),
        ({"upscaled": 17}, "Large pictures"),
        ({"upscaler_steps": 0}, "Steps of the large pictures"),
        ({"upscaler_steps": 51}, "Steps of the large pictures"),
        ({"reader": "easyocr"}, "EasyOCR"),
    ],
)
def test_a_bad_request_gets_one_sentence(writer, change, words):
    sentence = writer.problem_with(replace(REQUEST, **change))
    assert words in sentence and sentence.endswith(".") and "\n" not in sentence
    with pytest.raises(ValueError, match=words):
        next(writer.write(replace(REQUEST, **change)))


def test_a_cascade_reports_both_rounds_then_the_generation(cascade):
    progress, generation = answer(cascade, LARGE)
    assert [(event.stage, event.step, event.steps) for event in progress] == [
        *(("denoising", step, 4) for step in (1, 2, 3, 4)),
        ("reading", 4, 4),
        *(("upscaling", step, 3) for step in (1, 2, 3)),
        ("reading", 3, 3),
    ]
    assert all(event.x0.shape == (5, 32, 32, 3) and event.x0.dtype == np.uint8 for event in progress[5:])
    assert (generation.upscaler, generation.upscaler_sha256) == ("tiny-upscaler", "1" * 64)
    assert not generation.stopped
    for picture in generation.upscaled:
        assert [step.index for step in picture.steps] == [0, 1, 2]
        assert np.array_equal(picture.final, picture.steps[-1].x0)


def test_a_pruned_candidate_is_never_upscaled(cascade, reader):
    reader.small = ("Ho", "xyz", "Hi")
    _, generation = answer(cascade, LARGE)
    assert [candidate.verdict.kept for candidate in generation.candidates] == [True, False, True]
    assert [picture.source for picture in generation.upscaled] == [2, 0, 2, 0, 2]
    _, generation = answer(cascade, replace(LARGE, keep_only_if_above=0.95))
    assert [picture.source for picture in generation.upscaled] == [2] * 5


def test_the_best_candidate_wins_where_every_large_picture_was_spoiled(cascade, reader):
    reader.large = ("xyz", "Ho", "xyz")
    _, generation = answer(cascade, LARGE)
    assert generation.best == 1 and generation.candidates[1].verdict.exact
    assert generation.best_upscaled == 1 and generation.winner is generation.candidates[1]
    assert [picture.verdict.kept for picture in generation.upscaled] == [False, True, False, False, False]


def test_large_pictures_have_noise_of_their_own(cascade):
    _, generation = answer(cascade, LARGE)
    seeds = [one.seed for one in (*generation.candidates, *generation.upscaled)]
    assert len(set(seeds)) == len(seeds)
    noises = [picture.steps[0].noisy.tobytes() for picture in generation.upscaled]
    assert len(set(noises)) == 5


def test_a_large_picture_depends_on_its_seed_and_its_source_alone(cascade):
    chosen = replace(LARGE, keep_only_if_above=0.95)  # all of them enlarge candidate 1
    _, many = answer(cascade, chosen)
    _, alone = answer(cascade, replace(chosen, candidates=1, upscaled=1, seed=chosen.seed + 1))
    (picture,), same = alone.upscaled, many.upscaled[1]
    assert picture.seed == same.seed and np.array_equal(alone.candidates[0].final, many.candidates[1].final)
    for one, other in zip(picture.steps, same.steps, strict=True):
        assert np.array_equal(one.noisy, other.noisy) and np.array_equal(one.x0, other.x0)
    assert not np.array_equal(same.final, many.upscaled[2].final)


def test_the_upscaler_is_asked_about_the_final_picture_of_the_source(cascade, tiny_upscaler, monkeypatch):
    asked = []

    def forward(x, t, ids, small, small_t):
        asked.append((small, small_t))
        return torch.zeros_like(x)

    monkeypatch.setattr(tiny_upscaler.network, "forward", forward)
    _, generation = answer(cascade, replace(LARGE, upscaled=2))
    rows = [row for small, _ in asked for row in small]  # in one batch or one by one
    given = [((small.permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8) for small in rows]
    assert len(given) == 2 * 3  # pictures, steps; unguided, nobody asks without the text
    for large in generation.upscaled:
        final = generation.candidates[large.source].final
        assert sum(np.array_equal(small, final) for small in given) == 3
    assert not any(small_t.any() for _, small_t in asked)


@pytest.mark.parametrize("sampler", ["ddim", "dpm++2m", "ddpm"])
def test_with_an_ideal_denoiser_the_large_picture_is_the_ideal_one(cascade, monkeypatch, sampler):
    ideal = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(3)).round() * 2 - 1
    real = writer_module.denoiser_for

    def denoiser(network, text, count, guidance, small=None, **options):
        if small is None:
            return real(network, text, count, guidance, **options)
        return IdealDenoiser(ideal[None], cosine)

    monkeypatch.setattr(writer_module, "denoiser_for", denoiser)
    _, generation = answer(cascade, replace(LARGE, sampler=sampler))
    levels = (ideal.permute(1, 2, 0).numpy() + 1) * 127.5
    for picture in generation.upscaled:
        np.testing.assert_allclose(picture.final, levels, atol=0.51)


def test_stopping_in_the_upscaler_keeps_what_there_is_within_one_step(cascade):
    answers = iter([False] * 4 + [True])  # three steps of the base, once before the upscaler, one of its own
    progress, generation = answer(cascade, LARGE, should_stop=lambda: next(answers))
    assert generation.stopped
    assert [len(candidate.steps) for candidate in generation.candidates] == [4] * 3
    assert [len(picture.steps) for picture in generation.upscaled] == [1] * 5
    assert generation.best_upscaled in range(5)
    assert [event.stage for event in progress[-2:]] == ["upscaling", "reading"]


def test_stopping_before_the_upscaler_begins_leaves_the_candidates(cascade):
    for said in ([False, True], [False] * 3 + [True]):
        answers = iter(said)
        _, generation = answer(cascade, LARGE, should_stop=lambda answers=answers: next(answers))
        assert generation.stopped and generation.upscaled == () and generation.upscaler is None
        assert generation.winner is generation.candidates[1]


def test_without_large_pictures_the_upscaler_stays_out_of_it(cascade, writer):
    (_, ours), (_, theirs) = answer(cascade, REQUEST), answer(writer, REQUEST)
    assert ours.upscaled == () and ours.upscaler is None and ours.best_upscaled is None
    assert np.array_equal(ours.candidates[2].steps[-1].x0, theirs.candidates[2].steps[-1].x0)


def test_the_guess_at_every_step_of_the_best_candidate_is_read_in_one_batch(writer, reader):
    reader.small = ("Ho", "Hi", "")
    _, generation = answer(writer, replace(REQUEST, readability=True))
    small, read = reader.batches
    assert len(small) == 3 and len(read) == 4
    best = generation.candidates[1]
    for picture, step in zip(read, best.steps, strict=True):
        assert np.array_equal(picture, np.rint((step.x0 + 1) * 127.5).astype(np.uint8))
    assert [reading.text for reading in best.readability] == ["Ho", "Hi", "", "Ho"]
    assert [reading.right for reading in best.readability] == [
        (True, False),
        (True, True),
        (False, False),
        (True, False),
    ]
    assert [round(reading.similarity, 3) for reading in best.readability] == [0.143, 1.0, 0.0, 0.143]
    assert generation.candidates[0].readability == generation.candidates[2].readability == ()


def test_a_stopped_run_is_not_read_step_by_step(writer, reader):
    _, generation = answer(writer, replace(REQUEST, readability=True), should_stop=lambda: True)
    assert len(reader.batches) == 1 and generation.candidates[1].readability == ()


def test_the_recorded_levels_are_those_of_the_model_s_own_schedule(readers, tiny_upscaler):
    def shifted(preset, shift):
        return replace(PRESETS[preset].model, log_snr_shift=shift)

    base = Checkpoint(lively_unet(shifted("tiny", -1.4)), "shifted", "0" * 64, {})
    upscaler = Checkpoint(lively_upscaler(shifted("tiny-upscaler", 0.7)), "large", "1" * 64, {})
    _, generation = answer(Writer(base, upscaler), LARGE)
    for picture, schedule in (
        (generation.candidates[0], shifted_cosine(-1.4)),
        (generation.upscaled[0], upscaler.network.schedule),
    ):
        for step in picture.steps:
            assert (step.alpha, step.sigma) == level(schedule, step.t)


def test_models_that_do_not_fit_each_other_are_refused_in_one_sentence(tiny_checkpoint, tiny_upscaler):
    size = Checkpoint(lively_unet(replace(PRESETS["tiny"].model, image_size=32)), "large", "", {})
    texts = replace(PRESETS["tiny-upscaler"].model, max_characters=4)
    short = Checkpoint(lively_upscaler(texts), "short", "", {})
    for pair, words in (
        ((tiny_upscaler, None), "cannot begin"),
        ((tiny_checkpoint, tiny_checkpoint), "not an upscaler for pictures of 16 pixels"),
        ((size, tiny_upscaler), "not an upscaler for pictures of 32 pixels"),
        ((tiny_checkpoint, short), "shorter texts"),
    ):
        with pytest.raises(ValueError, match=words) as refused:
            Writer(*pair)
        assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_the_limits_say_how_large_a_picture_can_be(cascade, writer):
    assert (writer.limits.large_size, cascade.limits.large_size) == (None, 32)


def test_the_speed_is_rehearsed_before_the_first_run_and_learnt_from_every_other(
    tiny_checkpoint, cascade, readers
):
    assert Writer(tiny_checkpoint).speed().large is None
    measured = cascade.speed()
    assert measured.small > 0 and measured.large > 0
    assert cascade.speed() is measured
    answer(cascade, LARGE)
    learnt = cascade.speed()
    assert learnt.small != measured.small and learnt.large != measured.large


def test_many_who_ask_for_the_speed_at_once_wait_for_one_rehearsal(cascade, readers):
    with ThreadPoolExecutor(4) as visitors:
        speeds = list(visitors.map(lambda _: cascade.speed(), range(4)))
    assert all(speed is speeds[0] for speed in speeds)


def test_after_the_rehearsal_the_reader_is_open(writer, monkeypatch):
    writer.speed()
    monkeypatch.setattr(writer_module, "open_reader", None)
    assert writer.problem_with(Request(text="Hi")) is None
