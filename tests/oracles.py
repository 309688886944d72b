"""Denoisers whose right answer is known, and a network in which every part matters.

Legend: B candidates, K pictures of a data set.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from textdiff import alphabet
from textdiff.checkpoints import Checkpoint
from textdiff.config import PRESETS, ModelConfig
from textdiff.denoiser import Belief
from textdiff.networks.unet import UNet
from textdiff.networks.upscaler import Upscaler
from textdiff.noise_schedule import Schedule, level
from textdiff.prediction import eps_from_x0
from textdiff.trajectory import Reading


@dataclass(frozen=True, eq=False)
class IdealDenoiser:
    """What a perfect network would say about a finite data set: the exact posterior mean of x0 given x_t."""

    data: Tensor  # (K, 3, H, W)
    schedule: Schedule

    def __call__(self, x_t: Tensor, t: float, watch: bool = False) -> Belief:
        alpha, sigma = level(self.schedule, t)
        x0 = torch.stack([self._mean(x, alpha, sigma) for x in x_t])  # one by one: sums do not depend on B
        return Belief(x0=x0, eps=eps_from_x0(x_t, x0, alpha, sigma))

    def _mean(self, x: Tensor, alpha: float, sigma: float) -> Tensor:
        distance = (x - alpha * self.data).square().flatten(1).sum(1)  # (K,)
        weights = torch.softmax(-distance / (2 * sigma**2), dim=0)  # p(picture | x_t)
        return torch.einsum("k,kchw->chw", weights, self.data)


@dataclass(frozen=True, eq=False)
class GaussianDenoiser:
    """The same for pixels that are independent normal variables; here even the whole path is known."""

    mean: float
    deviation: float
    schedule: Schedule

    def __call__(self, x_t: Tensor, t: float, watch: bool = False) -> Belief:
        alpha, sigma = level(self.schedule, t)
        gain = alpha * self.deviation**2 / (alpha**2 * self.deviation**2 + sigma**2)
        x0 = self.mean + gain * (x_t - alpha * self.mean)
        return Belief(x0=x0, eps=eps_from_x0(x_t, x0, alpha, sigma))

    def flow(self, x_t: Tensor, t: float, s: float) -> Tensor:
        """Where the probability flow takes x_t from time t to time s: each pixel keeps its z-score."""
        (mean_t, deviation_t), (mean_s, deviation_s) = self._marginal(t), self._marginal(s)
        return mean_s + deviation_s * (x_t - mean_t) / deviation_t

    def _marginal(self, t: float) -> tuple[float, float]:
        alpha, sigma = level(self.schedule, t)
        return alpha * self.mean, (alpha**2 * self.deviation**2 + sigma**2) ** 0.5


def lively_unet(config: ModelConfig = PRESETS["tiny"].model, kind: type[UNet] = UNet) -> UNet:
    """An untrained U-Net with random weights in place of the zeros, so that no part of it is silent."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = kind(config).eval()
        for parameter in network.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.1)
    return network


def lively_checkpoint() -> Checkpoint:
    """The same as it would have come from a file."""
    return Checkpoint(lively_unet(), "tiny", "0" * 64, {})


def lively_upscaler(config: ModelConfig = PRESETS["tiny-upscaler"].model) -> Upscaler:
    """The same for an upscaler."""
    return lively_unet(config, Upscaler)


def ids_of(*texts: str, config: ModelConfig = PRESETS["tiny"].model) -> Tensor:
    """Token ids (B, T) of the texts."""
    return torch.from_numpy(alphabet.encode(texts, config.max_characters))


def null_ids(count: int = 1, config: ModelConfig = PRESETS["tiny"].model) -> Tensor:
    """Token ids (count, T) of the null prompt."""
    return torch.from_numpy(alphabet.null_prompt(count, config.max_characters))


class Recorder(nn.Module):
    """Passes questions on to a network and remembers them."""

    def __init__(self, network):
        super().__init__()
        self.network, self.schedule = network, network.schedule
        self.questions = []

    def forward(self, *question):
        self.questions.append(question)
        return self.network(*question)


class ReadsHi:
    """Whatever the picture."""

    name = "scripted 1"

    def read(self, pictures):
        return [Reading(text="Hi", confidence=0.5) for _ in pictures]
