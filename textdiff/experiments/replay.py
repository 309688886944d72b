"""One candidate of a run made again: a run is a function of its request, so nothing needs to be kept of it.

Recorded pictures are rounded to 8 bits; these are exact. On a CPU they equal the Writer's bit by bit, because
there a candidate alone is the one in a batch (see Denoiser). On a GPU the last bits differ.

Legend: H and W pixels.
"""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from textdiff import writer
from textdiff.attention_capture import layers_of
from textdiff.checkpoints import Checkpoint
from textdiff.denoiser import Belief, Denoiser
from textdiff.model_rules import problem_with_request
from textdiff.noise_schedule import SHIFT, sampling_times
from textdiff.pixels import to_uint8
from textdiff.readers import Reader
from textdiff.request_rules import index_problem
from textdiff.samplers import Move, candidate_seed, initial_noise
from textdiff.step_records import as_pictures, recorded
from textdiff.trajectory import Generation, Request, Step
from textdiff.writer import (
    Progress,
    device_of,
    judged,
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moment:
    """A run before one of its steps, exactly: the picture, and what the sampler remembers."""

    checkpoint: Checkpoint
    request: Request  # of the candidate alone
    step: int
    t: float
    x_t: Tensor  # (1, 3, H, W) float32, on the network's device
    before: Move | None  # the step before; None at the first


def replayed(
    checkpoint: Checkpoint, request: Request, candidate: int, step: int
) -> Iterator[Progress | Moment]:
    """Yields a Progress per step made again, and last the Moment before `step` (0 to request.steps - 1).

    Costs `step` network calls (of two pictures each with guidance); to stop it, close it. One Moment serves
    for any number of questions. Raises ValueError with one sentence.
    """
    if problem := problem_with(checkpoint, request, candidate, step):
        raise ValueError(problem)
    request = replace(alone(request, candidate), watch=False)
    x_t, before = start_of(checkpoint, request)[0], None
    for before in islice(moves_of(checkpoint, request), step):
        x_t = before.x_next
        yield Progress("denoising", before.index + 1, step, to_uint8(picture(before.belief.x0))[None])
    t = sampling_times(request.steps, shift=SHIFT)[step].item()
    yield Moment(checkpoint=checkpoint, request=request, step=step, t=t, x_t=x_t, before=before)


def problem_with(checkpoint: Checkpoint, request: Request, candidate: int, step: int) -> str | None:
    """One sentence for the person who asked if there is no such step of such a run, else None."""
    return (
        problem_with_request(request, checkpoint.network.config)
        or index_problem("candidate", candidate, request.candidates)
        or index_problem("step", step, request.steps)
    )


def alone(request: Request, candidate: int) -> Request:
    """The request that gives this candidate and nothing else."""
    seed = candidate_seed(request.seed, candidate)
    return replace(request, candidates=1, seed=seed, upscaled=0, readability=False)


# ---- the parts of a run; here a request is one for a candidate alone


def start_of(checkpoint: Checkpoint, request: Request) -> tuple[Tensor, list[torch.Generator]]:
    """The first noise (1, 3, H, W), and the generator that goes on from there."""
    size = checkpoint.network.config.image_size
    noise, generators = initial_noise([request.seed], (3, size, size))
    return noise.to(device_of(checkpoint.network)), generators


def denoiser_for(checkpoint: Checkpoint, text: str, guidance: float, one_call: bool = False) -> Denoiser:
    """What asks about one candidate with this text, as the Writer's does."""
    return writer.denoiser_for(checkpoint.network, text, 1, guidance, one_call=one_call)


def moves_of(checkpoint: Checkpoint, request: Request) -> Iterator[Move]:
    """The run, step by step."""
    return writer.candidate_moves(checkpoint.network, request, [request.seed])


def made(
    checkpoint: Checkpoint,
    reader: Reader,
    request: Request,
    moves: Iterable[Move],
    total: int,
    done: int = 0,
    shared: Sequence[Step] = (),
) -> Generator[Progress, None, tuple[Generation, list[Belief]]]:
    """Takes the moves as the steps after the `shared` ones, and reads the picture at the end.

    Yields a Progress per move, counted on from `done` towards `total`, and one for the reading. Returns the
    run and the network's answers to the moves.
    """
    began = time.monotonic()
    layers = layers_of(checkpoint.network) if request.watch else ()
    steps, answers = [*shared], []
    for move in moves:
        steps += recorded(move, layers)
        answers.append(replace(move.belief, attention={}))
        final = to_uint8(steps[-1].x0)
        yield Progress("denoising", done + len(answers), total, final[None])
    yield Progress("reading", done + len(answers), total, final[None])
    if len({step.x0_unconditional is None for step in steps}) > 1:  # a run has it at every step or at none
        steps = [replace(step, x0_unconditional=None) for step in steps]
    generation = Generation(
        request=request,
        model=checkpoint.name,
        model_sha256=checkpoint.sha256,
        reader=reader.name,
        layers=layers,
        candidates=judged(request, [request.seed], [steps], final[None], reader.read([final])),
        best=0,
        seconds=round(time.monotonic() - began, 2),
        stopped=move.t_next > 0,
    )
    return generation, answers


def picture(x: Tensor) -> np.ndarray:
    """(1, 3, H, W) on any device -> (H, W, 3) float32 numpy."""
    return as_pictures(x)[0]
