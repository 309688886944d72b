"""The page: the form above, the viewer below, and what happens between them."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from textdiff.picture_settings import read_settings
from textdiff.request_link import from_query
from textdiff.request_rules import number_problem
from textdiff.trajectory import Generation, Request
from textdiff.ui.experiments_panel import (
    branched,
    ddim_against_ddpm,
    guided,
    half_of_a_longer_run,
    muted,
    within,
)
from textdiff.ui.run_store import RunStore, address, first_recorded
from textdiff.ui.sharing import shared
from textdiff.ui.viewer_component import build_viewer, show_answer, show_live, show_problem, show_run
from textdiff.ui.write_panel import DEFAULTS, WritePanel, build_write_panel

if TYPE_CHECKING:  # the page answers before torch has been imported
    from textdiff.experiments.laboratory import Laboratory
    from textdiff.writer import Writer

HEADING = """# textdiff
A small image model that can write. Give it a few words, watch it draw them, and look inside while it does.
"""
PREVIEW_SECONDS = 0.1  # at least so much time between two previews, or the page falls behind the run
ONE_MODEL = {"concurrency_id": "model", "concurrency_limit": 1}  # one run at a time, whoever asks
# What a view asks for -> what answers it.
EXPERIMENTS = {
    "mute": muted,
    "within": within,
    "guidance": guided,
    "branch": branched,
    "samplers": ddim_against_ddpm,
    "half": half_of_a_longer_run,
}
OUR_FAULT = (
    "Something went wrong here, not with your text; whoever runs this page finds the reason in its log."
)
FULL = "Too many people are waiting for the model; please try again in a minute."
BUSY = "Your last text is still being written; wait for it or stop it first."

log = logging.getLogger(__name__)


class Turn:
    """One visitor's run: whether it is going on, and whether Stop was pressed. Each session has its own."""

    def __init__(self) -> None:
        self.going_on = self.stop_pressed = False

    def begin(self) -> None:
        self.going_on, self.stop_pressed = True, False

    def end(self) -> None:
        self.going_on = False


