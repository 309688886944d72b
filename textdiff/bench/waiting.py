"""How long does a person wait? For the page, for the first picture, for the end of a run."""

import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from textdiff.bench.browser import new_page
from textdiff.bench.measure import Setting, interleaved, peak_memory, seconds
from textdiff.bench.tables import Table
from textdiff.readers import open_reader
from textdiff.request_rules import LARGE_PICTURES
from textdiff.trajectory import Request
from textdiff.ui.run_cache import RunCache
from textdiff.ui.run_store import RunStore
from textdiff.writer import Writer

ROOT = Path(__file__).parents[2]
TEXT = "Good\nmorning"
REPEATS = 2
# Milliseconds of the next click, and of the first preview after it.
_TAKE_THE_TIME = """() => {
  window.clicked = window.previewed = null;
  const click = () => { window.clicked = performance.now(); };
  document.querySelector("#write").addEventListener("click", click, { once: true, capture: true });
  const watch = new MutationObserver(() => {
    if (!document.querySelector(".td-live:not([hidden])")?.textContent.includes("Step ")) return;
    window.previewed = performance.now();
    watch.disconnect();
  });
  watch.observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
PATIENCE = 60.0  # seconds until an app that does not answer counts as broken


def table(setting: Setting, laboratory: Writer, weights: Path | None = None) -> Table:
    """Seconds beside what is bearable. `weights` are those of the app; without them it is not started."""
    text = TEXT if laboratory.limits.max_characters >= len(TEXT) else "Hi"
    request = setting.request(text)
    rows = []
    if weights is not None:
        answering, preview = app_times(weights, text)
        rows += [
            ("python app.py to an answering page", answering, "4"),
            ("click to the first preview, in a browser", preview, "0.5"),
        ]
    *_, drawn = laboratory.write(replace(request, readability=False))
    pictures = [candidate.final for candidate in drawn.candidates]
    reader = open_reader(request.reader)
    times = interleaved(
        {
            "request to the first preview, without the page": lambda: next(laboratory.write(request)),
            f"{request.candidates} candidates drawn, read and ranked": lambda: list(
                laboratory.write(replace(request, readability=False))
            ),
            "the same, every step of the best one read, too": lambda: list(laboratory.write(request)),
            f"{len(pictures)} pictures read in one call": lambda: reader.read(pictures),
            f"{len(pictures)} pictures read one by one": lambda: [reader.read([one]) for one in pictures],
        },
        setting.repeats if setting.full else REPEATS,
        warm=False,  # `drawn` did that
    )
    limits = ("0.5", "3", None, f"{times.seconds(list(times)[4]):.2f}", None)
    rows += [(name, times.seconds(name), limit) for name, limit in zip(times, limits, strict=True)]
    rows.append(("an identical request, all previews included", repeated(laboratory, request), "0.05"))
    calls = "one call" if request.one_call else "two calls"
    notes = [
        f"The untouched form: {request.candidates} candidates, {request.steps} steps, guided in {calls}."
    ]
    if laboratory.limits.large_size:
        row, note = cascade(laboratory, replace(request, upscaled=LARGE_PICTURES))
        rows.append(row)
        notes.append(note)
    return Table(
        question="Waiting: how long does a person wait?",
        columns=("what", "seconds", "limit or rival"),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def cascade(laboratory: Writer, request: Request) -> tuple[tuple[str, float, str], str]:
    """The row of a run with large pictures, and what there is to say of its memory."""
    spent = []
    memory = peak_memory(lambda: spent.append(seconds(lambda: list(laboratory.write(request)))))
    size, large_size = laboratory.limits.size, laboratory.limits.large_size
    name = f"{request.candidates} candidates at {size} px and {request.upscaled} at {large_size} px, all read"
    known = "is not known here" if memory is None else f"{memory:.0f} MB"
    return (name, spent[0], "30"), f"Memory that the run with large pictures needs (limit: 3000 MB): {known}."


def repeated(laboratory: Writer, request: Request) -> float:
    """Seconds that the page's cache takes for a request that it has answered before."""
    with tempfile.TemporaryDirectory() as folder:
        cache = RunCache(RunStore(folder=Path(folder)))
        list(cache.write(laboratory, request))
        return seconds(lambda: list(cache.write(laboratory, request)))


def app_times(weights: Path, text: str) -> tuple[float, float | None]:
    """Seconds from the command to an answering page, and from a click to the first preview in a browser."""
    with app(weights):
        pass  # what the limit takes for granted: that the disk is warm
    with app(weights) as (url, answering), new_page() as page:
        return answering, None if page is None else first_preview(page, url, text)


@contextmanager
def app(weights: Path) -> Iterator[tuple[str, float]]:
    """The running app: its address, and the seconds until the page answered."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    began = time.perf_counter()
    command = [sys.executable, "app.py", "--port", str(port), "--weights", str(weights.resolve())]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not answers(url):
            assert process.poll() is None, "the app ended before its page answered"
            assert time.perf_counter() - began < PATIENCE, "the app's page does not answer"
            time.sleep(0.02)
        yield url, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    """Whether there is a page."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=PATIENCE) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


def first_preview(page, url: str, text: str) -> float:
    """Seconds; the model is loaded, and the second run counts, for the first one warms up.

    The page itself takes the time: who asks it again and again for a preview hears of it up to half a second
    late, or never.
    """
    page.goto(f"{url}?text=a")
    page.locator("#text", has_text="characters on up to").wait_for()
    page.wait_for_function("document.querySelector('#text textarea').value === 'a'")
    for written in (text, text[:-1]):
        page.locator("#text textarea").fill(written)
        page.wait_for_timeout(500)
        page.evaluate(_TAKE_THE_TIME)
        page.locator("#write").click()
        waited = page.wait_for_function("window.previewed && window.previewed - window.clicked")
        page.locator(".td-live").wait_for(state="hidden")
    return waited.json_value() / 1000


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
