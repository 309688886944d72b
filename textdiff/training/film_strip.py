"""The same prompts and noise at every checkpoint, so that learning to spell can be watched as a film."""

import numpy as np
import torch

from textdiff import alphabet, figures
from textdiff.denoiser import Denoiser
from textdiff.networks.unet import UNet
from textdiff.noise_schedule import SHIFT, sampling_times
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


def film_strip(network: UNet) -> np.ndarray:
    """(H, W, 3) uint8: one picture for each prompt that the network can take, side by side."""
    config = network.config
    fitting = [
        text
        for text in PROMPTS
        if alphabet.problem_with(text, config.max_characters, config.max_lines) is None
    ]
    return figures.film_strip(
        draw(network, fitting, range(SEED, SEED + len(fitting)), STEPS, GUIDANCE),
        columns=len(fitting),
        scale=2,
    )


def draw(
    network: UNet,
    texts: list[str],
    seeds: range | list[int],
    steps: int,
    guidance: float,
    sampler: str = "dpm++2m",
    autocast: torch.dtype | None = None,
    shift: float = SHIFT,
) -> np.ndarray:
    """(B, H, W, 3) uint8: one picture per text and seed, all in one batch."""
    device = next(network.parameters()).device
    length, size = max(map(len, texts)), network.config.image_size
    denoiser = Denoiser(
        network=network,
        ids=torch.from_numpy(alphabet.encode(texts, length)).to(device),
        null_ids=torch.from_numpy(alphabet.null_prompt(1, length)).to(device),
        guidance=guidance,
        autocast=autocast,
        one_by_one=False,
    )
    noise, generators = initial_noise(list(seeds), (3, size, size))
    for move in sample(
        denoiser, noise.to(device), sampling_times(steps, shift=shift), STEP_RULES[sampler], generators
    ):
        last = move.x_next
    return np.stack([figures.to_uint8(picture) for picture in last.float().cpu().permute(0, 2, 3, 1).numpy()])
