"""From noise to a picture: step rules without loops, and the single loop.

A step rule says where the noisy picture goes from here, given what the network believes; the loop asks and
moves. The last step ends at time 0, where x_t = alpha x0 + sigma eps has alpha = 1 and sigma = 0: there every
rule gives the same answer, the believed x0. So n steps are n questions to the network, and no noise is left
in the picture.

Legend: B candidates, H and W pixels; t is where the picture is, s < t is where it goes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import expm1, sqrt
from typing import Protocol

import torch
from torch import Generator, Tensor

from textdiff.denoiser import Belief
from textdiff.noise_schedule import Level, Schedule, level
from textdiff.trajectory import MAX_SEED


class Denoise(Protocol):
    """All that a sampler knows about a network; `denoiser.Denoiser` is one."""

    schedule: Schedule

    def __call__(self, x_t: Tensor, t: float, watch: bool = False) -> Belief: ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Situation:
    """All that a step rule may use."""

    x_t: Tensor  # (B, 3, H, W)
    belief: Belief
    here: Level  # signal and noise at t
    there: Level  # signal and noise at s; at the last step there is no noise
    before: tuple[tuple[Level, Belief], ...]  # the last levels and answers, at most two, the latest first
    draw: Callable[[], Tensor]  # (B, 3, H, W), each candidate's from its own generator


StepRule = Callable[[Situation], Tensor]


def ddpm(now: Situation) -> Tensor:
    """Ancestral sampling, a draw from q(x_s | x_t, x0): Ho et al. 2020, eq. 6 and 7, posterior variance."""
    mean, deviation = posterior(now.x_t, now.belief.x0, now.here, now.there)
    return mean + deviation * now.draw()


def posterior(x_t: Tensor, x0: Tensor, t: Level, s: Level) -> tuple[Tensor, float | Tensor]:
    """Mean and standard deviation of q(x_s | x_t, x0).

    For continuous time, alpha_t / alpha_s takes the place of sqrt(1 - beta): Kingma et al. 2021, appendix A.
    The levels are numbers, or tensors that broadcast against the pictures.
    """
    ratio = t.alpha / s.alpha
    added = t.sigma**2 - ratio**2 * s.sigma**2  # the variance that noising added on the way from s to t
    mean = ratio * s.sigma**2 / t.sigma**2 * x_t + s.alpha * added / t.sigma**2 * x0
    return mean, added**0.5 * s.sigma / t.sigma


def ddim(now: Situation, eta: float = 0.0) -> Tensor:
    """Separate and remix: Song, Meng & Ermon 2021, eq. 12 and 16. eta 0 draws no noise, eta 1 is DDPM."""
    t, s = now.here, now.there
    spread = eta * s.sigma / t.sigma * sqrt(1 - (t.alpha / s.alpha) ** 2)
    x_s = s.alpha * now.belief.x0 + sqrt(s.sigma**2 - spread**2) * now.belief.eps
    return x_s + spread * now.draw() if eta > 0 else x_s


def dpm_solver_2m(now: Situation) -> Tensor:
    """DPM-Solver++(2M), the line through the last two guesses, integrated: Lu et al. 2022, algorithm 2.

    It takes the guess as it is, which is DDIM, at the first step for want of a second guess, and at the last
    one, where lambda = log(alpha / sigma) becomes infinite and no line leads that far.
    """
    t, s = now.here, now.there
    h = s.log_ratio - t.log_ratio
    guess = now.belief.x0
    if now.before and s.sigma > 0:
        level_before, belief_before = now.before[0]
        r = (t.log_ratio - level_before.log_ratio) / h
        guess = (1 + 1 / (2 * r)) * guess - 1 / (2 * r) * belief_before.x0
    return s.sigma / t.sigma * now.x_t - s.alpha * expm1(-h) * guess


def unipc(now: Situation) -> Tensor:
    """UniPC of order 2 with B(h) = e^h - 1, for guesses at x0: Zhao et al. 2023, algorithms 1 and 2.

    DPM-Solver++(2M) came here along a line through the guesses behind it. Now that there is a guess here as
    well, the corrector takes that step again, along a parabola through all three, and 2M goes on from where
    it ends. It asks nothing more of the network.
    """
    return dpm_solver_2m(replace(now, x_t=_corrected(now)) if now.before else now)


def _corrected(now: Situation) -> Tensor:
    """x_t, had the step that led here known the guess here; the step as dpm_solver_2m took it."""
    start, guess = now.before[0][0], now.before[0][1].x0
    h = now.here.log_ratio - start.log_ratio
    scale = expm1(-h)
    rise = now.belief.x0 - guess
    if len(now.before) == 1:  # two guesses, one line: 2M has had to take the one behind it as it was
        return now.x_t - now.here.alpha * scale * rise / 2
    earlier, guess_earlier = now.before[1][0], now.before[1][1].x0
    k = (earlier.log_ratio - start.log_ratio) / h  # negative: how far back the guess before that lies
    slope = (guess_earlier - guess) / k
    first = (scale / -h - 1) / scale  # the equations of algorithm 1: exact for guesses linear in lambda,
    second = 2 * (first * scale / -h - 1 / 2) / scale  # and for quadratic ones
    weight = (first - second) / (1 - k)
    change = weight * slope + (first - weight) * rise - slope / 2
    return now.x_t - now.here.alpha * scale * change


STEP_RULES: dict[str, StepRule] = {"ddpm": ddpm, "ddim": ddim, "dpm++2m": dpm_solver_2m, "unipc": unipc}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Move:
    """One step of all candidates: the question, the answer, and where the pictures went."""

    index: int
    t: float
    t_next: float
    level: Level  # signal and noise at t
    x_t: Tensor  # (B, 3, H, W), what the network saw
    belief: Belief
    x_next: Tensor  # (B, 3, H, W)


@torch.no_grad()  # on the generator, never `with` around a yield: the caller keeps its own grad mode
def sample(
    denoise: Denoise,
    x_t: Tensor,
    times: Tensor,
    rule: StepRule,
    generators: Sequence[Generator],
    watch: bool = False,
) -> Iterator[Move]:
    """Yields one Move per step; the last one's `x_next` is the picture. The caller shows, records or stops.

    x_t (B, 3, H, W) and the B generators come from `initial_noise`, the times from `sampling_times`.
    """
    assert len(generators) == len(x_t), f"{len(generators)} generators for {len(x_t)} candidates"

    def draw() -> Tensor:
        return _draw(generators, x_t.shape[1:]).to(x_t)

    before = ()
    for index, (t, t_next) in enumerate(pairwise(times.tolist())):
        here, there = level(denoise.schedule, t), level(denoise.schedule, t_next)
        belief = denoise(x_t, t, watch)
        now = Situation(x_t=x_t, belief=belief, here=here, there=there, before=before, draw=draw)
        x_next = rule(now)
        yield Move(index=index, t=t, t_next=t_next, level=here, x_t=x_t, belief=belief, x_next=x_next)
        before, x_t = ((here, belief), *before[:1]), x_next


def candidate_seed(seed: int, index: int) -> int:
    """The seed of candidate `index`, in [0, 2^31 - 1]: counted up from the request's seed, and on from 0."""
    return (seed + index) % (MAX_SEED + 1)


def initial_noise(seeds: Sequence[int], shape: Sequence[int]) -> tuple[Tensor, list[Generator]]:
    """The noise (B, *shape) float32 that each seed starts from, and B generators that go on from there.

    Drawn on the CPU, each candidate's by itself: a picture depends on its own seed alone, wherever the
    network runs. The steps must draw from these same generators; fresh ones with the same seeds would repeat
    the initial noise.
    """
    generators = [Generator().manual_seed(seed) for seed in seeds]
    return _draw(generators, shape), generators


def _draw(generators: Sequence[Generator], shape: Sequence[int]) -> Tensor:
    return torch.stack([torch.randn(tuple(shape), generator=generator) for generator in generators])
