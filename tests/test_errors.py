"""The errors are found where they are, and the reader's own stand beside the model's."""

import pytest

from textdiff.training.errors import aligned, errors, tables
from textdiff.training.scores import Reading


def reading(text: str, read: str) -> Reading:
    return Reading(text, "any", 0, read)


def rates(rows: list[dict], side: str = "model") -> dict[int, float]:
    return {row["at"]: row[side]["rate"] for row in rows}


def test_every_character_knows_where_it_stands():
    found = list(aligned(reading("ab\nc", "ab\nx")))
    assert "".join(one.wanted for one in found) == "ab\nc"
    assert [(one.from_start, one.from_end, one.line) for one in found] == [
        (1, 2, 1),
        (2, 1, 1),
        (3, 0, 1),
        (1, 1, 2),
    ]
    assert found[3].read == "x" and found[3].length == 4


def test_a_wrong_last_letter_is_late_from_the_start_and_first_from_the_end():
    found = errors([reading("abcd", "abcx"), reading("ab", "ab")], [])
    assert rates(found["from_line_start"]) == {1: 0, 2: 0, 3: 0, 4: 1}
    assert rates(found["from_line_end"]) == {1: 0.5, 2: 0, 3: 0, 4: 0}


def test_a_lost_letter_is_one_wrong_character_and_those_after_it_are_right():
    found = errors([reading("hello", "hllo")], [])
    assert rates(found["from_line_start"]) == {1: 0, 2: 1, 3: 0, 4: 0, 5: 0}
    assert found["confusions"] == [{"wanted": "e", "read": "", "model": 1, "clean": 0}]


def test_errors_are_told_apart_by_line_and_by_length():
    found = errors([reading("ab\ncd", "ab\nxy"), reading("abcdefgh ij", "abcdefgh ij")], [])
    assert rates(found["by_line"]) == {1: 0, 2: 1}
    assert rates(found["by_length"]) == {1: 0.5, 9: 0}
    assert found["by_line"][0]["model"] == {"characters": 13, "wrong": 0, "rate": 0}


def test_a_lost_line_break_is_a_confusion_and_no_wrong_character_of_a_line():
    found = errors([reading("ab\ncd", "ab cd")], [])
    assert set(rates(found["from_line_start"]).values()) == {0}
    assert found["confusions"] == [{"wanted": "\n", "read": " ", "model": 1, "clean": 0}]
    assert "| line break | space | 1 | 0 |" in tables(found)


def test_what_the_reader_confuses_in_clean_renders_stands_beside():
    model = [reading("oo", "oO"), reading("axo", "ayo"), reading("axe", "aye")]
    found = errors(model, [reading("oak", "Oak")])
    assert found["confusions"] == [
        {"wanted": "x", "read": "y", "model": 2, "clean": 0},
        {"wanted": "o", "read": "O", "model": 1, "clean": 1},
    ]
    assert rates(found["from_line_start"], "clean") == {1: 1, 2: 0, 3: 0}


def test_what_was_never_wanted_is_an_insertion():
    found = errors([reading("cat", "cat.")], [])
    assert found["insertions"] == [{"read": ".", "model": 1, "clean": 0}] and not found["confusions"]


def test_confusions_are_not_counted_where_hardly_anything_fits():
    found = errors([reading("abcdefgh", "zzzzzzzh")], [])
    assert not found["confusions"]
    assert rates(found["by_line"])[1] == pytest.approx(7 / 8)


def test_the_tables_hold_both_figures_and_no_character_that_breaks_them():
    text = tables(errors([reading("a|b", "a`b")], [reading("a|b", "a|b")]))
    assert "| vertical bar | backtick | 1 | 0 |" in text
    assert "| 2 | 100 % of 1 (0 %) | 100 % of 1 (0 %) |" in text
