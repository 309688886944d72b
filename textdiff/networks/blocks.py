"""The parts of every U-Net: time embedding, adaptive group norm, residual block, self-attention, resampling.

Legend: B pictures, C channels, H and W cells, N = H W, D width of the time embedding.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 8  # of channels that are normalised together
_SHARED_OUT = 1024  # cells: torch adds up a picture with so many by several threads, a smaller one by one
_TINY = 1e-6  # keeps a vector of zeros from being divided by zero
_kept: WeakKeyDictionary[nn.Module, tuple[list, object]] = WeakKeyDictionary()
Made = TypeVar("Made")


class Linear(nn.Linear):
    """torch's; while sampling in bfloat16 on a CPU it keeps its weights packed for oneDNN.

    oneDNN's products are the same in every even batch; others are taken picture by picture.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not _packs(x):
            return one_by_one(super().forward, x)
        kept = _packed(self, torch.ops.mkldnn._reorder_linear_weight)
        return torch.ops.mkldnn._linear_pointwise(x.bfloat16(), *kept, "none", [], "")


class Conv2d(nn.Conv2d):
    """torch's; while sampling in bfloat16 on a CPU it keeps its weights packed for oneDNN."""

    def forward(self, x: Tensor) -> Tensor:
        if not _packs(x):
            return super().forward(x)
        how = self.padding, self.stride, self.dilation, self.groups
        kept = _packed(self, torch.ops.mkldnn._reorder_convolution_weight, *how)
        return torch.ops.mkldnn._convolution_pointwise(x.bfloat16(), *kept, *how, "none", [], "")


def _packs(x: Tensor) -> bool:
    """Whether oneDNN is asked directly. Training goes through torch, and so does everything else."""
    return (
        not torch.is_grad_enabled()
        and x.is_cpu
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and _multiplies_bfloat16()
    )


