"""Half the space for large tensors, with an error of at most half a step of their channel."""

import pytest
import torch

from textdiff.eight_bits import packed, unpacked


@pytest.fixture
def weights():
    """Channels of very different sizes, one of them silent."""
    generator = torch.Generator().manual_seed(1)
    size = torch.logspace(-4, 1, 128)
    size[5] = 0
    return {
        "up.weight": torch.randn(128, 32, 3, 3, generator=generator) * size[:, None, None, None],
        "up.bias": torch.randn(20_000, generator=generator),
        "out.weight": torch.randn(63, 64, 3, 3, generator=generator),
        "line.weight": torch.randn(5, 192, generator=generator),
    }


def test_a_weight_is_wrong_by_at_most_half_a_step_of_its_own_channel(weights):
    error = (unpacked(packed(weights))["up.weight"] - weights["up.weight"]).abs().flatten(1).amax(1)
    peak = weights["up.weight"].abs().flatten(1).amax(1)
    # Half of a 127th, and as much as fp16 rounds a peak by: 2**-11 of it, or half of the smallest number.
    assert (error <= peak * (0.5 / 127 + 2**-10) + 2**-24).all()
    assert error[5] == 0


def test_only_what_is_large_and_has_many_channels_and_no_vector_has_8_bits(weights):
    stored = packed(weights)
    assert stored["up.weight"].dtype == torch.int8 and stored["up.weight.peak"].shape == (128,)
    assert {stored[name].dtype for name in weights if name != "up.weight"} == {torch.float16}
    assert len(stored) == 5
    assert torch.equal(unpacked(stored)["line.weight"], weights["line.weight"].half().float())


def test_packing_again_changes_nothing(weights):
    once = packed(weights)
    again = packed(unpacked(once))
    assert once.keys() == again.keys()
    assert all(torch.equal(once[name], again[name]) for name in once)


def test_what_nobody_packed_is_taken_as_it_is(weights):
    read = unpacked({name: value.half() for name, value in weights.items()})
    assert all(torch.equal(read[name], value.half().float()) for name, value in weights.items())
