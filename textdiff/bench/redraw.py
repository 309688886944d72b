"""How long does the viewer take to redraw a step? A run of 50 steps as a replay in a headless Chromium."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from textdiff import run_folder
from textdiff.bench.browser import new_page
from textdiff.bench.measure import Setting
from textdiff.bench.tables import Table
from textdiff.trajectory import Request
from textdiff.ui.replay_page import replay_page
from textdiff.writer import Writer

STEPS, CANDIDATES = 50, 4  # the candidates are one, four times: the viewer does not mind
LIMIT = 1000 / 60  # ms, one frame of a screen with 60 of them a second
VIEWS = ("Denoising", "Attention")
# Every step three times, in leaps, never to a neighbour; layout is forced, painting is not.
MOVE = """() => {
  const slider = document.querySelector(".td-slider"), count = Number(slider.max) + 1, times = [];
  for (let k = 0; k < 3 * count; k++) {
    const began = performance.now();
    slider.value = (k * 17) % count;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    document.body.getBoundingClientRect();
    times.push(performance.now() - began);
  }
  return times;
}"""


def table(setting: Setting, writer: Writer | None = None) -> Table:
    """Half and 95 % of the redraws take at most so long."""
    writer = writer or Writer(setting.checkpoint)
    text = "Good\nmorning" if writer.limits.max_characters >= 12 else "Hi"
    request = Request(text=text, candidates=1, steps=STEPS, readability=False)
    with new_page() as page, tempfile.TemporaryDirectory() as folder:
        spent = (
            {view: None for view in VIEWS} if page is None else _spent(page, writer, request, Path(folder))
        )
    return Table(
        question="Redraw: how long does the viewer take to show another step?",
        columns=("view", "median ms", "95th percentile ms", "limit"),
        rows=tuple(
            (view, None, None, "no Chromium or no playwright here")
            if times is None
            else (view, float(np.median(times)), float(np.percentile(times, 95)), f"{LIMIT:.1f}")
            for view, times in spent.items()
        ),
        notes=(
            f"A run of {STEPS} steps and {CANDIDATES} candidates; the limit is a frame of a 60 Hz screen.",
        ),
    )


def _spent(page, writer: Writer, request: Request, folder: Path) -> dict[str, list[float]]:
    """View -> milliseconds of every redraw."""
    *_, generation = writer.write(request)
    (one,) = generation.candidates
    several = tuple(
        replace(one, index=index, verdict=replace(one.verdict, rank=1 + index)) for index in range(CANDIDATES)
    )
    asked = replace(request, candidates=CANDIDATES)
    run_folder.save(replace(generation, request=asked, candidates=several), folder / "run")
    file = folder / "replay.html"
    file.write_bytes(replay_page(folder / "run"))
    page.goto(file.as_uri())
    page.locator(".td-slider").wait_for()
    spent = {}
    for view in VIEWS:
        page.get_by_role("tab", name=view).click()
        page.evaluate(MOVE)  # once to warm up
        spent[view] = page.evaluate(MOVE)
    return spent
