"""A Writer without a model: its runs are those of `fakes.py`, and it takes as long as it is told."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
from fakes import fake_generation

from textdiff import alphabet
from textdiff.figures import to_uint8
from textdiff.trajectory import Generation, Request


@dataclass
class FakeWriter:
    """Answers like textdiff.writer.Writer. A text "fail" makes it break in the middle of the run."""

    seconds_per_step: float = 0.0
    name: str = "fake"
    limits: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(size=64, max_characters=48, max_lines=5)
    )
    readers: tuple[str, ...] = ("rapidocr", "missing")

    def problem_with(self, request: Request) -> str | None:
        if request.reader == "missing":
            return "This reader is not installed."
        if request.watch and request.candidates * request.steps > 800:
            return "With attention, candidates times steps can be at most 800."
        return alphabet.problem_with(request.text, self.limits.max_characters, self.limits.max_lines)

    def write(
        self, request: Request, should_stop: Callable[[], bool] = lambda: False
    ) -> Iterator[SimpleNamespace | Generation]:
        if problem := self.problem_with(request):
            raise ValueError(problem)
        generation = fake_generation(
            request.text,
            request.candidates,
            request.steps,
            self.limits.size,
            guidance=request.guidance,
            seed=request.seed,
        )
        generation = replace(generation, request=request)
        for step in range(request.steps):
            time.sleep(self.seconds_per_step)
            if request.text == "fail":
                raise RuntimeError("secret detail")
            x0 = np.stack([to_uint8(candidate.steps[step].x0) for candidate in generation.candidates])
            yield SimpleNamespace(stage="denoising", step=step + 1, steps=request.steps, x0=x0)
            if step + 1 < request.steps and should_stop():
                generation = _cut(generation, step + 1)
                break
        yield SimpleNamespace(stage="reading", step=step + 1, steps=request.steps, x0=x0)
        yield generation


def _cut(generation: Generation, steps: int) -> Generation:
    candidates = tuple(
        replace(c, steps=c.steps[:steps], final=to_uint8(c.steps[steps - 1].x0))
        for c in generation.candidates
    )
    return replace(generation, candidates=candidates, stopped=True)
