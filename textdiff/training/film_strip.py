"""The same prompts and noise at every checkpoint, so that learning to spell can be watched as a film.

An upscaler's film has the same small pictures all along, and under each what it makes of it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from textdiff import alphabet, pixels
from textdiff.denoiser import UPSCALER_GUIDANCE, Denoiser
from textdiff.networks.unet import UNet
from textdiff.noise_schedule import SHIFT, UPSCALER_SHIFT, sampling_times
from textdiff.samplers import STEP_RULES, initial_noise, sample

PROMPTS = (
    "cat",
    "Hello",
    "7481",
    "QUIZ",
    "red dog",
    "diffusion",
    "Good\nmorning",
    "the\nwhat string\ncommit\nString evolved\nLEGGED",  # the seed's own test prompt
)
SEED, STEPS, GUIDANCE = 100, 16, 3.0
UPSCALER_STEPS = 1  # as when sampling


def film_strip(network: UNet, prompts: Sequence[str] = PROMPTS) -> np.ndarray:
    """(H, W, 3) uint8: one picture for each prompt that the network can take, side by side.

    A network that learns guidance in one call shows what it makes of that.
    """
    config = network.config
    fitting = [
        text
        for text in prompts
        if alphabet.problem_with(text, config.max_characters, config.max_lines) is None
    ]
    return pixels.film_strip(
        draw(
            network,
            fitting,
            range(SEED, SEED + len(fitting)),
            STEPS,
            GUIDANCE,
            one_call=config.distilled_guidance,
        ),
        columns=len(fitting),
        scale=2,
    )


def upscaler_strip(network: UNet, small: Tensor, texts: Sequence[str]) -> np.ndarray:
    """(H, W, 3) uint8: the small pictures (B, 3, h, w) of these texts, and the large ones below them."""
    large = draw(
        network,
        list(texts),
        range(SEED, SEED + len(texts)),
        UPSCALER_STEPS,
        UPSCALER_GUIDANCE,
        shift=UPSCALER_SHIFT,
        small=small,
    )
    shown = small.float().cpu().permute(0, 2, 3, 1).numpy().repeat(2, axis=1).repeat(2, axis=2)
    return pixels.film_strip([*map(pixels.to_uint8, shown), *large], columns=len(texts))


def draw(
    network: UNet,
    texts: list[str],
    seeds: range | list[int],
    steps: int,
    guidance: float,
    sampler: str = "unipc",
    autocast: torch.dtype | None = None,
    shift: float = SHIFT,
    small: Tensor | None = None,
    one_call: bool = False,
) -> np.ndarray:
    """(B, H, W, 3) uint8: one picture per text and seed, all in one batch.

    An upscaler needs the `small` pictures (B, 3, H/2, W/2) in [-1, 1] as well.
    """
    device = next(network.parameters()).device
    length, size = max(map(len, texts)), network.config.image_size
    denoiser = Denoiser(
        network=network,
        ids=torch.from_numpy(alphabet.encode(texts, length)).to(device),
        null_ids=torch.from_numpy(alphabet.null_prompt(1, length)).to(device),
        guidance=guidance,
        one_call=one_call,
        small=None if small is None else small.to(device),
        autocast=autocast,
    )
    noise, generators = initial_noise(list(seeds), (3, size, size))
    for move in sample(
        denoiser, noise.to(device), sampling_times(steps, shift=shift), STEP_RULES[sampler], generators
    ):
        last = move.x_next
    return np.stack([pixels.to_uint8(picture) for picture in last.float().cpu().permute(0, 2, 3, 1).numpy()])
