"""A class comes at once: thirty-two visitors, as their browsers would ask, over HTTP."""

import json
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
import httpx
import pytest
from fake_writer import FakeWriter
from fakes import fake_generation

from textdiff.ui import page, writing
from textdiff.ui.run_store import RunStore
from textdiff.ui.serving import launch_settings
from textdiff.ui.write_panel import build_write_panel

# Gradio's own statistics use what pandas has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:::gradio.queueing")
CLASS = 32
SHORT = {"candidates": 1, "steps": 2, "watch": False}


class Site:
    """A page that is served, and where in it the handlers are that a browser calls."""

    def __init__(self, folder, writer, **settings):
        runs, recorded = folder / "runs", folder / "recorded"
        runs.mkdir()
        self.page = page.build_page(lambda: writer, recorded, runs, **settings)
        launch = launch_settings(recorded, runs)
        _, self.url, _ = self.page.launch(prevent_thread_lock=True, quiet=True, **launch)
        numbers = {getattr(one.fn, "func", one.fn): number for number, one in self.page.fns.items()}
        handlers = writing.arm, writing.write, writing.press_stop, page.tell_cost
        self.arm, self.write, self.stop, self.cost = (numbers[handler] for handler in handlers)
        (self.place,) = (number for one, number in numbers.items() if one.__name__ == "tell")
        with gr.Blocks():
            self.form = {name: field.value for name, field in build_write_panel().fields.items()}


class Visitor:
    """One browser tab, and a text to write."""

    def __init__(self, site, text):
        self.site, self.text, self.session = site, text, secrets.token_hex(8)
        self.http = httpx.Client(base_url=site.url, timeout=120, trust_env=False, verify=False)

    def begin(self, handler, *more):
        data = [*(self.site.form | SHORT | {"text": self.text}).values(), *more]
        question = {"data": data, "fn_index": handler, "session_hash": self.session}
        return self.http.post("gradio_api/queue/join", json=question)

    def answer(self):
        """What the viewer showed last of all that was begun."""
        with self.http.stream("GET", "gradio_api/queue/data", params={"session_hash": self.session}) as told:
            lines = [json.loads(line[5:]) for line in told.iter_lines() if line.startswith("data:")]
        return [line for line in lines if line["msg"] == "process_completed"][-1]["output"]["data"][0]

    def write(self):
        """As the page does it: the form is taken, and then the model is waited for."""
        self.begin(self.site.arm, None).raise_for_status()
        self.answer()
        self.begin(self.site.write, None).raise_for_status()
        return self

    def run(self):
        """The run.json that the viewer fetches, and where it is."""
        address = self.answer()["run"]
        return address, self.http.get(f"{address}run.json").json()

    def at_once(self, handler):
        """What a handler shows that does not pass through the queue."""
        question = {"data": [None], "fn_index": handler, "session_hash": self.session}
        answer = self.http.post("gradio_api/run/predict", json=question)
        return answer.raise_for_status().json()["data"][0]

    def before(self):
        """How many the page says are served before."""
        return self.at_once(self.site.place).get("live", {}).get("before")


class Gate(FakeWriter):
    """Writes nothing until it is opened."""

    opened: threading.Event

    def write(self, *arguments):
        self.opened.wait(60)
        yield from super().write(*arguments)


@pytest.fixture
def gate():
    writer = Gate()
    writer.opened = threading.Event()
    yield writer
    writer.opened.set()


@pytest.fixture
def serve(tmp_path):
    sites = []

    def one(writer, **settings):
        sites.append(Site(tmp_path, writer, **settings))
        return sites[-1]

    yield one
    for site in sites:
        site.page.close()


def lined_up(site, names):
    """Visitors who have come one after another: the first one is served, and the others wait."""
    visitors = []
    for count, name in enumerate(names):
        visitors.append(Visitor(site, name).write())
        while visitors[-1].before() != (count or None):
            time.sleep(0.01)
    return visitors


def test_everybody_in_a_class_that_comes_at_once_gets_his_own_run(serve):
    site = serve(FakeWriter())
    visitors = [Visitor(site, f"visitor {number}") for number in range(CLASS)]
    with ThreadPoolExecutor(CLASS) as browsers:
        runs = list(browsers.map(lambda visitor: visitor.write().run(), visitors))
    assert [run["request"]["text"] for _, run in runs] == [visitor.text for visitor in visitors]
    assert len({address for address, _ in runs}) == CLASS


def test_who_waits_is_told_how_many_are_served_before(serve, gate):
    visitors = lined_up(serve(gate), "abcd")
    assert [visitor.before() for visitor in visitors] == [None, 1, 2, 3]
    gate.opened.set()
    for visitor in visitors:
        _, run = visitor.run()
        assert run["request"]["text"] == visitor.text and visitor.before() is None


def test_who_presses_stop_stops_nobody_else(serve, gate):
    visitors = lined_up(serve(gate), "abc")
    visitors[1].at_once(visitors[1].site.stop)
    gate.opened.set()
    assert [visitor.run()[1]["stopped"] for visitor in visitors] == [False, True, False]


def test_who_finds_the_line_full_gets_a_sentence_and_may_come_again(serve, gate):
    site = serve(gate, waiting=2)
    visitors = lined_up(site, "abc")
    late = Visitor(site, "late")
    refused = late.begin(site.arm, None)
    assert refused.status_code != 200 and writing.FULL in refused.text
    assert late.begin(site.cost).status_code == 200  # the form itself works on
    assert "on this machine" in late.answer()
    gate.opened.set()
    for visitor in visitors:
        visitor.run()
    assert late.write().run()[1]["request"]["text"] == "late"


def test_a_store_that_many_use_at_once_keeps_its_bounds(tmp_path):
    store, generation = RunStore(folder=tmp_path, keep_runs=4), fake_generation("a", 1, 1)
    last = [store.save(generation)]

    def visit(number: int) -> Path | None:
        if number % 4 == 0:
            last.append(store.save(generation))
        return store.again(last[-1])

    with ThreadPoolExecutor(8) as visitors:
        given = list(visitors.map(visit, range(40)))
    assert len(set(given) - {None}) > 4
    assert len([run for run in tmp_path.iterdir() if (run / "run.json").is_file()]) <= 4 + 1
