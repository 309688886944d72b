from functools import partial
from math import expm1

import pytest
import torch
from oracles import GaussianDenoiser, IdealDenoiser, ids_of, lively_unet, null_ids

from textdiff.denoiser import Belief, Denoiser
from textdiff.noise_schedule import SCHEDULES, T_MAX, Level, cosine, level, sampling_times
from textdiff.samplers import (
    STEP_RULES,
    Situation,
    candidate_seed,
    ddim,
    ddpm,
    dpm_solver_2m,
    initial_noise,
    sample,
    unipc,
)
from textdiff.trajectory import MAX_SEED

SHAPE = (3, 8, 8)
DATA = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(2)).round() * 2 - 1  # black and white
IDEAL = IdealDenoiser(DATA, cosine)
every_rule = pytest.mark.parametrize("rule", STEP_RULES.values(), ids=STEP_RULES)
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)


def moves_of(denoise, rule, seeds, steps=20, times=None, double=False, **options):
    x, generators = initial_noise(seeds, SHAPE)
    times = sampling_times(steps) if times is None else times
    return list(sample(denoise, x.double() if double else x, times, rule, generators, **options))


def picture(*arguments, **options):
    return moves_of(*arguments, **options)[-1].x_next


@every_rule
@every_schedule
def test_with_a_perfect_network_every_rule_lands_on_the_data(rule, schedule):
    pictures = picture(IdealDenoiser(DATA, schedule), rule, seeds=range(16))
    distance = (pictures[:, None] - DATA[None]).abs().amax((2, 3, 4))  # (16, 5)
    assert distance.amin(1).max() < 1e-6
    assert len(distance.argmin(1).unique()) > 1  # not always on the same picture


@pytest.mark.parametrize(
    ("rule", "low", "high"),
    [(ddim, 1.95, 2.05), (dpm_solver_2m, 3.8, 4.5), (unipc, 7, 9)],
    ids=["first order", "second order", "third order"],
)
@every_schedule
def test_with_half_the_steps_the_error_is_2_4_and_8_times_as_large(rule, low, high, schedule):
    """Away from both ends of time, where lambda = log(alpha / sigma) takes steps of about one size."""
    denoise = GaussianDenoiser(mean=0.2, deviation=0.5, schedule=schedule)
    start = initial_noise([1], SHAPE)[0].double()

    def error(steps):
        times = torch.linspace(0.8, 0.2, steps + 1, dtype=torch.float64)
        return (
            (picture(denoise, rule, [1], times=times, double=True) - denoise.flow(start, 0.8, 0.2))
            .abs()
            .max()
        )

    assert low < error(80) / error(160) < high


def test_in_twenty_steps_2m_is_far_nearer_to_the_exact_path_than_ddim():
    denoise = GaussianDenoiser(mean=0.2, deviation=0.5, schedule=cosine)
    exact = denoise.flow(initial_noise([1], SHAPE)[0], T_MAX, 0.0)
    errors = [(picture(denoise, rule, [1]) - exact).abs().max() for rule in (ddim, dpm_solver_2m)]
    assert errors[1] < errors[0] / 5


def test_unipc_is_2m_until_there_is_something_to_correct():
    of_2m, corrected = (moves_of(IDEAL, rule, seeds=[1]) for rule in (dpm_solver_2m, unipc))
    assert torch.equal(of_2m[0].x_next, corrected[0].x_next)
    assert not torch.equal(of_2m[1].x_next, corrected[1].x_next)


def test_where_the_guess_never_changes_there_is_nothing_to_correct():
    one = IdealDenoiser(DATA[:1], cosine)
    of_2m, corrected = (moves_of(one, rule, [1], double=True) for rule in (dpm_solver_2m, unipc))
    for move, other in zip(of_2m, corrected, strict=True):
        torch.testing.assert_close(move.x_next, other.x_next, rtol=0, atol=1e-12)


