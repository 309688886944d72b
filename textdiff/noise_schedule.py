"""How much signal (alpha) and noise (sigma) there is at each time.

Time t is continuous: 0 is the clean picture, 1 is noise alone. Every schedule is variance preserving,
alpha(t)^2 + sigma(t)^2 = 1, so that a noisy picture x_t = alpha x0 + sigma eps keeps unit scale.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

# A network is asked about times inside this margin only, where neither alpha nor sigma vanishes.
T_MIN, T_MAX = 1e-3, 0.999
# How far our sampling leans towards the noise (see `sampling_times`); measured, see training/NOTES.md.
SHIFT = 2.5
# An upscaler's few steps are even: the small picture has settled what is decided in the noise. 0.3 and 3 are
# no worse and no better that could be measured, see training/NOTES.md. A single step, which gives the mean of
# all large pictures that fit, is read best; more of them settle for one, now and then with a wrong letter.
UPSCALER_SHIFT = 1.0

Schedule = Callable[[Tensor], tuple[Tensor, Tensor]]


def cosine(t: Tensor) -> tuple[Tensor, Tensor]:
    """alpha = cos(pi t / 2), sigma = sin(pi t / 2). Nichol & Dhariwal 2021, without their small offset."""
    angle = t * (math.pi / 2)
    return torch.cos(angle), torch.sin(angle)


def linear(t: Tensor) -> tuple[Tensor, Tensor]:
    """The continuous limit of Ho et al. 2020: beta rises linearly from 0.1 to 20.

    Song et al. 2021 (Score-based generative modeling through SDEs), appendix C.
    """
    log_alpha = -0.25 * t**2 * (20.0 - 0.1) - 0.5 * t * 0.1
    return torch.exp(log_alpha), torch.sqrt(-torch.expm1(2 * log_alpha))


def shifted_cosine(log_snr_shift: float) -> Schedule:
    """The cosine schedule with `log_snr_shift` added to its log-SNR at every time; 0 is `cosine` itself.

    A large picture shows through noise that hides a small one, because neighbouring pixels agree:
    Hoogeboom et al. 2023 (simple diffusion), section 3.1: log SNR(t) = -2 log tan(pi t / 2) + shift.
    """
    return partial(_shifted_cosine, more=math.exp(-log_snr_shift / 2)) if log_snr_shift else cosine


def _shifted_cosine(t: Tensor, more: float) -> tuple[Tensor, Tensor]:
    """Cosine with `more` times as much noise for each signal, at the same total power."""
    alpha, sigma = cosine(t)
    power = torch.hypot(alpha, more * sigma)
    return alpha / power, more * sigma / power


SCHEDULES: dict[str, Schedule] = {"cosine": cosine, "linear": linear}


class Level(NamedTuple):
    """Signal and noise at one moment, as plain numbers."""

    alpha: float
    sigma: float

    @property
    def log_ratio(self) -> float:
        """log(alpha / sigma), the lambda of the solvers; half of `log_snr`. Infinite without noise."""
        return math.log(self.alpha / self.sigma) if self.sigma > 0 else math.inf


def level(schedule: Schedule, t: float) -> Level:
    """The schedule at one time, in double precision: small differences of levels must survive rounding."""
    alpha, sigma = schedule(torch.tensor(t, dtype=torch.float64))
    return Level(alpha.item(), sigma.item())


def log_snr(schedule: Schedule, t: Tensor) -> Tensor:
    """Natural logarithm of alpha^2 / sigma^2 at the times `t`; infinite at t = 0."""
    alpha, sigma = schedule(t)
    return 2 * (torch.log(alpha) - torch.log(sigma))


def sampling_times(steps: int, t_max: float = T_MAX, shift: float = 1.0) -> Tensor:
    """(steps + 1,) float64 times from `t_max` down to 0; step k goes from times[k] onward.

    With `shift` 1 they are evenly spaced, a larger one takes more of the steps where there is more noise. The
    last time is the clean picture's. The network is never asked there: its last question is at times[-2].
    Raises ValueError for less than one step.
    """
    if steps < 1:
        raise ValueError(f"A picture takes at least 1 step, not {steps}.")
    return shifted_time(torch.linspace(1.0, 0.0, steps + 1, dtype=torch.float64), t_max, shift)


def shifted_time(even: Tensor, t_max: float, shift: float) -> Tensor:
    """[0, 1] -> [0, t_max]; even spacing becomes that of sampling: t -> shift t / (1 + (shift - 1) t).

    Esser et al. 2024, eq. 23.
    """
    return t_max * shift * even / (1 + (shift - 1) * even)


def even_time(t: Tensor, t_max: float, shift: float) -> Tensor:
    """The inverse of `shifted_time`."""
    return t / (t_max * shift - (shift - 1) * t)
