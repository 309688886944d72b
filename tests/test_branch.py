"""A branch is the other run up to its step, and what the Writer would do from there on."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import lively_checkpoint

from textdiff import run_folder, run_loading
from textdiff import writer as writer_module
from textdiff.experiments.branch import branched, ddim_against_ddpm, half_of_a_longer_run
from textdiff.experiments.records import Branch, Comparison
from textdiff.samplers import STEP_RULES
from textdiff.trajectory import TEXT_TO_IMAGE, Generation, Reading, Request, Step
from textdiff.writer import Writer

REQUEST = Request(text="Hi", candidates=3, seed=5, steps=4, guidance=2.0)


class Reader:
    """Reads "Ho" in every picture."""

    name = "scripted 1"

    def read(self, pictures):
        assert all(picture.dtype == np.uint8 for picture in pictures)
        return [Reading(text="Ho", confidence=0.5) for _ in pictures]


@pytest.fixture(scope="module")
def checkpoint():
    return lively_checkpoint()


@pytest.fixture
def written(checkpoint, monkeypatch):
    """What the Writer makes of a request."""
    monkeypatch.setattr(writer_module, "open_reader", lambda name, allow_download: Reader())
    return lambda request: list(Writer(checkpoint).write(request))[-1]


def branch_off(checkpoint, step=2, of=REQUEST, **changes) -> Comparison:
    *_, comparison = branched(checkpoint, Branch(of=of, candidate=1, step=step, **changes), Reader())
    return comparison


def test_what_a_branch_says_of_itself_is_enough_to_make_it_again(checkpoint, tmp_path):
    changes = {"text": "Ho!", "guidance": 4.0, "sampler": "ddim", "eta": 0.5, "seed": 11, "muted": (1,)}
    new = branch_off(checkpoint, **changes).new
    run_folder.save(new, tmp_path / "branch")
    loaded = run_loading.load(tmp_path / "branch")
    request, origin = loaded.request, loaded.origin
    again = Branch(
        of=replace(request, text=origin.text, guidance=origin.guidance, sampler=origin.sampler),
        candidate=0,
        step=origin.step,
        **{name: getattr(request, name) for name in ("text", "guidance", "sampler")},
        **{name: getattr(origin, name) for name in ("seed", "eta", "muted")},
    )
    *_, comparison = branched(checkpoint, again, Reader())
    assert origin == comparison.new.origin and comparison.old.origin is None
    assert all(map(equal, steps_of(new), steps_of(comparison.new)))


def steps_of(generation: Generation) -> tuple[Step, ...]:
    (candidate,) = generation.candidates
    return candidate.steps


def equal(one: Step, other: Step) -> bool:
    """Whether two steps are the same bit by bit."""
    names = ("index", "t", "alpha", "sigma", "noisy", "x0", "eps", "x0_unconditional")
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    pairs += zip(one.attention, other.attention, strict=True)
    return all(np.array_equal(*pair) for pair in pairs)


def differ(one: Step, other: Step) -> bool:
    """Whether the guesses of two steps differ by more than rounding."""
    return not np.allclose(one.x0, other.x0, atol=1e-3)


@pytest.mark.parametrize("sampler", STEP_RULES)
@pytest.mark.parametrize("step", [0, 2, 3])
def test_a_branch_that_changes_nothing_is_the_run_bit_by_bit(written, checkpoint, sampler, step):
    request = replace(REQUEST, sampler=sampler)
    original = written(request).candidates[1]
    comparison = branch_off(checkpoint, step, request)
    for generation in (comparison.old, comparison.new):
        assert all(map(equal, steps_of(generation), original.steps))
        assert np.array_equal(generation.candidates[0].final, original.final)
    assert comparison.change.shape == (16, 16) and not comparison.change.any()


@pytest.mark.parametrize(
    "change", [{"text": "yo"}, {"text": "longer"}, {"text": ""}, {"guidance": 4.0}, {"sampler": "ddpm"}]
)
def test_a_branch_at_the_first_step_is_the_run_of_the_changed_request(written, checkpoint, change):
    comparison = branch_off(checkpoint, 0, **change)
    original = written(replace(REQUEST, **change)).candidates[1]
    assert all(map(equal, steps_of(comparison.new), original.steps))
    assert comparison.new.candidates[0].verdict.similarity == original.verdict.similarity


@pytest.mark.parametrize("change", [{"text": "yo"}, {"guidance": 4.0}, {"muted": (2,)}])
def test_a_changed_question_is_asked_from_the_step_on(checkpoint, change):
    comparison = branch_off(checkpoint, 2, **change)
    old, new = steps_of(comparison.old), steps_of(comparison.new)
    assert len(new) == 4
    assert np.array_equal(old[2].noisy, new[2].noisy)
    assert differ(old[2], new[2]) and differ(old[3], new[3])


@pytest.mark.parametrize(
    "change", [{"sampler": "ddpm"}, {"sampler": "ddim", "eta": 0.5}, {"sampler": "dpm++2m"}]
)
def test_a_changed_rule_leads_elsewhere_from_the_step_on(checkpoint, change):
    comparison = branch_off(checkpoint, 2, **change)
    old, new = steps_of(comparison.old), steps_of(comparison.new)
    assert equal(old[2], new[2])  # the same question, and so the same answer
    assert differ(old[3], new[3])


def test_a_rule_that_takes_over_goes_by_its_own_steps_alone(checkpoint):
    """The first step of 2M and of UniPC is DDIM's, and so it is where they begin in the middle of a run."""
    of = replace(REQUEST, sampler="ddim")
    taken_over, went_on = (steps_of(branch_off(checkpoint, 2, of, sampler=s).new) for s in ("unipc", None))
    np.testing.assert_allclose(taken_over[3].noisy, went_on[3].noisy, atol=1e-5)


