import math

import pytest
import torch
from oracles import ids_of, lively_unet
from torch import nn

from textdiff.config import ModelConfig, TrainConfig
from textdiff.networks.weave import WeaveAttention
from textdiff.noise_schedule import T_MAX, T_MIN, cosine, level, shifted_cosine
from textdiff.prediction import eps_from_x0, velocity
from textdiff.training.loss import attention_error, box_overlap, diffusion_loss, draw_times, taught_weights

SIZE, RESOLUTION = 16, 4  # cells of 4 x 4 pixels


def boxes_of(*boxes):
    """(1, L, 4)"""
    return torch.tensor([boxes], dtype=torch.float32)


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("box", "shares"),
    [
        ((0, 0, 4, 4), {0: 1.0}),
        ((12, 0, 16, 4), {3: 1.0}),  # the upper right corner: cells are counted along rows
        ((0, 12, 4, 16), {12: 1.0}),
        ((2, 0, 6, 4), {0: 0.5, 1: 0.5}),
        ((1, 1, 3, 2), {0: 2 / 16}),
        ((6, 6, 10, 10), {5: 0.25, 6: 0.25, 9: 0.25, 10: 0.25}),
        ((0, 0, 16, 16), dict.fromkeys(range(16), 1.0)),
        ((0, 0, 0, 0), {}),
    ],
)
def test_a_cell_s_overlap_is_the_share_of_it_that_the_box_covers(box, shares):
    expected = torch.tensor([[[shares.get(cell, 0.0)] for cell in range(16)]])
    torch.testing.assert_close(box_overlap(boxes_of(box), SIZE, RESOLUTION), expected)


