"""The small pictures that an upscaler learns from: the large ones at half the size, and slightly wrong.

A base model does not draw what the renderer draws. An upscaler that has only ever seen perfect small pictures
copies every flaw of the base's, and enlarges it. So the small pictures are spoilt in training: some are
shifted by a pixel, blurred, or have thicker or thinner strokes, all over or in blots as large as a letter;
some a base model has drawn again; and all are noisy, by an amount that the network is told (noise
conditioning augmentation, see networks/upscaler.py). Where a blot has taken a letter's foot, or run two
letters into one, only the text still says what was there: so the upscaler learns to ask it.

Legend: B pictures, H and W pixels of the large picture, h and w of the small one, T tokens.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from textdiff.config import BASE, UPSCALER, ModelConfig, TrainConfig
from textdiff.denoiser import Denoiser
from textdiff.networks.unet import UNet
from textdiff.noise_schedule import cosine, level
from textdiff.prediction import add_noise
from textdiff.request_rules import untouched
from textdiff.samplers import STEP_RULES, sample
from textdiff.training.chance import noise_like
from textdiff.training.transfer import places_of

_REDRAWN_FROM = (0.4, 0.85)  # times: early enough to keep the layout, late enough to mistake a letter
_REDRAWING_STEPS = 4
_STROKES = 0.6  # at most so much of the way to strokes that are a pixel thicker or thinner on every side
_FLAWS = (1.0, 1.0, 2.0, 4.0)  # how often: a shift, a blur, strokes of another width, blots
_BLOT_CELL = 4  # pixels of the small picture from one chance of a blot to the next: about half a letter
_BLOTTED = 0.8  # where a smooth field of unit normal values is higher, there is a blot


def base_of(upscaler: ModelConfig, base: UNet) -> UNet:
    """The base model whose pictures the upscaler enlarges. Raises ValueError if it is not one."""
    if upscaler.kind != UPSCALER:
        raise ValueError("Only an upscaler learns from the pictures of a base model; leave out --base.")
    size, config = upscaler.image_size // 2, base.config
    if config.kind != BASE or config.image_size != size:
        raise ValueError(f"The base must be a base model that draws pictures of {size} pixels.")
    if config.max_characters < upscaler.max_characters or config.max_lines < upscaler.max_lines:
        raise ValueError("The base takes shorter texts than the upscaler.")
    return base


def halved(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 3, H/2, W/2): the mean of every two by two pixels."""
    return F.avg_pool2d(pictures, 2)


def small_pictures(
    x0: Tensor, config: TrainConfig, generator: Generator, base: Denoiser | None = None
) -> tuple[Tensor, Tensor]:
    """What the upscaler is given to draw x0 (B, 3, H, W): small pictures (B, 3, h, w), their times (B,).

    All chance comes from the `generator`, which is on the CPU and nobody else's: the pictures, times and
    noise of the rest of training are the same with and without. `base`, bound to the texts of the batch,
    draws some of them again.
    """
    small = halved(x0)
    if base is not None:
        chosen = torch.rand(len(x0), generator=generator) < config.redrawn_share
        if chosen.any():
            places = places_of(chosen, x0.device)
            small[places] = redrawn(small[places], replace(base, ids=base.ids[places]), generator)
    wrong = torch.rand(len(x0), generator=generator) < config.wrong_share
    small = _where(wrong, spoilt(small, generator), small)
    times = config.small_t * torch.rand(len(x0), generator=generator).to(x0.device)
    alpha, sigma = (value[:, None, None, None] for value in cosine(times))
    return add_noise(small, noise_like(small, generator), alpha, sigma), times


def clean_small_pictures(x0: Tensor) -> tuple[Tensor, Tensor]:
    """The same as at sampling: nothing is wrong with the small pictures, and there is no noise in them."""
    return halved(x0), x0.new_zeros(len(x0))


