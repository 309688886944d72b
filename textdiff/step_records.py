"""A move of the sampler becomes recorded steps: from torch to numpy, here and nowhere else.

Legend: B candidates or large pictures, H and W pixels.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from textdiff.attention_capture import as_arrays
from textdiff.pixels import to_uint8
from textdiff.samplers import Move
from textdiff.trajectory import AttentionLayer, Step, UpscaledStep


def recorded(move: Move, layers: Sequence[AttentionLayer]) -> list[Step]:
    """The move of all candidates as a recorded step for each."""
    noisy, x0, eps = (as_pictures(value) for value in (move.x_t, move.belief.x0, move.belief.eps))
    unconditional = move.belief.x0_unconditional
    x0_unconditional = None if unconditional is None else as_pictures(unconditional)
    attention, when = as_arrays(move.belief.attention, layers), _when(move)
    return [
        Step(
            **when,
            noisy=noisy[k],
            x0=x0[k],
            eps=eps[k],
            x0_unconditional=None if x0_unconditional is None else x0_unconditional[k],
            attention=tuple(weights[k] for weights in attention),
        )
        for k in range(len(x0))
    ]


def recorded_large(move: Move) -> list[UpscaledStep]:
    """The move of all large pictures as a recorded step for each, in 8 bits."""
    noisy, x0 = (to_uint8(as_pictures(value)) for value in (move.x_t, move.belief.x0))
    when = _when(move)
    return [
        UpscaledStep(
            **when,
            noisy=noisy[k],
            x0=x0[k],
        )
        for k in range(len(x0))
    ]


def _when(move: Move) -> dict[str, float]:
    """What a step has in common over all pictures."""
    return {"index": move.index, "t": move.t, "alpha": move.level.alpha, "sigma": move.level.sigma}


def as_pictures(x: Tensor) -> np.ndarray:
    """(B, 3, H, W) on any device -> (B, H, W, 3) float32 numpy."""
    return x.float().cpu().permute(0, 2, 3, 1).contiguous().numpy()
