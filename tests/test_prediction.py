import math

import pytest
import torch

from textdiff.noise_schedule import cosine, level
from textdiff.prediction import (
    add_noise,
    eps_from_velocity,
    eps_from_x0,
    velocity,
    x0_from_eps,
    x0_from_velocity,
)

X0, EPS = torch.randn(2, 4, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("t", [0.001, 0.3, 0.5, 0.999])
def test_every_prediction_leads_back_to_the_picture_and_the_noise(t):
    alpha, sigma = level(cosine, t)
    x_t, v = add_noise(X0, EPS, alpha, sigma), velocity(X0, EPS, alpha, sigma)
    torch.testing.assert_close(x0_from_velocity(x_t, v, alpha, sigma), X0)
    torch.testing.assert_close(eps_from_velocity(x_t, v, alpha, sigma), EPS)
    torch.testing.assert_close(eps_from_x0(x_t, X0, alpha, sigma), EPS)
    torch.testing.assert_close(x0_from_eps(x_t, EPS, alpha, sigma), X0)


def test_the_velocity_is_how_the_noisy_picture_moves_when_the_angle_grows():
    angle, tick = 0.7, 1e-5
    later = add_noise(X0, EPS, math.cos(angle + tick), math.sin(angle + tick))
    earlier = add_noise(X0, EPS, math.cos(angle - tick), math.sin(angle - tick))
    moved = (later - earlier) / (2 * tick)
    torch.testing.assert_close(moved, velocity(X0, EPS, math.cos(angle), math.sin(angle)), rtol=0, atol=1e-8)


def test_each_picture_of_a_batch_may_have_its_own_time():
    t = torch.tensor([0.1, 0.4, 0.6, 0.9], dtype=torch.float64)
    alpha, sigma = (value.view(-1, 1, 1, 1) for value in cosine(t))
    together = add_noise(X0, EPS, alpha, sigma)
    for k in range(4):
        assert torch.equal(together[k], add_noise(X0[k], EPS[k], alpha[k], sigma[k]))
