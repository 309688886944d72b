"""Weights in 8 bits: half the file, for a clone that must stay small. Computing goes on in floating point.

Every large tensor is stored as int8, with the largest magnitude of each output channel (its first axis)
beside it under NAME.peak: weight = peak * integer / 127. Vectors, norms and small tables are stored in fp16,
and so is what has few channels, which is the network's highest resolutions: that is 2 % of the numbers, and
three quarters of the error that all of them in 8 bits would make in a prediction.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

_LARGE = 2**14  # numbers
_MANY = 64  # channels
_STEPS = 127
_PEAK = ".peak"


def packed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors to store: int8 with fp16 peaks for what is large, fp16 for the rest."""
    stored = {}
    for name, value in weights.items():
        if value.ndim < 2 or value.shape[0] < _MANY or value.numel() < _LARGE:
            stored[name] = value.half().contiguous()
            continue
        peak = value.flatten(1).abs().amax(dim=1).half()
        stored[name + _PEAK] = peak
        steps = value / _per_channel(peak, value).clamp_min(torch.finfo(torch.half).tiny) * _STEPS
        stored[name] = steps.round().clamp(-_STEPS, _STEPS).to(torch.int8).contiguous()
    return stored


def unpacked(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The float32 weights, also of tensors that nobody packed.

    Raises KeyError where a tensor of integers has no peaks, ValueError where it has too few or too many.
    What has no place in the network stays in the answer, for a strict reader to refuse.
    """
    peaks = {name + _PEAK for name, value in stored.items() if value.dtype == torch.int8}
    weights = {}
    for name, value in stored.items():
        if name in peaks:
            continue
        weights[name] = value.float()
        if name + _PEAK in peaks:
            peak = stored[name + _PEAK]
            if peak.shape != value.shape[:1]:
                raise ValueError(f"{name} has {value.shape[0]} channels and {peak.numel()} peaks.")
            weights[name] *= _per_channel(peak, value) / _STEPS
    return weights


def _per_channel(peak: Tensor, value: Tensor) -> Tensor:
    """(C,) -> (C, 1, ...) float32, to go with `value` (C, ...)."""
    return peak.float().reshape(-1, *[1] * (value.ndim - 1))
