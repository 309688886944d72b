"""Backgrounds have the colours that they are given, and those in between."""

import numpy as np
import pytest

from textdiff.training.backgrounds import BACKGROUNDS

COLOURS = np.array([[10.0, 20.0, 30.0], [200.0, 20.0, 90.0], [200.0, 220.0, 30.0]])
SIZE = 40
every_background = pytest.mark.parametrize("draw", BACKGROUNDS.values(), ids=BACKGROUNDS)


@every_background
def test_no_colour_lies_outside_those_given(draw):
    for seed in range(20):
        picture = draw(np.random.default_rng(seed), COLOURS, SIZE)
        assert picture.shape == (SIZE, SIZE, 3)
        low, high = COLOURS.min(0) - 1e-6, COLOURS.max(0) + 1e-6
        assert (picture >= low).all() and (picture <= high).all()


@every_background
def test_the_same_chance_gives_the_same_background(draw):
    one, same, other = (draw(np.random.default_rng(seed), COLOURS, SIZE) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert np.array_equal(one, other) == (draw is BACKGROUNDS["flat"])


def test_flat_is_one_colour_and_a_gradient_goes_from_the_first_to_the_second():
    rng = np.random.default_rng(0)
    assert (BACKGROUNDS["flat"](rng, COLOURS, SIZE) == COLOURS[0]).all()
    corners = BACKGROUNDS["gradient"](rng, COLOURS, SIZE)[:: -1 + SIZE, :: SIZE - 1].reshape(4, 3)
    for colour in COLOURS[:2]:
        assert np.abs(corners - colour).max(1).min() < 1e-6


def test_noise_is_soft_and_shapes_have_edges():
    rng = np.random.default_rng(0)
    soft, hard = (BACKGROUNDS[name](rng, COLOURS, SIZE) for name in ("noise", "shapes"))
    assert np.ptp(soft) > 50 and np.abs(np.diff(soft, axis=1)).max() < np.ptp(soft) / 5
    assert {tuple(colour) for colour in hard.reshape(-1, 3)} <= {tuple(colour) for colour in COLOURS}
    assert len(np.unique(hard.reshape(-1, 3), axis=0)) > 1