@cache
def _multiplies_bfloat16() -> bool:
    """Whether this processor does so natively."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _packed(
    layer: nn.Linear | nn.Conv2d, pack: Callable[..., Tensor], *how: object
) -> tuple[Tensor, Tensor | None]:
    """Weight and bias in bfloat16, the weight in oneDNN's own layout.

    Autocast would convert, and oneDNN rearrange, all 13 million weights for every call.
    """

    def make() -> tuple[Tensor, Tensor | None]:
        weight, *bias = (value.detach().bfloat16() for value in _weights_of(layer))
        return pack(weight, *how), bias[0] if bias else None

    return _made_once(layer, [layer], make)


def at_once(owner: nn.Module, layers: Sequence[Linear], x: Tensor) -> tuple[Tensor, ...]:
    """What each of these layers of `owner` makes of x; by one product where that can be kept between calls.

    Training changes the weights all the time, and an exported network keeps nothing.
    """
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return tuple(layer(x) for layer in layers)
    one = _made_once(owner, layers, lambda: _joined(layers))
    return one(x).split([layer.out_features for layer in layers], dim=-1)


def _joined(layers: Sequence[Linear]) -> Linear:
    """One layer that gives what all of these give, after one another."""
    with torch.inference_mode(False), torch.no_grad():
        first, width = layers[0], sum(layer.out_features for layer in layers)
        like = {"bias": first.bias is not None, "device": first.weight.device, "dtype": first.weight.dtype}
        one = nn.utils.skip_init(Linear, first.in_features, width, **like)  # which draws no random numbers
        for joined, *parts in zip(_weights_of(one), *map(_weights_of, layers), strict=True):
            joined.copy_(torch.cat(parts))
    return one.requires_grad_(False)


def _made_once(owner: nn.Module, layers: Sequence[nn.Module], make: Callable[[], Made]) -> Made:
    """What `make` once made of the layers' weights for their owner; anew when one of them has changed.

    torch counts how often that happened.
    """
    state = [(value.data_ptr(), value._version) for layer in layers for value in _weights_of(layer)]
    known = _kept.get(owner)
    if known is None or known[0] != state:
        known = _kept[owner] = state, make()
    return known[1]


def _weights_of(layer: nn.Module) -> list[Tensor]:
    """Weight and, where there is one, bias.

    A hundred and fifty layers ask in every call, and `layer.weight` takes a microsecond to find.
    """
    return [value for value in layer._parameters.values() if value is not None]


class GroupNorm(nn.GroupNorm):
    """torch's, with learned weight and bias; while sampling on a CPU as `group_norm` takes it."""

    def __init__(self, channels: int) -> None:
        super().__init__(GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        return group_norm(x, self.weight, self.bias)


class TimeEmbedding(nn.Module):
    """Continuous time in [0, 1] -> (B, D). Sinusoids of 1000 t as in Ho et al. 2020, then a small MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.mlp = nn.Sequential(Linear(width, width), nn.SiLU(), Linear(width, width))

    @staticmethod
    def silent(width: int) -> "TimeEmbedding":
        """One that is zero at first: weights that were trained without it draw as before."""
        embedding = TimeEmbedding(width)
        nn.init.zeros_(embedding.mlp[-1].weight)
        nn.init.zeros_(embedding.mlp[-1].bias)
        return embedding

    def forward(self, t: Tensor) -> Tensor:
        half = self.width // 2
        frequencies = torch.exp(-math.log(10_000) * torch.arange(half, device=t.device) / half)
        angles = 1000 * t.float()[:, None] * frequencies
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=1))  # (B, D)


class AdaGN(nn.Module):
    """Group norm whose scale and shift come from the time embedding (Dhariwal & Nichol 2021).

    `positions` (2C, H, W), when given, is added to scale and shift: this is how the seed's author told the
    weave attention where each cell is.
    """

    def __init__(self, channels: int, time_width: int) -> None:
        super().__init__()
        self.modulation = Linear(time_width, 2 * channels)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, time: "Tensor | Moment", positions: Tensor | None = None) -> Tensor:
        if isinstance(time, Moment) and positions is None:
            scale, shift = time.modulations[self][0].chunk(2)  # the norm itself can apply them
            return group_norm(x, 1 + scale, shift)
        return self.modulated(group_norm(x), time, positions)

    def modulated(self, normed: Tensor, time: "Tensor | Moment", positions: Tensor | None = None) -> Tensor:
        """The second half, for a picture that several of these have in common: `normed` is its group norm."""
        at_once = isinstance(time, Moment)
        modulation = time.modulations[self] if at_once else self.modulation(F.silu(time))  # (B, 2C)
        modulation = modulation[:, :, None, None]  # (B, 2C, 1, 1)
        if positions is not None:
            modulation = modulation + positions
        scale, shift = modulation.chunk(2, dim=1)
        return torch.addcmul(shift.to(normed.dtype), normed, 1 + scale.to(normed.dtype))


class Moment:
    """A time embedding (1, D) that holds for all pictures, and what each AdaGN of a network makes of it.

    One product in place of thirty small ones, each of which took as long to start as to compute.
    """

    def __init__(self, network: nn.Module, norms: Sequence[AdaGN], embedding: Tensor) -> None:
        parts = at_once(network, [norm.modulation for norm in norms], F.silu(embedding))
        self.modulations = {norm: part.float() for norm, part in zip(norms, parts, strict=True)}  # (1, 2C)


class ResidualBlock(nn.Module):
    """norm, SiLU, conv, AdaGN(time), SiLU, conv, added to the input. The last convolution starts at zero."""

    def __init__(self, channels_in: int, channels: int, time_width: int) -> None:
        super().__init__()
        self.norm = GroupNorm(channels_in)
        self.conv1 = Conv2d(channels_in, channels, 3, padding=1)
        self.adagn = AdaGN(channels, time_width)
        self.conv2 = Conv2d(channels, channels, 3, padding=1)
        self.skip = nn.Identity() if channels_in == channels else Conv2d(channels_in, channels, 1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor, time: Tensor | Moment) -> Tensor:
        h = self.conv1(silu_of_own(self.norm(x)))  # (B, C, H, W)
        h = self.conv2(silu_of_own(self.adagn(h, time)))
        h += self.skip(x)
        return h


class SelfAttention(nn.Module):
    """Every cell looks at every cell. RMS-normalised queries and keys keep bf16 training stable."""

    def __init__(self, channels: int, head_channels: int) -> None:
        super().__init__()
        self.heads = channels // head_channels
        self.norm = GroupNorm(channels)
        self.to_qkv = Linear(channels, 3 * channels)
        self.out = Linear(channels, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        cells = to_cells(self.norm(x))  # (B, N, C)
        # Each (B, heads, N, C / heads).
        q, k, v = (split_heads(part, self.heads) for part in self.to_qkv(cells).chunk(3, dim=-1))
        q, k = unit_rms(q), unit_rms(k)
        return x + to_picture(self.out(merge_heads(attend(q, k, v))), x)


class Downsample(Conv2d):
    """Half the resolution, by a strided convolution."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(channels_in, channels, 3, stride=2, padding=1)


class Upsample(Conv2d):
    """Twice the resolution, by repeating cells and a convolution."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(channels_in, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(q k' / sqrt(c) + bias) v for (B, heads, N, c), spelled out.

    For the few dozen cells and tokens we have, this trains faster on a CPU than the fused kernel (11 % of
    a step).
    """
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)  # (B, heads, N, N)
    if bias is not None:
        scores = scores + bias
    return scores.softmax(-1).to(v.dtype) @ v


