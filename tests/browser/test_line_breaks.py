"""Who types a long line is offered short ones, and gets them by one click; nothing is broken before."""

import pytest
from looking import expect

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]


def test_a_long_line_is_broken_when_its_writer_wants_it(visit):
    page = visit()
    text, shorten = page.locator("#text textarea"), page.locator("#shorten")
    expect(page.locator("#text")).to_contain_text("Up to 48 characters")
    expect(shorten).to_be_hidden()
    text.fill("Happy birthday, <b>Anna</b>")
    expect(shorten).to_have_text("Long lines are often misspelt. Break them: Happy / birthday, / <b>Anna</b>")
    expect(text).to_have_value("Happy birthday, <b>Anna</b>")
    shorten.click()
    expect(text).to_have_value("Happy\nbirthday,\n<b>Anna</b>")
    expect(shorten).to_be_hidden()
    page.locator("#write").click()
    expect(page.locator(".td-prompt")).to_have_text("Happy↵birthday,↵<b>Anna</b>")


def test_the_offer_fits_a_narrow_screen(visit):
    page = visit(width=390)
    page.locator("#text textarea").fill("the quick brown fox jumps over the lazy dog")
    expect(page.locator("#shorten")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
