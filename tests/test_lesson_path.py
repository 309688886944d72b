import json
from pathlib import Path

import pytest

from textdiff.ui.lesson_path import Page, parse_lesson
from textdiff.ui.run_store import first_recorded
from textdiff.ui.viewer_files import VIEWS, state_fields, tour

ASSETS = Path(__file__).parents[1] / "assets"
FIELDS = {"view", "step", "head", "stretch"}
START = "# Title\n\n[view=noise]\n"


def parse(text: str, name: str = "07-some-lesson.md"):
    return parse_lesson(name, text, ["noise", "attention"], FIELDS)


def test_a_lesson_is_a_title_and_pages_of_a_state_and_paragraphs():
    lesson = parse(
        "# Why?\n\n[view=attention step=0.25 head=taught]\nOne\nline.\n\nTwo.\n\n"
        "[view=noise step=1 head=2 stretch=true]\nEnd."
    )
    assert (lesson.slug, lesson.title) == ("some-lesson", "Why?")
    assert lesson.pages == (
        Page({"view": "attention", "step": 0.25, "head": "taught"}, ("One line.", "Two.")),
        Page({"view": "noise", "step": 1, "head": 2, "stretch": True}, ("End.",)),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Title\n", "07-some-lesson.md, line 1: a lesson begins with its # Title."),
        ("# Title\n", "07-some-lesson.md: this lesson has no pages."),
        ("# Title\n\nWords.", "07-some-lesson.md, line 3: words stand below a line in brackets."),
        (START, "07-some-lesson.md, line 3: a page has no words."),
        (START + "\n[view=noise]\nWords.", "07-some-lesson.md, line 5: a page has no words."),
        (START + "Words.\n[view=noise", "07-some-lesson.md, line 5: the bracket is not closed."),
        (START + "Words.\n[view=film]", "line 5: a page shows one view of noise, attention."),
        (START + "Words.\n[step=0.5]", "line 5: a page shows one view of noise, attention."),
        (START + "Words.\n[view=noise cell=3]", 'line 5: the viewer has no field "cell".'),
        (START + "Words.\n[view=noise step]", 'line 5: "step" is not field=value.'),
        (START + "Words.\n[view=noise step=0 step=1]", 'line 5: "step" is said twice.'),
        (
            START + "Words.\n[view=noise step=1.01]",
            'line 5: a step is a share of the run, from 0 to 1, not "1.01".',
        ),
        (
            START + "Words.\n[view=noise step=-1]",
            'line 5: a step is a share of the run, from 0 to 1, not "-1".',
        ),
        (
            START + "Words.\n[view=noise step=nan]",
            'line 5: a step is a share of the run, from 0 to 1, not "nan".',
        ),
    ],
)
def test_a_mistake_in_a_lesson_is_told_with_its_file_and_line(text, problem):
    with pytest.raises(ValueError) as raised:
        parse(text)
    assert str(raised.value).endswith(problem)


def test_a_lessons_file_has_a_number_and_a_name():
    with pytest.raises(ValueError, match="NN-slug.md"):
        parse(START + "Words.", name="lesson.md")


def test_the_fields_are_those_that_the_viewer_declares_and_an_address_may_set():
    assert {
        "view",
        "candidate",
        "step",
        "character",
        "layer",
        "head",
        "picture",
        "schedule",
        "t",
    } <= state_fields()
    assert not {"playing", "cell", "lesson", "page"} & state_fields()


def test_every_shipped_lesson_can_be_played():
    lessons = tour()  # raises ValueError for a view or a field that the viewer does not have
    assert len(lessons) == 11
    assert len({lesson["slug"] for lesson in lessons}) == 11
    states = [page["state"] for lesson in lessons for page in lesson["pages"]]
    assert {state["view"] for state in states} <= set(VIEWS)
    run = json.loads((first_recorded(ASSETS / "runs") / "run.json").read_text(encoding="utf-8"))
    layers = {
        (layer["name"], layer["direction"], str(head))
        for layer in run["layers"]
        for head in range(layer["heads"])
    }
    named = {(state["layer"], state["direction"], str(state["head"])) for state in states if "layer" in state}
    assert named <= layers  # the run that the lessons are about has what they point at