def test_the_steps_before_are_the_same_objects(checkpoint):
    comparison = branch_off(checkpoint, 2, sampler="ddpm")
    assert steps_of(comparison.new)[0] is steps_of(comparison.old)[0]
    assert steps_of(comparison.new)[1] is steps_of(comparison.old)[1]


def test_ddim_with_eta_one_goes_on_with_the_noise_of_ddpm_and_gets_where_that_gets(checkpoint):
    comparison = branch_off(checkpoint, 1, replace(REQUEST, sampler="ddpm"), sampler="ddim", eta=1.0)
    for old, new in zip(steps_of(comparison.old), steps_of(comparison.new), strict=True):
        np.testing.assert_allclose(new.noisy, old.noisy, atol=0.05)  # bfloat16 makes rounding larger
    assert not np.array_equal(steps_of(comparison.old)[2].noisy, steps_of(comparison.new)[2].noisy)


def test_another_seed_changes_the_noise_that_is_still_to_come(checkpoint):
    ancestral = replace(REQUEST, sampler="ddpm")
    comparison = branch_off(checkpoint, 1, ancestral, seed=99)
    old, new = steps_of(comparison.old), steps_of(comparison.new)
    assert all(map(equal, old[:2], new[:2]))
    assert differ(old[3], new[3]) and not comparison.note
    again = branch_off(checkpoint, 1, ancestral, seed=99)
    assert all(map(equal, new, steps_of(again.new)))


def test_a_seed_stands_for_the_noise_that_its_own_run_draws_on_the_way(checkpoint):
    """So the candidate's own seed changes nothing at the first step, and no noise is drawn twice."""
    comparison = branch_off(checkpoint, 0, replace(REQUEST, sampler="ddpm"), seed=REQUEST.seed + 1)
    assert all(map(equal, steps_of(comparison.old), steps_of(comparison.new)))


@pytest.mark.parametrize(
    ("sampler", "step", "change", "words"),
    [
        ("dpm++2m", 1, {}, "The sampler dpm++2m draws no noise"),
        ("ddim", 1, {}, "The sampler ddim with eta 0 draws no noise"),
        ("ddpm", 1, {"sampler": "ddim"}, "ddim with eta 0"),
        ("ddpm", 3, {}, "last step adds no noise"),
    ],
)
def test_where_another_seed_cannot_matter_the_result_says_so_and_it_does_not(
    checkpoint, sampler, step, change, words
):
    of = replace(REQUEST, sampler=sampler)
    seeded = branch_off(checkpoint, step, of, seed=99, **change)
    unseeded = branch_off(checkpoint, step, of, **change)
    assert words in seeded.note and seeded.note.endswith(".")
    assert all(map(equal, steps_of(seeded.new), steps_of(unseeded.new)))


@pytest.mark.parametrize("token", [0, 2])  # the null prompt has a token 0, too
def test_a_muted_token_gets_no_attention_and_only_the_half_with_the_text_changes(checkpoint, token):
    comparison = branch_off(checkpoint, 2, muted=(token,))
    old, new = steps_of(comparison.old), steps_of(comparison.new)
    assert np.array_equal(old[2].x0_unconditional, new[2].x0_unconditional)
    assert differ(old[2], new[2])
    for layer, before, after in zip(comparison.new.layers, new[1].attention, new[2].attention, strict=True):
        if layer.direction == TEXT_TO_IMAGE:
            assert before[:, :, token].any() and not after[:, :, token].any()
    assert 0 < comparison.change.max() <= 1
    np.testing.assert_allclose(comparison.change, np.abs(new[3].x0 - old[3].x0).mean(-1) / 2)


def test_without_guidance_a_character_can_be_muted_too(checkpoint):
    comparison = branch_off(checkpoint, 0, replace(REQUEST, guidance=1.0), muted=(0, 1))
    assert differ(steps_of(comparison.old)[0], steps_of(comparison.new)[0])