def spoilt(small: Tensor, generator: Generator) -> Tensor:
    """Each picture (B, 3, h, w) with one flaw: a shift, a blur, other strokes, or blots."""
    count = len(small)
    kind = torch.multinomial(torch.tensor(_FLAWS), count, replacement=True, generator=generator)
    down, right = torch.randint(-1, 2, (2, count), generator=generator).tolist()
    amount = torch.rand(count, generator=generator).to(small)[:, None, None, None]
    thicker = torch.rand(count, generator=generator) < 0.5

    framed = F.pad(small, (1, 1, 1, 1), mode="replicate")  # (B, 3, h + 2, w + 2)
    height, width = small.shape[2:]
    shifted = torch.stack(
        [
            framed[k, :, 1 + y : 1 + y + height, 1 + x : 1 + x + width]
            for k, (y, x) in enumerate(zip(down, right, strict=True))
        ]
    )
    blurred = torch.lerp(small, _mean(small, 3), amount)
    restroked = torch.lerp(small, _restroked(small, thicker), _STROKES * amount)
    flawed = _where(kind == 0, shifted, _where(kind == 1, blurred, restroked))
    return _where(kind == 3, blotted(small, generator), flawed)


def blotted(small: Tensor, generator: Generator) -> Tensor:
    """Each picture (B, 3, h, w) with strokes gone, run together or blurred in blots as large as a letter."""
    count, (height, width) = len(small), small.shape[2:]
    kind = torch.randint(3, (count,), generator=generator)
    field = torch.randn(count, 1, height // _BLOT_CELL, width // _BLOT_CELL, generator=generator)
    field = F.interpolate(field, size=(height, width), mode="bicubic").to(small)
    lost = _where(kind == 0, _mean(small, 5), _restroked(small, kind == 1))
    return torch.lerp(small, lost, ((field - _BLOTTED) * _BLOT_CELL).clamp(0, 1))  # blots with soft edges


def _mean(pictures: Tensor, side: int) -> Tensor:
    """The mean around every pixel, in squares of an odd side."""
    return F.avg_pool2d(pictures, side, stride=1, padding=side // 2, count_include_pad=False)


def _restroked(pictures: Tensor, thicker: Tensor) -> Tensor:
    """Dark ink grows under a minimum and shrinks under a maximum; light ink the other way round."""
    lightest = F.max_pool2d(pictures, 3, stride=1, padding=1)
    darkest = -F.max_pool2d(-pictures, 3, stride=1, padding=1)
    return _where(thicker, darkest, lightest)


def redrawn(small: Tensor, base: Denoiser, generator: Generator) -> Tensor:
    """What a base model makes of the pictures (B, 3, h, w) when it finds them in noise: it draws them again.

    From pure noise it would place the text elsewhere, and there would be no large picture to learn. This is
    SDEdit (Meng et al. 2022): noise up to a time in between, then a few steps of DDIM.
    """
    low, high = _REDRAWN_FROM
    start = low + (high - low) * torch.rand((), generator=generator).item()
    noisy = add_noise(small, noise_like(small, generator), *level(base.schedule, start))
    times = torch.linspace(start, 0.0, _REDRAWING_STEPS + 1, dtype=torch.float64)
    for move in sample(base, noisy, times, STEP_RULES["ddim"], [generator] * len(small)):
        last = move.x_next
    return last


def redrawing(base: UNet, ids: Tensor, null_ids: Tensor, autocast: torch.dtype | None) -> Denoiser:
    """The base model, bound to the texts ids (B, T) of a batch and guided in its usual way."""
    usual = untouched(one_call=base.config.distilled_guidance)
    return Denoiser(
        network=base,
        ids=ids,
        null_ids=null_ids,
        guidance=usual.guidance,
        one_call=usual.one_call,
        autocast=autocast,
    )


def _where(chosen: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Picture by picture: `one` where `chosen` (B,) is true, else `other`."""
    return torch.where(chosen.to(one.device)[:, None, None, None], one, other)
