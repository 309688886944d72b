"""One noisy picture, one question, several ways to answer: what guidance does to a single step.

The network is asked with the text, with the null prompt and with the text "". Guidance is arithmetic on the
first two (see Denoiser), so that any number of scales costs nothing more.
"""

from collections.abc import Sequence
from dataclasses import replace

from textdiff.experiments.records import Guidance
from textdiff.experiments.replay import Moment, denoiser_for, picture
from textdiff.noise_schedule import level
from textdiff.request_rules import NUMBERS

MAX_SCALES = 32


def guidance_at(moment: Moment, scales: Sequence[float]) -> Guidance:
    """The answers at `moment`, and the guided x0 for each of 1 to 32 scales, each from 1 to 20.

    Costs two network calls. Raises ValueError with one sentence on bad scales.
    """
    if not 1 <= len(scales) <= MAX_SCALES:
        raise ValueError(f"Choose 1 to {MAX_SCALES} guidance scales, not {len(scales)}.")
    low, high, _ = NUMBERS["guidance"]
    if not all(low <= scale <= high for scale in scales):
        raise ValueError(f"Every guidance scale must be a number from {low} to {high}.")

    # At scale 2 the guided guess is as far beyond the guess with the text as that is beyond the one without.
    twice = denoiser_for(moment.checkpoint, moment.request.text, guidance=2.0)
    belief = replace(twice, clamp=False)(moment.x_t, moment.t)
    without_text = belief.x0_unconditional
    text_says = (belief.x0 - without_text) / 2
    empty = denoiser_for(moment.checkpoint, "", guidance=1.0)(moment.x_t, moment.t).x0

    def shown(x0):
        return picture(x0.clamp(-1, 1))  # last, as the Denoiser does it

    alpha, sigma = level(twice.schedule, moment.t)
    return Guidance(
        step=moment.step,
        t=moment.t,
        alpha=alpha,
        sigma=sigma,
        noisy=picture(moment.x_t),
        with_text=shown(without_text + text_says),
        without_text=shown(without_text),
        empty=shown(empty),
        scales=tuple(scales),
        guided=tuple(shown(without_text + scale * text_says) for scale in scales),
    )
