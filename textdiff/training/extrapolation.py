"""How many pictures an aim would need, if a training run's curve went on as a logistic one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textdiff.training.scores import markdown

LEVELS = (0.5, 0.8, 0.95)
_NEEDED = 3  # evaluations with an EM above 0
_REDRAWS = 300
_EDGES = (0.025, 0.975)
_WIDTH_95 = 2 * 1.96  # of a normal distribution's central 95 %, in standard deviations


@dataclass(frozen=True)
class Logistic:
    """share = 1 / (1 + exp(-(at_one + slope * ln(pictures))))."""

    at_one: float
    slope: float

    def pictures_at(self, share: float) -> float:
        """After how many pictures the curve reaches the share (between 0 and 1); inf if it never rises."""
        if self.slope <= 0:
            return math.inf
        exponent = (math.log(share / (1 - share)) - self.at_one) / self.slope
        return math.exp(exponent) if exponent < 700 else math.inf


def fit_logistic(pictures: np.ndarray, shares: np.ndarray) -> Logistic:
    """The logistic curve over ln(pictures) with the least squared errors (Levenberg 1944)."""
    x = np.log(pictures)
    middle = x.mean()
    basis = np.stack([np.ones(len(x)), x - middle], axis=1)
    clipped = np.clip(shares, 0.02, 0.98)
    beta = np.linalg.lstsq(basis, np.log(clipped / (1 - clipped)), rcond=None)[0]

    def errors(beta: np.ndarray) -> np.ndarray:
        return shares - (1 + np.tanh(basis @ beta / 2)) / 2  # tanh does not overflow, exp does

    damping = 0.01
    for _ in range(200):
        rest = errors(beta)
        share = shares - rest
        jacobian = basis * (share * (1 - share))[:, None]
        step = np.linalg.solve(jacobian.T @ jacobian + damping * np.eye(2), jacobian.T @ rest)
        if np.square(errors(beta + step)).sum() <= np.square(rest).sum():
            beta, damping = beta + step, damping / 4
            if np.abs(step).max() < 1e-6:
                break
        else:
            damping *= 4
    return Logistic(at_one=float(beta[0] - beta[1] * middle), slope=float(beta[1]))


def extrapolation(evaluations: Sequence[dict]) -> str:
    """At how many pictures EM and EM over the ceiling would reach LEVELS, in Markdown.

    `evaluations` are lines as `curve.log_line` makes them.
    """
    measured = [line for line in evaluations if line["pictures"] and line["em_over_ceiling"] is not None]
    if sum(line["em"] > 0 for line in measured) < _NEEDED:
        return "An extrapolation needs at least three points with EM above 0."
    ceiling = [line["em"] / line["em_over_ceiling"] for line in measured if line["em"] > 0][-1]
    columns = [_reached(measured, measure) for measure in ("em", "em_over_ceiling")]
    rows = []
    for level, em, ratio in zip(LEVELS, *columns, strict=True):
        rows.append([level, em if level <= ceiling else f"above the reader's own {ceiling:.3f}", ratio])
    return "\n\n".join(
        [
            markdown(["reached", "by EM, after pictures", "by EM / ceiling, after pictures"], rows),
            f"Least squares through {len(measured)} evaluations, a logistic curve over the logarithm of "
            "pictures. The ranges hold 95 % of the fits to EMs redrawn within their own intervals. They do "
            "not know whether the curve goes on like this: another stage of the curriculum or of the "
            "learning rate bends it.",
        ]
    )


def _reached(evaluations: list[dict], measure: str) -> list[str]:
    """For each of LEVELS the pictures at which the fitted measure gets there, with their range."""
    pictures = np.array([line["pictures"] for line in evaluations], dtype=float)
    shares = np.array([line[measure] for line in evaluations])
    # Half an interval's width in EM is so much more in EM over the ceiling. An EM of 0 has no width.
    scale = np.array([line[measure] / line["em"] if line["em"] else 1 for line in evaluations])
    deviations = scale * [np.ptp(line["em_interval"]) / _WIDTH_95 for line in evaluations]
    noise = np.random.default_rng(0).standard_normal((_REDRAWS, len(shares)))
    redrawn = [fit_logistic(pictures, np.clip(drawn, 0, 1)) for drawn in shares + noise * deviations]
    best = fit_logistic(pictures, shares)
    cells = []
    for level in LEVELS:
        # Sorted, not interpolated: between a number and infinity there is nothing.
        reached = sorted(fit.pictures_at(level) for fit in redrawn)
        low, high = (reached[round(edge * (_REDRAWS - 1))] for edge in _EDGES)
        cells.append(f"{_about(best.pictures_at(level))} ({_about(low)} to {_about(high)})")
    return cells


def _about(pictures: float) -> str:
    """Two digits of the number are more than a fit knows."""
    return f"{float(f'{pictures:.2g}'):,.0f}" if pictures < 1e12 else "never"
