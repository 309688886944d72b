"""The upscaler is the base model inside two slices of bread, and sees the small picture."""

import pytest
import torch
from oracles import ids_of, lively_unet, lively_upscaler

from textdiff.checkpoints import build_network, take_over
from textdiff.config import PRESETS
from textdiff.networks.upscaler import TwoTimes

X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
SMALL = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
T, SMALL_T = torch.tensor([0.3, 0.8]), torch.tensor([0.0, 0.5])
IDS = ids_of("Hi\nyo", "abc")


@pytest.fixture(scope="module")
def network():
    return lively_upscaler().requires_grad_(False)


def test_the_answer_is_a_large_picture_and_starts_at_zero(network):
    assert network(X, T, IDS, SMALL, SMALL_T).shape == X.shape
    assert not build_network(network.config)(X, T, IDS, SMALL, SMALL_T).any()


def test_everything_that_it_is_given_matters(network):
    question = {"x": X, "t": T, "ids": IDS, "small": SMALL, "small_t": SMALL_T}
    answer = network(**question)
    for change in (
        {"x": -X},
        {"t": T.flip(0)},
        {"ids": ids_of("Hj\nyo", "acb")},
        {"small": -SMALL},
        {"small_t": SMALL_T.flip(0)},
    ):
        other = network(**question | change)
        assert not torch.allclose(other[0], answer[0], atol=1e-3), change.keys()
        assert not torch.allclose(other[1], answer[1], atol=1e-3), change.keys()


def test_a_pixel_of_the_small_picture_reaches_the_stem_at_its_place(network):
    seen = []
    handle = network.stem.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    spot = torch.zeros(1, 3, 16, 16)
    spot[:, :, 4, 9] = 1.0
    try:
        network(torch.zeros(1, 3, 32, 32), T[:1], IDS[:1], spot, SMALL_T[:1])
    finally:
        handle.remove()
    rows, columns = seen[0][0].abs().sum(0).nonzero().T  # cells of two by two pixels
    assert (rows.float().mean(), columns.float().mean()) == (4, 9)


def test_the_small_picture_s_time_has_no_say_at_first():
    torch.manual_seed(0)
    times = TwoTimes(32)
    base = PRESETS["tiny"].model
    assert torch.equal(times(T, SMALL_T), times(T, SMALL_T.flip(0)))
    sandwich, inside = build_network(PRESETS["tiny-upscaler"].model), lively_unet(base)
    take_over(sandwich, inside)
    assert torch.equal(sandwich.time(T, SMALL_T), inside.time(T))


def test_a_sandwich_starts_with_the_very_features_of_the_base_inside():
    """Given what the base hands in at its top, the inside computes what the base computes."""
    inside = lively_unet().requires_grad_(False)
    sandwich = build_network(PRESETS["tiny-upscaler"].model).eval().requires_grad_(False)
    take_over(sandwich, inside)
    features = {}

    def note(network, name, place):
        def hook(module, inputs, output):
            features[name] = output

        return network.get_submodule(place).register_forward_hook(hook)

    top = "up.8x8_block1"  # the last block that both have
    note(inside, "stem", "stem")
    note(inside, "base", top)
    note(sandwich, "sandwich", top)
    sandwich.get_submodule("down.8x8_down").register_forward_hook(lambda *_: features["stem"])
    inside(torch.randn(2, 3, 16, 16), T, IDS)
    sandwich(X, T, IDS, SMALL, SMALL_T)
    assert torch.equal(features["sandwich"], features["base"])


def test_every_weight_is_trained():
    network = lively_upscaler()
    network(X, T, IDS, SMALL, SMALL_T).square().mean().backward()
    assert [name for name, weight in network.named_parameters() if not weight.grad.any()] == []
