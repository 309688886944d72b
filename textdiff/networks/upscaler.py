"""The upscaler: a U-Net that draws a picture from the same picture at half the size, and from its text.

The seed calls it "sandwich": every level below the uppermost has the names and shapes of the base model's, so
that the base's weights can be its inside, and only the bread is new. The large picture is denoised from noise
as any other, but the network is asked only about what the enlarged small picture leaves open, the residual.
See it as a diffusion of its own: with u the enlarged picture and r the residual's standard deviation,

    y = (x_t - alpha u) / D,  D^2 = alpha^2 r^2 + sigma^2

is the residual over r, noised by the levels alpha r / D and sigma / D, which have unit power. The network
sees y and u, and predicts y's velocity. This is the preconditioning of Karras et al. 2022 (EDM, section 5)
around u in place of 0. The noise schedule is shifted so that y's is the cosine: then the even times of the
few steps fall where the residual is decided. The first upscaler predicted the large picture's own velocity,
and spent its training on learning to copy (training/NOTES.md).

Noise conditioning augmentation (Ho et al. 2022, Cascaded diffusion models): the small picture may itself be
noisy, and the network is told how much. In training that is the rule, so that the upscaler learns not to
trust every pixel of what a base model drew; at sampling the small picture is clean, small_t = 0, which
Saharia et al. 2022 (Imagen, figure A.11) measured to be best.

Legend: B pictures, H and W pixels of the large picture, T tokens, E width of the time embedding.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from textdiff.config import ModelConfig
from textdiff.networks.blocks import TimeEmbedding, repeated
from textdiff.networks.unet import UNet
from textdiff.noise_schedule import cosine, shifted_cosine
from textdiff.prediction import eps_from_velocity, velocity, x0_from_velocity

# Root mean square of what an enlarged small picture leaves open, in the pictures of the preset `upscaler`.
RESIDUAL_STD = 0.16


class Upscaler(UNet):
    """x_t (B, 3, H, W), t (B,), ids (B, T), small (B, 3, H/2, W/2), small_t (B,) -> v (B, 3, H, W).

    t and small_t may be (1,), one for all; where there are several texts for a picture, they must be.
    """

    pixel_channels = 6

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.schedule = shifted_cosine(config.log_snr_shift - 2 * math.log(RESIDUAL_STD))
        self.time = TwoTimes(config.time_width)

    def forward(self, x: Tensor, t: Tensor, ids: Tensor, small: Tensor, small_t: Tensor) -> Tensor:
        enlarged = F.interpolate(small, scale_factor=2, mode="bilinear")  # (B, 3, H, W)
        alpha, sigma = (value.to(x.dtype)[:, None, None, None] for value in self.schedule(t))
        std = residual_std(small_t).to(x.dtype)[:, None, None, None]
        spread = torch.hypot(alpha * std, sigma)
        y = (x - alpha * enlarged) / spread
        v_y = self.predict(torch.cat([y, enlarged], dim=1), self.time(t, small_t), ids).to(x.dtype)
        y, enlarged = repeated(y, len(v_y)), repeated(enlarged, len(v_y))
        alpha_y, sigma_y = alpha * std / spread, sigma / spread
        x0 = enlarged + std * x0_from_velocity(y, v_y, alpha_y, sigma_y)
        return velocity(x0, eps_from_velocity(y, v_y, alpha_y, sigma_y), alpha, sigma)


def residual_std(small_t: Tensor) -> Tensor:
    """Standard deviation of the residual under small pictures with noise up to the times small_t (B,).

    Enlarging averages neighbours and leaves less than half of the noise's power; a fainter signal adds some.
    """
    return torch.sqrt(RESIDUAL_STD**2 + 0.5 * cosine(small_t)[1] ** 2)


def error_weight(alpha: Tensor, sigma: Tensor, small_t: Tensor) -> Tensor:
    """What turns the squared error of v into that of y's velocity; all of one shape."""
    return alpha**2 + (sigma / residual_std(small_t)) ** 2


class TwoTimes(TimeEmbedding):
    """The times of the large and the small picture -> (B, E). At first the small one's has no say."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.small = TimeEmbedding.silent(width)

    def forward(self, t: Tensor, small_t: Tensor) -> Tensor:
        return super().forward(t) + self.small(small_t)