def test_overlap_agrees_with_counting_pixels():
    corners = torch.randint(0, SIZE + 1, (2, 5, 2, 2), generator=torch.Generator().manual_seed(3))
    boxes = corners.sort(2).values.flatten(2)  # x0, y0, x1, y1
    pixel = torch.arange(SIZE)
    across = (pixel >= boxes[..., None, 0]) & (pixel < boxes[..., None, 2])  # (B, L, W)
    down = (pixel >= boxes[..., None, 1]) & (pixel < boxes[..., None, 3])
    covered = (down[..., :, None] & across[..., None, :]).float()  # (B, L, H, W)
    counted = nn.functional.avg_pool2d(covered, SIZE // RESOLUTION).flatten(2).transpose(1, 2)
    torch.testing.assert_close(box_overlap(boxes.float(), SIZE, RESOLUTION), counted)


# Two characters share the picture: one has the left half, the other the right one.
HALVES = boxes_of((0, 0, 8, 16), (8, 0, 16, 16))
PERFECT = torch.zeros(1, 16, 3)  # cells look at START and two characters
PERFECT[0, :, 1] = torch.tensor([1.0, 1.0, 0.0, 0.0]).repeat(4)
PERFECT[0, :, 2] = 1 - PERFECT[0, :, 1]
UNIFORM = torch.full((1, 16, 3), 1 / 3)
ONE = torch.ones(1)


def error_of_cells(weights, boxes, importance=ONE):
    return attention_error(weights, False, boxes, SIZE, importance)


def error_of_tokens(weights, boxes, importance=ONE):
    return attention_error(weights, True, boxes, SIZE, importance)


def test_cells_that_look_at_their_characters_make_no_error_and_indifferent_ones_the_logarithm_of_the_tokens():
    assert error_of_cells(PERFECT, HALVES) == 0
    assert error_of_cells(UNIFORM, HALVES).item() == pytest.approx(math.log(3))
    assert error_of_cells(PERFECT.flip(2), HALVES) > math.log(3)


def test_characters_that_look_at_their_cells_make_the_entropy_of_their_box_and_indifferent_ones_more():
    perfect = PERFECT.transpose(1, 2) / 8  # each spreads its gaze evenly over the 8 cells of its half
    assert error_of_tokens(perfect, HALVES).item() == pytest.approx(math.log(8))
    assert error_of_tokens(torch.full((1, 3, 16), 1 / 16), HALVES).item() == pytest.approx(math.log(16))
    assert error_of_tokens(perfect.flip(1), HALVES) > math.log(16)


def test_a_small_character_has_one_cell_to_look_at():
    weights = torch.full((1, 2, 16), 1 / 16)
    weights[0, 1] = torch.eye(16)[5]
    assert error_of_tokens(weights, boxes_of((5, 5, 6, 7))) == 0


def test_a_cell_between_two_characters_should_look_at_both():
    middle = boxes_of((0, 0, 6, 16), (6, 0, 16, 16))  # the second column of cells is shared equally
    shared = PERFECT.clone()
    shared[0, 1::4, 1:] = 0.5
    error = error_of_cells(shared, middle).item()
    assert error == pytest.approx(math.log(2) / 4)  # the entropy of the target itself
    assert error < error_of_cells(PERFECT, middle).item()


def test_cells_that_are_hardly_covered_say_nothing():
    corner = boxes_of((0, 0, 4, 4), (4, 0, 16, 0.9))
    anything = PERFECT.clone()
    anything[0, 1:] = random(15, 3).softmax(-1)
    assert error_of_cells(anything, corner) == 0


def test_characters_without_a_box_say_nothing():
    weights = torch.full((1, 3, 16), 1 / 16)
    weights[0, 2] = random(16).softmax(-1)
    first = boxes_of((0, 0, 8, 16), (0, 0, 0, 0))
    assert error_of_tokens(weights, first).item() == pytest.approx(math.log(16))


@pytest.mark.parametrize("tokens_ask", [False, True])
def test_a_picture_without_boxes_says_nothing(tokens_ask):
    nobody = torch.zeros(1, 2, 4)
    uniform = torch.full((1, 3, 16), 1 / 16) if tokens_ask else UNIFORM
    anything = random(*uniform.shape).softmax(-1)
    both = attention_error(
        torch.cat([uniform, anything]), tokens_ask, torch.cat([HALVES, nobody]), SIZE, torch.ones(2)
    )
    assert both.item() == pytest.approx(math.log(uniform.shape[2]))
    anything.requires_grad_()
    alone = attention_error(anything, tokens_ask, nobody, SIZE, ONE)
    alone.backward()
    assert alone == 0 and not anything.grad.any()


def test_pictures_count_by_their_importance():
    weights, boxes = torch.cat([PERFECT, UNIFORM]), torch.cat([HALVES, HALVES])
    error = error_of_cells(weights, boxes, torch.tensor([3.0, 1.0]))
    assert error.item() == pytest.approx(math.log(3) / 4)


def test_boxes_behind_the_tokens_of_a_batch_are_not_looked_at():
    padded = torch.cat([HALVES, torch.zeros(1, 3, 4)], dim=1)
    assert error_of_cells(UNIFORM, padded) == error_of_cells(UNIFORM, HALVES)
    tokens = UNIFORM.transpose(1, 2)
    assert error_of_tokens(tokens, padded) == error_of_tokens(tokens, HALVES)


@pytest.mark.parametrize("direction", ["image_to_text", "text_to_image"])
def test_teaching_reaches_a_taught_head_through_its_own_weights_alone(direction):
    torch.manual_seed(0)
    config = ModelConfig(head_channels=8, text_width=24, time_width=8)
    weave = WeaveAttention(config, 16, resolution=16)
    padding = torch.zeros(1, 3, dtype=torch.bool)
    with taught_weights(weave) as seen:
        weave(random(1, 16, 16, 16), random(1, 3, 24), padding, random(1, 8), random(32, 16, 16))
    (taught,) = [taught for taught in seen if taught[1] == (direction == "image_to_text")]
    attention_error(*taught, HALVES, SIZE, ONE).backward()
    attention = getattr(weave, direction)
    for parameter in (attention.to_query.weight, attention.to_key.weight, attention.temperature):
        head, free = parameter.grad.chunk(2)
        assert head.any() and not free.any()
    assert attention.to_value.weight.grad is None and attention.out.weight.grad is None


def test_nobody_watches_any_more_once_the_loss_is_known_or_has_failed():
    weave = WeaveAttention(ModelConfig(head_channels=8, text_width=24, time_width=8), 16, resolution=16)
    with pytest.raises(ZeroDivisionError), taught_weights(weave):
        raise ZeroDivisionError
    assert not weave.text_to_image.weights._forward_hooks


def times(count=10_000, **changes):
    return draw_times(count, TrainConfig(**changes), torch.Generator().manual_seed(1))


def test_times_are_those_a_network_may_be_asked_about():
    drawn = times(uniform_share=0.5, logit_std=20.0)
    assert drawn.shape == (10_000,) and drawn.dtype == torch.float32
    assert drawn.min() == torch.tensor(T_MIN) and drawn.max() == torch.tensor(T_MAX)


def test_uniform_times_are_spread_evenly_over_a_batch():
    drawn = times(8, uniform_share=1.0)
    assert (drawn * 8).long().tolist() == list(range(8))


def test_the_other_times_are_logit_normal():
    logits = torch.logit(times(uniform_share=0.0, logit_mean=0.6, logit_std=0.8))
    assert logits.mean().item() == pytest.approx(0.6, abs=0.05)
    assert logits.std().item() == pytest.approx(0.8, abs=0.05)


def test_uniform_times_have_the_share_that_the_config_gives_them():
    drawn = times(uniform_share=0.4, logit_mean=3.0, logit_std=0.1)  # all logit-normal times are near 0.95
    assert (drawn < 0.8).float().mean().item() == pytest.approx(0.4 * 0.8, abs=0.02)


class Knows(nn.Module):
    """Knows the clean pictures, and so the exact velocity, which it gets wrong by `off`."""

    schedule = staticmethod(cosine)

    def __init__(self, x0, off=0.0):
        super().__init__()
        self.x0, self.off = x0, off

    def forward(self, x, t, ids):
        alpha, sigma = (value[:, None, None, None] for value in cosine(t))
        return velocity(self.x0, eps_from_x0(x, self.x0, alpha, sigma), alpha, sigma) + self.off


X0, EPS = random(2, 3, 16, 16, seed=1), random(2, 3, 16, 16, seed=2)
T = torch.tensor([0.3, 0.8])
IDS = ids_of("Hi", "a\nb")


def test_a_perfect_network_has_no_loss_and_one_that_errs_has_its_squared_error():
    assert diffusion_loss(Knows(X0), X0, IDS, None, T, EPS)[0].item() == pytest.approx(0, abs=1e-10)
    assert diffusion_loss(Knows(X0, 0.5), X0, IDS, None, T, EPS)[0].item() == pytest.approx(0.25)


def test_the_pictures_are_as_noisy_as_the_network_s_own_schedule_says():
    class Watches(nn.Module):
        schedule = staticmethod(shifted_cosine(-1.4))

        def forward(self, x, t, ids):
            self.x = x
            return x

    network = Watches()
    diffusion_loss(network, X0, IDS, None, T, EPS)
    for row, t in enumerate(T.double()):
        alpha, sigma = level(shifted_cosine(-1.4), t.item())
        torch.testing.assert_close(network.x[row], alpha * X0[row] + sigma * EPS[row])


def test_an_upscaler_is_asked_with_what_it_is_given():
    class Wants(nn.Module):
        schedule = staticmethod(cosine)

        def forward(self, x, t, ids, small, small_t):
            assert small is given[0] and small_t is given[1]
            return torch.zeros_like(x)

    given = (X0[..., ::2, ::2], T)
    assert diffusion_loss(Wants(), X0, IDS, None, T, EPS, given)[0] > 0


def test_there_is_nothing_to_teach_without_boxes_or_without_a_taught_head():
    network = lively_unet()  # too small to have one
    boxes = torch.rand(2, 8, 4).cumsum(2) * 4
    assert diffusion_loss(network, X0, IDS, boxes, T, EPS)[1] == 0
    assert diffusion_loss(Knows(X0), X0, IDS, None, T, EPS)[1] == 0


LARGE_X0, LARGE_EPS = random(2, 3, 64, 64, seed=1), random(2, 3, 64, 64, seed=2)
LARGE_BOXES = torch.cat([4 * HALVES, torch.zeros(1, 6, 4)], dim=1).expand(2, -1, -1)


@pytest.fixture
def woven():
    """A network with three weave blocks whose heads are taught."""
    levels = {"channels": (32, 32), "down_blocks": (1, 1), "attention_at": (), "text_at": (16,)}
    return lively_unet(ModelConfig(**levels, text_once_at=(32,), time_width=32))


def test_teaching_is_the_mean_attention_error_of_the_taught_heads_weighted_by_the_signal(woven):
    with taught_weights(woven) as seen:
        _, teaching = diffusion_loss(woven, LARGE_X0, IDS, LARGE_BOXES, T, LARGE_EPS)
    expected = [attention_error(*taught, LARGE_BOXES, 64, cosine(T)[0]) for taught in seen]
    assert len(expected) == 6  # three weave blocks, both directions
    torch.testing.assert_close(teaching, torch.stack(expected).mean())


def test_a_compiled_network_learns_the_same_and_is_compiled_once(woven):
    woven.requires_grad_(True)
    compiled = torch.compile(woven, backend="aot_eager", fullgraph=True)
    graphs = torch._dynamo.utils.counters["stats"]
    graphs.clear()
    for boxes in (LARGE_BOXES, LARGE_BOXES.flip(0) / 2):  # its taught heads are watched anew every time
        answers = []
        for network in (woven, compiled):
            woven.zero_grad()
            loss, teaching = diffusion_loss(network, LARGE_X0, IDS, boxes, T, LARGE_EPS)
            (loss + teaching).backward()
            answers.append([loss, teaching, *(value.grad for value in woven.parameters())])
        assert answers[0][1] > 0
        for ours, theirs in zip(*answers, strict=True):
            torch.testing.assert_close(ours, theirs)
    assert graphs["unique_graphs"] == 1
