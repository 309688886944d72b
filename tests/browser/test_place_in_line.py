"""Who waits for the model sees how many are served before, and the page of who is served goes on as ever."""

import pytest
from looking import expect

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]


def test_who_waits_sees_how_many_are_before(visit, site):
    site.writer.seconds_per_step = 3.0  # half a minute for a run: a busy machine fills in the other forms
    pages = [visit() for _ in range(3)]
    for page in pages:
        expect(page.locator("#text")).to_contain_text("Up to 48 characters")
    for page, text in zip(pages, ("first", "second", "third"), strict=True):
        page.locator("#text textarea").fill(text)
        page.locator("#write").click()
        expect(page.locator(".td-live")).to_be_visible()
    first, second, third = (page.locator(".td-live p") for page in pages)
    expect(second).to_contain_text("1 before you")
    expect(third).to_contain_text("2 before you")
    expect(first).to_contain_text("Step ")
    site.writer.seconds_per_step = 0.0
    for page, text in zip(pages, ("first", "second", "third"), strict=True):
        expect(page.locator(".td-prompt")).to_have_text(text)
        expect(page.locator("#write")).to_be_enabled()
        expect(page.locator(".td-live")).to_be_hidden()
