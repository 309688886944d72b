"""A link fills in the form, also where the network is slow."""

import pytest
from looking import expect

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]
ASKED = "**/queue/join*"


def test_nothing_is_written_before_a_link_has_filled_in_the_form(visit, site):
    page, held, free = visit(), [], False
    page.route(ASKED, lambda route: route.continue_() if free else held.append(route))
    page.goto(f"{site.url}?text=Hi")
    expect(page.locator("#write")).to_be_disabled()
    while not held:
        page.wait_for_timeout(50)
    free = True
    for route in held:
        route.continue_()
    page.locator("#write").click()  # which waits until it can
    expect(page.locator(".td-prompt")).to_have_text("Hi")
