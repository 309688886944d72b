"""Weave attention: the text looks at the picture, thinks, and then the picture looks at the text.

From the seed: "image-to-text, an MLP, then text-to-image", after residual blocks of the up path. The text
that has looked at the picture is used by this block alone; every weave block starts from the encoder's output
again.

Legend: B pictures, N cells, T tokens, C channels, E text width.
"""

import torch
from torch import Tensor, nn

from textdiff.config import ModelConfig
from textdiff.networks.blocks import (
    AdaGN,
    GroupNorm,
    Linear,
    Moment,
    at_once,
    group_norm,
    merge_heads,
    one_by_one,
    split_heads,
    to_cells,
    to_picture,
    unit_rms,
)

# A taught head needs cells about as small as a letter.
_TAUGHT_FROM = 16


class CrossAttention(nn.Module):
    """Queries of one kind attend to keys of another; the explicit softmax can be watched at `weights`."""

    def __init__(
        self, query_width: int, key_width: int, heads: int, head_channels: int, taught_head: int | None
    ) -> None:
        super().__init__()
        self.heads = heads
        self.taught_head = taught_head
        inner = heads * head_channels
        self.to_query = Linear(query_width, inner, bias=False)
        self.to_key = Linear(key_width, inner, bias=False)
        self.to_value = Linear(key_width, inner, bias=False)
        self.temperature = nn.Parameter(torch.full((heads, 1, 1), head_channels**0.5))
        self.weights = nn.Identity()  # the observation point: hooks see exactly what the network uses
        self.out = Linear(inner, query_width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, queries: Tensor, keys: Tensor, hidden_keys: Tensor | None = None) -> Tensor:
        """(B, Q, query width), (B, K, key width) -> (B, Q, query width).

        `hidden_keys` (B, K) bool are those that must not be seen.
        """
        q = unit_rms(split_heads(self.to_query(queries), self.heads))  # (B, heads, Q, c)
        parts = at_once(self, [self.to_key, self.to_value], keys)
        k, v = (split_heads(part, self.heads) for part in parts)  # (B, heads, K, c)
        k = unit_rms(k)
        weights = self.weights(self._softmax(q, k, hidden_keys))
        return self.out(merge_heads(weights.to(v.dtype) @ v))

    def _softmax(self, q: Tensor, k: Tensor, hidden_keys: Tensor | None) -> Tensor:
        """(B, heads, Q, c), (B, heads, K, c) -> (B, heads, Q, K).

        A few keys for each of many queries are slow to go through row by row: a softmax over 13 keys is 18
        times as fast column by column. The last bit may differ, and training must repeat its bits.
        """
        by_column = not torch.is_grad_enabled() and k.shape[-2] < q.shape[-2]
        rows, columns = (k, q) if by_column else (q, k)
        # Unit-RMS vectors of c channels have products up to c: the temperature starts where 1/sqrt(c) would
        # put it.
        scores = (rows @ columns.transpose(-1, -2)).float() * (self.temperature / q.shape[-1])
        if hidden_keys is not None:
            hidden = hidden_keys[:, None, :, None] if by_column else hidden_keys[:, None, None]
            scores.masked_fill_(hidden, torch.finfo(scores.dtype).min)
        if by_column:
            return one_by_one(lambda part: part.softmax(-2), scores).transpose(-1, -2)
        return scores.softmax(-1)


class WeaveAttention(nn.Module):
    """picture (B, C, H, W), text (B, T, E) -> picture (B, C, H, W)."""

    def __init__(self, config: ModelConfig, channels: int, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        heads, width = channels // config.head_channels, config.text_width
        taught = 0 if config.taught_attention and resolution >= _TAUGHT_FROM else None
        time_width = config.time_width if config.time_in_queries else None
        if config.image_to_text:
            self.image_norm = _Norm(channels, time_width)
            self.text_norm = nn.LayerNorm(width)
            self.image_to_text = CrossAttention(width, channels, heads, config.head_channels, taught)
            self.mlp = nn.Sequential(
                nn.LayerNorm(width), Linear(width, 2 * width), nn.GELU(), Linear(2 * width, width)
            )
            nn.init.zeros_(self.mlp[-1].weight)
            nn.init.zeros_(self.mlp[-1].bias)
        self.query_norm = _Norm(channels, time_width)
        self.key_norm = nn.LayerNorm(width)
        self.text_to_image = CrossAttention(channels, width, heads, config.head_channels, taught)
        self.gain = nn.Parameter(torch.ones(()))

    def forward(
        self, x: Tensor, text: Tensor, padding: Tensor, time: Tensor | Moment, positions: Tensor | None
    ) -> Tensor:
        normed = group_norm(x)  # what both norms of the picture begin with
        if hasattr(self, "image_to_text"):
            cells = to_cells(self.image_norm(x, normed, time, positions))  # (B, N, C)
            text = text + self.image_to_text(self.text_norm(text), cells)  # (B, T, E)
            text = text + self.mlp(text)
        queries = to_cells(self.query_norm(x, normed, time, positions))
        written = self.text_to_image(queries, self.key_norm(text), padding)  # (B, N, C)
        return x + self.gain * to_picture(written, x)


class _Norm(nn.Module):
    """AdaGN(time), or plain group norm with positions added when the time is switched off."""

    def __init__(self, channels: int, time_width: int | None) -> None:
        super().__init__()
        self.norm = GroupNorm(channels) if time_width is None else AdaGN(channels, time_width)

    def forward(self, x: Tensor, normed: Tensor, time: Tensor | Moment, positions: Tensor | None) -> Tensor:
        if isinstance(self.norm, AdaGN):
            return self.norm.modulated(normed, time, positions)
        x = self.norm(x)
        return x if positions is None else x + positions.chunk(2)[1]


class AxialPositions(nn.Module):
    """A learned vector per row plus one per column -> (2C, H, W), shared by a resolution's weave blocks."""

    def __init__(self, channels: int, resolution: int) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.randn(2 * channels, resolution, 1) * 0.3)
        self.column = nn.Parameter(torch.randn(2 * channels, 1, resolution) * 0.3)

    def forward(self) -> Tensor:
        # Laid out like the channels-last pictures that they move: two layouts in one sum are slow.
        return (self.row + self.column).permute(1, 2, 0).contiguous().permute(2, 0, 1)
