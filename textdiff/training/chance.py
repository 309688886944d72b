"""Noise for training, drawn where it is needed.

What is decided about a batch comes from generators on the CPU, so that it is the same on every machine. Noise
for large batches takes a processor longer to draw than a GPU to learn from.
"""

import torch
from torch import Generator, Tensor


def noise_like(x: Tensor, generator: Generator) -> Tensor:
    """Normal values of x's shape and on its device, from a seed that the `generator`, on the CPU, draws."""
    seed = int(torch.randint(1 << 62, (), generator=generator))
    there = Generator(x.device).manual_seed(seed)
    return torch.randn(x.shape, generator=there, device=x.device)
