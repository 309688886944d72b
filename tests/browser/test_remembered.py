"""A browser keeps the settings that a form was sent with, and never its text."""

import pytest
from looking import expect

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]


def test_the_settings_are_there_again_after_a_reload_and_a_link_has_the_last_word(visit, site):
    page = visit()
    expect(page.locator("#text")).to_contain_text("Up to 48 characters")
    page.locator("#settings > button").click()
    page.locator("#steps input").fill("6")
    page.locator("#seed input").fill("12")
    page.locator("#text textarea").fill("private")
    page.locator("#write").click()
    expect(page.locator(".td-prompt")).to_have_text("private")

    page.goto(site.url)
    page.locator("#settings > button").click()
    expect(page.locator("#steps input")).to_have_value("6")
    expect(page.locator("#seed input")).to_have_value("12")
    expect(page.locator("#text textarea")).not_to_have_value("private")
    kept = page.evaluate("Object.values(localStorage).join()")
    assert kept and "private" not in kept

    page.goto(f"{site.url}?text=Hi&seed=3")
    expect(page.locator("#text textarea")).to_have_value("Hi")
    page.locator("#settings > button").click()
    expect(page.locator("#seed input")).to_have_value("3")
    expect(page.locator("#steps input")).to_have_value("6")
