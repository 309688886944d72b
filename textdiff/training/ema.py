"""The slow copy of the weights that is used for sampling."""

import copy

import torch
from torch import nn


class EMA:
    """Exponential moving average of a network's parameters; short runs start with a short memory."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """After optimiser step number `step`, counted from 1."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), weight)
