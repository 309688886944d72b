"""What a run will cost on this machine, in seconds, before it is started; and what its stages did cost.

A network is asked so many times, once per picture and step, twice with guidance unless it has learnt that in
one call; and so many pictures are read. How long one question and one reading take is measured, and learnt
anew from every run.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple

from textdiff.trajectory import Generation, Request


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Seconds on this machine."""

    small: float  # one evaluation of the base network for one candidate
    large: float | None  # one step of the upscaler for one large picture; None without an upscaler
    reading: float  # one picture


class Cost(NamedTuple):
    """Seconds that the two rounds of a run take."""

    small: float
    large: float


class Lap(NamedTuple):
    """From the event before to one of this stage; None is the Generation."""

    stage: str | None
    seconds: float


def cost(request: Request, speed: Speed) -> Cost:
    """What `request` will take."""
    read = request.candidates + request.readability * request.steps
    small = request.candidates * request.steps * _passes(request) * speed.small + read * speed.reading
    large = request.upscaled * (request.upscaler_steps * (speed.large or 0) + speed.reading)
    return Cost(small, large)


def in_words(request: Request, speed: Speed, size: int, large_size: int | None) -> str:
    """One sentence for the person who is about to ask; with a large size it has the price of both."""
    small, large = cost(request, speed)
    total = f"About {spoken(small + large)} on this machine"
    if large_size is None:
        return f"{total}."
    if not request.upscaled:
        _, one = cost(replace(request, upscaled=1), speed)
        return f"{total}; each large picture, {large_size} px, would add {spoken(one)}."
    sizes = f"{spoken(small)} at {size} px and {spoken(large)} at {large_size} px"
    return f"{total}: {sizes}."


def spoken(seconds: float) -> str:
    """No more exact than an estimate is."""
    if seconds < 9.95:
        return f"{max(seconds, 0.1):.1f} s"
    return f"{seconds:.0f} s" if seconds < 119.5 else f"{seconds / 60:.0f} min"


def learnt(speed: Speed, generation: Generation, laps: Sequence[Lap]) -> Speed:
    """The speed that a run has shown. What it did not do, or not to the end, stays as it was."""
    request, found = generation.request, {}
    small, large = (
        [lap.seconds for lap in laps if lap.stage == stage] for stage in ("denoising", "upscaling")
    )
    if small:
        found["small"] = median(small) / (request.candidates * _passes(request))
    if large[1:]:  # the lap of the first step has the reading before it in it
        found["large"] = median(large[1:]) / request.upscaled
    if not generation.stopped:
        # A reading is announced, so the lap after it is the reader's, with the upscaler's first step.
        after = [lap for before, lap in zip(laps, laps[1:], strict=False) if before.stage == "reading"]
        seconds = sum(lap.seconds for lap in after)
        if large:
            seconds -= request.upscaled * found.get("large", speed.large or 0)
        read = request.candidates + request.readability * request.steps + len(generation.upscaled)
        found["reading"] = max(0.0, seconds) / read
    return replace(speed, **found)


class Pace:
    """What is known of this machine's speed, and learnt from runs from then on."""

    def __init__(self, speed: Speed | None = None) -> None:
        self.speed = speed

    def following(self, events: Iterable) -> Iterator:
        """The events of Writer.write, passed on; what the caller does in between does not count."""
        laps, began = [], time.monotonic()
        for event in events:
            laps.append(Lap(getattr(event, "stage", None), time.monotonic() - began))
            if self.speed is not None and isinstance(event, Generation):
                self.speed = learnt(self.speed, event, laps)
            yield event
            began = time.monotonic()


def _passes(request: Request) -> int:
    """With guidance every question is asked without the text, too, unless one call is enough."""
    return 1 if request.guidance == 1 or request.one_call else 2
