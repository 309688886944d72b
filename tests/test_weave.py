import pytest
import torch
import torch.nn.functional as F
from torch import nn

from textdiff.config import ModelConfig
from textdiff.networks.blocks import merge_heads, split_heads
from textdiff.networks.weave import AxialPositions, CrossAttention, WeaveAttention

CONFIG = ModelConfig(head_channels=8, text_width=24, time_width=8)
X = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(1))
TEXT = torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(2))
TIME = torch.randn(2, 8, generator=torch.Generator().manual_seed(3))
PADDING = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
POSITIONS = torch.randn(32, 4, 4, generator=torch.Generator().manual_seed(4))


def lively(module):
    """The module with random weights in place of the zeros."""
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)
    return module.requires_grad_(False)


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return lively(CrossAttention(16, 24, heads=2, head_channels=8, taught_head=None))


@pytest.fixture
def weave():
    torch.manual_seed(0)
    return lively(WeaveAttention(CONFIG, 16, resolution=4))


QUERIES = torch.randn(2, 7, 16, generator=torch.Generator().manual_seed(5))


def test_cross_attention_equals_the_attention_of_pytorch_on_normalised_queries_and_keys(attention):
    attention.temperature.copy_(torch.tensor([1.5, 4.0])[:, None, None])
    q = F.rms_norm(split_heads(attention.to_query(QUERIES), 2), (8,)) * attention.temperature
    k = F.rms_norm(split_heads(attention.to_key(TEXT), 2), (8,))
    v = split_heads(attention.to_value(TEXT), 2)
    seen = ~PADDING[:, None, None]
    expected = attention.out(merge_heads(F.scaled_dot_product_attention(q, k, v, seen, scale=1 / 8)))
    torch.testing.assert_close(attention(QUERIES, TEXT, PADDING), expected)


def test_the_temperature_starts_where_one_over_the_root_of_the_width_would_put_it():
    attention = CrossAttention(16, 24, heads=2, head_channels=64, taught_head=None)
    torch.testing.assert_close(attention.temperature / 64, torch.full((2, 1, 1), 64**-0.5))


def test_the_observed_weights_are_those_that_are_used(attention):
    second = torch.eye(5)[1]  # as if every query looked at the second key
    attention.weights.register_forward_hook(lambda module, inputs, weights: second.expand_as(weights))
    expected = attention.out(attention.to_value(TEXT[:, 1:2])).expand(2, 7, 16)
    torch.testing.assert_close(attention(QUERIES, TEXT), expected)


def test_the_weights_of_a_query_add_up_to_one_and_hidden_keys_have_none(attention):
    seen = []
    attention.weights.register_forward_hook(lambda module, inputs, weights: seen.append(weights))
    attention(QUERIES, TEXT, PADDING)
    (weights,) = seen
    assert weights.shape == (2, 2, 7, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 7))
    assert not weights[1, :, :, 3:].any() and weights[0].all()


def test_weave_attention_starts_by_passing_the_picture_on():
    weave = WeaveAttention(CONFIG, 16, resolution=4)
    assert torch.equal(weave(X, TEXT, PADDING, TIME, POSITIONS), X)


def test_weave_attention_reads_the_text_but_never_its_padding(weave):
    written = weave(X, TEXT, PADDING, TIME, POSITIONS)
    other_padding, other_text = TEXT.clone(), TEXT.clone()
    other_padding[1, 3:] *= -1
    other_text[1, 2] *= -1
    torch.testing.assert_close(weave(X, other_padding, PADDING, TIME, POSITIONS), written)
    assert not torch.allclose(weave(X, other_text, PADDING, TIME, POSITIONS)[1], written[1], atol=1e-3)


def test_the_gain_scales_what_is_written(weave):
    once = weave(X, TEXT, PADDING, TIME, POSITIONS) - X
    weave.gain.fill_(2.0)
    torch.testing.assert_close(weave(X, TEXT, PADDING, TIME, POSITIONS) - X, 2 * once)


def test_the_text_looks_at_the_picture_first_when_the_config_says_so(weave):
    """What a token says to the cells then depends on the picture."""
    keys = []
    weave.text_to_image.register_forward_pre_hook(lambda module, inputs: keys.append(inputs[1]))
    weave(X, TEXT, PADDING, TIME, POSITIONS)
    weave(-X, TEXT, PADDING, TIME, POSITIONS)
    assert not torch.allclose(*keys, atol=1e-3)


@pytest.mark.parametrize(
    ("resolution", "asked_for", "head"), [(8, True, None), (16, True, 0), (32, True, 0), (16, False, None)]
)
def test_a_head_is_taught_where_cells_are_about_as_small_as_letters(resolution, asked_for, head):
    weave = WeaveAttention(ModelConfig(taught_attention=asked_for), 32, resolution)
    assert weave.text_to_image.taught_head == head
    assert weave.image_to_text.taught_head == head


def test_axial_positions_are_the_sum_of_a_row_s_and_a_column_s_vector():
    positions = AxialPositions(16, 4)()
    assert positions.shape == (32, 4, 4)
    torch.testing.assert_close(
        positions[:, 1, 2] - positions[:, 1, 0], positions[:, 3, 2] - positions[:, 3, 0]
    )
    assert not torch.allclose(positions[:, 1], positions[:, 2])
