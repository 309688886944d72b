import pytest
import torch
from torch import nn

from textdiff.training.ema import EMA


def constant(value):
    network = nn.Linear(2, 2)
    for parameter in network.parameters():
        nn.init.constant_(parameter, value)
    return network


def test_the_copy_starts_equal_is_never_trained_and_does_not_follow_by_itself():
    network = constant(1.0)
    ema = EMA(network, decay=0.9)
    nn.init.zeros_(network.weight)
    assert (ema.network.weight == 1).all()
    assert not ema.network.training and not any(p.requires_grad for p in ema.network.parameters())


@pytest.mark.parametrize(("step", "memory"), [(1, 2 / 11), (10, 11 / 20), (10_000, 0.9)])
def test_a_young_average_forgets_faster(step, memory):
    ema = EMA(constant(1.0), decay=0.9)
    ema.update(constant(3.0), step)
    for parameter in ema.network.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, memory * 1 + (1 - memory) * 3))


def test_the_average_reaches_weights_that_no_longer_change():
    ema = EMA(constant(0.0), decay=0.9)
    for step in range(1, 200):
        ema.update(constant(5.0), step)
    torch.testing.assert_close(ema.network.weight, torch.full((2, 2), 5.0))
