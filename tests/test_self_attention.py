"""The weights computed from outside are those with which a self-attention answers."""

import numpy as np
import pytest
import torch
from oracles import lively_checkpoint
from torch import nn

from textdiff.experiments.replay import denoiser_for, replayed
from textdiff.experiments.self_attention import (
    self_attention_at,
    self_attention_layers,
    self_attention_weights,
)
from textdiff.networks.blocks import SelfAttention, merge_heads, split_heads, to_cells, to_picture
from textdiff.trajectory import Request

REQUEST = Request(text="Hi", candidates=2, seed=5, steps=4, guidance=2.0)


@pytest.fixture(scope="module")
def checkpoint():
    return lively_checkpoint()


@pytest.fixture(scope="module")
def moment(checkpoint):
    *_, moment = replayed(checkpoint, REQUEST, 1, 2)
    return moment


@pytest.fixture
def attention():
    torch.manual_seed(0)
    attention = SelfAttention(16, 8).requires_grad_(False)
    for parameter in attention.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)
    return attention


def test_the_weights_give_the_answer_of_the_module(attention):
    x = torch.randn(2, 16, 4, 6)
    weights = self_attention_weights(attention, x)
    assert weights.shape == (2, 2, 24, 24)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 24))
    values = split_heads(attention.to_qkv(to_cells(attention.norm(x)))[..., 32:], 2)
    torch.testing.assert_close(x + to_picture(attention.out(merge_heads(weights @ values)), x), attention(x))


def test_the_weights_of_one_cell_by_hand(attention):
    x = torch.randn(1, 16, 2, 2)
    weights = self_attention_weights(attention, x)[0, 1, 3].double().numpy()  # head 1, the last cell
    cells = attention.norm(x).double().numpy()[0].reshape(16, 4).T
    rows, offset = attention.to_qkv.weight.double().numpy(), attention.to_qkv.bias.double().numpy()
    query = cells[3] @ rows[8:16].T + offset[8:16]
    keys = cells @ rows[24:32].T + offset[24:32]
    query, keys = (v / np.sqrt((v**2).mean(-1, keepdims=True)) for v in (query, keys))
    share = np.exp(keys @ query / np.sqrt(8))
    np.testing.assert_allclose(weights, share / share.sum(), atol=1e-5)


def test_every_self_attention_is_named_after_its_place(checkpoint):
    layers = self_attention_layers(checkpoint.network)
    assert [(layer.name, layer.resolution, layer.heads) for layer in layers] == [
        ("down.4x4_block0", 4, 2),
        ("middle.block0", 4, 2),
        ("middle.block1", 4, 2),
        ("up.4x4_block0", 4, 2),
        ("up.4x4_block1", 4, 2),
    ]


def test_at_a_moment_every_cell_of_every_layer_is_seen_as_the_network_sees_it(checkpoint, moment):
    inputs, asked = {}, []
    first = checkpoint.network.get_submodule("down.4x4_block0.self_attention")
    hooks = [
        first.register_forward_pre_hook(lambda module, args: inputs.update(x=args[0])),
        checkpoint.network.register_forward_hook(lambda *args: asked.append(args)),
    ]
    try:
        maps = self_attention_at(moment)
    finally:
        for hook in hooks:
            hook.remove()
    assert len(asked) == 1 and maps.step == 2
    assert maps.layers == self_attention_layers(checkpoint.network)
    for layer, weights in zip(maps.layers, maps.weights, strict=True):
        assert weights.shape == (layer.heads, 16, 16) and weights.dtype == np.float32
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-2)
    expected = self_attention_weights(first, inputs["x"].float()).detach().numpy()[0]
    np.testing.assert_allclose(maps.weights[0], expected, atol=1e-2)
    assert np.array_equal(maps.seen_from("down.4x4_block0", 1, 2), maps.weights[0][:, 6])


def test_looking_leaves_no_trace(checkpoint, moment):
    self_attention_at(moment)
    assert not any(module._forward_pre_hooks for module in checkpoint.network.modules())


def test_looking_changes_no_bit_of_the_answer(checkpoint, moment):
    denoise = denoiser_for(checkpoint, "Hi", 1.0)
    before = denoise(moment.x_t, moment.t)
    self_attention_at(moment)
    assert torch.equal(denoise(moment.x_t, moment.t).x0, before.x0)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (("up.4x4_block0", 4, 0), "row of a cell of up.4x4_block0 must be a whole number from 0 to 3"),
        (("up.4x4_block0", 0, -1), "column"),
        (("up.4x4_block0", 0.5, 0), "row"),
        (("up.8x8_block0", 0, 0), "no self-attention called 'up.8x8_block0'"),
    ],
)
def test_a_cell_that_is_not_there_gets_one_sentence(moment, cell, words):
    with pytest.raises(ValueError, match=words) as caught:
        self_attention_at(moment).seen_from(*cell)
    assert str(caught.value).endswith(".")
