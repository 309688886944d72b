"""One visitor's run, from the click on Write to the picture: the handlers of the two buttons.

They take `values`, those of the form's fields, and last the visitor's own Turn; they give what the viewer and
the two buttons show. The page binds the parts that come first.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from textdiff.trajectory import Request
from textdiff.ui.endpoints import OUR_FAULT
from textdiff.ui.run_cache import RunCache
from textdiff.ui.run_store import address
from textdiff.ui.viewer_component import show_live, show_problem, show_run
from textdiff.ui.write_panel import WritePanel

if TYPE_CHECKING:  # the page answers before torch has been imported
    from textdiff.writer import Progress, Writer

PREVIEW_SECONDS = 0.1  # at least so much time between two previews, or the page falls behind the run
FULL = "Too many people are waiting for the model; please try again in a minute."
BUSY = "Your last text is still being written; wait for it or stop it first."

log = logging.getLogger(__name__)


class Turn:
    """One visitor's run: what is being written, and whether Stop was pressed. Each session has its own."""

    def __init__(self) -> None:
        self.request: Request | None = None
        self.stop_pressed = False

    @property
    def going_on(self) -> bool:
        return self.request is not None

    def begin(self, request: Request) -> None:
        self.request, self.stop_pressed = request, False

    def end(self) -> None:
        self.request = None


def check(
    panel: WritePanel,
    get_writer: Callable[[], "Writer"],
    *values_and_turn,
    is_full: Callable[[], bool] = lambda: False,
) -> list[dict]:
    """One verdict per input, so that each sentence stands at the field that it is about."""
    *values, turn = values_and_turn
    try:
        problems = {"text": BUSY} if turn.going_on else panel.problems(get_writer(), *values)
        if not problems and is_full():
            problems = {"text": FULL}
    except ValueError as problem:
        problems = {"text": str(problem)}
    except Exception:
        log.exception("The request could not be checked.")
        problems = {"text": OUR_FAULT}
    verdicts = [gr.validate(name not in problems, problems.get(name, "")) for name in panel.fields]
    return [*verdicts, gr.validate(True, "")]


def arm(panel: WritePanel, get_writer: Callable, cache: RunCache, *values_and_turn) -> Iterator[tuple]:
    """From the click until the model is free; what was written before is shown without waiting for it."""
    *values, turn = values_and_turn
    request = panel.request(*values)
    turn.begin(request)
    known = cache.recalled(get_writer(), request)
    for shown in [show_live(request, "waiting")] if known is None else showing(known, turn):
        yield shown, *_buttons(going_on="live" in shown)


def write(panel: WritePanel, get_writer: Callable, cache: RunCache, *values_and_turn) -> Iterator[tuple]:
    """Previews while the run goes on, then the run; after Stop, what there is of it."""
    *values, turn = values_and_turn
    if turn.request != panel.request(*values):  # `arm` has shown it
        yield gr.skip(), gr.skip(), gr.skip()
        return
    try:
        events = cache.write(get_writer(), turn.request, should_stop=lambda: turn.stop_pressed)
        for shown in showing(events, turn):
            yield shown, *_buttons(going_on="live" in shown)
    except ValueError as problem:
        yield show_problem(str(problem)), *_buttons(going_on=False)
    except Exception:
        log.exception("A run failed.")
        yield show_problem(OUR_FAULT), *_buttons(going_on=False)
    finally:
        turn.end()


def showing(events: Iterable["Progress | Path"], turn: Turn) -> Iterator[dict]:
    """What the viewer shows of the turn's run, from one preview to the next, and last the run itself."""
    request, shown, large = turn.request, -PREVIEW_SECONDS, False
    for event in events:
        if isinstance(event, Path):
            turn.end()
            yield show_run(address(event))
            continue
        large = large or event.stage == "upscaling"
        if event.stage == "reading" or time.monotonic() - shown >= PREVIEW_SECONDS:
            shown = time.monotonic()
            yield show_live(request, event.stage, event.step, event.x0, large)


def press_stop(turn: Turn) -> dict:
    """The run ends itself after its present step: it is ranked, kept and shown like any other."""
    turn.stop_pressed = True
    return gr.update(value="Stopping …", interactive=False)


def give_up(turn: Turn) -> tuple:
    """The queue was full; to whom `arm` has shown the run, that does not matter."""
    if not turn.going_on:
        return gr.skip(), gr.skip(), gr.skip()
    turn.end()
    return show_problem(FULL), *_buttons(going_on=False)


def _buttons(going_on: bool) -> tuple[dict, dict]:
    """The Write button and the Stop button."""
    stop = gr.update(visible=True) if going_on else gr.update(visible=False, value="Stop", interactive=True)
    return gr.update(interactive=not going_on), stop
