"""Small pictures are half as large, slightly wrong, and never disturb anything else in training."""

from dataclasses import replace

import pytest
import torch
from oracles import ids_of, lively_unet, null_ids

from textdiff.config import TrainConfig
from textdiff.noise_schedule import cosine
from textdiff.training import small_pictures as file
from textdiff.training.small_pictures import (
    blotted,
    clean_small_pictures,
    halved,
    redrawing,
    redrawn,
    small_pictures,
    spoilt,
)

X0 = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
CONFIG = TrainConfig(wrong_share=0.0, redrawn_share=0.0)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_halving_takes_the_mean_of_every_four_pixels():
    half = halved(X0)
    assert half.shape == (6, 3, 16, 16)
    torch.testing.assert_close(half[2, :, 5, 7], X0[2, :, 10:12, 14:16].mean((1, 2)))
    small, times = clean_small_pictures(X0)
    assert torch.equal(small, half) and times.tolist() == [0.0] * 6


def test_noise_is_added_up_to_a_time_and_the_network_is_told_how_much():
    small, times = small_pictures(X0.repeat(20, 1, 1, 1), replace(CONFIG, small_t=0.5), chance())
    assert 0 <= times.min() < 0.05 and 0.45 < times.max() <= 0.5
    alpha, sigma = (value[:, None, None, None] for value in cosine(times))
    noise = (small - alpha * halved(X0).repeat(20, 1, 1, 1)) / sigma
    assert noise.mean().abs() < 0.02 and (noise.std() - 1).abs() < 0.02


def test_without_noise_and_flaws_the_small_picture_is_the_half_of_the_large_one():
    small, times = small_pictures(X0, replace(CONFIG, small_t=0.0), chance())
    assert torch.equal(small, halved(X0)) and not times.any()


def test_flaws_have_their_share_and_stay_small():
    pictures = X0.repeat(50, 1, 1, 1)
    config = replace(CONFIG, small_t=0.0, wrong_share=0.4)
    small, _ = small_pictures(pictures, config, chance())
    wrong = (small != halved(pictures)).flatten(1).any(1).float().mean()
    assert 0.3 < wrong < 0.46  # some of the shifts go nowhere
    assert small.min() >= -1 and small.max() <= 1


STROKE = torch.full((1, 3, 9, 9), 1.0)
STROKE[:, :, 2:7, 4] = -1.0  # dark on light


def test_a_flaw_is_a_shift_by_a_pixel_a_blur_or_other_strokes(monkeypatch):
    monkeypatch.setattr(file, "_FLAWS", (1.0, 1.0, 1.0, 0.0))
    seen = set()
    for seed in range(60):
        (flawed,) = spoilt(STROKE, chance(seed))[:, 0]
        ink = (1 - flawed).sum().item() / 2
        if set(flawed.unique().tolist()) == {-1.0, 1.0}:
            rows, columns = (flawed < 0).nonzero().T
            assert abs(rows.float().mean() - 4) <= 1 and abs(columns.float().mean() - 4) <= 1
            seen.add("shift")
        else:
            seen.add("thicker" if ink > 5.01 else "thinner" if ink < 4.99 else "blur")
    assert seen == {"shift", "thicker", "thinner", "blur"}


def test_blots_take_or_add_ink_in_places_and_leave_most_of_the_picture_alone():
    lines = torch.full((90, 3, 32, 32), 1.0)
    lines[:, :, :, ::4] = -1.0
    change = blotted(lines, chance()) - lines
    touched = (change.abs() > 0).any(1)
    assert 0.05 < touched.float().mean() < 0.35
    assert touched.flatten(1).any(1).float().mean() > 0.9
    ink = -change.mean((1, 2, 3))
    assert (ink > 0.02).sum() > 15 and (ink < -0.02).sum() > 15


def base_for(*texts):
    return redrawing(lively_unet(), ids_of(*texts), null_ids(), None)


def test_a_base_model_draws_its_share_again_each_picture_with_its_own_text(monkeypatch):
    asked = []

    def note(small, base, generator):
        asked.append((small, base.ids))
        return torch.zeros_like(small)

    monkeypatch.setattr(file, "redrawn", note)
    texts = ["a", "b", "c", "d", "e", "f"]
    config = replace(CONFIG, small_t=0.0, redrawn_share=0.5)
    small, _ = small_pictures(X0, config, chance(), base_for(*texts))
    ((given, ids),) = asked
    chosen = [k for k in range(6) if not small[k].any()]
    assert 0 < len(chosen) < 6
    assert torch.equal(given, halved(X0)[chosen]) and torch.equal(ids, ids_of(*texts)[chosen])
    others = [k for k in range(6) if k not in chosen]
    assert torch.equal(small[others], halved(X0)[others])


def test_what_is_redrawn_keeps_what_a_perfect_model_can_see_through_the_noise(monkeypatch):
    """A model that knows the picture finds it again, whatever the noise."""
    small = halved(X0)[:2]
    base = base_for("a", "b")

    def knows(x, t, ids):
        alpha, sigma = (value[:, None, None, None] for value in cosine(t))
        v = (alpha * x - small) / sigma  # from x0 = alpha x - sigma v
        return v.repeat(len(ids) // len(x), 1, 1, 1)

    monkeypatch.setattr(base.network, "forward", knows)
    torch.testing.assert_close(redrawn(small, base, chance()), small, atol=1e-5, rtol=0)


def test_an_untrained_model_spoils_them_and_is_asked_without_a_graph():
    drawn = redrawn(halved(X0)[:2], base_for("a", "b"), chance())
    assert drawn.shape == (2, 3, 16, 16) and not drawn.requires_grad
    assert (drawn - halved(X0)[:2]).abs().mean() > 0.1


def test_all_chance_comes_from_the_generator_that_is_given():
    config = TrainConfig(redrawn_share=0.5)
    texts = ["a", "b", "c", "d", "e", "f"]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = small_pictures(X0, config, chance(7), base_for(*texts))
    assert torch.equal(torch.rand(3), expected)
    again = small_pictures(X0, config, chance(7), base_for(*texts))
    other = small_pictures(X0, config, chance(8), base_for(*texts))
    assert all(torch.equal(one, same) for one, same in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert X0.requires_grad is False and torch.equal(halved(X0), clean_small_pictures(X0)[0])


@pytest.mark.parametrize("batch", [1, 3])
def test_a_batch_of_which_nobody_is_chosen_asks_no_base(batch, monkeypatch):
    monkeypatch.setattr(file, "redrawn", None)
    small_pictures(X0[:batch], CONFIG, chance(), base_for(*["a"] * batch))