def test_the_corrector_takes_the_step_that_led_here_again_with_what_is_known_here():
    """Two even steps from lambda -1 by 2M, whose second leads along a line, and then along the parabola."""
    levels = [Level(*(v.item() for v in _at(log_ratio))) for log_ratio in (-1.0, -0.5, 0.0, 0.5)]
    guesses = [torch.full((1, 1), value) for value in (0.1, 0.4, 0.5)]
    answers = [Belief(x0=guess, eps=guess) for guess in guesses]
    start, here, there = levels[1:]
    line = guesses[1] + (guesses[1] - guesses[0]) / 2
    x_start = torch.full((1, 1), 0.7)
    x_here = here.sigma / start.sigma * x_start - here.alpha * expm1(-0.5) * line

    def step(x_t, before):
        return Situation(x_t=x_t, belief=answers[2], here=here, there=there, before=before, draw=None)

    before = ((start, answers[1]), (levels[0], answers[0]))
    # What the step would be if x0 were the parabola through the three guesses: its integral, by the exact
    # solution of the flow, x = sigma (x_start / sigma_start + integral of e^lambda x0(lambda)).
    lambdas = torch.linspace(-0.5, 0.0, 20001, dtype=torch.float64)
    u = (lambdas + 0.5) / 0.5
    parabola = 0.4 + u * (0.5 - 0.1) / 2 + u**2 * (0.5 + 0.1 - 2 * 0.4) / 2
    exact = here.sigma * (0.7 / start.sigma + torch.trapezoid(lambdas.exp() * parabola, lambdas).item())
    expected = dpm_solver_2m(step(torch.full((1, 1), exact), before))
    torch.testing.assert_close(unipc(step(x_here, before)), expected, rtol=0, atol=1e-6)


def _at(log_ratio):
    """alpha and sigma where log(alpha / sigma) is so."""
    angle = torch.atan(torch.exp(torch.tensor(-log_ratio, dtype=torch.float64)))
    return torch.cos(angle), torch.sin(angle)


@every_schedule
def test_ancestral_samples_have_the_mean_and_the_spread_of_the_data(schedule):
    """2m and DDIM follow the flow exactly enough above; DDPM can only be right in distribution."""
    denoise = GaussianDenoiser(mean=0.2, deviation=0.5, schedule=schedule)
    pixels = picture(denoise, ddpm, seeds=range(64), steps=250)  # 12,288 of them
    assert abs(pixels.mean() - 0.2) < 0.02  # four standard errors
    assert abs(pixels.std() - 0.5) < 0.02


@every_schedule
def test_ddpm_is_ddim_with_eta_one(schedule):
    denoise = IdealDenoiser(DATA.double(), schedule)
    ancestral = moves_of(denoise, ddpm, seeds=[3, 4], double=True)
    stochastic = moves_of(denoise, partial(ddim, eta=1.0), seeds=[3, 4], double=True)
    for one, other in zip(ancestral, stochastic, strict=True):
        torch.testing.assert_close(one.x_next, other.x_next, rtol=0, atol=1e-9)


def test_a_ddim_step_separates_the_picture_from_the_noise_and_remixes_them():
    for move in moves_of(IDEAL, ddim, seeds=[1, 2])[:-1]:
        alpha, sigma = level(cosine, move.t_next)
        torch.testing.assert_close(move.x_next, alpha * move.belief.x0 + sigma * move.belief.eps)


def test_the_first_step_of_2m_is_a_ddim_step():
    first = {rule: moves_of(IDEAL, rule, seeds=[1])[0].x_next for rule in (ddim, dpm_solver_2m)}
    torch.testing.assert_close(first[dpm_solver_2m], first[ddim], rtol=0, atol=1e-6)


def test_only_stochastic_rules_draw_noise():
    stochastic, still = (ddpm, partial(ddim, eta=0.5)), (ddim, dpm_solver_2m, unipc)
    for rule in (*stochastic, *still):
        x, (generator,) = initial_noise([1], SHAPE)
        before = generator.get_state()
        list(sample(IDEAL, x, sampling_times(3), rule, [generator]))
        assert torch.equal(before, generator.get_state()) == (rule in still)


@every_rule
@every_schedule
@pytest.mark.parametrize("steps", [1, 2, 250])
def test_the_last_step_lands_exactly_on_the_believed_picture(rule, schedule, steps):
    moves = moves_of(IdealDenoiser(DATA, schedule), rule, seeds=[1], steps=steps)
    assert len(moves) == steps and moves[-1].t_next == 0
    assert torch.equal(moves[-1].x_next, moves[-1].belief.x0)
    assert all(move.x_next.isfinite().all() for move in moves)


@every_rule
def test_moves_follow_each_other(rule):
    moves = moves_of(IDEAL, rule, seeds=[1, 2], steps=5)
    assert torch.equal(moves[0].x_t, initial_noise([1, 2], SHAPE)[0])
    assert [move.index for move in moves] == list(range(5))
    assert [move.t for move in moves] + [0.0] == sampling_times(5).tolist()
    for move, following in zip(moves, moves[1:], strict=False):
        assert move.x_next is following.x_t and move.t_next == following.t
    assert [move.level for move in moves] == [level(cosine, move.t) for move in moves]


