"""The upscaler: a U-Net that draws a picture from the same picture at half the size, and from its text.

The seed calls it "sandwich": every level below the uppermost has the names and shapes of the base model's, so
that the base's weights can be its inside, and only the bread is new. The large picture is denoised from noise
as any other; the small one is enlarged and laid under it as three more channels.

Noise conditioning augmentation (Ho et al. 2022, Cascaded diffusion models): the small picture may itself be
noisy, and the network is told how much. In training that is the rule, so that the upscaler learns not to
trust every pixel of what a base model drew; at sampling the small picture is clean, small_t = 0, which
Saharia et al. 2022 (Imagen, figure A.11) measured to be best.

Legend: B pictures, H and W pixels of the large picture, T tokens, D width of the time embedding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textdiff.config import ModelConfig
from textdiff.networks.blocks import TimeEmbedding
from textdiff.networks.unet import UNet


class Upscaler(UNet):
    """x_t (B, 3, H, W), t (B,), ids (B, T), small (B, 3, H/2, W/2), small_t (B,) -> v (B, 3, H, W)."""

    pixel_channels = 6

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.time = TwoTimes(config.time_width)

    def forward(self, x: Tensor, t: Tensor, ids: Tensor, small: Tensor, small_t: Tensor) -> Tensor:
        enlarged = F.interpolate(small, scale_factor=2, mode="bilinear")  # (B, 3, H, W)
        return self.predict(torch.cat([x, enlarged.to(x.dtype)], dim=1), self.time(t, small_t), ids)


class TwoTimes(TimeEmbedding):
    """The times of the large and the small picture -> (B, D). At first the small one's has no say."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.small = TimeEmbedding(width)
        nn.init.zeros_(self.small.mlp[-1].weight)
        nn.init.zeros_(self.small.mlp[-1].bias)

    def forward(self, t: Tensor, small_t: Tensor) -> Tensor:
        return super().forward(t) + self.small(small_t)
