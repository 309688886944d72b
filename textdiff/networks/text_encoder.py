"""Characters to vectors: a small transformer that is told every token's place in the text, and the time.

Legend: B prompts, T tokens, E text width, D width of the time embedding.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textdiff import alphabet
from textdiff.config import ModelConfig
from textdiff.networks.blocks import Linear, attend, merge_heads, split_heads

_BUCKETS, _MAX_DISTANCE = 32, 64


class TextEncoder(nn.Module):
    """ids (B, T) int64, time embedding (B, D) -> (B, T, E)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width, tokens = config.text_width, 1 + config.max_characters
        heads = max(1, width // 64)
        self.character = nn.Embedding(alphabet.SIZE, width)
        self.position = nn.Embedding(tokens, width)
        self.column = nn.Embedding(tokens, width)
        places = [self.character, self.position, self.column]
        if config.line_embedding:
            self.line = nn.Embedding(config.max_lines, width)
            places.append(self.line)
        if config.time_in_encoder:
            self.time = Linear(config.time_width, width)
        if config.t5_bias:
            self.relative = nn.Embedding(_BUCKETS, heads)
            nn.init.zeros_(self.relative.weight)
        self.layers = nn.ModuleList(EncoderLayer(width, heads) for _ in range(config.text_layers))
        self.norm = nn.LayerNorm(width)
        for embedding in places:
            nn.init.normal_(embedding.weight, std=0.5)

    def forward(self, ids: Tensor, time: Tensor) -> Tensor:
        tokens = ids.shape[1]
        steps = torch.arange(tokens, device=ids.device)
        line, column = lines_and_columns(ids)
        x = self.character(ids) + self.position(steps) + self.column(column)  # (B, T, E)
        if self.config.line_embedding:
            x = x + self.line(line.clamp(max=self.config.max_lines - 1))
        if self.config.time_in_encoder:
            x = x + self.time(F.silu(time))[:, None]
        bias = (ids == alphabet.PAD)[:, None, None] * torch.finfo(torch.float32).min  # (B, 1, 1, T)
        if self.config.t5_bias:
            distance = steps[None] - steps[:, None]  # (T, T)
            bias = bias + self.relative(relative_bucket(distance)).permute(2, 0, 1)  # (B, heads, T, T)
        for layer in self.layers:
            x = layer(x, bias)
        return self.norm(x)


class EncoderLayer(nn.Module):
    """Self-attention and MLP, each behind a LayerNorm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.to_qkv = Linear(width, 3 * width)
        self.out = Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(Linear(width, 3 * width), nn.GELU(), Linear(3 * width, width))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (split_heads(part, self.heads) for part in self.to_qkv(self.norm1(x)).chunk(3, dim=-1))
        x = x + self.out(merge_heads(attend(q, k, v, bias)))
        return x + self.mlp(self.norm2(x))


def lines_and_columns(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Line and column (B, T) of every token, both from 0; a line break belongs to the line it ends.

    The line is the seed's "cumulative sum of newlines". START shares line 0; every line's first character has
    column 1.
    """
    is_break = ids == alphabet.NEWLINE
    line = is_break.cumsum(1) - is_break.long()
    position = torch.arange(ids.shape[1], device=ids.device)
    earlier = position < position[:, None]  # (T, T)
    # The last break before each token; a running maximum, but other engines know none, and OpenVINO takes
    # none of whole numbers as it should.
    line_start = (position.float() * (is_break[:, None] & earlier)).amax(2).long()
    return line, position - line_start


def relative_bucket(distance: Tensor) -> Tensor:
    """T5's bucket of a signed distance: exact when near, logarithmic when far, one half for each sign.

    Raffel et al. 2020.
    """
    half = _BUCKETS // 2
    exact = half // 2
    magnitude = distance.abs()
    far = exact + (
        torch.log(magnitude.clamp(min=1) / exact) / math.log(_MAX_DISTANCE / exact) * (half - exact)
    ).long().clamp(max=half - exact - 1)
    return torch.where(magnitude < exact, magnitude, far) + half * (distance > 0)