@every_rule
def test_two_runs_with_one_seed_are_equal_bit_by_bit_and_another_seed_is_another_picture(rule):
    once, again, other = (moves_of(IDEAL, rule, seeds=[seed]) for seed in (5, 5, 6))
    for one, two in zip(once, again, strict=True):
        assert torch.equal(one.x_t, two.x_t) and torch.equal(one.x_next, two.x_next)
    assert not torch.equal(once[10].x_t, other[10].x_t)


@every_rule
def test_a_candidate_alone_equals_itself_in_a_batch_bit_by_bit(rule):
    together = moves_of(IDEAL, rule, seeds=[3, 4, 5])
    for k, seed in enumerate([3, 4, 5]):
        for alone, move in zip(moves_of(IDEAL, rule, seeds=[seed]), together, strict=True):
            assert torch.equal(alone.x_next[0], move.x_next[k])


@every_rule
@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
def test_a_candidate_of_a_real_network_alone_equals_itself_in_a_batch_bit_by_bit(rule, autocast):
    network = lively_unet()

    def run(seeds):
        denoise = Denoiser(network, ids_of("Hi").expand(len(seeds), -1), null_ids(), 3.0, autocast=autocast)
        x, generators = initial_noise(seeds, (3, 16, 16))
        return [move.x_next for move in sample(denoise, x, sampling_times(4), rule, generators)]

    for alone, together in zip(run([8]), run([7, 8, 9]), strict=True):
        assert torch.equal(alone[0], together[1])


@every_rule
def test_what_others_draw_elsewhere_changes_nothing(rule):
    torch.manual_seed(0)
    quiet = picture(IDEAL, rule, seeds=[1])
    torch.manual_seed(1)
    x, generators = initial_noise([1], SHAPE)
    pictures = []
    for move in sample(IDEAL, x, sampling_times(20), rule, generators):
        pictures.append(move.x_next)
        torch.randn(7)
    assert torch.equal(pictures[-1], quiet)


def test_the_noise_of_the_steps_is_not_the_initial_noise_again():
    x, (generator,) = initial_noise([9], SHAPE)
    assert torch.equal(x[0], torch.randn(SHAPE, generator=torch.Generator().manual_seed(9)))
    assert not torch.equal(x[0], torch.randn(SHAPE, generator=generator))


def test_candidates_count_their_seeds_up_and_start_again_at_zero():
    assert [candidate_seed(7, k) for k in range(3)] == [7, 8, 9]
    assert [candidate_seed(MAX_SEED, k) for k in range(3)] == [MAX_SEED, 0, 1]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_callers_grad_mode_is_its_own_between_the_steps(enabled):
    asked = []

    class Watchful(IdealDenoiser):
        def __call__(self, x_t, t, watch=False):
            asked.append(torch.is_grad_enabled())
            return super().__call__(x_t, t)

    x, generators = initial_noise([1], SHAPE)
    with torch.set_grad_enabled(enabled):
        for _ in sample(Watchful(DATA, cosine), x, sampling_times(3), ddim, generators):
            assert torch.is_grad_enabled() == enabled
        assert torch.is_grad_enabled() == enabled
    assert asked == [False] * 3


def test_an_abandoned_run_leaves_no_hooks_and_no_grad_mode_behind():
    network = lively_unet()
    denoise = Denoiser(network, ids_of("Hi"), null_ids(), 3.0)
    x, generators = initial_noise([1], (3, 16, 16))
    run = sample(denoise, x, sampling_times(5), ddim, generators, watch=True)
    assert next(run).belief.attention
    assert not any(module._forward_hooks for module in network.modules())  # while the caller looks
    run.close()
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.is_grad_enabled()


def test_a_run_is_watched_only_when_asked():
    denoise = Denoiser(lively_unet(), ids_of("Hi"), null_ids(), 3.0)
    for watch in (True, False):
        x, generators = initial_noise([1], (3, 16, 16))
        for move in sample(denoise, x, sampling_times(2), ddim, generators, watch=watch):
            assert bool(move.belief.attention) == watch


def test_one_generator_for_each_candidate_is_our_own_duty():
    x, generators = initial_noise([1, 2], SHAPE)
    with pytest.raises(AssertionError, match="1 generators for 2 candidates"):
        next(sample(IDEAL, x, sampling_times(2), ddim, generators[:1]))
