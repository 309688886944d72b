"""The page: the form above, the viewer below, and what happens between them."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from textdiff.request_rules import ONE_CALL
from textdiff.typed_text import SHORT_LINE
from textdiff.ui.answering import EXPERIMENTS, answering, ending
from textdiff.ui.endpoints import OUR_FAULT, Endpoints
from textdiff.ui.experiments_panel import trained
from textdiff.ui.form_filling import (
    following,
    offer_easier_text,
    remember,
    restore,
    take_offer,
    take_usual,
    use_seed,
)
from textdiff.ui.line import ROOM_BESIDE, TELL_SECONDS, WAITING, Line
from textdiff.ui.live_training import LiveTraining
from textdiff.ui.run_cache import RunCache
from textdiff.ui.run_store import RunStore, address, first_recorded
from textdiff.ui.sharing import shared
from textdiff.ui.viewer_component import build_viewer, show_answer, show_problem, show_run
from textdiff.ui.write_panel import WritePanel, build_write_panel
from textdiff.ui.writing import FULL, Turn, arm, check, give_up, press_stop, write

if TYPE_CHECKING:  # the page answers before torch has been imported
    from textdiff.experiments.laboratory import Laboratory
    from textdiff.writer import Writer

HEADING = """# textdiff
A small image model that can write. Give it a few words, watch it draw them, and look inside while it does.
"""
MODEL = "model"
ONE_MODEL = {"concurrency_id": MODEL, "concurrency_limit": 1}  # one run at a time, whoever asks
ONE_EXPORT = {"concurrency_id": "export", "concurrency_limit": 1}
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
AT_ONCE = QUIET | {"queue": False}
BESIDE = QUIET | {"concurrency_limit": None}  # does not wait for the model, and may wait for it to be loaded

log = logging.getLogger(__name__)


def build_page(
    get_writer: Callable[[], "Laboratory"],
    recorded_runs: Path,
    runs: Path,
    large: bool = False,
    live: LiveTraining | None = None,
    waiting: int = WAITING,
    one_call: bool = False,
) -> gr.Blocks:
    """The page around the writer that `get_writer` loads, once, after the page has first answered.

    `recorded_runs` holds the run folders that come with the project; fresh ones go to `runs` for a while.
    `large`: whether the writer has an upscaler, so that the form offers large pictures; `one_call`: whether
    its model has learnt guidance in one call. `live` is the small training that visitors may watch, by
    default the one of live_training.py. So many may wait for the model; who comes then is asked to come
    again.
    """
    get_writer = once(get_writer)
    cache = RunCache(RunStore(folder=runs))
    recorded = first_recorded(recorded_runs)
    with gr.Blocks(title="textdiff", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.Markdown(HEADING, elem_id="heading")
        panel = build_write_panel(large, one_call)
        viewer = build_viewer(show_run(address(recorded), recorded=True) if recorded else None)
        _listen_to_views(viewer, get_writer, live or LiveTraining())
        share = answering("export", lambda _, asked: [shared(asked, recorded_runs, runs)])
        _answered(viewer, "export", share, **ONE_EXPORT)
        armed, written = _listen_to_buttons(panel, viewer, get_writer, cache, Line(page, MODEL, waiting))
        followed = _fill_in(page, panel, viewer, get_writer, armed)
        _tell_costs(panel, get_writer, [followed, written])
        _offer_easier_text(panel, get_writer)
        endpoints = Endpoints(get_writer, cache, recorded_runs, runs, one_call)
        for name in endpoints.of_model:
            gr.api(getattr(endpoints, name), api_name=name, **ONE_MODEL)
        for name in endpoints.of_files:
            gr.api(getattr(endpoints, name), api_name=name, **ONE_EXPORT)
    return page.queue(max_size=waiting + ROOM_BESIDE)


def _listen_to_buttons(
    panel: WritePanel, viewer: gr.HTML, get_writer: Callable, cache: RunCache, line: Line
) -> tuple:
    """Write, Stop, one's place in line. Returns what happens when a form is taken, and when a run is over."""
    turn = gr.State(Turn())
    inputs, outputs = [*panel.inputs, turn], [viewer, panel.write, panel.stop]
    armed = gr.on(
        [panel.write.click, panel.fields["text"].submit],
        partial(arm, panel, get_writer, cache),
        inputs,
        outputs,
        validator=partial(check, panel, get_writer, is_full=lambda: line.is_full),
        **BESIDE,
    )
    written = armed.success(partial(write, panel, get_writer, cache), inputs, outputs, **ONE_MODEL, **QUIET)
    written.failure(give_up, turn, outputs, **AT_ONCE)
    panel.stop.click(press_stop, turn, panel.stop, **AT_ONCE)
    looks = gr.Timer(TELL_SECONDS, active=False)
    looks.tick(line.tell, turn, viewer, **AT_ONCE)
    armed.success(lambda: gr.Timer(active=True), None, looks, **AT_ONCE)
    written.then(lambda: gr.Timer(active=False), None, looks, **AT_ONCE)
    return armed, written


