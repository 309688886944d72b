from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from oracles import ids_of, lively_unet
from torch import nn

from textdiff.attention_capture import watch_attention
from textdiff.attention_mute import mute
from textdiff.config import PRESETS, ModelConfig
from textdiff.networks.weave import WeaveAttention

IDS = ids_of("ab\ncd", "xyz")
CHARACTER = torch.zeros_like(IDS[:1], dtype=torch.bool)
CHARACTER[0, 2] = True  # the b of the first text


@pytest.fixture(scope="module")
def network():
    return lively_unet()


def forward(network):
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        return network(x, torch.full((2,), 0.4), IDS)


def hooks_on(network):
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in network.modules())


@pytest.mark.parametrize("image_to_text", [True, False])
def test_a_muted_key_is_a_key_that_is_not_there(image_to_text):
    torch.manual_seed(0)
    config = ModelConfig(head_channels=8, text_width=24, time_width=8, image_to_text=image_to_text)
    weave = WeaveAttention(config, 16, resolution=4).requires_grad_(False)
    for parameter in weave.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)
    x, text, time = torch.randn(2, 16, 4, 4), torch.randn(2, 5, 24), torch.randn(2, 8)
    padding = torch.tensor([[False] * 5, [False] * 4 + [True]])
    hidden = torch.tensor([[False, True, False, True, False]] * 2)
    left = [0, 2, 4]

    with mute(weave, hidden):
        muted = weave(x, text, padding, time, None)
    without = weave(x, text[:, left], padding[:, left], time, None)
    torch.testing.assert_close(muted, without)
    assert not torch.allclose(muted, weave(x, text, padding, time, None), atol=1e-3)


def test_every_text_to_image_attention_is_deaf_to_a_muted_token_and_no_other_is(network):
    with mute(network, CHARACTER), watch_attention(network) as seen:
        forward(network)
    for name, weights in seen.items():
        to_image = name.endswith("text_to_image")
        of_the_token = weights[0, :, :, 2] if to_image else weights[0, :, 2]
        assert of_the_token.eq(0).all() == to_image
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


def test_pictures_beyond_the_muted_ones_stay_the_same_bit_by_bit(network):
    plain = forward(network)
    with mute(network, CHARACTER):
        muted = forward(network)
    assert torch.equal(muted[1], plain[1])
    assert not torch.allclose(muted[0], plain[0], atol=1e-3)


def test_muting_nothing_changes_nothing(network):
    plain = forward(network)
    with mute(network, torch.zeros_like(IDS, dtype=torch.bool)):
        assert torch.equal(forward(network), plain)


def test_a_pass_of_another_thread_is_not_muted(network):
    plain = forward(network)
    with mute(network, CHARACTER), ThreadPoolExecutor(1) as somebody:
        assert torch.equal(somebody.submit(forward, network).result(), plain)


def test_afterwards_the_network_is_as_before_even_after_an_error(network):
    plain = forward(network)
    with mute(network, CHARACTER):
        assert hooks_on(network) > 0
    with pytest.raises(RuntimeError), mute(network, CHARACTER):
        raise RuntimeError
    assert hooks_on(network) == 0
    assert torch.equal(forward(network), plain)


def test_a_network_that_weaves_in_one_direction_only_can_be_muted():
    network = lively_unet(replace(PRESETS["tiny"].model, image_to_text=False))
    plain = forward(network)
    with mute(network, CHARACTER):
        assert not torch.allclose(forward(network)[0], plain[0], atol=1e-3)


def test_a_network_without_text_attention_is_refused():
    with pytest.raises(ValueError, match="no text attention"), mute(nn.Linear(1, 1), CHARACTER):
        pass


def test_leaving_something_to_look_at_is_our_own_duty(network):
    with pytest.raises(AssertionError, match="look at"), mute(network, torch.ones_like(CHARACTER)):
        pass
