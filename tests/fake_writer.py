"""A Writer without a model: its runs are those of `fakes.py`, and it takes as long as it is told."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
from fakes import cover, fake_generation

from textdiff import alphabet, similarity
from textdiff.cost import Speed
from textdiff.experiments.records import (
    Branch,
    Comparison,
    Guidance,
    SelfAttentionLayer,
    SelfAttentionMaps,
)
from textdiff.pixels import to_uint8
from textdiff.trajectory import Generation, Origin, Request


@dataclass
class FakeWriter:
    """Answers like a Laboratory, and so like a Writer. A text "fail" makes it break within the run."""

    seconds_per_step: float = 0.0
    name: str = "fake"
    sha256: str = "0" * 64
    limits: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(size=64, max_characters=48, max_lines=5, large_size=128)
    )
    readers: tuple[str, ...] = ("rapidocr", "missing")

    def problem_with(self, request: Request) -> str | None:
        if request.reader == "missing":
            return "This reader is not installed."
        if request.watch and request.candidates * request.steps > 800:
            return "With attention, candidates times steps can be at most 800."
        return alphabet.problem_with(request.text, self.limits.max_characters, self.limits.max_lines)

    def speed(self) -> Speed:
        return Speed(small=0.01, large=self.limits.large_size and 0.05, reading=0.1)

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
            readability=request.readability,
            upscaled=request.upscaled,
            upscaler_steps=request.upscaler_steps,
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
        if generation.upscaled and should_stop():
            generation = _without_upscaling(generation)
        if generation.upscaled:
            for step in range(request.upscaler_steps):
                time.sleep(self.seconds_per_step)
                x0 = np.stack([picture.steps[step].x0 for picture in generation.upscaled])
                yield SimpleNamespace(stage="upscaling", step=step + 1, steps=request.upscaler_steps, x0=x0)
                if step + 1 < request.upscaler_steps and should_stop():
                    generation = _cut_upscaling(generation, step + 1)
                    break
            yield SimpleNamespace(stage="reading", step=step + 1, steps=request.upscaler_steps, x0=x0)
        yield generation

    def branched(self, branch: Branch) -> Iterator[SimpleNamespace | Comparison]:
        """Candidate 0; in the branch, what is muted is black and read as "x", or a new text is written."""
        request, size = branch.of, self.limits.size
        if problem := self.problem_with(request):
            raise ValueError(problem)
        steps = 2 * request.steps
        for step in range(steps):
            time.sleep(self.seconds_per_step)
            if request.text == "fail":
                raise RuntimeError("secret detail")
            yield SimpleNamespace(stage="denoising", step=step + 1, steps=steps, x0=None)
        old = fake_generation(request.text, 1, request.steps, size, watched=False, seed=request.seed)
        (candidate,) = old.candidates
        black = np.isin(cover(request.text, size), branch.muted)
        final = np.where(black[..., None], 0, candidate.final).astype(np.uint8)
        text = "".join("x" if i in branch.muted else c for i, c in enumerate(request.text, start=1))
        alike = similarity.trigram_similarity(request.text, text)
        muted = replace(
            candidate,
            final=final,
            reading=replace(candidate.reading, text=text),
            verdict=replace(candidate.verdict, similarity=alike),
        )
        if branch.text is not None:
            (other,) = fake_generation(branch.text, 1, request.steps, size, watched=False).candidates
            steps = (*candidate.steps[: branch.step], *other.steps[branch.step :])
            muted = replace(other, steps=steps)
        change = np.abs(muted.final.astype(float) - candidate.final).mean(axis=-1) / 255
        note = "" if branch.seed is None else "Another seed changes nothing."
        new = replace(
            old,
            candidates=(muted,),
            request=replace(old.request, text=request.text if branch.text is None else branch.text),
            origin=Origin(
                step=branch.step,
                text=request.text,
                guidance=request.guidance,
                sampler=request.sampler,
                seed=branch.seed,
                eta=branch.eta,
                muted=branch.muted,
            ),
        )
        yield Comparison(old=old, new=new, change=change, branch=branch, note=note)

    def ddim_against_ddpm(self, request: Request, candidate: int) -> Iterator[SimpleNamespace | Comparison]:
        """Candidate 0 of the text, twice."""
        yield from self.branched(Branch(of=replace(request, sampler="ddim"), candidate=0, step=0))

    def half_of_a_longer_run(
        self, request: Request, candidate: int
    ) -> Iterator[SimpleNamespace | Comparison]:
        """As many steps of a run twice as long, and the run itself."""
        *events, short = self.branched(Branch(of=request, candidate=0, step=0))
        yield from events
        long = fake_generation(request.text, 1, 2 * request.steps, self.limits.size, watched=False)
        yield replace(short, old=_cut(long, request.steps))

    def guided(
        self, request: Request, candidate: int, step: int, scales: Sequence[float]
    ) -> Iterator[SimpleNamespace | Guidance]:
        """Without the text black, with it a tenth lighter, with "" white, and as many tenths as the scale."""
        for k in range(step):
            yield SimpleNamespace(stage="denoising", step=k + 1, steps=step, x0=None)
        size = self.limits.size

        def tenths(count: float) -> np.ndarray:
            return np.full((size, size, 3), count / 5 - 1, dtype=np.float32)

        yield Guidance(
            step=step,
            t=0.5,
            alpha=0.8,
            sigma=0.6,
            noisy=tenths(5),
            with_text=tenths(1),
            without_text=tenths(0),
            empty=tenths(10),
            scales=tuple(scales),
            guided=tuple(tenths(scale) for scale in scales),
        )

    def self_attention(
        self, request: Request, candidate: int, step: int
    ) -> Iterator[SimpleNamespace | SelfAttentionMaps]:
        """In head h of two, the place p of 2 x 2 looks at place (p + h + step) mod 4 alone."""
        for k in range(step):
            yield SimpleNamespace(stage="denoising", step=k + 1, steps=step, x0=None)
        weights = np.stack([np.roll(np.eye(4, dtype=np.float32), head + step, axis=1) for head in range(2)])
        layer = SelfAttentionLayer(name="middle.2x2_block0", resolution=2, heads=2)
        yield SelfAttentionMaps(step=step, layers=(layer,), weights=(weights,))


def _cut(generation: Generation, steps: int) -> Generation:
    candidates = tuple(
        replace(c, steps=c.steps[:steps], final=to_uint8(c.steps[steps - 1].x0), readability=())
        for c in generation.candidates
    )
    return _without_upscaling(replace(generation, candidates=candidates))


def _without_upscaling(generation: Generation) -> Generation:
    nothing = {"upscaler": None, "upscaler_sha256": None, "upscaled": (), "best_upscaled": None}
    return replace(generation, **nothing, stopped=True)


def _cut_upscaling(generation: Generation, steps: int) -> Generation:
    upscaled = tuple(
        replace(one, steps=one.steps[:steps], final=one.steps[steps - 1].x0) for one in generation.upscaled
    )
    return replace(generation, upscaled=upscaled, stopped=True)
