"""The guidance view in a real browser: it shows what the model answered, at the step that it names."""

import numpy as np
import pytest
from looking import expect, frame, open_view, pixels, requests_from_now_on

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]

STEP = 4


def tenths(count: float) -> int:
    """The level that the fake writer means by so many tenths of white."""
    return round(255 * count / 10)


@pytest.fixture
def asked(visit, site):
    """The view at step 5 of 12, its first question answered."""

    def open_page(fragment: str = "", **options):
        page = visit(url=f"{site.url}#view=guidance&step={STEP}&{fragment}", **options)
        requests_from_now_on(page)
        page.get_by_role("button", name="Ask the model").click()
        expect(page.locator(".td-guided")).to_be_visible()
        return page

    return open_page


def level(canvas) -> int:
    (one,) = np.unique(pixels(canvas))
    return int(one)


def test_every_guess_stands_where_its_name_is(asked, site):
    page = asked()
    guesses = page.locator(".td-guesses figure")
    expect(guesses.locator("b")).to_have_text(
        ["Noisy picture", "Without the text", "With the text", "With the empty text “”"]
    )
    noisy = frame(site.recorded / "candidate-01" / "noisy.png", 64, STEP)
    np.testing.assert_array_equal(pixels(guesses.nth(0).locator("canvas")), noisy)
    shown = [level(guesses.nth(at).locator("canvas")) for at in (1, 2, 3)]
    assert shown == pytest.approx([tenths(count) for count in (0, 1, 10)], abs=1)
    row = [level(canvas) for canvas in page.locator(".td-row canvas").all()]
    assert row == pytest.approx([tenths(scale) for scale in range(1, 9)], abs=1)


def test_one_slider_moves_the_scale_without_asking_again(asked):
    page = asked()
    requests = requests_from_now_on(page)
    expect(page.locator(".td-chosen b")).to_have_text("Guided with scale 3")
    expect(page.locator(".td-chosen small")).to_contain_text("This run was made with this scale")
    scale = page.get_by_role("slider", name="Guidance scale")
    scale.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".td-chosen b")).to_have_text("Guided with scale 6")
    assert level(page.locator(".td-chosen canvas")) == pytest.approx(tenths(6), abs=1)
    page.get_by_role("button", name="Scale 8").click()
    expect(scale).to_have_value("8")
    expect(page.locator(".td-where")).to_have_text(f"step {STEP + 1} of 12")
    assert requests == []


def test_an_answer_is_marked_when_another_step_or_candidate_is_on_screen(asked):
    page = asked()
    stale, status = page.locator(".td-guided.td-stale"), page.locator(".td-guiding small")
    expect(stale).to_have_count(0)
    slider = page.get_by_role("slider", name="Step", exact=True)
    slider.fill("6")
    expect(stale).to_be_visible()
    expect(status).to_have_text("These are still the answers at step 5 of candidate #1.")
    slider.fill(str(STEP))
    expect(stale).to_have_count(0)
    page.locator(".td-thumb").nth(1).click()
    expect(stale).to_be_visible()
    page.get_by_role("button", name=f"Ask again at step {STEP + 1}").click()
    expect(status).to_have_text("The answers at this step, step 5 of candidate #2.")
    expect(stale).to_have_count(0)


def test_a_run_of_other_weights_is_refused_in_one_sentence(visit, site, monkeypatch):
    monkeypatch.setattr(site.writer, "sha256", "f" * 64)
    page = visit(url=f"{site.url}#view=guidance")
    requests_from_now_on(page)
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator(".td-guiding small")).to_contain_text("Other weights wrote this run")
    expect(page.get_by_role("button", name="Ask the model")).to_be_enabled()


def test_without_a_page_behind_it_the_view_says_that_it_needs_the_model(visit, site, bare):
    page = visit(url=bare(site.recorded))
    open_view(page, "Guidance")
    expect(page.locator(".td-guidance")).to_contain_text("needs the model")
    assert page.get_by_role("button", name="Ask the model").count() == 0


def test_the_answers_are_not_wider_than_a_phone(asked):
    page = asked(width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
