"""What hears of a view's ask(action, details), as core.js has it.

It lets an experiment answer, or says in one sentence why there is no answer.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gradio as gr

from textdiff.ui.endpoints import OUR_FAULT
from textdiff.ui.experiments_panel import (
    branched,
    ddim_against_ddpm,
    guided,
    half_of_a_longer_run,
    muted,
    stop_training,
    within,
)
from textdiff.ui.live_training import LiveTraining
from textdiff.ui.viewer_component import show_answer

# What a view asks of the model -> what answers it.
EXPERIMENTS = {
    "mute": muted,
    "within": within,
    "guidance": guided,
    "branch": branched,
    "samplers": ddim_against_ddpm,
    "half": half_of_a_longer_run,
}

log = logging.getLogger(__name__)


def answering(action: str, experiment: Callable, get_expert: Callable[[], Any] = lambda: None) -> Callable:
    """What answers an `action` with what experiment(get_expert(), details) yields."""

    def answer(asked: gr.EventData) -> Iterator[dict]:
        sent = asked._data
        # By its number the view knows its question again.
        number = sent.get("number") if isinstance(sent, dict) else None
        try:
            for details in experiment(get_expert(), sent):
                yield show_answer(action, number=number, **details)
        except ValueError as problem:
            yield show_answer(action, number=number, problem=str(problem))
        except Exception:
            log.exception("An experiment failed.")
            yield show_answer(action, number=number, problem=OUR_FAULT)

    return answer


def ending(live: LiveTraining) -> Callable:
    """What hears of a view's ask("stop_training"): the training itself then answers for the last time."""

    def end(asked: gr.EventData) -> None:
        with suppress(ValueError):  # no page of ours sent this
            stop_training(live, asked._data)

    return end
