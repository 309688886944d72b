import pytest
import torch
from torch import nn

from textdiff.config import PRESETS, TrainConfig
from textdiff.networks.unet import UNet
from textdiff.training.optimizer import Muon, make_optimizers, orthogonalize

SHAPES = [(8, 24), (24, 8), (12, 12)]


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonalized_matrices_have_singular_values_near_one(shape):
    values = torch.linalg.svdvals(orthogonalize(random(3, *shape)))
    assert 0.5 < values.min() and values.max() < 1.3


@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonalizing_keeps_the_singular_vectors(shape):
    matrix = random(1, *shape)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.transpose(1, 2) @ orthogonalize(matrix) @ v.transpose(1, 2)
    torch.testing.assert_close(turned, torch.diag_embed(turned.diagonal(dim1=1, dim2=2)), rtol=0, atol=0.05)


def test_the_size_of_a_gradient_does_not_matter_to_orthogonalizing_and_zero_stays_zero():
    large, small = orthogonalize(1000 * random(2, 8, 24)), orthogonalize(random(2, 8, 24))
    torch.testing.assert_close(large, small, rtol=0, atol=0.05)
    assert not orthogonalize(torch.zeros(1, 8, 24)).any()


@pytest.fixture(scope="module")
def partition():
    network = UNet(PRESETS["tiny"].model)
    muon, adam = make_optimizers(network, TrainConfig())
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return [
        [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]
        for optimizer in (muon, adam)
    ], names.values()


def test_every_parameter_has_exactly_one_optimizer(partition):
    (hidden, other), names = partition
    assert sorted(hidden + other) == sorted(names)


def test_hidden_matrices_are_orthogonalized_and_everything_else_is_not(partition):
    (hidden, other), _ = partition
    assert {
        "down.8x8_block0.residual.conv1.weight",
        "up.4x4_block0.weave.text_to_image.to_query.weight",
        "up.4x4_block0.weave.mlp.1.weight",
        "text_encoder.layers.0.to_qkv.weight",
        "up.8x8_up.weight",
    } <= set(hidden)
    assert {
        "stem.weight",
        "out.weight",
        "time.mlp.0.weight",
        "text_encoder.character.weight",
        "text_encoder.position.weight",
        "text_encoder.line.weight",
        "text_encoder.column.weight",
        "text_encoder.time.weight",
        "text_encoder.relative.weight",
        "positions.4x4.row",
        "down.8x8_block0.residual.adagn.modulation.weight",
        "up.4x4_block0.weave.text_to_image.temperature",
        "up.4x4_block0.weave.gain",
    } <= set(other)
    assert not any(name.endswith("bias") for name in hidden)


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (16, 4, 3, 3)])
def test_updates_have_a_fifth_of_the_learning_rate_as_their_root_mean_square(shape):
    parameter = nn.Parameter(torch.zeros(shape))
    parameter.grad = random(*shape)
    Muon([parameter], lr=0.01).step()
    assert parameter.square().mean().sqrt().item() == pytest.approx(0.2 * 0.01, rel=0.2)


def test_muon_finds_the_minimum_of_a_quadratic():
    matrix, kernel = nn.Parameter(torch.zeros(6, 10)), nn.Parameter(torch.zeros(6, 2, 3, 3))
    targets = random(6, 10), random(6, 2, 3, 3)
    muon = Muon([matrix, kernel], lr=0.1)
    for step in range(100):
        muon.param_groups[0]["lr"] = 0.3 * (1 - step / 100)
        loss = sum((p - target).square().mean() for p, target in zip((matrix, kernel), targets, strict=True))
        muon.zero_grad()
        loss.backward()
        muon.step()
    assert loss.item() < 0.02 * sum(target.square().mean() for target in targets)


def test_parameters_of_one_shape_are_updated_as_if_they_were_alone():
    gradients = random(2, 8, 24)
    together = [nn.Parameter(torch.zeros(8, 24)) for _ in gradients]
    for parameter, gradient in zip(together, gradients, strict=True):
        parameter.grad = gradient
    Muon(together, lr=1.0).step()
    for parameter, gradient in zip(together, gradients, strict=True):
        alone = nn.Parameter(torch.zeros(8, 24))
        alone.grad = gradient
        Muon([alone], lr=1.0).step()
        torch.testing.assert_close(parameter, alone, rtol=0, atol=0.05)


def test_a_parameter_without_a_gradient_is_left_alone():
    used, unused = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(4, 4))
    used.grad = random(4, 4)
    Muon([used, unused], lr=0.1).step()
    assert torch.equal(unused, torch.ones(4, 4)) and not torch.equal(used, unused)