@pytest.mark.parametrize("change", [{"text": "longer"}, {"guidance": 1.0}, {"muted": (1,)}])
def test_a_branch_can_be_saved_and_played_like_any_run(checkpoint, tmp_path, change):
    comparison = branch_off(checkpoint, 2, **change)
    run_folder.save(comparison.new, tmp_path / "run")
    loaded = run_loading.load(tmp_path / "run")
    (candidate,) = loaded.candidates
    settings = {name: value for name, value in change.items() if name != "muted"}
    alone = {"candidates": 1, "seed": REQUEST.seed + 1, "readability": False}
    assert loaded.request == replace(REQUEST, **alone, **settings)
    assert len(candidate.steps) == 4 and candidate.reading.text == "Ho"
    without = [step.x0_unconditional is None for step in candidate.steps]
    assert without == [change == {"guidance": 1.0}] * 4


def test_before_another_text_was_there_it_got_no_attention(checkpoint):
    comparison = branch_off(checkpoint, 2, text="longer")
    for step in steps_of(comparison.new):
        for layer, weights in zip(comparison.new.layers, step.attention, strict=True):
            assert weights.shape == (layer.heads, layer.resolution**2, 7)
            assert weights.any() == (step.index >= 2)


def test_the_old_run_and_the_rest_of_the_new_one_are_all_that_is_asked(checkpoint):
    asked = []
    handle = checkpoint.network.register_forward_hook(lambda *_: asked.append(1))
    branch = Branch(of=replace(REQUEST, watch=False), candidate=0, step=3, muted=(1,))
    try:
        *progress, comparison = branched(checkpoint, branch, Reader())
    finally:
        handle.remove()
    assert len(asked) == 4 + 1
    assert [(event.stage, event.step, event.steps) for event in progress] == [
        *(("denoising", step, 5) for step in (1, 2, 3, 4)),
        ("reading", 4, 5),
        ("denoising", 5, 5),
        ("reading", 5, 5),
    ]
    assert comparison.branch == branch
    assert comparison.new.layers == () and steps_of(comparison.new)[3].attention == ()


def test_closing_a_branch_on_the_way_leaves_the_network_as_it_was(checkpoint):
    events = branched(checkpoint, Branch(of=REQUEST, candidate=0, step=0, muted=(1,)), Reader())
    for _ in range(7):
        next(events)
    events.close()
    modules = list(checkpoint.network.modules())
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in modules)


def test_half_of_a_longer_run_is_not_the_shorter_run(written, checkpoint):
    *progress, comparison = half_of_a_longer_run(checkpoint, REQUEST, 1, Reader())
    longer, short = (written(replace(REQUEST, steps=steps)).candidates[1] for steps in (8, 4))
    assert comparison.old.stopped and not comparison.new.stopped
    assert len(steps_of(comparison.old)) == 4
    assert all(map(equal, steps_of(comparison.old), longer.steps[:4]))
    assert all(map(equal, steps_of(comparison.new), short.steps))
    assert comparison.change.any() and comparison.branch is None
    assert (progress[-1].step, progress[-1].steps) == (8, 8)


def test_ddim_and_ddpm_start_from_the_same_noise_and_part(written, checkpoint):
    *_, comparison = ddim_against_ddpm(checkpoint, REQUEST, 1, Reader())
    for generation, sampler in ((comparison.old, "ddim"), (comparison.new, "ddpm")):
        original = written(replace(REQUEST, sampler=sampler)).candidates[1]
        assert generation.request.sampler == sampler
        assert all(map(equal, steps_of(generation), original.steps))
    assert equal(steps_of(comparison.old)[0], steps_of(comparison.new)[0])
    assert differ(steps_of(comparison.old)[3], steps_of(comparison.new)[3])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step": 4}, "step must be a whole number from 0 to 3"),
        ({"candidate": 3}, "candidate must be a whole number from 0 to 2"),
        ({"text": "x" * 9}, "9 characters"),
        ({"text": "né"}, "never seen"),
        ({"seed": -1}, "Seed"),
        ({"guidance": 21}, "Guidance"),
        ({"sampler": "euler"}, "euler"),
        ({"eta": 0.5}, "Eta is a setting of the sampler ddim, and this branch goes on with unipc"),
        ({"sampler": "ddim", "eta": 1.5}, "Eta must be a number from 0 to 1"),
        ({"muted": (3,)}, "whole number from 1 to 2, or 0 for START"),
        ({"muted": (-1,)}, "muted"),
        ({"text": "longer", "muted": (7,)}, "from 1 to 6"),
        ({"muted": (0, 1, 2)}, "leave START or a character"),
        ({"of": replace(REQUEST, steps=0)}, "Steps"),
    ],
)
def test_a_branch_that_cannot_be_gets_one_sentence(checkpoint, change, words):
    branch = Branch(**{"of": REQUEST, "candidate": 0, "step": 0, **change})
    with pytest.raises(ValueError, match=words) as caught:
        next(branched(checkpoint, branch, Reader()))
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_longer_run_than_can_be_asked_for_gets_one_sentence(checkpoint):
    with pytest.raises(ValueError, match="at most 125"):
        next(half_of_a_longer_run(checkpoint, replace(REQUEST, steps=126), 0, Reader()))
    with pytest.raises(ValueError, match="candidate"):
        next(half_of_a_longer_run(checkpoint, REQUEST, 5, Reader()))