def build_page(get_writer: Callable[[], "Laboratory"], recorded_runs: Path, runs: Path) -> gr.Blocks:
    """The page around the writer that `get_writer` loads, once, after the page has first answered.

    `recorded_runs` holds the run folders that come with the project; fresh ones go to `runs` for a while.
    """
    get_writer = once(get_writer)
    store = RunStore(folder=runs)
    recorded = first_recorded(recorded_runs)
    quiet = {"show_progress": "hidden", "api_visibility": "private"}

    with gr.Blocks(title="textdiff", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.Markdown(HEADING, elem_id="heading")
        panel = build_write_panel()
        viewer = build_viewer(show_run(address(recorded), recorded=True) if recorded else None)
        inputs, outputs = [*panel.inputs, gr.State(Turn())], [viewer, panel.write, panel.stop]
        turn = inputs[-1]

        armed = gr.on(
            [panel.write.click, panel.fields["text"].submit],
            partial(arm, panel),
            inputs,
            outputs,
            validator=partial(check, panel, get_writer),
            concurrency_limit=None,
            **quiet,
        )
        written = armed.success(
            partial(write, panel, get_writer, store), inputs, outputs, **ONE_MODEL, **quiet
        )
        written.failure(give_up, turn, outputs, queue=False, **quiet)
        panel.stop.click(press_stop, turn, panel.stop, queue=False, **quiet)
        seeded = [panel.fields["seed"], panel.fields["candidates"], viewer]
        viewer.use_seed(use_seed, None, seeded, queue=False, **quiet)
        for action, experiment in EXPERIMENTS.items():
            listen = getattr(viewer, action)
            asked = listen(answering(get_writer, action, experiment), None, viewer, **ONE_MODEL, **quiet)
            asked.failure(partial(show_answer, action, problem=FULL), None, viewer, queue=False, **quiet)
        share = answering(lambda: None, "export", lambda _, asked: [shared(asked, recorded_runs, runs)])
        asked = viewer.export(share, None, viewer, concurrency_id="export", concurrency_limit=1, **quiet)
        asked.failure(partial(show_answer, "export", problem=FULL), None, viewer, queue=False, **quiet)
        restored = [*panel.inputs, panel.picture, viewer]
        panel.picture.upload(partial(restore, panel), panel.picture, restored, queue=False, **quiet)
        followed = page.load(following(panel), None, panel.inputs, concurrency_limit=None, **quiet)
        greeted = [panel.fields["text"], panel.fields["reader"], viewer]
        followed.then(
            partial(introduce, get_writer), panel.fields["reader"], greeted, concurrency_limit=None, **quiet
        )
        gr.api(endpoint(get_writer, store), api_name="write", **ONE_MODEL)
    return page.queue(max_size=16)


# ---- handlers: `build_page` binds `panel`, `get_writer` and `store`; `values` are those of `panel.inputs`


def check(panel: WritePanel, get_writer: Callable[[], "Writer"], *values_and_turn) -> list[dict]:
    """One verdict per input, so that each sentence stands at the field that it is about."""
    *values, turn = values_and_turn
    try:
        problems = {"text": BUSY} if turn.going_on else panel.problems(get_writer(), *values)
    except ValueError as problem:
        problems = {"text": str(problem)}
    except Exception:
        log.exception("The request could not be checked.")
        problems = {"text": OUR_FAULT}
    verdicts = [gr.validate(name not in problems, problems.get(name, "")) for name in panel.fields]
    return [*verdicts, gr.validate(True, "")]


def arm(panel: WritePanel, *values_and_turn) -> tuple:
    """From the click until the model is free."""
    *values, turn = values_and_turn
    turn.begin()
    return show_live(panel.request(*values), "waiting"), *_buttons(going_on=True)


def write(panel: WritePanel, get_writer: Callable, store: RunStore, *values_and_turn) -> Iterator[tuple]:
    """Previews while the run goes on, then the run; after Stop, what there is of it."""
    *values, turn = values_and_turn
    try:
        for shown in writing(get_writer(), panel.request(*values), turn, store):
            yield shown, *_buttons(going_on="live" in shown)
    except ValueError as problem:
        yield show_problem(str(problem)), *_buttons(going_on=False)
    except Exception:
        log.exception("A run failed.")
        yield show_problem(OUR_FAULT), *_buttons(going_on=False)
    finally:
        turn.end()


def writing(writer: "Writer", request: Request, turn: Turn, store: RunStore) -> Iterator[dict]:
    """What the viewer shows of the run, from one preview to the next, and last the run itself."""
    shown = -PREVIEW_SECONDS
    for event in writer.write(request, should_stop=lambda: turn.stop_pressed):
        if isinstance(event, Generation):
            turn.end()
            yield show_run(address(store.save(event)))
        elif event.stage != "denoising" or time.monotonic() - shown >= PREVIEW_SECONDS:
            shown = time.monotonic()
            yield show_live(request, event.stage, event.step, event.x0)


def press_stop(turn: Turn) -> dict:
    """The run ends itself after its present step: it is ranked, kept and shown like any other."""
    turn.stop_pressed = True
    return gr.update(value="Stopping …", interactive=False)


def use_seed(asked: gr.EventData) -> tuple:
    """The seed of one candidate, for that picture alone, into the form; nothing is started."""
    return asked.seed, 1, show_answer("use_seed", seed=asked.seed)


def answering(get_writer: Callable[[], "Laboratory"], action: str, experiment: Callable) -> Callable:
    """What hears of a view's ask(action, details): it answers what `experiment` yields, or one sentence."""

    def answer(asked: gr.EventData) -> Iterator[dict]:
        sent = asked._data
        number = (
            sent.get("number") if isinstance(sent, dict) else None
        )  # by which the view knows its question
        try:
            for details in experiment(get_writer(), sent):
                yield show_answer(action, number=number, **details)
        except ValueError as problem:
            yield show_answer(action, number=number, problem=str(problem))
        except Exception:
            log.exception("An experiment failed.")
            yield show_answer(action, number=number, problem=OUR_FAULT)

    return answer


def give_up(turn: Turn) -> tuple:
    """The queue was full."""
    turn.end()
    return show_problem(FULL), *_buttons(going_on=False)


def following(panel: WritePanel) -> Callable:
    """What a page does with its own address: it fills in the form, hides controls, and starts nothing."""

    def follow(opened: gr.Request) -> list[dict]:
        try:
            link = from_query(opened.query_params)
        except ValueError as problem:
            gr.Warning(str(problem))
            return panel.filled({})
        return panel.filled(link.fields, link.hidden)

    return follow


def restore(panel: WritePanel, picture: str | None) -> list:
    """The settings that a picture carries, into the form; nothing is started and the picture is not kept."""
    try:
        values = asdict(read_settings(picture or ""))
    except ValueError as problem:
        return [*panel.filled({}), None, show_problem(str(problem))]
    return [*panel.filled(values), None, gr.skip()]


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
        "digits and punctuation. Shift + Enter writes."
    )
    readers = list(writer.readers)
    reader = reader if reader in readers else readers[0]
    return gr.update(info=info), gr.update(choices=readers, value=reader), gr.skip()


def endpoint(get_writer: Callable[[], "Writer"], store: RunStore) -> Callable:
    """The function behind the API endpoint /write."""

    def write(
        text: str,
        candidates: int = DEFAULTS.candidates,
        steps: int = DEFAULTS.steps,
        seed: int = DEFAULTS.seed,
        guidance: float = DEFAULTS.guidance,
        sampler: str = DEFAULTS.sampler,
        reader: str = DEFAULTS.reader,
    ) -> dict:
        """Write `text`. Returns the ranking, best candidate first, and the address of the run folder."""
        try:
            numbers = {"candidates": candidates, "steps": steps, "seed": seed, "guidance": guidance}
            for name, value in numbers.items():
                if problem := number_problem(name, value):
                    raise ValueError(problem)
            request = Request(text=text, sampler=sampler, reader=reader, **numbers)
            *_, generation = get_writer().write(request)
            folder = store.save(generation)
        except ValueError as problem:
            raise gr.Error(str(problem), print_exception=False) from problem
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        ranking = sorted(run["candidates"], key=lambda candidate: candidate["verdict"]["rank"])
        return {"run": address(folder), "reader": run["reader"], "best": run["best"], "ranking": ranking}

    return write


def _buttons(going_on: bool) -> tuple[dict, dict]:
    """The Write button and the Stop button."""
    stop = gr.update(visible=True) if going_on else gr.update(visible=False, value="Stop", interactive=True)
    return gr.update(interactive=not going_on), stop


def once(make: Callable[[], "Writer"]) -> Callable[[], "Writer"]:
    """`make`, called once however many threads ask; after a failure, the next one tries again."""
    lock, made = threading.Lock(), []

    def get() -> "Writer":
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get