def _listen_to_views(viewer: gr.HTML, get_writer: Callable, live: LiveTraining) -> None:
    """What views ask for."""
    for action, experiment in EXPERIMENTS.items():
        _answered(viewer, action, answering(action, experiment, get_writer), **ONE_MODEL)
    # A small training leaves the model alone, and sees by itself to it that there is one at a time.
    train = answering("train", trained, lambda: live)
    _answered(viewer, "train", train, concurrency_limit=None, trigger_mode="multiple")
    viewer.stop_training(ending(live), None, None, **AT_ONCE)


def _answered(viewer: gr.HTML, action: str, answer: Callable, **queue) -> None:
    """Let `answer` hear of a view's `action`, and the view of a queue that is full."""
    asked = getattr(viewer, action)(answer, None, viewer, **queue, **QUIET)
    asked.failure(partial(show_answer, action, problem=FULL), None, viewer, **AT_ONCE)


def _fill_in(page: gr.Blocks, panel: WritePanel, viewer: gr.HTML, get_writer: Callable, armed):
    """The form from a candidate, a picture, a link or memory. Returns what happens when a page is opened."""
    viewer.use_seed(use_seed, None, [panel.fields["seed"], panel.fields["candidates"], viewer], **AT_ONCE)
    restored = [*panel.inputs, panel.picture, viewer]
    if "one_call" in panel.fields:
        switch, follow = panel.fields["one_call"], [panel.fields[name] for name in ONE_CALL]
        switch.input(take_usual, [switch, *follow], follow, **AT_ONCE)
    panel.picture.upload(partial(restore, panel), panel.picture, restored, **AT_ONCE)
    # In the browser alone, and readable there after a restart of the server, too; the text is not in it.
    remembered = gr.BrowserState({}, storage_key="textdiff-settings", secret="textdiff")
    armed.success(partial(remember, panel), panel.inputs, remembered, **AT_ONCE)
    followed = page.load(following(panel), remembered, panel.inputs, **BESIDE)
    followed.then(lambda: gr.update(interactive=True), None, panel.write, **AT_ONCE)
    greeted = [panel.fields["text"], panel.fields["reader"], viewer]
    followed.then(partial(introduce, get_writer), panel.fields["reader"], greeted, **BESIDE)
    return followed


def _tell_costs(panel: WritePanel, get_writer: Callable, moments: list) -> None:
    """The cost line, at these moments and when a field changes."""
    tell = partial(tell_cost, panel, get_writer), panel.inputs, panel.cost
    for moment in moments:
        moment.then(*tell, **BESIDE)
    gr.on([field.change for field in panel.costly], *tell, trigger_mode="always_last", **BESIDE)


def _offer_easier_text(panel: WritePanel, get_writer: Callable) -> None:
    """While the text is typed; nothing is changed before that is asked for."""
    text, offer = panel.fields["text"], panel.offer
    text.change(partial(offer_easier_text, get_writer), text, offer, trigger_mode="always_last", **AT_ONCE)
    offer.click(partial(take_offer, get_writer), text, text, **AT_ONCE)


# ---- handlers: the page binds `panel` and `get_writer`; `values` are those of `panel.inputs`


def introduce(get_writer: Callable[[], "Writer"], reader: str) -> tuple:
    """Load the model behind the page, then say what it can take."""
    try:
        writer = get_writer()
    except ValueError as problem:
        return gr.skip(), gr.skip(), show_problem(str(problem))
    except Exception:
        log.exception("The model could not be loaded.")
        return gr.skip(), gr.skip(), show_problem(OUR_FAULT)
    limits = writer.limits
    info = (
        f"Up to {limits.max_characters} characters on up to {limits.max_lines} lines: English letters, "
        f"digits and punctuation. Lines of up to {SHORT_LINE} are spelled best. Shift + Enter writes."
    )
    readers = list(writer.readers)
    reader = reader if reader in readers else readers[0]
    return gr.update(info=info), gr.update(choices=readers, value=reader), gr.skip()


def tell_cost(panel: WritePanel, get_writer: Callable[[], "Writer"], *values) -> str:
    """What the run that the form describes would take; nothing without a model or a reader."""
    try:
        return panel.cost_in_words(get_writer(), *values)
    except ValueError:
        return ""
    except Exception:
        log.exception("What a run costs could not be told.")
        return ""


def once(make: Callable[[], "Writer"]) -> Callable[[], "Writer"]:
    """`make`, called once however many threads ask; after a failure, the next one tries again."""
    lock, made = threading.Lock(), []

    def get() -> "Writer":
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get
