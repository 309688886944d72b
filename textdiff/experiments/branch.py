"""What if: a run goes its way up to a step, and from there another one.

The loop is the sampler's only one. It starts at the noise again, is given the old answers up to the step, and
from there on it asks a changed question or follows a changed rule. So whatever a sampler remembers, and the
state of its noise, are right by themselves.

Legend: H and W pixels, T tokens.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from textdiff.attention_mute import mute
from textdiff.checkpoints import Checkpoint
from textdiff.denoiser import Belief, Denoiser
from textdiff.experiments.records import Branch, Comparison
from textdiff.experiments.replay import alone, denoiser_for, made, moves_of, start_of
from textdiff.experiments.replay import problem_with as problem_with_run
from textdiff.noise_schedule import SHIFT, level, sampling_times
from textdiff.readers import Reader
from textdiff.run_json import MAX_STEPS
from textdiff.samplers import STEP_RULES, Denoise, Move, Situation, ddim, initial_noise, sample
from textdiff.trajectory import Generation, Origin, Request, Step
from textdiff.writer import Progress


def branched(checkpoint: Checkpoint, branch: Branch, reader: Reader) -> Iterator[Progress | Comparison]:
    """Yields a Progress per step of the old run and of the branch, and last the Comparison, both runs read.

    Costs 2 of.steps - branch.step network calls (of two pictures each with guidance); to stop it, close it.
    Attention is kept if the old run was watched. Raises ValueError with one sentence.
    """
    if problem := problem_with(checkpoint, branch):
        raise ValueError(problem)
    old_request, new_request = alone(branch.of, branch.candidate), changed(branch)
    make = partial(made, checkpoint, reader, total=2 * old_request.steps - branch.step)
    old, answers = yield from make(old_request, moves_of(checkpoint, old_request))
    moves = _moves_of_branch(checkpoint, branch, answers[: branch.step])
    new, _ = yield from make(
        new_request,
        islice(moves, branch.step, None),
        done=old_request.steps,
        shared=_shared(old, new_request, branch.step),
    )
    yield _compared(old, replace(new, origin=_origin(branch)), branch, _note(branch))


def ddim_against_ddpm(
    checkpoint: Checkpoint, request: Request, candidate: int, reader: Reader
) -> Iterator[Progress | Comparison]:
    """From the same noise, `old` by DDIM, which draws no more noise, and `new` by DDPM, which does.

    The request's own sampler does not matter. Costs 2 request.steps network calls; see `branched`.
    """
    of = replace(request, sampler="ddim")
    return branched(checkpoint, Branch(of=of, candidate=candidate, step=0, sampler="ddpm"), reader)


def half_of_a_longer_run(
    checkpoint: Checkpoint, request: Request, candidate: int, reader: Reader
) -> Iterator[Progress | Comparison]:
    """16 steps of 32 are not a 16-step run: `new` is the run of n steps asked for, `old` half of one of 2n.

    `old` stops after n steps, and its picture is the guess at x0 it then has. Costs 2 request.steps network
    calls; see `branched`.
    """
    if problem := problem_with_run(checkpoint, request, candidate, step=0):
        raise ValueError(problem)
    if 2 * request.steps > MAX_STEPS:
        raise ValueError(f"The longer run has twice the steps, so there can be at most {MAX_STEPS // 2}.")
    short = alone(request, candidate)
    longer = replace(short, steps=2 * short.steps)
    make = partial(made, checkpoint, reader, total=2 * short.steps)
    old, _ = yield from make(longer, islice(moves_of(checkpoint, longer), short.steps))
    new, _ = yield from make(short, moves_of(checkpoint, short), done=short.steps)
    yield _compared(old, new)


def problem_with(checkpoint: Checkpoint, branch: Branch) -> str | None:
    """One sentence for the person who asked if there can be no such branch, else None."""
    after = replace(branch.of, **_changes(branch))
    noise = after if branch.seed is None else replace(after, seed=branch.seed)
    for request in (branch.of, after, noise):
        if problem := problem_with_run(checkpoint, request, branch.candidate, branch.step):
            return problem
    if branch.eta is not None and after.sampler != "ddim":
        return f"Eta is a setting of the sampler ddim, and this branch goes on with {after.sampler}."
    if branch.eta is not None and not 0 <= branch.eta <= 1:
        return "Eta must be a number from 0 to 1."
    last = len(after.text)
    if not all(isinstance(token, int) and 0 <= token <= last for token in branch.muted):
        return f"A muted character must be a whole number from 1 to {last}, or 0 for START."
    if len(set(branch.muted)) > last:
        return "The picture must have something to look at: leave START or a character unmuted."
    return None


def changed(branch: Branch) -> Request:
    """What holds from the step of the branch on, for the candidate alone."""
    return replace(alone(branch.of, branch.candidate), **_changes(branch))


def _changes(branch: Branch) -> dict:
    changes = {"text": branch.text, "guidance": branch.guidance, "sampler": branch.sampler}
    return {name: value for name, value in changes.items() if value is not None}


def _origin(branch: Branch) -> Origin:
    return Origin(
        step=branch.step,
        text=branch.of.text,
        guidance=branch.of.guidance,
        sampler=branch.of.sampler,
        seed=branch.seed,
        eta=branch.eta,
        muted=branch.muted,
    )


def _note(branch: Branch) -> str:
    sampler = changed(branch).sampler
    if branch.seed is None:
        return ""
    if sampler != "ddpm" and not branch.eta:
        which = "ddim with eta 0" if sampler == "ddim" else sampler
        return f"The sampler {which} draws no noise after the first, so another seed changes nothing."
    if branch.step == branch.of.steps - 1:
        return "The last step adds no noise, so another seed changes nothing."
    return ""


# ---- making the branch


def _moves_of_branch(checkpoint: Checkpoint, branch: Branch, answers: Sequence[Belief]) -> Iterator[Move]:
    """The whole run of a branch; its first steps ask no network, given the old `answers`."""
    old, new = alone(branch.of, branch.candidate), changed(branch)
    x_t, generators = start_of(checkpoint, old)
    times = sampling_times(old.steps, shift=SHIFT)
    denoise: Denoise = denoiser_for(checkpoint, new.text, new.guidance, new.one_call)
    if branch.muted:
        denoise = _Muted(denoise, branch.muted)
    turn = level(denoise.schedule, times[branch.step].item())
    old_rule = STEP_RULES[old.sampler]
    new_rule = STEP_RULES[new.sampler] if branch.eta is None else partial(ddim, eta=branch.eta)

    def rule(now: Situation) -> Tensor:
        if now.here.sigma > turn.sigma:
            return old_rule(now)
        if now.here == turn and branch.seed is not None:
            # A generator that has drawn its first noise, for no noise must be met a second time.
            _, (fresh,) = initial_noise([branch.seed], x_t.shape[1:])
            generators[0].set_state(fresh.get_state())
        if new_rule is not old_rule:  # a corrector must not take again what another rule has done
            own = tuple(entry for entry in now.before if entry[0].sigma <= turn.sigma)
            now = replace(now, before=own)
        return new_rule(now)

    return sample(_Resumed(answers, denoise), x_t, times, rule, generators, watch=old.watch)


class _Resumed:
    """Gives the old answers, one per question, and then asks."""

    def __init__(self, answers: Iterable[Belief], denoise: Denoise) -> None:
        self.schedule = denoise.schedule
        self._answers = iter(answers)
        self._denoise = denoise

    def __call__(self, x_t: Tensor, t: float, watch: bool = False) -> Belief:
        known = next(self._answers, None)
        return self._denoise(x_t, t, watch) if known is None else known


class _Muted:
    """Asks about one candidate while some tokens of its text are muted."""

    def __init__(self, denoiser: Denoiser, tokens: Sequence[int]) -> None:
        self.schedule = denoiser.schedule
        self._denoiser = denoiser
        self._hidden = torch.zeros_like(denoiser.ids, dtype=torch.bool)  # (1, T)
        self._hidden[:, list(tokens)] = True

    def __call__(self, x_t: Tensor, t: float, watch: bool = False) -> Belief:
        with mute(self._denoiser.network, self._hidden):
            return self._denoiser(x_t, t, watch)


# ---- comparing them


def _shared(old: Generation, new: Request, count: int) -> list[Step]:
    """The first `count` steps of the old run as the new one has them."""
    steps = list(old.candidates[0].steps[:count])
    if new.text == old.request.text:
        return steps
    nothing = tuple(
        np.zeros((layer.heads, layer.resolution**2, 1 + len(new.text)), dtype=np.float32)
        for layer in old.layers
    )
    return [replace(step, attention=nothing) for step in steps]


def _compared(old: Generation, new: Generation, branch: Branch | None = None, note: str = "") -> Comparison:
    before, after = (run.candidates[0].steps[-1].x0 for run in (old, new))
    change = np.abs(after - before).mean(axis=-1) / 2
    return Comparison(old=old, new=new, change=change, branch=branch, note=note)
