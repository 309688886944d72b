"""A run that left another one on its way says so, in a real browser."""

import pytest
from looking import expect

pytestmark = pytest.mark.browser

TEXT = "Hello\nworld"
SAME = {"step": 3, "text": TEXT, "guidance": 3, "sampler": "unipc", "seed": None, "eta": None, "muted": []}


@pytest.mark.parametrize(
    ("origin", "changes"),
    [
        ({"text": "Hallo\nworld"}, "“Hello↵world” instead of “Hallo↵world”"),
        ({"text": ""}, "“Hello↵world” instead of no text"),
        ({"text": "<img onerror=alert(1)>"}, "“Hello↵world” instead of “<img␣onerror=alert(1)>”"),
        ({"guidance": 5.5, "sampler": "ddpm"}, "guidance 3 instead of 5.5, unipc instead of ddpm"),
        ({"seed": 11, "eta": 0.5, "muted": [1, 6]}, "later noise of seed 11, eta 0.5, H line break muted"),
        ({}, "nothing changed"),
    ],
)
def test_a_branch_says_in_one_line_where_it_comes_from(visit, bare, site, origin, changes):
    page = visit(url=bare(site.recorded, lambda run: run.update(origin=SAME | origin)))
    told = f"A branch of another run, from step 4 on with {changes}."
    expect(page.locator(".td-origin")).to_have_text(told)


def test_any_other_run_says_nothing_of_the_kind(visit, bare, site):
    page = visit(url=bare(site.recorded))
    expect(page.locator(".td-prompt")).to_have_text("Hello↵world")
    expect(page.locator(".td-origin")).to_be_hidden()
