"""Learning to spell in a real browser: the film is the asset, and a training is seen by its visitor alone."""

import json
import os
import sys

import fake_training
import numpy as np
import pytest
from conftest import Site
from looking import expect, frame, open_view, pixels, requests_from_now_on

from textdiff.ui.live_training import LETTERS, LiveTraining
from textdiff.ui.viewer_files import FILM

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]

VALUES = json.loads((FILM / "film.json").read_text())
SEEN = [checkpoint["pictures"] for checkpoint in VALUES["checkpoints"]]
SIZE = VALUES["size"]


@pytest.fixture(scope="module")
def served(chromium, tmp_path_factory):
    """A page whose trainings are short of everything but time: they last until they are stopped."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from fake_writer import FakeWriter
    from fakes import fake_generation

    from textdiff.run_folder import save
    from textdiff.ui.page import build_page
    from textdiff.ui.serving import launch_settings

    recorded_runs, runs = tmp_path_factory.mktemp("recorded"), tmp_path_factory.mktemp("runs")
    save(fake_generation("Hello\nworld", candidates=1, steps=4, size=64), recorded_runs / "hello")
    writer = FakeWriter()
    live = LiveTraining([sys.executable, fake_training.__file__, str(len(LETTERS)), "2", "60"])
    page = build_page(lambda: writer, recorded_runs, runs, live=live)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_settings(recorded_runs, runs))
    yield Site(url, writer, recorded_runs / "hello")
    page.close()


@pytest.fixture
def opened(visit, site):
    def open_page(fragment: str = "", **options):
        page = visit(url=f"{site.url}#view=learning&{fragment}", **options)
        expect(page.locator(".td-film")).to_be_visible()
        return page

    return open_page


def large(page) -> np.ndarray:
    return pixels(page.locator(".td-film-picture canvas"))


def asset(checkpoint: int, prompt: int) -> np.ndarray:
    return frame(FILM / "film.png", SIZE, prompt, checkpoint)


def begin(page) -> None:
    page.get_by_role("button", name="Start training").click()


def test_the_pixel_shown_is_the_pixel_of_the_asset(opened):
    page = opened(f"checkpoint={SEEN[3]}&prompt=1")
    np.testing.assert_array_equal(large(page), asset(3, 1))
    page.get_by_role("radio", name="QUIZ").check(force=True)
    np.testing.assert_array_equal(large(page), asset(3, 3))
    expect(page.locator(".td-film-picture b")).to_have_text(f"{SEEN[3]:,} pictures seen")
    tiles = page.locator(".td-frames canvas")
    expect(tiles).to_have_count(len(SEEN))
    np.testing.assert_array_equal(pixels(tiles.nth(5)), asset(5, 3))


def test_going_through_the_film_makes_no_request_and_stands_in_the_address(opened):
    page = opened()
    requests = requests_from_now_on(page)
    slider = page.get_by_role("slider", name="Checkpoint")
    slider.fill("2")
    np.testing.assert_array_equal(large(page), asset(2, 0))
    slider.focus()
    page.keyboard.press("ArrowRight")
    np.testing.assert_array_equal(large(page), asset(3, 0))
    page.get_by_role("button", name=f"After {SEEN[4]:,} pictures").click()
    expect(slider).to_have_value("4")
    page.wait_for_function(f"location.hash.includes('checkpoint={SEEN[4]}')")
    assert requests == []


def test_after_a_click_on_the_tab_the_keys_belong_to_the_film(opened):
    page = opened()
    open_view(page, "Noise")
    open_view(page, "Learning")
    slider = page.get_by_role("slider", name="Checkpoint")
    page.keyboard.press("End")
    expect(slider).to_have_value(str(len(SEEN) - 1))
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_value(str(len(SEEN) - 2))
    page.keyboard.press(" ")
    expect(slider).to_have_value(str(len(SEEN) - 1))
    expect(page.get_by_role("button", name="Play the film")).to_be_visible()
    page.keyboard.press("Home")
    page.get_by_role("button", name="Play the film").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    open_view(page, "Noise")
    open_view(page, "Learning")
    expect(page.get_by_role("button", name="Play the film")).to_be_visible()


def test_a_link_shows_the_checkpoint_that_is_nearest_to_its_number(opened):
    page = opened(f"checkpoint={SEEN[1] + 5}&prompt=900")
    np.testing.assert_array_equal(large(page), asset(1, len(VALUES["prompts"]) - 1))


def test_letters_appear_and_the_training_stops_when_it_is_told_to(opened):
    page = opened()
    begin(page)
    status = page.locator(".td-training").get_by_role("status")
    expect(status).to_contain_text("200 pictures seen")
    tiles = page.locator(".td-live-samples canvas")
    expect(tiles).to_have_count(2 * len(LETTERS))
    for letter in range(len(LETTERS)):
        for checkpoint in (1, 2):
            shown = pixels(tiles.nth(2 * letter + checkpoint - 1))
            np.testing.assert_array_equal(shown, fake_training.picture(checkpoint, letter))
    expect(page.locator(".td-live-curve p")).to_have_text("Loss 0.500")
    page.get_by_role("button", name="Stop", exact=True).last.click()
    expect(status).to_have_text("Over: 200 pictures seen.")
    expect(page.get_by_role("button", name="Train again")).to_be_enabled()


def test_nobody_sees_or_ends_the_training_of_another(opened):
    mine, yours = opened(), opened()
    begin(mine)
    expect(mine.locator(".td-live-samples canvas")).to_have_count(2 * len(LETTERS))
    begin(yours)
    told = yours.locator(".td-training").get_by_role("status")
    expect(told).to_contain_text("Somebody else's training is going on")
    assert yours.locator(".td-live-samples canvas").count() == 0
    expect(mine.locator(".td-training").get_by_role("status")).to_contain_text("left")
    mine.close()  # who leaves makes room
    for _ in range(30):
        begin(yours)
        expect(told).not_to_have_text("Starting …")
        if "going on" not in told.inner_text():
            break
        yours.wait_for_timeout(500)
    expect(yours.locator(".td-live-samples canvas")).to_have_count(2 * len(LETTERS))
    yours.locator(".td-training").get_by_role("button", name="Stop").click()
    expect(told).to_contain_text("Over")


def test_without_a_page_behind_it_the_view_says_where_the_film_is(visit, site, bare):
    page = visit(url=bare(site.recorded))
    open_view(page, "Learning")
    expect(page.get_by_role("tabpanel", name="Learning")).to_contain_text(
        "open the run on a page of textdiff"
    )
    assert page.get_by_role("button", name="Start training").count() == 0


def test_nothing_is_wider_than_a_phone_and_nothing_moves_when_a_training_begins(opened):
    page = opened(width=390, height=844)
    height = "document.querySelector('.td-training').clientHeight"
    before = page.evaluate(height)
    begin(page)
    expect(page.locator(".td-live-samples canvas")).to_have_count(2 * len(LETTERS))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(height) == before
    page.locator(".td-training").get_by_role("button", name="Stop").click()
