"""The base model: a U-Net over pixels that reads its prompt through weave attention on the way up.

Blocks are named after their place, so that a key of the weights reads as one:
`up.16x16_block0.weave.text_to_image.out.weight`.
Legend: B pictures, k texts for each, C channels, T tokens, D width of the time embedding, E text width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textdiff import alphabet
from textdiff.config import ModelConfig
from textdiff.networks.blocks import (
    AdaGN,
    Conv2d,
    Downsample,
    GroupNorm,
    Moment,
    ResidualBlock,
    SelfAttention,
    TimeEmbedding,
    Upsample,
    repeated,
    silu_of_own,
)
from textdiff.networks.text_encoder import TextEncoder
from textdiff.networks.weave import AxialPositions, WeaveAttention
from textdiff.noise_schedule import shifted_cosine


class UNet(nn.Module):
    """x_t (B, 3, H, W) in about [-1, 1], t (B,) or (1,) in [0, 1], ids (B, T) int64 -> v (B, 3, H, W).

    `schedule` says how much noise there is at t. Training, sampling and the record of a run all ask here.

    With `distilled_guidance` in the config it may be told a guidance scale, (B,) or (1,) from 1 on, and
    predicts at once the v that classifier-free guidance makes of two predictions. Without a scale, or where
    it is 0, it is the ordinary network.

    There may be several texts for a picture: with ids (kB, T) the answers are those for all pictures and the
    first B texts, then for all and the next B, v (kB, 3, H, W). The way down, without text, is taken once.
    """

    pixel_channels = 3  # of what the stem sees

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.schedule = shifted_cosine(config.log_snr_shift)
        top = config.image_size // config.stem
        resolutions = [top >> level for level in range(len(config.channels))]
        self.time = (GuidedTime if config.distilled_guidance else TimeEmbedding)(config.time_width)
        self.text_encoder = TextEncoder(config)
        self.stem = Conv2d(self.pixel_channels * config.stem**2, config.channels[0], 3, padding=1)

        self.down = nn.ModuleDict()
        skips, channels = [config.channels[0]], config.channels[0]
        for resolution, width, blocks in zip(resolutions, config.channels, config.down_blocks, strict=True):
            if resolution != top:
                self.down[f"{resolution}x{resolution}_down"] = Downsample(channels, width)
                skips.append(width)
                channels = width
            for index in range(blocks):
                block = Block(config, channels, width, resolution)
                self.down[f"{resolution}x{resolution}_block{index}"] = block
                skips.append(width)
                channels = width

        self.middle = nn.ModuleDict(
            {
                "block0": Block(config, channels, channels, resolutions[-1]),
                "block1": Block(config, channels, channels, resolutions[-1]),
            }
        )

        self.up = nn.ModuleDict()
        self.positions = nn.ModuleDict()
        for resolution, width, blocks in reversed(
            list(zip(resolutions, config.channels, config.down_blocks, strict=True))
        ):
            if resolution != resolutions[-1]:
                self.up[f"{resolution}x{resolution}_up"] = Upsample(channels, width)
                channels = width
            for index in range(blocks + 1):
                woven = resolution in config.text_at or (resolution in config.text_once_at and index == 0)
                block = Block(config, channels + skips.pop(), width, resolution, woven)
                self.up[f"{resolution}x{resolution}_block{index}"] = block
                channels = width
            if config.axial_positions and resolution in (*config.text_at, *config.text_once_at):
                self.positions[f"{resolution}x{resolution}"] = AxialPositions(width, resolution)
        assert not skips

        self._norms = [module for module in self.modules() if isinstance(module, AdaGN)]
        self.out_norm = GroupNorm(channels)
        self.out = Conv2d(channels, 3 * config.stem**2, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, t: Tensor, ids: Tensor, guidance: Tensor | None = None) -> Tensor:
        return self.predict(x, self.time(t) if guidance is None else self.time(t, guidance), ids)

    def predict(self, x: Tensor, time: Tensor, ids: Tensor) -> Tensor:
        """x (B, pixel_channels, H, W), time embedding (B or 1, D), ids (kB, T) -> v (kB, 3, H, W)."""
        count = len(ids)
        time_up = time if len(time) == 1 else repeated(time, count)
        text = self._encoded(ids, time_up)  # (kB, T, E)
        if len(time) == 1 and not torch.is_grad_enabled():
            time = time_up = Moment(self, self._norms, time)
        padding = ids == alphabet.PAD
        positions = {name: table() for name, table in self.positions.items()}

        h = self.stem(F.pixel_unshuffle(x, self.config.stem))  # (B, C, H/2, W/2)
        skips = [h]
        for block in self.down.values():
            h = block(h) if isinstance(block, Downsample) else block(h, time)
            skips.append(h)
        for block in self.middle.values():
            h = block(h, time)
        h = repeated(h, count)
        for block in self.up.values():
            if isinstance(block, Upsample):
                h = block(h)
            else:
                skip = repeated(skips.pop(), count)
                h = block(torch.cat([h, skip], dim=1), time_up, text, padding, positions)
        v = self.out(silu_of_own(self.out_norm(h)))
        return F.pixel_shuffle(v, self.config.stem)

    def _encoded(self, ids: Tensor, time: Tensor) -> Tensor:
        """With one time for all, as in sampling, a text that many pictures share is encoded once.

        On the CPU only: a GPU would have to say how many texts there are, and no CUDA graph can wait for it.
        """
        if len(time) < len(ids) and ids.device.type == "cpu":
            ids, which = ids.unique(dim=0, return_inverse=True)
            return self.text_encoder(ids, time)[which]
        return self.text_encoder(ids, time)


class GuidedTime(TimeEmbedding):
    """Time and guidance scale -> (B, D), as in Meng et al. 2023. At first the scale has no say."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.guidance = TimeEmbedding.silent(width)

    def forward(self, t: Tensor, guidance: Tensor | None = None) -> Tensor:
        time = super().forward(t)
        if guidance is None:
            return time
        # Sinusoids of 10 log(scale), a hundredth of what time has: neighbouring scales are to look alike.
        scale = self.guidance(guidance.clamp(min=1).log() / 100)
        return time + torch.where(guidance[:, None] > 0, scale, 0.0)


class Block(nn.Module):
    """A residual block, then self-attention and weave attention at the resolutions that have them."""

    def __init__(
        self, config: ModelConfig, channels_in: int, channels: int, resolution: int, woven: bool = False
    ) -> None:
        super().__init__()
        self.place = f"{resolution}x{resolution}"
        self.residual = ResidualBlock(channels_in, channels, config.time_width)
        self.self_attention = (
            SelfAttention(channels, config.head_channels) if resolution in config.attention_at else None
        )
        self.weave = WeaveAttention(config, channels, resolution) if woven else None

    def forward(
        self,
        x: Tensor,
        time: Tensor | Moment,
        text: Tensor | None = None,
        padding: Tensor | None = None,
        positions: dict[str, Tensor] | None = None,
    ) -> Tensor:
        x = self.residual(x, time)
        if self.self_attention is not None:
            x = self.self_attention(x)
        if self.weave is not None:
            x = self.weave(x, text, padding, time, positions.get(self.place))
        return x
