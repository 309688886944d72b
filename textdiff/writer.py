"""Text to Generation: the only file that puts the parts together.

`Writer.write` is a generator: it yields its progress after every step, so that the caller shows, stops or
records.

Legend: B candidates, H and W pixels, T tokens.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from textdiff import alphabet
from textdiff.attention_capture import as_arrays, layers_of
from textdiff.checkpoints import Checkpoint
from textdiff.denoiser import Denoiser
from textdiff.figures import to_uint8
from textdiff.noise_schedule import SHIFT, cosine, level, sampling_times
from textdiff.ranking import best, rank
from textdiff.readers import READERS, open_reader
from textdiff.samplers import STEP_RULES, Move, candidate_seed, initial_noise, sample
from textdiff.trajectory import MAX_SEED, AttentionLayer, Candidate, Generation, Reading, Request, Step

MAX_CANDIDATES, MAX_STEPS, MAX_GUIDANCE = 16, 250, 20.0
# Watching keeps every attention map of every step: more steps than this, over all candidates, would fill a
# small machine.
MAX_WATCHED_STEPS = 800


@dataclass(frozen=True)
class Limits:
    """What the model can be asked for."""

    size: int  # pixels a side
    max_characters: int
    max_lines: int


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a run is."""

    stage: str  # "denoising" or "reading"
    step: int  # steps taken
    steps: int
    x0: np.ndarray  # (B, H, W, 3) uint8, the present guesses at the clean pictures


class Writer:
    """Answers requests with one model. Holds no state of a run: several runs may interleave."""

    def __init__(self, checkpoint: Checkpoint, allow_download: bool = False) -> None:
        config = checkpoint.network.config
        self.name = checkpoint.name
        self.limits = Limits(config.image_size, config.max_characters, config.max_lines)
        self.readers = tuple(READERS)
        self._checkpoint = checkpoint
        self._reader = lru_cache(maxsize=None)(lambda name: open_reader(name, allow_download))

    def problem_with(self, request: Request) -> str | None:
        """One sentence for the person who asked if the request cannot be answered, else None."""
        if problem := alphabet.problem_with(request.text, self.limits.max_characters, self.limits.max_lines):
            return problem
        for name, value, low, high in (
            ("The seed", request.seed, 0, MAX_SEED),
            ("The number of candidates", request.candidates, 1, MAX_CANDIDATES),
            ("The number of steps", request.steps, 1, MAX_STEPS),
        ):
            if not (isinstance(value, int) and low <= value <= high):
                return f"{name} must be a whole number from {low} to {high}."
        if not 1 <= request.guidance <= MAX_GUIDANCE:
            return f"The guidance scale must be a number from 1 to {MAX_GUIDANCE:g}."
        if request.watch and request.candidates * request.steps > MAX_WATCHED_STEPS:
            return (
                f"With attention, candidates times steps can be at most {MAX_WATCHED_STEPS}; "
                "take fewer, or do not keep the attention."
            )
        if request.sampler not in STEP_RULES:
            return f"There is no sampler called {request.sampler!r}; choose one of {', '.join(STEP_RULES)}."
        try:
            self._reader(request.reader)
        except ValueError as error:
            return str(error)
        return None

    def write(
        self, request: Request, should_stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Progress | Generation]:
        """Yields a Progress per step, one for the reading, and last the Generation.

        `should_stop` is asked after every step; once it says yes, what there is gets read, ranked and
        returned. Raises ValueError on a bad request.
        """
        if problem := self.problem_with(request):
            raise ValueError(problem)
        began = time.monotonic()
        network = self._checkpoint.network
        layers = layers_of(network) if request.watch else ()
        seeds = [candidate_seed(request.seed, index) for index in range(request.candidates)]
        steps: list[list[Step]] = [[] for _ in seeds]
        stopped = False
        for move in self._moves(request, seeds):
            for candidate, step in zip(steps, _steps(move, layers), strict=True):
                candidate.append(step)
            pictures = np.stack([to_uint8(candidate[-1].x0) for candidate in steps])
            yield Progress("denoising", move.index + 1, request.steps, pictures)
            stopped = move.index + 1 < request.steps and should_stop()
            if stopped:
                break
        yield Progress("reading", len(steps[0]), request.steps, pictures)

        reader = self._reader(request.reader)
        candidates = judged(request, seeds, steps, pictures, reader.read(list(pictures)))
        yield Generation(
            request=request,
            model=self._checkpoint.name,
            model_sha256=self._checkpoint.sha256,
            reader=reader.name,
            layers=layers,
            candidates=candidates,
            best=best([candidate.verdict for candidate in candidates]),
            seconds=round(time.monotonic() - began, 2),
            stopped=stopped,
        )

    def _moves(self, request: Request, seeds: list[int]) -> Iterator[Move]:
        length = len(request.text)
        device = next(self._checkpoint.network.parameters()).device
        denoiser = Denoiser(
            network=self._checkpoint.network,
            ids=torch.from_numpy(alphabet.encode([request.text] * len(seeds), length)).to(device),
            null_ids=torch.from_numpy(alphabet.null_prompt(1, length)).to(device),
            guidance=request.guidance,
            autocast=compute_type(device),
            one_by_one=device.type == "cpu",
        )
        noise, generators = initial_noise(seeds, (3, self.limits.size, self.limits.size))
        return sample(
            denoiser,
            noise.to(device),
            sampling_times(request.steps, shift=SHIFT),
            STEP_RULES[request.sampler],
            generators,
            watch=request.watch,
        )


def judged(
    request: Request, seeds: list[int], steps: list[list[Step]], pictures: np.ndarray, readings: list[Reading]
) -> tuple[Candidate, ...]:
    """Candidates with the ranking's verdicts on their readings."""
    verdicts = rank(request.text, readings, request.keep_only_if_above, request.delete_under)
    return tuple(
        Candidate(
            index=index,
            seed=seeds[index],
            steps=tuple(steps[index]),
            final=pictures[index],
            reading=readings[index],
            verdict=verdicts[index],
        )
        for index in range(len(seeds))
    )


def compute_type(device: torch.device) -> torch.dtype | None:
    """bf16 where the processor multiplies it natively, else None for float32 throughout."""
    native = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if native else None


def _steps(move: Move, layers: tuple[AttentionLayer, ...]) -> list[Step]:
    """The move of all candidates as a recorded step for each: from torch to numpy, here and nowhere else."""
    alpha, sigma = level(cosine, move.t)
    noisy, x0, eps = (_pictures(value) for value in (move.x_t, move.belief.x0, move.belief.eps))
    unconditional = move.belief.x0_unconditional
    x0_unconditional = None if unconditional is None else _pictures(unconditional)
    attention = as_arrays(move.belief.attention, layers)
    return [
        Step(
            index=move.index,
            t=move.t,
            alpha=alpha,
            sigma=sigma,
            noisy=noisy[k],
            x0=x0[k],
            eps=eps[k],
            x0_unconditional=None if x0_unconditional is None else x0_unconditional[k],
            attention=tuple(weights[k] for weights in attention),
        )
        for k in range(len(x0))
    ]


def _pictures(x: Tensor) -> np.ndarray:
    """(B, 3, H, W) on any device -> (B, H, W, 3) float32 numpy."""
    return x.float().cpu().permute(0, 2, 3, 1).contiguous().numpy()
