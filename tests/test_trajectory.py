"""A trajectory is a value: requests compare, arrays cannot change, candidates come ranked."""

import dataclasses

import numpy as np
import pytest
from fakes import fake_generation

from textdiff.trajectory import Request


def test_requests_with_equal_fields_are_equal_and_share_a_hash():
    one, other = Request(text="Hi", seed=3), Request(text="Hi", seed=3)
    assert one == other and hash(one) == hash(other)
    assert len({one, other, Request(text="Hi", seed=4), Request(text="hi", seed=3)}) == 3


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Request)])
def test_every_field_of_a_request_takes_part_in_its_equality(field):
    request = Request(text="Hi")
    value = getattr(request, field)
    changed = f"{value}!" if isinstance(value, str) else not value if isinstance(value, bool) else value + 1
    assert dataclasses.replace(request, **{field: changed}) != request


def test_a_request_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Request(text="Hi").seed = 8


def test_every_array_of_a_generation_is_read_only():
    generation = fake_generation()
    for candidate in generation.candidates:
        arrays = [candidate.final]
        for step in candidate.steps:
            arrays += [step.noisy, step.x0, step.eps, step.x0_unconditional, *step.attention]
        assert len(arrays) == 1 + 3 * (4 + len(generation.layers))
        for array in arrays:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


def test_the_ranking_lists_the_candidates_best_first():
    generation = fake_generation(candidates=4)
    assert [candidate.index for candidate in generation.ranking] == [1, 0, 2, 3]
    assert [candidate.verdict.rank for candidate in generation.ranking] == [1, 2, 3, 4]
    assert generation.ranking[0] is generation.candidates[generation.best]


def test_the_winner_is_the_best_large_picture_unless_the_best_candidate_was_read_better():
    small = fake_generation(candidates=4)
    assert small.winner is small.candidates[1] and small.upscaled_ranking == ()
    large = fake_generation(candidates=4, upscaled=3)
    best = large.upscaled[2]
    assert large.winner is best and fake_generation(candidates=4, upscaled=3, spoiled=True).winner.index == 1
    assert [picture.index for picture in large.upscaled_ranking] == [2, 1, 0]

    def winner(similarity, exact):
        verdict = dataclasses.replace(best.verdict, similarity=similarity, exact=exact)
        return dataclasses.replace(
            large, upscaled=(*large.upscaled[:2], dataclasses.replace(best, verdict=verdict))
        ).winner

    candidate = large.candidates[1]
    assert (candidate.verdict.similarity, candidate.verdict.exact) == (1.0, True)
    assert winner(1.0, True).index == 2  # as good, and larger
    assert winner(0.9, False) is candidate and winner(1.0, False) is candidate


def test_large_pictures_come_with_the_name_of_what_drew_them_and_a_best_one():
    with pytest.raises(AssertionError):
        dataclasses.replace(fake_generation(), best_upscaled=0)
    with pytest.raises(AssertionError):
        dataclasses.replace(fake_generation(upscaled=1), upscaler=None)


def test_every_array_of_a_large_picture_is_read_only():
    for picture in fake_generation(upscaled=2).upscaled:
        for array in (picture.final, *(a for step in picture.steps for a in (step.noisy, step.x0))):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


def test_ddpm_hands_the_few_steps_of_a_large_picture_to_ddim():
    samplers = {name: Request(text="", sampler=name).upscaler_sampler for name in ("ddpm", "ddim", "dpm++2m")}
    assert samplers == {"ddpm": "ddim", "ddim": "ddim", "dpm++2m": "dpm++2m"}


def test_generations_compare_by_identity_so_that_they_can_be_hashed_with_their_arrays():
    one, other = fake_generation(), fake_generation()
    assert one == one and one != other and len({one, other}) == 2


def test_the_fake_attention_is_a_distribution_over_its_keys():
    generation = fake_generation()
    for layer, weights in zip(generation.layers, generation.candidates[0].steps[0].attention, strict=True):
        assert weights.shape == (layer.heads, layer.resolution**2, 1 + len("Hi\nyou"))
        keys = {"text_to_image": 2, "image_to_text": 1}[layer.direction]
        np.testing.assert_allclose(weights.sum(axis=keys), 1, atol=1e-6)
