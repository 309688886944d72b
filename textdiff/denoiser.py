"""One question to the network: what is the clean picture in this noisy one?

Guidance and attention watching live here only; a sampler knows nothing else about the network.

Legend: B candidates, T tokens, H and W pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from textdiff.attention_capture import watch_attention
from textdiff.networks.unet import UNet
from textdiff.noise_schedule import Schedule, level
from textdiff.prediction import eps_from_x0, x0_from_velocity

# Not guided, as in the original system: what ours draws is read best so (measured, see training/NOTES.md).
UPSCALER_GUIDANCE = 1.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Belief:
    """What the network believes is in x_t; always x_t = alpha x0 + sigma eps, also where x0 is clamped."""

    x0: Tensor  # (B, 3, H, W), the guided guess at the clean picture
    eps: Tensor  # (B, 3, H, W), the guided guess at the noise
    x0_unconditional: Tensor | None = None  # (B, 3, H, W), the guess without the text; None where not asked
    attention: dict[str, Tensor] = field(default_factory=dict)  # see watch_attention; empty when not watched


@dataclass(frozen=True, eq=False)
class Denoiser:
    """denoise(x_t, t) -> Belief, for the B texts of one batch.

    Guidance goes from the guess without the text through the guess with it and beyond:
    x0 = x0_unconditional + guidance (x0_conditional - x0_unconditional). 1 means no guidance and costs half.
    (In Ho & Salimans 2022, eq. 6, w is guidance - 1.) For one x_t, each of x0, eps and v is an affine
    function of the others, and the weights guidance and 1 - guidance add up to 1: so combining x0, the
    network's v, or the eps of the paper is all the same.

    On a CPU a candidate alone equals itself among others of its text, bit by bit, whatever the number of
    threads: products are the same in every even batch, so the last of an odd number is asked about twice, and
    the network takes apart what would not be the same (`blocks.apart`). `bench` looks whether it holds on a
    machine. Measured: it does on 2 to 8 threads; on one, float32 products of more than a dozen pictures have
    other last bits.

    A network that has guidance distilled into it (training/distillation.py) may be asked in `one_call`: it is
    told the scale and guesses at once what the two questions give. There is no guess without the text then.

    Guidance may be left out at times outside `guided_between`, where the step then costs half: Kynkäänniemi
    et al. 2024 (Applying guidance in a limited interval), eq. 5.

    An upscaler is asked the same question about large pictures; the small ones that they come from are bound
    here, so that a sampler need not know. They are what a base model drew, and count as clean.
    """

    network: UNet  # (x (B, 3, H, W), t (1,), ids (B or 2B, T)) -> v (B or 2B, 3, H, W)
    ids: Tensor  # (B, T) int64, the texts
    null_ids: Tensor  # (1, T) int64, the null prompt
    guidance: float = 1.0
    one_call: bool = False  # tell the network the scale, instead of asking twice
    guided_between: tuple[float, float] = (0.0, 1.0)  # times, both included
    small: Tensor | None = None  # (B, 3, H/2, W/2) in [-1, 1], for an upscaler
    clamp: bool = True  # keep the guesses at the clean picture inside [-1, 1]
    autocast: torch.dtype | None = None  # the network may compute in bfloat16; the pictures stay float32
    ask: Callable[..., Tensor] | None = None  # answers as the network, but sooner, where nobody watches

    @property
    def schedule(self) -> Schedule:
        """The one that the network was trained with."""
        return self.network.schedule

    @torch.inference_mode()
    def __call__(self, x_t: Tensor, t: float, watch: bool = False) -> Belief:
        """x_t (B, 3, H, W) float32 and its time in [T_MIN, T_MAX]. Watching shows the half with the text.

        Nothing can be differentiated afterwards: in inference mode a call takes 4 % less.
        """
        assert len(x_t) == len(self.ids), f"{len(x_t)} pictures for {len(self.ids)} texts"
        assert self.small is None or len(x_t) == len(self.small), f"{len(self.small)} small pictures"
        alpha, sigma = level(self.schedule, t)
        v, v_unconditional, attention = self._ask(x_t, t, watch)
        x0, unconditional = x0_from_velocity(x_t, v, alpha, sigma), None
        if v_unconditional is not None:
            unconditional = x0_from_velocity(x_t, v_unconditional, alpha, sigma)
            x0 = unconditional + self.guidance * (x0 - unconditional)
        if self.clamp:
            x0 = x0.clamp(-1, 1)
            unconditional = None if unconditional is None else unconditional.clamp(-1, 1)
        # From the clamped x0, not from v: otherwise x_t would no longer be alpha x0 + sigma eps.
        eps = eps_from_x0(x_t, x0, alpha, sigma)
        return Belief(x0=x0, eps=eps, x0_unconditional=unconditional, attention=attention)

    def _ask(self, x_t: Tensor, t: float, watch: bool) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
        low, high = self.guided_between
        guided = self.guidance != 1 and low <= t <= high
        twice, told = guided and not self.one_call, guided and self.one_call
        ids, small, count = self.ids, self.small, len(x_t)
        if count % 2:
            x_t, ids, small = (_even(part) for part in (x_t, ids, small))
        asked = len(x_t)
        if twice:  # both texts for each picture in one batch, its own first
            ids = torch.cat([ids, self.null_ids.expand_as(ids)])
        # One time for all pictures: what depends on the time alone is computed once.
        time = torch.full((1,), t, dtype=torch.float32, device=x_t.device)
        given = () if small is None else (small, torch.zeros_like(time))
        if told:
            given = (torch.full_like(time, self.guidance),)
        with torch.autocast(x_t.device.type, dtype=self.autocast, enabled=self.autocast is not None):
            if watch:
                with watch_attention(self.network) as seen:
                    v = self.network(x_t, time, ids, *given)
                attention = {name: weights[:count] for name, weights in seen.items()}
            else:
                v, attention = (self.ask or self.network)(x_t, time, ids, *given), {}
        v = v.float()
        return v[:count], v[asked:][:count] if twice else None, attention


def _even(part: Tensor | None) -> Tensor | None:
    """(B, ...) with the last one repeated."""
    return None if part is None else torch.cat([part, part[-1:]])
