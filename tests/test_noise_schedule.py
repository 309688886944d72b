import math

import pytest
import torch

from textdiff.noise_schedule import (
    SCHEDULES,
    T_MAX,
    T_MIN,
    cosine,
    level,
    linear,
    log_snr,
    sampling_times,
    shifted_cosine,
)

TIMES = torch.linspace(0, 1, 101, dtype=torch.float64)
ALL = SCHEDULES | {"shifted": shifted_cosine(2 * math.log(64 / 128))}
every_schedule = pytest.mark.parametrize("schedule", ALL.values(), ids=ALL)


@every_schedule
def test_the_squares_of_signal_and_noise_add_up_to_one(schedule):
    alpha, sigma = schedule(TIMES)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(TIMES), rtol=0, atol=1e-12)


@every_schedule
def test_signal_falls_and_noise_rises_all_the_time(schedule):
    alpha, sigma = schedule(TIMES)
    assert (alpha.diff() < 0).all() and (sigma.diff() > 0).all()


@every_schedule
def test_time_zero_is_exactly_the_clean_picture_and_time_one_nearly_noise_alone(schedule):
    assert level(schedule, 0.0) == (1.0, 0.0)
    alpha, sigma = level(schedule, 1.0)
    assert alpha < 0.01 and sigma > 0.9999


@every_schedule
def test_neither_signal_nor_noise_vanishes_inside_the_margin_even_in_single_precision(schedule):
    alpha, sigma = schedule(torch.tensor([T_MIN, T_MAX]))
    assert alpha.min() > 5e-4 and sigma.min() > 5e-4


def test_the_cosine_schedule_has_as_much_signal_as_noise_half_way():
    assert level(cosine, 0.5).alpha == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize("shift", [-2.8, -1.4, 0.7])
def test_a_shift_is_added_to_the_log_snr_of_the_cosine_schedule_at_every_time(shift):
    t = TIMES[1:-1]
    torch.testing.assert_close(log_snr(shifted_cosine(shift), t), log_snr(cosine, t) + shift)
    assert shifted_cosine(0.0) is cosine


def test_a_picture_twice_as_wide_is_as_noisy_as_the_small_one_once_it_is_halved():
    """What the shift is for: the mean of four pixels has half the noise, and the same signal."""
    alpha, sigma = level(shifted_cosine(2 * math.log(64 / 128)), 0.4)
    small_alpha, small_sigma = level(cosine, 0.4)
    assert (sigma / 2) / alpha == pytest.approx(small_sigma / small_alpha)


def test_the_linear_schedule_is_the_limit_of_many_small_steps_of_ho_et_al():
    steps = 100_000
    beta = torch.linspace(0.1, 20, steps, dtype=torch.float64) / steps
    alpha = torch.log1p(-beta).cumsum(0).div(2).exp()  # alpha_bar is the product of 1 - beta
    t = torch.arange(1, steps + 1, dtype=torch.float64) / steps
    torch.testing.assert_close(linear(t)[0], alpha, rtol=1e-3, atol=0)


@every_schedule
def test_the_log_ratio_of_a_level_is_half_the_log_signal_to_noise_ratio(schedule):
    t = torch.tensor(0.3, dtype=torch.float64)
    assert 2 * level(schedule, 0.3).log_ratio == pytest.approx(log_snr(schedule, t).item())
    assert level(schedule, 0.0).log_ratio == math.inf


@pytest.mark.parametrize("steps", [1, 2, 20, 250])
def test_sampling_times_go_evenly_from_nearly_noise_to_the_clean_picture(steps):
    times = sampling_times(steps)
    assert len(times) == steps + 1
    assert times[0] == T_MAX and times[-1] == 0
    torch.testing.assert_close(times.diff(), torch.full_like(times[1:], -T_MAX / steps))


def test_the_network_is_never_asked_outside_the_margin():
    assert sampling_times(250)[:-1].min() >= T_MIN


def test_a_picture_in_no_steps_is_refused_in_plain_words():
    with pytest.raises(ValueError, match="at least 1 step, not 0"):
        sampling_times(0)


def test_a_shift_takes_more_steps_where_there_is_more_noise_and_keeps_both_ends():
    even, shifted = sampling_times(4), sampling_times(4, shift=3.0)
    assert shifted.tolist() == pytest.approx([T_MAX * t for t in (1, 0.9, 0.75, 0.5, 0)])
    assert (shifted >= even).all()
