"""The training loss: noise a batch, ask the network, compare velocities, and teach one head its letters.

Legend: B pictures, L characters, T = 1 + L tokens, R cells a side.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textdiff.config import TrainConfig
from textdiff.networks.upscaler import error_weight
from textdiff.networks.weave import CrossAttention
from textdiff.noise_schedule import T_MAX, T_MIN
from textdiff.prediction import add_noise, velocity
from textdiff.training.distillation import Lesson
from textdiff.training.transfer import moved


def draw_times(count: int, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """(count,) times: a share spread evenly over [0, 1], the rest logit-normal, where letters are decided."""
    even = (torch.arange(count) + torch.rand((), generator=generator)) / count
    normal = torch.randn(count, generator=generator)
    logit_normal = torch.sigmoid(config.logit_mean + config.logit_std * normal)
    uniform = torch.rand(count, generator=generator) < config.uniform_share
    return torch.where(uniform, even, logit_normal).clamp(T_MIN, T_MAX)


def diffusion_loss(
    network: nn.Module,
    x0: Tensor,
    ids: Tensor,
    boxes: Tensor | None,
    t: Tensor,
    eps: Tensor,
    given: Sequence[Tensor] = (),
    lesson: Lesson | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean squared error of v, and the taught attention's cross-entropy (zero without boxes).

    x0 and eps (B, 3, H, W), ids (B, T), boxes (B, L, 4) in pixels, t (B,); `given` is what an upscaler sees
    beside these, the small pictures and their times, and its error counts as that of the residual's velocity.
    `network` may be compiled or distributed, as long as it has its `schedule`. With a `lesson` some of the v
    to predict are a teacher's.
    """
    alpha, sigma = (value.to(x0.dtype)[:, None, None, None] for value in network.schedule(t))
    x_t, target = add_noise(x0, eps, alpha, sigma), velocity(x0, eps, alpha, sigma)
    weight = error_weight(alpha, sigma, given[1][:, None, None, None]).sqrt() if given else None
    if lesson is not None:
        given, target = (moved(lesson.scales, x_t.device),), lesson.targets(x_t, t, ids, target)
    with taught_weights(network) as seen:
        v = network(x_t, t, ids, *given)
    v = v.float()
    error = F.mse_loss(v, target) if weight is None else F.mse_loss(weight * v, weight * target)
    if boxes is None or not seen:
        return error, error.new_zeros(())
    # How sure anyone can be where a letter is falls with the signal. (alpha^2 would
    # silence the lesson at t > 0.8, which is where large letters are decided.)
    teaching = [attention_error(*taught, boxes, x0.shape[-1], alpha.flatten()) for taught in seen]
    return error, torch.stack(teaching).mean()


@contextmanager
def taught_weights(network: nn.Module) -> Iterator[list[tuple[Tensor, bool]]]:
    """Inside, every forward pass appends each taught head's weights (B, Q, K) and whether the tokens ask.

    Gradients flow through the weights.
    """
    seen: list[tuple[Tensor, bool]] = []
    handles = []
    for name, module in network.named_modules():
        if isinstance(module, CrossAttention) and module.taught_head is not None:
            tokens_ask = name.endswith("image_to_text")
            handles.append(module.weights.register_forward_hook(_note(seen, module.taught_head, tokens_ask)))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _note(seen: list[tuple[Tensor, bool]], head: int, tokens_ask: bool):
    return lambda _module, _inputs, weights: seen.append((weights[:, head], tokens_ask))


def attention_error(
    weights: Tensor, tokens_ask: bool, boxes: Tensor, size: int, importance: Tensor
) -> Tensor:
    """Cross-entropy of attention against the share of each cell that each character's box covers.

    `weights` are (B, cells, T), or (B, T, cells) when the tokens ask. A cell should look at the characters
    that cover it, a character at the cells that it covers. Cells covered by less than a quarter, and
    characters without a box, say nothing. Pictures count by `importance` (B,).
    """
    cells, tokens = weights.shape[1:] if not tokens_ask else weights.shape[:0:-1]
    overlap = box_overlap(boxes[:, : tokens - 1], size, round(cells**0.5))  # (B, cells, L)
    if tokens_ask:
        overlap, chosen, enough = overlap.transpose(1, 2), weights[:, 1:], 1e-6
    else:
        chosen, enough = weights[..., 1:], 0.25
    total = overlap.sum(-1, keepdim=True)
    asked = (total[..., 0] >= enough) * importance[:, None]  # (B, queries)
    target = overlap / total.clamp(min=1e-6)
    surprise = -(target * chosen.clamp(min=1e-6).log()).sum(-1)  # (B, queries)
    return (surprise * asked).sum() / asked.sum().clamp(min=1e-6)


def box_overlap(boxes: Tensor, size: int, resolution: int) -> Tensor:
    """Share of each cell covered by each box, (B, cells, L) in [0, 1].

    boxes (B, L, 4) of x0, y0, x1, y1 in pixels of a picture with `size` pixels a side.
    """
    edges = torch.arange(resolution + 1, device=boxes.device) * (size / resolution)
    low, high = edges[:-1], edges[1:]
    x0, y0, x1, y1 = (boxes[..., None, side] for side in range(4))  # (B, L, 1)
    across = (torch.minimum(x1, high) - torch.maximum(x0, low)).clamp(min=0)  # (B, L, R)
    down = (torch.minimum(y1, high) - torch.maximum(y0, low)).clamp(min=0)
    cell = (size / resolution) ** 2
    return torch.einsum("blr,blc->brcl", down, across).flatten(1, 2) / cell
