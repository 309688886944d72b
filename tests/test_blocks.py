import pytest
import torch
import torch.nn.functional as F
from torch import nn

from textdiff.networks.blocks import (
    AdaGN,
    Conv2d,
    Downsample,
    Linear,
    Moment,
    ResidualBlock,
    SelfAttention,
    TimeEmbedding,
    Upsample,
    attend,
    merge_heads,
    split_heads,
    to_cells,
    to_picture,
    unit_rms,
)
from textdiff.noise_schedule import T_MAX, T_MIN

X = torch.randn(2, 16, 4, 6, generator=torch.Generator().manual_seed(1))
CELLS = to_cells(X).contiguous()
TIME = torch.randn(2, 8, generator=torch.Generator().manual_seed(2))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def lively(module):
    """The module with random weights in place of the zeros."""
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)
    return module


def test_neighbouring_times_have_different_embeddings_over_the_whole_range():
    times = torch.linspace(T_MIN, T_MAX, 300)
    embedded = TimeEmbedding(32)(times)
    assert embedded.shape == (300, 32) and embedded.isfinite().all()
    assert (torch.cdist(embedded, embedded) + torch.eye(300) > 1e-3).all()


def test_adaptive_group_norm_starts_as_plain_group_norm():
    torch.testing.assert_close(AdaGN(16, 8)(X, TIME), F.group_norm(X, 8))


def test_adaptive_group_norm_scales_and_shifts_each_picture_by_its_time():
    norm = lively(AdaGN(16, 8))
    scale, shift = norm.modulation(F.silu(TIME)).chunk(2, dim=1)
    for row in range(2):
        expected = F.group_norm(X, 8)[row] * (1 + scale[row, :, None, None]) + shift[row, :, None, None]
        torch.testing.assert_close(norm(X, TIME)[row], expected)


@pytest.mark.parametrize("positions", [None, torch.randn(32, 4, 6)])
def test_a_moment_modulates_as_its_time_would_for_each_picture_also_after_the_weights_have_changed(positions):
    norms = lively(nn.ModuleList(AdaGN(16, 8) for _ in range(3)))
    with torch.no_grad():
        for _ in range(2):
            moment = Moment(norms, list(norms), TIME[:1])
            for norm in norms:
                expected = norm(X, TIME[:1].expand(2, -1), positions)
                torch.testing.assert_close(norm(X, moment, positions), expected)
            norms[1].modulation.weight.mul_(-0.7)


def test_a_moment_draws_no_random_numbers():
    norms = [AdaGN(16, 8)]
    state = torch.get_rng_state()
    Moment(norms[0], norms, TIME[:1])
    assert torch.equal(torch.get_rng_state(), state)


def test_positions_modulate_only_the_cell_that_they_belong_to():
    positions = torch.zeros(32, 4, 6)
    positions[:, 1, 2] = 0.5
    norm = lively(AdaGN(16, 8))
    changed = (norm(X, TIME, positions) != norm(X, TIME)).any(1)
    assert changed[:, 1, 2].all() and changed.sum() == 2


def test_a_residual_block_starts_by_passing_the_picture_on():
    block = ResidualBlock(16, 16, 8)
    nn.init.zeros_(block.conv2.bias)
    assert torch.equal(block(X, TIME), X)


def test_a_residual_block_changes_its_channels_and_listens_to_the_time():
    block = lively(ResidualBlock(16, 24, 8))
    assert block(X, TIME).shape == (2, 24, 4, 6)
    assert not torch.allclose(block(X, TIME), block(X, -TIME))


def test_self_attention_starts_by_passing_the_picture_on():
    assert torch.equal(SelfAttention(16, 8)(X), X)


def test_self_attention_has_no_idea_where_cells_are():
    attention = lively(SelfAttention(16, 8))
    assert not torch.allclose(attention(X), X)
    torch.testing.assert_close(attention(X.flip(2, 3)), attention(X).flip(2, 3))


@pytest.mark.parametrize("biased", [False, True])
def test_attend_equals_the_attention_of_pytorch(biased):
    q, k, v = torch.randn(3, 2, 4, 5, 8)
    bias = torch.randn(4, 5, 5) if biased else None
    torch.testing.assert_close(attend(q, k, v, bias), F.scaled_dot_product_attention(q, k, v, bias))


def test_vectors_are_divided_by_their_root_mean_square_with_and_without_gradients():
    x = torch.randn(2, 3, 5, 8)
    x[0, 0, 0] = 0
    expected = F.rms_norm(x, (8,))
    assert torch.equal(unit_rms(x), expected)
    with torch.no_grad():
        before = x.clone()
        torch.testing.assert_close(unit_rms(x), expected, rtol=1e-5, atol=1e-6)
        assert torch.equal(x, before)
        assert unit_rms(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="no native bfloat16 here")
@pytest.mark.parametrize(
    ("ours", "torchs", "x"),
    [
        (Linear(16, 24), nn.Linear(16, 24), CELLS),
        (Linear(16, 24, bias=False), nn.Linear(16, 24, bias=False), CELLS),
        (Conv2d(16, 24, 3, stride=2, padding=1), nn.Conv2d(16, 24, 3, stride=2, padding=1), X),
    ],
)
def test_layers_with_packed_weights_give_the_bits_of_torch_s_also_after_the_weights_have_changed(
    ours, torchs, x
):
    for _ in range(2):
        torchs.load_state_dict(ours.state_dict())
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(ours(x), torchs(x)) and ours(x).dtype == torch.bfloat16
            ours.weight.mul_(-0.7)


def test_downsample_halves_and_upsample_doubles():
    assert Downsample(16, 24)(X).shape == (2, 24, 2, 3)
    assert Upsample(16, 24)(X).shape == (2, 24, 8, 12)


def test_upsample_repeats_cells_before_its_convolution():
    up = Upsample(16, 16)
    nn.init.dirac_(up.weight)
    nn.init.zeros_(up.bias)
    torch.testing.assert_close(up(X), X.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_cells_and_heads_can_be_taken_apart_and_put_together_again():
    cells = to_cells(X)
    assert cells.shape == (2, 24, 16) and torch.equal(cells[:, 7], X[:, :, 1, 1])
    assert torch.equal(to_picture(cells, X), X)
    heads = split_heads(cells, 4)
    assert heads.shape == (2, 4, 24, 4) and torch.equal(heads[:, 1], cells[..., 4:8])
    assert torch.equal(merge_heads(heads), cells)
