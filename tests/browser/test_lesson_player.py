"""The tour in a real browser: what is said and what is shown belong together, without a server."""

import json
import math

import pytest
from fakes import LAYERS, fake_generation
from looking import expect
from one_file import addresses, write_page

from textdiff.run_folder import save
from textdiff.ui.viewer_files import tour

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]

LAST_STEP = 11
PLACES = [(lesson, page) for lesson in tour() for page in range(len(lesson["pages"]))]
SHOWN = """() => ({ state: { ...viewer.state },
    words: [...document.querySelectorAll(".td-spoken p")].map(paragraph => paragraph.textContent),
    title: document.querySelector(".td-lessons span").textContent,
    progress: document.querySelector(".td-progress").textContent })"""


@pytest.fixture
def open_tour(visit, site, tmp_path):
    url = write_page(tmp_path / "page.html", site.recorded, tour=tour())

    def open_page(fragment: str = "", **options):
        page = visit(url=f"{url}#{fragment}", **options)
        expect(page.locator(".td-stage")).to_be_visible()
        return page

    return open_page


def shown_by(wanted: dict, opening: dict) -> dict:
    """The state that a page asks for, worked out once more."""
    state = opening | wanted
    if wanted.get("layer") not in {layer.name for layer in LAYERS}:
        state["layer"] = opening["layer"]  # the run on screen does not have it
    if "step" in wanted:
        state["step"] = math.floor(wanted["step"] * LAST_STEP + 0.5)
    if wanted.get("head") == "taught":
        taught = {(layer.name, layer.direction): layer.taught_head for layer in LAYERS}
        head = taught[state["layer"], state["direction"]]
        state["head"] = "mean" if head is None else head
    return state


def test_all_lessons_forwards_show_what_their_files_say_without_a_request(open_tour):
    page = open_tour()
    opening = page.evaluate("({ ...viewer.state })")
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.get_by_role("button", name="Start the tour").click()
    next_page = page.get_by_role("button", name="Next")
    for number, (lesson, at) in enumerate(PLACES):
        shown = page.evaluate(SHOWN)
        wanted = lesson["pages"][at]
        place = {"lesson": lesson["slug"], "page": at}
        assert shown["state"] == shown_by(wanted["state"], opening) | place
        assert shown["words"] == list(wanted["paragraphs"])
        lesson_number = 1 + tour_slugs().index(lesson["slug"])
        assert shown["title"] == f"{lesson_number}. {lesson['title']}"
        assert shown["progress"] == f"{lesson_number} of 11 · step {at + 1} of {len(lesson['pages'])}"
        if number < len(PLACES) - 1:
            next_page.click()
    page.get_by_role("button", name="Finish").click()
    expect(page.get_by_role("button", name="Start the tour")).to_be_focused()
    assert [url[:5] for url in requests if not url.startswith("data:")] == []


def tour_slugs() -> list[str]:
    return [lesson["slug"] for lesson in tour()]


def test_a_teacher_can_link_to_a_page_and_to_a_place_beside_it(open_tour):
    page = open_tour("lesson=guidance&page=1")
    expect(page.locator(".td-spoken")).to_contain_text(
        "Scale 1 is the network’s own opinion".replace("’", "'")
    )
    assert page.evaluate("viewer.state.step") == 8  # 0.7 of the run
    page.locator("body").press("ArrowRight")
    page.wait_for_function("location.hash === '#step=9&lesson=guidance&page=1'")
    page.reload()
    expect(page.locator(".td-where")).to_have_text("step 10 of 12")
    expect(page.locator(".td-progress")).to_have_text("6 of 11 · step 2 of 3")


def test_the_tour_is_led_by_the_keyboard(open_tour):
    page = open_tour()
    page.get_by_role("button", name="Start the tour").press("Enter")
    expect(page.get_by_role("button", name="Next")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".td-progress")).to_have_text("1 of 11 · step 2 of 3")
    assert page.evaluate("viewer.state.step") == 3  # 0.3 of the run, and not one step further
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("button", name="Back")).to_be_disabled()
    page.get_by_label("Lessons").select_option("why-misspellings")
    expect(page.locator(".td-progress")).to_have_text("7 of 11 · step 1 of 4")
    before = page.evaluate("viewer.state.view")
    page.keyboard.press("Escape")
    expect(page.locator(".td-lesson-panel")).not_to_be_visible()
    expect(page.get_by_role("button", name="Start the tour")).to_be_focused()
    assert page.evaluate("viewer.state.view") == before


def test_beside_another_run_the_tour_offers_the_recorded_one(open_tour, tmp_path):
    page = open_tour("lesson=predicting-the-noise&page=1")
    offer = page.get_by_role("button", name="Go back to it")
    expect(offer).not_to_be_visible()
    save(fake_generation("mine", candidates=1, steps=5, size=64), tmp_path / "mine")
    page.evaluate(f"viewer.show({{ run: 'mine/', files: {json.dumps(addresses(tmp_path / 'mine'))} }})")
    expect(page.locator(".td-prompt")).to_have_text("mine")
    expect(page.locator(".td-where")).to_have_text("step 5 of 5")
    expect(page.locator(".td-spoken")).to_be_visible()
    offer.click()
    expect(page.locator(".td-prompt")).to_have_text("Hello↵world")
    expect(page.locator(".td-where")).to_have_text("step 1 of 12")
    expect(offer).not_to_be_visible()


@pytest.mark.parametrize(
    ("fragment", "progress"),
    [
        ("lesson=<img src=x onerror=boom()>&page=1", None),
        ("lesson=constructor&page=0", None),
        ("lesson=__proto__&page=-1&page=1e9", None),
        ("page=3", None),
        ("lesson=guidance&page=99", "6 of 11 · step 1 of 3"),
        ("lesson=guidance&page=4", "6 of 11 · step 3 of 3"),
    ],
)
def test_a_hostile_address_does_no_harm(open_tour, fragment, progress):
    page = open_tour(fragment)
    if progress:
        expect(page.locator(".td-progress")).to_have_text(progress)
    else:
        expect(page.get_by_role("button", name="Start the tour")).to_be_visible()
        assert page.evaluate("[viewer.state.lesson, viewer.state.page]") == [None, 0]


def test_the_panel_keeps_its_height_within_a_lesson_and_fits_a_phone(open_tour):
    page = open_tour("lesson=how-the-prompt-gets-in", width=390)
    heights = []
    for _ in range(4):
        heights.append(page.locator(".td-lesson-panel").bounding_box()["height"])
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Next").click()
    assert len(set(heights)) == 1


def test_the_page_has_the_tour(visit):
    page = visit()
    page.get_by_role("button", name="Start the tour").click()
    expect(page.locator(".td-progress")).to_have_text("1 of 11 · step 1 of 3")