def group_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    """(B, C, H, W), normalised over GROUPS of channels, then times weight (C,) plus bias (C,)."""

    def normed(part: Tensor) -> Tensor:
        return F.group_norm(part, GROUPS, weight, bias)

    return one_by_one(normed, x) if x.shape[2] * x.shape[3] >= _SHARED_OUT else normed(x)


def silu_of_own(x: Tensor) -> Tensor:
    """SiLU of what nobody else needs: in its place, unless a gradient has to go back through it."""
    if torch.is_grad_enabled():
        return F.silu(x)
    for part in apart(x) if x.dtype == torch.float32 else [x]:  # bfloat16 rounds such a last bit away
        F.silu(part, inplace=True)
    return x


def one_by_one(act: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """act(x) for x (B, ...), as `apart` would have it."""
    parts = [act(part) for part in apart(x)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def apart(x: Tensor) -> Sequence[Tensor]:
    """x (B, ...) in the pieces that torch is to see: each of the B by itself while sampling on a CPU.

    For what would give a candidate another last bit among others than alone. Threads share out a batch
    evenly, so that where within a picture one ends and the next begins depends on how many pictures there
    are: there a sum is parted elsewhere, and an exponential at the end of a share is computed in another way.
    And Intel's float32 products add up in an order that depends on the number of rows.
    """
    sampling = x.is_cpu and not torch.is_grad_enabled() and not torch.compiler.is_compiling()
    return x.split(1) if sampling else [x]


def unit_rms(x: Tensor) -> Tensor:
    """Vectors (..., c) divided by their root mean square.

    Without gradients in a third of the time of torch's; the two differ by rounding.
    """
    if torch.is_grad_enabled():
        return F.rms_norm(x, x.shape[-1:])
    wide = x.to(torch.float32, copy=True, memory_format=torch.contiguous_format)  # laid out for the products
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    wide *= x.shape[-1] ** 0.5 / (length + _TINY)
    return wide.to(x.dtype)


def repeated(x: Tensor, count: int) -> Tensor:
    """(B, ...) -> (count, ...), all of it again and again; count is a multiple of B."""
    return x if len(x) == count else torch.cat([x] * (count // len(x)))  # which keeps channels last


def to_cells(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, N, C); no copy when x is channels-last."""
    return x.flatten(2).transpose(1, 2)


def to_picture(cells: Tensor, like: Tensor) -> Tensor:
    """(B, N, C) -> (B, C, H, W) of `like`."""
    return cells.transpose(1, 2).unflatten(2, like.shape[2:])


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, C) -> (B, heads, N, C / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, N, C / heads) -> (B, N, C)."""
    return x.transpose(1, 2).flatten(2)
