"""Guidance in one call: a network is taught to say at once what takes two calls otherwise.

Either a teacher says it, a frozen network. That is stage one of Meng et al. 2023 (On distillation of guided
diffusion models), section 3.1: the student is told the guidance scale and learns the teacher's guided answer,
at every scale that it may be asked about, and cannot become better than the teacher.

Or the network guides itself: it learns from the picture, as ever, and what guidance adds comes from the
average of its own weights, asked without a scale. That is the idea of Tang et al. 2025 (Diffusion models
without classifier-free guidance), whose network knows a single scale. Ours is told the scale, so that it can
be asked without one, and what it is taught does not depend on what it has learnt about guidance so far.

The answers are those of clean pictures kept inside [-1, 1], as sampling keeps them (denoiser.py).

Legend: B pictures, T tokens.
"""

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from textdiff.config import BASE, MAX_DISTILLED_GUIDANCE, Preset
from textdiff.networks.unet import UNet
from textdiff.prediction import add_noise, eps_from_x0, velocity, x0_from_velocity
from textdiff.training.transfer import moved, places_of


def taught_by(teacher: UNet | None, preset: Preset, self_guided: bool) -> Preset:
    """The preset of a network that learns guidance, from the teacher or by itself; else the preset itself.

    Raises ValueError if there is neither or both, or the teacher cannot answer what the network is asked.
    """
    model = preset.model
    if self_guided and teacher is not None:
        raise ValueError("A network guides itself or has a teacher: leave out --self-guided or --teacher.")
    if not self_guided and teacher is None:
        if model.distilled_guidance:
            raise ValueError("Guidance is learnt with --self-guided, or from the weights named by --teacher.")
        return preset
    theirs = teacher.config if teacher else model
    if (theirs.kind, model.kind) != (BASE, BASE):
        raise ValueError("An upscaler draws without guidance: leave out --teacher and --self-guided.")
    if (theirs.image_size, theirs.log_snr_shift) != (model.image_size, model.log_snr_shift):
        raise ValueError(f"The teacher must draw pictures of {model.image_size} pixels from the same noise.")
    if theirs.max_characters < model.max_characters or theirs.max_lines < model.max_lines:
        raise ValueError("The teacher takes shorter texts than the network that is to learn from it.")
    return replace(preset, model=replace(model, distilled_guidance=True))


def draw_scales(count: int, share: float, generator: Generator) -> Tensor:
    """(count,) guidance scales from 1 on, two thirds of them from 2 to 5; 0 where a picture is not guided.

    `share` of the pictures are. The logarithm of a scale is the mean of two even draws: a triangle that is
    highest at 2.8.
    """
    guided = torch.rand(count, generator=generator) < share
    scales = MAX_DISTILLED_GUIDANCE ** torch.rand((2, count), generator=generator).mean(0)
    return torch.where(guided, scales, 0.0)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What there is to learn about guidance from one batch."""

    teacher: UNet  # frozen, or the average of the network's own weights
    scales: Tensor  # (B,) guidance scales, on the CPU; 0 for a picture that is learnt as ever
    null_ids: Tensor  # (1, T) int64, the null prompt
    self_guided: bool = False  # only what guidance adds is the teacher's, the rest is the picture's

    def targets(self, x_t: Tensor, t: Tensor, ids: Tensor, v: Tensor) -> Tensor:
        """v (B, 3, H, W); where there is a scale the teacher's guided v instead, or v and what that adds."""
        chosen, v = self.scales > 0, v.clone()
        if chosen.any():
            guided, scales = places_of(chosen, v.device), moved(self.scales[chosen], v.device)
            plain, both = two_velocities(
                self.teacher, x_t[guided], t[guided], ids[guided], self.null_ids, scales
            )
            v[guided] = v[guided] + both - plain if self.self_guided else both
        return v


@torch.no_grad()
def two_velocities(
    teacher: UNet, x_t: Tensor, t: Tensor, ids: Tensor, null_ids: Tensor, scales: Tensor
) -> tuple[Tensor, Tensor]:
    """v (B, 3, H, W) without guidance, and of the guided clean picture inside [-1, 1]; asked in one batch.

    x_t (B, 3, H, W), t (B,), ids (B, T), null_ids (1, T), scales (B,) or (1,).
    """
    alpha, sigma = _levels(teacher, t, x_t)
    x = x_t.contiguous(memory_format=torch.channels_last)
    answers = teacher(x, t, torch.cat([ids, null_ids.expand_as(ids)])).float().chunk(2)
    x0, unconditional = (x0_from_velocity(x_t, answer, alpha, sigma) for answer in answers)
    x0 = (unconditional + scales[:, None, None, None] * (x0 - unconditional)).clamp(-1, 1)
    return answers[0], velocity(x0, eps_from_x0(x_t, x0, alpha, sigma), alpha, sigma)


@torch.no_grad()
def guidance_missed(
    student: UNet, teacher: UNet, x0: Tensor, ids: Tensor, null_ids: Tensor, t: float, scale: float = 3.0
) -> float:
    """How far one call's guess is from that of the teacher's two, on x0 (B, 3, H, W) with the same noise.

    The mean squared distance of the clean pictures, relative to that of one call of the teacher without
    guidance: 0 means that nothing is missing, 1 that nothing has been learnt.
    """
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0)).to(x0)
    times, scales = (torch.full((len(x0),), value, device=x0.device) for value in (t, scale))
    levels = _levels(teacher, times, x0)
    x_t = add_noise(x0, eps, *levels)
    answers = (
        student(x_t, times, ids, scales).float(),
        *two_velocities(teacher, x_t, times, ids, null_ids, scales),
    )
    one, plain, two = (x0_from_velocity(x_t, v, *levels).clamp(-1, 1) for v in answers)
    return ((one - two).square().mean() / (plain - two).square().mean()).item()


def _levels(network: UNet, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """alpha and sigma at the times t (B,), each (B, 1, 1, 1)."""
    alpha, sigma = (value.to(like)[:, None, None, None] for value in network.schedule(t))
    return alpha, sigma
