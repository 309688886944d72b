"""Muon for the hidden matrices and convolutions, AdamW for everything else.

Muon (Jordan et al. 2024) replaces each momentum matrix by the nearest orthogonal one, found by five
Newton-Schulz steps. torch.optim.Muon takes two-dimensional parameters only; most of ours are convolutions,
which are flattened to (out, in * kernel) here. Updates are scaled to AdamW's root mean square (Liu et al.
2025), so both halves share a scale.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn

from textdiff.config import TrainConfig

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_EDGES = ("stem.", "out.", "time.", "positions.", "text_encoder.time.")
_TABLES = ("character", "position", "column", "line", "relative", "modulation")  # and AdaGN


class Muon(torch.optim.Optimizer):
    """SGD with Nesterov momentum whose updates are orthogonalised, matrices of one shape together."""

    def __init__(self, params, lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(state["momentum"], group["momentum"])
                by_shape[update.flatten(1).shape].append((parameter, update))
            for shape, members in by_shape.items():
                stacked = torch.stack([update.flatten(1) for _, update in members])  # (M, out, in)
                scale = 0.2 * max(shape) ** 0.5
                for (parameter, _), update in zip(members, orthogonalize(stacked), strict=True):
                    parameter.sub_(update.view(parameter.shape), alpha=group["lr"] * scale)


def orthogonalize(matrices: Tensor) -> Tensor:
    """The nearest matrices (M, out, in) with singular values near 1, computed in bf16."""
    x = matrices.bfloat16()
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = _NEWTON_SCHULZ
    for _ in range(5):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.transpose(1, 2)).float()


def make_optimizers(network: nn.Module, config: TrainConfig) -> tuple[Muon, torch.optim.AdamW]:
    """Muon for hidden matrices; AdamW for embeddings, positions, modulations, vectors and both ends."""
    hidden, other = [], []
    for name, parameter in network.named_parameters():
        apart = name.startswith(_EDGES) or any(part in _TABLES for part in name.split("."))
        is_matrix = parameter.ndim >= 2 and min(parameter.shape[:2]) > 1
        (hidden if is_matrix and not apart else other).append(parameter)
    return Muon(hidden, lr=config.muon_lr), torch.optim.AdamW(
        other, lr=config.adam_lr, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )
