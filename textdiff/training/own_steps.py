"""Noisy pictures that the network came to by itself, as when it samples, among those that noise was added to.

Where letters are still undecided, a network guesses the mean of what they may be, and a large step of a
sampler takes it at its word: the noisy picture then holds a blend of letters, or the beginning of a wrong
one. No noise added to a clean picture ever looks like that. So some of the pictures start further into the
noise and come to their time by steps of the sampler; what is to be learnt is the clean picture that they
started from, as ever. This is scheduled sampling (Bengio et al. 2015), which Deng et al. 2023
(Markup-to-image diffusion models with scheduled sampling) brought to pictures of text.

Legend: B pictures, T tokens.
"""

import torch
from torch import Generator, Tensor

from textdiff.networks.unet import UNet
from textdiff.noise_schedule import SHIFT, T_MAX, Level, even_time, shifted_time
from textdiff.prediction import add_noise, eps_from_x0, x0_from_velocity
from textdiff.samplers import posterior
from textdiff.training.chance import noise_like
from textdiff.training.transfer import moved, places_of

_STEPS = (8.0, 16.0)  # of the sampler from noise to picture, which say how far one of them goes
_MOST = 2  # steps that a picture takes to its time
# Such a step must not begin later in the noise than this. There it is still open where the text will stand:
# the network would be taught to go back to a place that nothing shows any more, and no longer settle for one.
_FURTHEST = 0.85
_LEAST = 0.15  # the least such time: below it no sampler asks, and a small error of x0 is a large one of eps


@torch.no_grad()
def with_own_steps(
    network: UNet,
    x0: Tensor,
    t: Tensor,
    eps: Tensor,
    ids: Tensor,
    scales: Tensor | None,
    share: float,
    generator: Generator,
) -> Tensor:
    """The noise (B, 3, H, W) in the pictures at their times t (B,): `eps`, or what the network's steps leave.

    About a `share` of the pictures take one or two steps of DDPM to their time, guided by `scales` (B,) in
    one call if there are any; not where that would begin beyond pure noise, nor close to the clean picture.
    x0 and eps (B, 3, H, W), ids (B, T). All chance comes from the `generator`; it, the times and the scales
    are on the CPU, so that nobody waits for a GPU to say which pictures these are.
    """
    count = int(torch.randint(1, _MOST + 1, (), generator=generator))
    low, high = _STEPS
    step = 1 / (low + (high - low) * torch.rand(len(t), generator=generator))
    even = even_time(t, T_MAX, SHIFT)
    times = [shifted_time(even + k * step, T_MAX, SHIFT) for k in range(count, -1, -1)]
    chosen = torch.rand(len(t), generator=generator) < share
    chosen &= (times[0] <= _FURTHEST) & (t >= _LEAST)
    if not chosen.any():
        return eps
    times = [moved(time[chosen], x0.device) for time in times]
    scale = () if scales is None else (moved(scales[chosen], x0.device),)
    places = places_of(chosen, x0.device)
    clean, texts = x0[places], ids[places]
    here = _level(network, times[0])
    x_t = add_noise(clean, eps[places], *here)
    for time, following in zip(times, times[1:], strict=False):
        there = _level(network, following)
        v = network(x_t.contiguous(memory_format=torch.channels_last), time, texts, *scale).float()
        mean, deviation = posterior(x_t, x0_from_velocity(x_t, v, *here).clamp(-1, 1), here, there)
        x_t = mean + deviation * noise_like(x_t, generator)
        here = there
    own = eps.clone()
    own[places] = eps_from_x0(x_t, clean, *here)
    return own


def _level(network: UNet, t: Tensor) -> Level:
    """Signal and noise at the times t (B,), each (B, 1, 1, 1)."""
    return Level(*(value[:, None, None, None] for value in network.schedule(t)))
