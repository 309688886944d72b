"""Guidance in one call on a page: it is offered, done, and where a guess is missing one sentence says why."""

import json
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
from looking import expect, open_view
from oracles import lively_unet

from textdiff.config import PRESETS
from textdiff.trajectory import Reading

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]


class Reader:
    name = "scripted 1"

    def read(self, pictures):
        return [Reading(text="hello", confidence=0.5) for _ in pictures]


@pytest.fixture(scope="module")
def distilled(tmp_path_factory):
    """A page with a tiny network behind it that hears the scale; its address and its runs."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from textdiff import writer
    from textdiff.checkpoints import Checkpoint
    from textdiff.experiments.laboratory import Laboratory
    from textdiff.ui.page import build_page
    from textdiff.ui.serving import launch_settings

    recorded, runs = tmp_path_factory.mktemp("recorded"), tmp_path_factory.mktemp("runs")
    network = lively_unet(replace(PRESETS["tiny"].model, distilled_guidance=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "open_reader", lambda *_: Reader())
        laboratory = Laboratory(Checkpoint(network, "distilled", "0" * 64, {}))
        page = build_page(lambda: laboratory, recorded, runs, one_call=True)
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_settings(recorded, runs))
        yield SimpleNamespace(url=url, runs=runs)
        page.close()


def test_a_run_in_one_call_says_where_the_other_guess_is_and_can_be_asked_for_it(visit, distilled):
    page = visit(url=f"{distilled.url}?text=hello&candidates=2&steps=3&guidance=3")
    expect(page.locator("#text textarea")).to_have_value("hello")
    page.locator("#settings > button").click()
    expect(page.locator("#one_call input")).to_be_checked()  # as long as nobody says otherwise
    page.locator("#write").click()
    expect(page.locator(".td-pictures .td-lesson")).to_contain_text("never had to guess without the text")
    expect(page.locator(".td-figures figure")).to_have_count(3)
    expect(page.locator(".td-facts")).to_contain_text("guidance 3 in one call")
    (file,) = distilled.runs.glob("*/run.json")
    assert json.loads(file.read_text())["request"]["one_call"] is True
    open_view(page, "Guidance")
    expect(page.locator(".td-guidance")).to_contain_text("This run was guided in one call")
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator(".td-guesses figure")).to_have_count(4)


def test_the_usual_sampler_changes_with_the_way_to_guide_and_the_scale_stays(visit, distilled):
    page = visit(url=distilled.url)
    page.locator("#settings > button").click()
    in_one_call, scale = page.locator("#one_call input"), page.locator("#guidance input")
    sampler = page.get_by_role("combobox", name="Sampler")
    scale.fill("2")
    expect(sampler).to_have_value("DDPM, with fresh noise")
    in_one_call.uncheck()
    expect(sampler).to_have_value("UniPC")
    in_one_call.check()
    expect(sampler).to_have_value("DDPM, with fresh noise")
    expect(scale).to_have_value("2")


def test_where_the_model_has_not_learnt_it_nobody_is_asked(visit, site):
    page = visit(url=f"{site.url}?text=hello&one_call=yes")
    page.locator("#settings > button").click()
    expect(page.locator("#guidance")).to_be_visible()
    assert page.locator("#one_call").count() == 0
    assert page.locator(".td-pictures .td-lesson").count() == 0
