"""The branch view in a real browser: two trajectories, step by step, and what was changed between them."""

import numpy as np
import pytest
from fakes import sprite_levels
from looking import expect, open_view, pixels, requests_from_now_on

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]

TEXT, OTHER = "Hello\nworld", "Hallo\nworld"
STEP, STEPS = 4, 12


@pytest.fixture
def look(visit, site):
    """The view at step 5 of 12, when the page is ready."""

    def open_page(**options):
        page = visit(url=f"{site.url}#view=branch&step={STEP}", **options)
        requests_from_now_on(page)
        return page

    return open_page


def shown(page) -> list[np.ndarray]:
    return [pixels(canvas) for canvas in page.locator(".td-both canvas").all()]


def guess(text: str, step: int, steps: int = STEPS) -> np.ndarray:
    return sprite_levels("x0", text, 0, step, steps, 64)


def branch(page, text: str) -> None:
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name=f"Branch off at step {STEP + 1}").click()
    expect(page.locator(".td-branched")).to_be_visible()


def test_both_trajectories_follow_one_slider_and_part_at_the_step(look):
    page = look()
    expect(page.get_by_role("button", name="Branch off")).to_be_disabled()
    branch(page, OTHER)
    requests = requests_from_now_on(page)
    slider = page.get_by_role("slider", name="Step", exact=True)
    for step in (STEP - 1, STEP, STEPS - 1):
        slider.fill(str(step))
        old, new = shown(page)
        np.testing.assert_allclose(old, guess(TEXT, step), atol=1)
        np.testing.assert_allclose(new, guess(TEXT if step < STEP else OTHER, step), atol=1)
    expect(page.locator(".td-both small").first).to_contain_text("“Hello↵world”, similarity 1.000")
    expect(page.locator(".td-both small").last).to_contain_text("“Hallo↵world”")
    expect(page.locator(".td-branched > p").first).to_contain_text("Changed: text “Hallo↵world”.")
    assert requests == []


def test_a_change_that_cannot_matter_is_said_to(look):
    page = look()
    page.get_by_label("Seed of later noise").fill("99")
    page.get_by_role("button", name="Branch off").click()
    expect(page.locator(".td-branched .td-problem")).to_have_text("Another seed changes nothing.")


def test_a_ready_probe_shows_half_of_a_longer_run_beside_the_whole_one(look):
    page = look()
    page.get_by_role("button", name="12 steps of 24 is not a 12-step run").click()
    expect(page.locator(".td-both b")).to_have_text(["The first 12 of 24 steps", "All of 12 steps"])
    old, new = shown(page)
    np.testing.assert_allclose(old, guess(TEXT, STEP, 2 * STEPS), atol=1)
    np.testing.assert_allclose(new, guess(TEXT, STEP), atol=1)
    page.get_by_role("button", name="DDIM against DDPM").click()
    expect(page.locator(".td-both b")).to_have_text(["DDIM", "DDPM"])


def test_an_empty_number_is_not_sent_and_a_refusal_stands_beside_the_form(look, site, monkeypatch):
    page = look()
    status, off = page.locator(".td-branching > small"), page.get_by_role("button", name="Branch off")
    guidance = page.locator(".td-form").get_by_label("Guidance")
    guidance.fill("")
    expect(status).to_contain_text("Fill in every field")
    expect(off).to_be_disabled()
    monkeypatch.setattr(site.writer, "sha256", "f" * 64)
    guidance.fill("5")
    off.click()
    expect(status).to_contain_text("Other weights wrote this run")
    expect(off).to_be_enabled()


def test_a_hostile_text_stays_text(look):
    page = look()
    branch(page, "<b>${alert(1)}")
    expect(page.locator(".td-branched > p").first).to_contain_text("text “<b>${alert(1)}”")


def test_without_a_page_behind_it_the_view_says_that_it_needs_the_model(visit, site, bare):
    page = visit(url=bare(site.recorded))
    open_view(page, "Branch")
    expect(page.locator(".td-branch")).to_contain_text("needs the model")
    assert page.locator(".td-form").count() == 0


def test_both_runs_are_not_wider_than_a_phone(look):
    page = look(width=390, height=844)
    branch(page, OTHER)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
