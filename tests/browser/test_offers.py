"""Who types what the model writes badly, or cannot, is offered another text, and gets it by one click."""

import pytest
from looking import expect

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]


def test_a_long_line_is_broken_when_its_writer_wants_it(visit):
    page = visit()
    text, offer = page.locator("#text textarea"), page.locator("#offer")
    expect(page.locator("#text")).to_contain_text("Up to 48 characters")
    expect(offer).to_be_hidden()
    text.fill("Happy birthday, <b>Anna</b>")
    expect(offer).to_have_text("Long lines are often misspelt. Break them: Happy / birthday, / <b>Anna</b>")
    expect(text).to_have_value("Happy birthday, <b>Anna</b>")
    offer.click()
    expect(text).to_have_value("Happy\nbirthday,\n<b>Anna</b>")
    expect(offer).to_be_hidden()
    page.locator("#write").click()
    expect(page.locator(".td-prompt")).to_have_text("Happy↵birthday,↵<b>Anna</b>")


def test_accents_are_left_out_and_then_lines_broken(visit):
    page = visit()
    text, offer = page.locator("#text textarea"), page.locator("#offer")
    expect(page.locator("#text")).to_contain_text("Up to 48 characters")
    text.fill("Joyeux Noël à tous")
    expect(offer).to_have_text("The model has seen English letters only. Use those: Joyeux Noel a tous")
    offer.click()
    expect(text).to_have_value("Joyeux Noel a tous")
    expect(offer).to_have_text("Long lines are often misspelt. Break them: Joyeux Noel / a tous")
    offer.click()
    expect(text).to_have_value("Joyeux Noel\na tous")
    expect(offer).to_be_hidden()


def test_the_offer_fits_a_narrow_screen(visit):
    page = visit(width=390)
    page.locator("#text textarea").fill("the quick brown fox jumps over the lazy dog")
    expect(page.locator("#offer")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
