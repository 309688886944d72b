"""The whole cascade on a page: what it will cost, the form, the run, and the funnel from small to large."""

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from looking import expect, open_view
from oracles import lively_unet, lively_upscaler

from textdiff.request_rules import LARGE_PICTURES
from textdiff.trajectory import Reading

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]


class Misreader:
    """Reads candidates 0, 1 and 2 worse and worse, and every large picture but the first as it should be."""

    name = "misreader 1"

    def read(self, pictures):
        script = ("hallo", "hxxxo", "zzz") if len(pictures[0]) == 16 else ("hallx", "hello")
        return [Reading(text=script[min(k, len(script) - 1)], confidence=0.5) for k in range(len(pictures))]


@pytest.fixture(scope="module")
def cascade(tmp_path_factory):
    """A page with tiny networks behind it, 16 and 32 px, that draw noise; its address and its runs."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from textdiff import writer
    from textdiff.checkpoints import Checkpoint
    from textdiff.experiments.laboratory import Laboratory
    from textdiff.ui.page import build_page
    from textdiff.ui.serving import launch_settings

    recorded, runs = tmp_path_factory.mktemp("recorded"), tmp_path_factory.mktemp("runs")
    networks = (
        Checkpoint(lively_unet(), "tiny", "0" * 64, {}),
        Checkpoint(lively_upscaler(), "large", "1" * 64, {}),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "open_reader", lambda *_: Misreader())
        page = build_page(lambda: Laboratory(*networks), recorded, runs, large=True)
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_settings(recorded, runs))
        yield SimpleNamespace(url=url, runs=runs)
        page.close()


def recorded_run(runs: Path) -> dict:
    (file,) = runs.glob("*/run.json")
    return json.loads(file.read_text())


def test_the_funnel_is_complete_from_the_price_to_the_answer(visit, cascade):
    page = visit(url=cascade.url)
    price = page.locator("#cost")
    expect(price).to_contain_text("at 32 px")  # unless a visitor says otherwise
    page.locator("#settings > button").click()
    expect(page.locator("#upscaled input")).to_have_value(str(LARGE_PICTURES))
    page.locator("#upscaled input").fill("0")
    expect(price).to_contain_text("each large picture, 32 px, would add")
    for name, value in {"candidates": "3", "steps": "3", "upscaled": "4", "upscaler_steps": "2"}.items():
        page.locator(f"#{name} input").fill(value)
    expect(price).to_contain_text(" at 16 px and ")
    page.locator("#upscaled input").fill("")
    expect(price).not_to_contain_text("About")
    page.locator("#upscaled input").fill("4")
    page.locator("#text textarea").fill("hello")
    page.locator("#write").click()
    open_view(page, "Candidates")

    small, pruned = (page.locator(".td-group").nth(at).locator(".td-card") for at in (0, 1))
    expect(small).to_have_count(2)
    expect(small.first).to_contain_text("similarity 0.400")
    expect(pruned.locator(".td-rule")).to_have_text("Pruned: similarity 0.000 is under 0.1.")
    large = page.locator(".td-upscaled .td-card")
    expect(large).to_have_count(4)
    expect(large.locator(".td-badge")).to_have_text(["the answer", *["not chosen"] * 3])
    expect(large.first.locator(".td-before [role=img]")).to_have_attribute(
        "aria-label", re.compile("Read: hxxxo")
    )
    expect(large.first.locator(".td-change")).to_contain_text("before, 1.000 after")
    expect(large.last.locator(".td-before [role=img]")).to_have_attribute(
        "aria-label", re.compile("Read: hallo")
    )
    expect(page.locator(".td-upscaled > .td-rule")).to_contain_text(
        "small picture: 3; with more: 1; with as many: 0"
    )

    request = recorded_run(cascade.runs)["request"]
    assert [request[name] for name in ("candidates", "steps", "upscaled", "upscaler_steps")] == [3, 3, 4, 2]
    requests = []
    page.on("request", lambda one: requests.append(one.url))
    page.get_by_role("slider", name="Delete under").fill("0.3")
    expect(pruned).to_have_count(2)
    expect(large.locator(".td-badge")).to_have_text(["not drawn", "the answer", "not drawn", "not chosen"])
    assert requests == []


def test_a_link_to_large_pictures_fills_in_their_number(visit, cascade):
    page = visit(url=f"{cascade.url}?text=hi&upscaled=2&upscaler_steps=5&hide=steps,upscaler_steps")
    page.locator("#settings > button").click()
    expect(page.locator("#upscaled input")).to_have_value("2")
    for name in ("steps", "upscaler_steps"):
        expect(page.locator(f"#{name}")).not_to_be_visible()
    expect(page.locator("#cost")).to_contain_text("at 32 px")
