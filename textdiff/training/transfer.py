"""From the processor, where a batch is decided, to the device that computes with it."""

import torch
from torch import Tensor


def moved(values: Tensor, device: str | torch.device) -> Tensor:
    """The same on the device; from pinned memory, so that a GPU goes on computing meanwhile."""
    if torch.device(device).type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def places_of(chosen: Tensor, device: str | torch.device) -> Tensor:
    """Where `chosen` (B,), on the CPU, is true: (K,) int64 on the device.

    A mask on a GPU would have the processor wait for the number of pictures in it, and the GPU, after that,
    for the processor.
    """
    return moved(chosen.nonzero().flatten(), device)
