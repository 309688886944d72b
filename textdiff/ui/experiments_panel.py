"""What the page answers when a view asks for an experiment: from what the view sent to what it shows.

What a view sends comes from a browser, and anybody can send anything: every field is checked here for its
type, and by the writer for its range.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from textdiff.experiments.records import (
    Branch,
    Comparison,
    Guidance,
    SelfAttentionLayer,
    SelfAttentionMaps,
)
from textdiff.pixels import to_uint8
from textdiff.trajectory import Candidate, Generation, Request
from textdiff.typed_text import tidied
from textdiff.ui.live_training import LETTERS, LiveTraining
from textdiff.ui.viewer_component import png_address

if TYPE_CHECKING:
    from textdiff.experiments.laboratory import Laboratory

# A request for one candidate alone, as a view describes it.
_REQUEST = {"text": str, "seed": int, "steps": int, "sampler": str, "guidance": float, "reader": str}
_REQUEST |= {"one_call": bool}  # false where it is left out, as in runs of before
SCALES = tuple(range(1, 9))  # of guidance, as the view has them
# What may be changed from a step on, as a view describes it; what is left out stays as it was.
_CHANGES = {"text": str, "seed": int, "guidance": float, "sampler": str, "eta": float}
OTHER_WEIGHTS = "Other weights wrote this run than those on this page, so it cannot be written again here."


def muted(laboratory: "Laboratory", details: dict) -> Iterator[dict]:
    """One candidate written again, and once more while no cell of the picture can see one token.

    `details` has `model`, the sha256 of the weights, `token` and `request`. Yields {"step", "steps"} on the
    way, and last {"before", "after", "change"}. Raises ValueError with one sentence.
    """
    branch = Branch(
        of=request_of(laboratory, details), candidate=0, step=0, muted=(_typed(details, "token", int),)
    )
    for event in laboratory.branched(branch):
        if isinstance(event, Comparison):
            yield _compared(event)
        elif event.stage == "denoising":
            yield {"step": event.step, "steps": event.steps}


def within(laboratory: "Laboratory", details: dict) -> Iterator[dict]:
    """Where each place of the picture looks in the picture at one step of a run, the mean over the heads.

    `details` has `model`, `step` and `request`. Yields {"step", "steps"} on the way, and last {"layers"};
    each row of the picture of a layer is the map of one place, row by row, 255 being its `top`. Raises
    ValueError with one sentence.
    """
    request, step = request_of(laboratory, details), _typed(details, "step", int)
    for event in laboratory.self_attention(request, 0, step):
        if isinstance(event, SelfAttentionMaps):
            yield {"layers": [*map(_layer, event.layers, event.weights)]}
        else:
            yield {"step": event.step, "steps": event.steps}


def guided(laboratory: "Laboratory", details: dict) -> Iterator[dict]:
    """The guesses at the picture at one step of a run: without a text, with it, with the text "", and guided.

    `details` has `model`, `step` and `request`. Yields {"step", "steps"} on the way, and last {"picture"}:
    these three and one per scale of SCALES, side by side. Raises ValueError with one sentence.
    """
    request, step = request_of(laboratory, details), _typed(details, "step", int)
    for event in laboratory.guided(request, 0, step, SCALES):
        if isinstance(event, Guidance):
            guesses = (event.without_text, event.with_text, event.empty, *event.guided)
            yield {"picture": _side_by_side(guesses)}
        else:
            yield {"step": event.step, "steps": event.steps}


def branched(
    laboratory: "Laboratory", details: dict, keep: Callable[[Generation], None] = lambda new: None
) -> Iterator[dict]:
    """One candidate written again, and once more with something changed from a step on.

    `details` has `model`, `step`, `request` and `changes`. Yields {"step", "steps"} on the way, and last
    {"old", "new", "note"}; before that, `keep` is given the new run. Raises ValueError with one sentence.
    """
    request, step = request_of(laboratory, details), _typed(details, "step", int)
    asked = _typed(details, "changes", dict)
    changes = {name: _typed(asked, name, kind) for name, kind in _CHANGES.items() if name in asked}
    if "text" in changes:
        changes["text"] = tidied(changes["text"])
    for event in laboratory.branched(Branch(of=request, candidate=0, step=step, **changes)):
        if isinstance(event, Comparison):
            keep(event.new)
        yield from _trajectories([event])


def ddim_against_ddpm(laboratory: "Laboratory", details: dict) -> Iterator[dict]:
    """From the same noise by DDIM and by DDPM. `details` has `model` and `request`; answers as `branched`."""
    yield from _trajectories(laboratory.ddim_against_ddpm(request_of(laboratory, details), 0))


def half_of_a_longer_run(laboratory: "Laboratory", details: dict) -> Iterator[dict]:
    """The first half of a run with twice the steps, and a run with all of its steps; otherwise the same."""
    yield from _trajectories(laboratory.half_of_a_longer_run(request_of(laboratory, details), 0))


def trained(live: LiveTraining, details: dict) -> Iterator[dict]:
    """A tiny model trained from nothing, watched until it ends.

    `details` has `number`, a secret of the view, and `minutes`. Yields, each time for all of the training:
    {"left"} in seconds, None before the first step; {"losses"}, [pictures seen, loss]; {"checkpoints"},
    [{"pictures"}], and their {"picture"}, a row for each and a column of squares of {"size"} for each of
    {"letters"}; {"ended"} in the last. Raises ValueError with one sentence.
    """
    for glimpse in live.watch(_typed(details, "number", str), _typed(details, "minutes", int)):
        rows = [np.concatenate(drawn, axis=1) for _, drawn in glimpse.checkpoints]
        yield {
            "left": glimpse.seconds_left,
            "losses": glimpse.losses,
            "checkpoints": [{"pictures": pictures} for pictures, _ in glimpse.checkpoints],
            "picture": png_address(np.concatenate(rows)) if rows else None,
            "size": rows[0].shape[0] if rows else 0,
            "letters": LETTERS,
            "ended": glimpse.ended,
        }


def stop_training(live: LiveTraining, details: dict) -> None:
    """End the training with this `number`; nothing happens if there is none. Raises ValueError."""
    live.stop(_typed(details, "number", str))


def request_of(laboratory: "Laboratory", details: dict) -> Request:
    """The request for the one candidate that `details` describe; its numbers may be out of range.

    Raises ValueError with one sentence, also for a run that these weights cannot repeat.
    """
    if _typed(details, "model", str) != laboratory.sha256:
        raise ValueError(OTHER_WEIGHTS)
    described = _typed(details, "request", dict)
    described = {"one_call": False} | described
    fields = {name: _typed(described, name, kind) for name, kind in _REQUEST.items()}
    return Request(**fields, candidates=1, watch=False, readability=False)


def _typed(details: dict, name: str, kind: type):
    value = details.get(name) if isinstance(details, dict) else None
    if kind is float and type(value) is int and abs(value) < 1e9:
        value = float(value)  # JSON has one kind of numbers
    if type(value) is not kind:
        raise ValueError(f"Whoever asked for this experiment did not say its {name} as it should.")
    return value


def _trajectories(events: Iterable) -> Iterator[dict]:
    for event in events:
        if isinstance(event, Comparison):
            yield {"old": _trajectory(event.old), "new": _trajectory(event.new), "note": event.note}
        elif event.stage == "denoising":
            yield {"step": event.step, "steps": event.steps}


def _trajectory(run: Generation) -> dict:
    """The guesses at the picture step by step, side by side, and what was read in the last one."""
    (candidate,) = run.candidates
    guesses = _side_by_side(step.x0 for step in candidate.steps)
    return {**_shown(candidate), "picture": guesses}


def _compared(comparison: Comparison) -> dict:
    """The two pictures, what was read in them, and where they differ."""
    (before,), (after,) = comparison.old.candidates, comparison.new.candidates
    return {"before": _shown(before), "after": _shown(after), "change": _map(comparison.change)}


def _layer(layer: SelfAttentionLayer, weights: np.ndarray) -> dict:
    return {"name": layer.name, "resolution": layer.resolution, **_map(weights.mean(axis=0))}


def _map(values: np.ndarray) -> dict:
    """A map of values from 0 to `top`, as a picture with levels from 0 to 255."""
    top = float(values.max())
    levels = np.rint(values * (255 / (top or 1))).astype(np.uint8)
    return {"picture": png_address(levels), "top": top}


def _side_by_side(pictures: Iterable[np.ndarray]) -> str:
    """The address of a strip of pictures with -1 black and 1 white."""
    return png_address(np.concatenate([to_uint8(picture) for picture in pictures], axis=1))


def _shown(candidate: Candidate) -> dict:
    return {
        "picture": png_address(candidate.final),
        "text": candidate.reading.text,
        "similarity": candidate.verdict.similarity,
    }
