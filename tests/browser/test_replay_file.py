"""An exported replay in a real browser: from a file it plays the run to the last level, and does no more."""

import json
import re

import numpy as np
import pytest
from fakes import fake_generation
from hostile import HOSTILE
from looking import expect, frame, open_view, pixels
from matplotlib import colormaps

from textdiff import run_folder
from textdiff.run_json import MAX_TOKENS
from textdiff.ui import replay_page as replay_page_file
from textdiff.ui.replay_page import replay_page

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]


@pytest.fixture
def run(tmp_path):
    run_folder.save(fake_generation("Hello\nworld", candidates=3, steps=10, size=32), tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def replay(visit, tmp_path):
    """Opens the replay of a run folder from a file; returns the page, and its complaints in the console."""

    def open_file(run, fragment: str = ""):
        (tmp_path / "replay.html").write_bytes(replay_page(run))
        page = visit(url="about:blank")
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"{(tmp_path / 'replay.html').as_uri()}{fragment}")
        expect(page.locator(".td-facts")).to_contain_text("Recorded run")
        return page, complaints

    return open_file


def test_a_replay_shows_every_picture_and_map_as_it_was_recorded(replay, run):
    page, complaints = replay(run, "#step=3")
    candidate = json.loads((run / "run.json").read_text())["candidates"][1]  # the best
    for kind in ("noisy", "x0", "eps", "x0_unconditional"):
        shown = pixels(page.locator(f"figure.td-{kind} canvas"))
        np.testing.assert_array_equal(shown, frame(run / candidate["files"][kind], 32, 3), err_msg=kind)
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("#step=4$"))

    open_view(page, "Attention")
    expect(page.locator(".td-heat .td-map")).to_have_attribute("width", "8")
    levels = frame(run / candidate["files"]["attention"][3]["file"], 8, column=4, row=1)
    wanted = np.rint(colormaps["cividis"](levels)[..., :3] * 255)
    np.testing.assert_array_equal(pixels(page.locator(".td-heat .td-map")), wanted)
    assert complaints == []


def test_the_tour_is_in_a_replay_as_well(replay, run):
    page, complaints = replay(run)
    page.get_by_role("button", name="Start the tour").click()
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".td-progress")).to_have_text("1 of 11 · step 2 of 3")
    expect(page.locator(".td-where")).to_have_text("step 4 of 10")  # 0.3 of this run
    assert complaints == []


def test_a_candidate_whose_attention_was_left_out_says_so(replay, run, monkeypatch):
    monkeypatch.setattr(replay_page_file, "MAX_BYTES", 0)
    page, _ = replay(run, "#view=attention")
    expect(page.locator(".td-heat .td-map")).to_be_visible()
    page.locator(".td-thumb").nth(2).click()
    expect(page.get_by_text("The attention of this candidate is not in this file.")).to_be_visible()
    expect(page.locator(".td-heat .td-map")).not_to_be_visible()
    expect(page.locator("footer")).to_contain_text("best 1 of the 3 candidates only")
    page.locator(".td-thumb").first.click()
    expect(page.locator(".td-heat .td-map")).to_be_visible()


@pytest.mark.parametrize("text", [text[: MAX_TOKENS - 1] for text in HOSTILE])
def test_a_hostile_text_is_only_text_in_a_replay(replay, tmp_path, text):
    run_folder.save(fake_generation(text, candidates=1, steps=1, watched=False), tmp_path / "hostile")
    page, complaints = replay(tmp_path / "hostile")
    shown = page.locator(".td-prompt").evaluate("prompt => prompt.textContent")
    assert shown == text.replace("\n", "↵").replace(" ", "␣")
    assert page.locator("img, iframe, object, embed, form, base").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []


def test_nothing_else_can_run_in_a_replay_and_it_reaches_nobody(replay, run, site):
    page, _ = replay(run)
    page.evaluate("address => fetch(address).then(() => { window.reached = 1; }, () => {})", site.url)
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.ran = 1";
        document.body.append(script);
        const picture = document.createElement("img");
        picture.setAttribute("onerror", "window.ran = 1");
        picture.src = "x";
        document.body.append(picture);
        return new Promise((done) => picture.addEventListener("error", done));
    }""")
    assert page.evaluate("[window.reached, window.ran]") == [None, None]
