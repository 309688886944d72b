"""The extrapolation finds the curve that made the points, and says when it cannot."""

import math

import numpy as np
import pytest

from textdiff.training.extrapolation import Logistic, extrapolation, fit_logistic

PICTURES = np.array([1e5, 2e5, 4e5, 8e5])


def shares_of(curve: Logistic, pictures: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(curve.at_one + curve.slope * np.log(pictures))))


def evaluations(ems, ceiling: float = 0.9, half: float = 0.02) -> list[dict]:
    return [
        {
            "pictures": int(pictures),
            "em": em,
            "em_interval": [max(0, em - half), em + half] if em else [0, 0],
            "em_over_ceiling": em / ceiling,
        }
        for pictures, em in zip(PICTURES, ems, strict=False)
    ]


@pytest.mark.parametrize("half_at, slope", [(1.5e5, 3.0), (3e6, 1.2), (4e5, 8.0)])
def test_the_fit_recovers_the_logistic_curve_behind_exact_points(half_at, slope):
    curve = Logistic(-slope * math.log(half_at), slope)
    fitted = fit_logistic(PICTURES, shares_of(curve, PICTURES))
    assert fitted.slope == pytest.approx(slope, rel=1e-3)
    assert fitted.pictures_at(0.5) == pytest.approx(half_at, rel=1e-3)


def test_the_fit_has_the_least_squared_errors_of_its_neighbours():
    shares = np.array([0.05, 0.1, 0.35, 0.4])
    best = fit_logistic(PICTURES, shares)
    least = np.square(shares - shares_of(best, PICTURES)).sum()
    middle = math.log(3e5)
    for tilt in (-0.05, 0, 0.05):
        for shift in (-0.05, 0, 0.05):
            other = Logistic(best.at_one + shift - tilt * middle, best.slope + tilt)
            assert np.square(shares - shares_of(other, PICTURES)).sum() >= least - 1e-9


def test_a_step_has_a_steep_fit_and_no_overflow():
    fitted = fit_logistic(PICTURES, np.array([0.0, 0.0, 1.0, 1.0]))
    assert 2e5 < fitted.pictures_at(0.5) < 4e5


def test_what_does_not_rise_never_arrives():
    fitted = fit_logistic(PICTURES, np.array([0.3, 0.2, 0.15, 0.1]))
    assert fitted.pictures_at(0.5) == math.inf
    assert "| 0.5 | never (never to never) |" in extrapolation(evaluations([0.3, 0.2, 0.15, 0.1]))


def test_an_extrapolation_names_the_pictures_for_each_level_with_a_range():
    curve = Logistic(-2 * math.log(8e5), 2.0)
    text = extrapolation(evaluations(shares_of(curve, PICTURES).tolist()))
    (half,) = [line for line in text.splitlines() if line.startswith("| 0.5 ")]
    em, ratio = half.split("|")[2:4]
    best, low, high = (float(word.strip("()").replace(",", "")) for word in em.split() if word != "to")
    assert best == 8e5 and low < 8e5 < high
    assert float(ratio.split()[0].replace(",", "")) < best
    assert "through 4 evaluations" in text


def test_an_em_above_the_readers_own_is_not_promised():
    text = extrapolation(evaluations([0.1, 0.2, 0.4, 0.6], ceiling=0.9))
    assert "| 0.95 | above the reader's own 0.900 |" in text


@pytest.mark.parametrize("ems", [[0.0, 0.0, 0.1, 0.2], [0.1, 0.2], []])
def test_fewer_than_three_points_above_0_are_not_extrapolated(ems):
    assert extrapolation(evaluations(ems)) == "An extrapolation needs at least three points with EM above 0."
