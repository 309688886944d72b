"""The letter gap: how much a network minds when the letters of its prompt are wrong.

Long before anything can be read, it tells whether a model is learning to spell: on fixed pictures and noise,
the relative rise of the loss when every letter is replaced by another of its kind. 0 means that the letters
are ignored.
"""

import random
import string
from collections.abc import Sequence

import torch
from torch import Tensor

from textdiff import alphabet
from textdiff.networks.unet import UNet
from textdiff.training.dataset import Batch, as_x0
from textdiff.training.loss import diffusion_loss

KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits)


def other_letters(text: str, rng: random.Random) -> str:
    """The text with each letter and digit replaced by another of its kind; lengths, lines and case stay."""
    return "".join(
        rng.choice([other for other in kind if other != character]) if kind else character
        for character in text
        for kind in [next((kind for kind in KINDS if character in kind), None)]
    )


@torch.no_grad()
def letter_gap(
    network: UNet, batch: Batch, max_characters: int, t: float, given: Sequence[Tensor] = ()
) -> float:
    """(loss with wrong letters) / (loss with the right ones) - 1 on one batch at time `t`.

    `given` is what an upscaler sees beside it: the true small pictures and their times, see `diffusion_loss`.
    """
    rng = random.Random(0)
    device = next(network.parameters()).device
    x0 = as_x0(batch, device)
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0)).to(device)
    times = torch.full((len(x0),), t, device=device)
    losses = []
    for texts in (batch.texts, [other_letters(text, rng) for text in batch.texts]):
        ids = torch.from_numpy(alphabet.encode(texts, max_characters)).to(device)
        losses.append(diffusion_loss(network, x0, ids, None, times, eps, given)[0].item())
    return losses[1] / losses[0] - 1
