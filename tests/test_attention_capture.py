import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import ids_of, lively_unet
from torch import nn

from textdiff.attention_capture import as_arrays, layers_of, watch_attention
from textdiff.config import PRESETS
from textdiff.networks.weave import CrossAttention
from textdiff.trajectory import IMAGE_TO_TEXT, TEXT_TO_IMAGE

TINY = PRESETS["tiny"].model
IDS = ids_of("ab\ncd", "x")
TOKENS = IDS.shape[1]


@pytest.fixture(scope="module")
def network():
    return lively_unet()


def forward(network, seed=3):
    x = torch.randn(2, 3, TINY.image_size, TINY.image_size, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return network(x, torch.full((2,), 0.4), IDS)


def hooks_on(network):
    return sum(len(module._forward_hooks) for module in network.modules())


@pytest.fixture(scope="module")
def seen(network):
    with watch_attention(network) as seen:
        forward(network)
    return seen


def test_watching_does_not_change_one_bit_of_the_output(network):
    unwatched = forward(network)
    with watch_attention(network):
        watched = forward(network)
    assert unwatched.abs().max() > 0.01  # a silent network would prove nothing
    assert torch.equal(watched, unwatched)


def test_watching_under_bfloat16_does_not_change_one_bit_either(network):
    with torch.autocast("cpu", torch.bfloat16):
        unwatched = forward(network)
        with watch_attention(network) as seen:
            assert torch.equal(forward(network), unwatched)
    for weights in seen.values():
        torch.testing.assert_close(weights.float().sum(-1), torch.ones(weights.shape[:-1]), rtol=0, atol=1e-2)


def test_every_text_attention_is_seen_in_both_directions(network, seen):
    names = [name for name, module in network.named_modules() if isinstance(module, CrossAttention)]
    assert sorted(seen) == sorted(names)
    assert "up.4x4_block0.weave.text_to_image" in seen and "up.4x4_block0.weave.image_to_text" in seen


def test_every_head_is_seen_and_the_weights_of_every_query_add_up_to_one(network, seen):
    for layer in layers_of(network):
        weights, cells = seen[f"{layer.name}.weave.{layer.direction}"], layer.resolution**2
        between = (TOKENS, cells) if layer.direction == IMAGE_TO_TEXT else (cells, TOKENS)
        assert weights.shape == (2, layer.heads, *between)
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


def test_what_is_seen_is_what_the_network_uses(network):
    """Replacing the weights by a hook that looks at one token must change the picture, and be seen by us."""

    def stare(module, inputs, weights):
        return torch.eye(weights.shape[-1])[0].expand_as(weights)

    handle = network.get_submodule("up.4x4_block0.weave.text_to_image.weights").register_forward_hook(stare)
    try:
        with watch_attention(network) as seen:
            stared = forward(network)
    finally:
        handle.remove()
    assert seen["up.4x4_block0.weave.text_to_image"][..., 0].eq(1).all()
    assert not torch.equal(stared, forward(network))


def test_padding_gets_no_weight_from_the_cells(seen):
    assert seen["up.4x4_block0.weave.text_to_image"][1, :, :, 2:].eq(0).all()  # the text of row 1 is START, x


def test_layers_are_described_in_the_order_in_which_they_run(network, seen):
    layers = layers_of(network)
    assert [f"{layer.name}.weave.{layer.direction}" for layer in layers] == list(seen)
    first, second = layers[:2]
    assert (first.name, first.direction) == ("up.4x4_block0", IMAGE_TO_TEXT)
    assert (second.name, second.direction) == ("up.4x4_block0", TEXT_TO_IMAGE)
    assert (first.resolution, first.heads) == (4, TINY.channels[-1] // TINY.head_channels)


def test_both_directions_at_16x16_and_above_have_a_taught_head():
    config = replace(TINY, image_size=32, text_at=(8,), text_once_at=(16,))
    for layer in layers_of(lively_unet(config)):
        assert layer.taught_head == (0 if layer.resolution >= 16 else None)


def test_arrays_are_heads_cells_tokens_whichever_way_a_layer_looks(network, seen):
    layers = layers_of(network)
    for layer, array in zip(layers, as_arrays(seen, layers), strict=True):
        weights = seen[f"{layer.name}.weave.{layer.direction}"].numpy()
        assert array.shape == (2, layer.heads, layer.resolution**2, TOKENS) and array.dtype == np.float32
        for cell, token in ((0, 1), (5, 3)):
            query, key = (token, cell) if layer.direction == IMAGE_TO_TEXT else (cell, token)
            assert np.array_equal(array[:, :, cell, token], weights[:, :, query, key])


def test_no_hook_stays_behind_even_after_an_error(network):
    with watch_attention(network):
        assert hooks_on(network) == len(layers_of(network))
    assert hooks_on(network) == 0
    with pytest.raises(RuntimeError), watch_attention(network):
        raise RuntimeError
    assert hooks_on(network) == 0


def test_a_second_forward_pass_cannot_replace_the_first_unnoticed(network):
    with pytest.raises(AssertionError, match="one forward pass"), watch_attention(network):
        forward(network)
        forward(network)


def test_two_threads_may_watch_one_network_and_each_sees_its_own_pass(network):
    both = threading.Barrier(2, timeout=60)

    def watched(seed):
        with watch_attention(network) as seen:
            both.wait()  # both watch now
            forward(network, seed)
            both.wait()
        return seen

    with ThreadPoolExecutor(2) as visitors:
        together = list(visitors.map(watched, (3, 4)))
    for seed, seen in zip((3, 4), together, strict=True):
        with watch_attention(network) as alone:
            forward(network, seed)
        assert list(seen) == list(alone)
        assert all(torch.equal(seen[name], weights) for name, weights in alone.items())
    assert not torch.equal(*(seen["up.4x4_block0.weave.text_to_image"] for seen in together))


def test_a_network_without_text_attention_is_refused():
    with pytest.raises(ValueError, match="no text attention"), watch_attention(nn.Linear(1, 1)):
        pass
    with pytest.raises(ValueError, match="no text attention"):
        layers_of(nn.Linear(1, 1))


def test_a_network_that_weaves_in_one_direction_only_can_be_watched():
    network = lively_unet(replace(TINY, image_to_text=False))
    with watch_attention(network) as seen:
        forward(network)
    assert {layer.direction for layer in layers_of(network)} == {TEXT_TO_IMAGE}
    assert len(as_arrays(seen, layers_of(network))) == len(seen)
