"""The contact sheet of failures shows failures, the worst ones first."""

import numpy as np

from textdiff import figures
from textdiff.training import failures
from textdiff.training.scores import Reading


def sheet_of(monkeypatch, readings):
    """The rows of (which picture, caption) that the sheet would hold."""
    asked = []
    monkeypatch.setattr(figures, "contact_sheet", lambda rows, scale: asked.append(rows))
    pictures = [np.full((2, 2, 3), number, np.uint8) for number in range(len(readings))]
    failures.contact_sheet(pictures, readings, seed=0)
    return [[(int(picture[0, 0, 0]), caption) for picture, caption in row] for row in asked[0]]


def test_the_worst_come_first_then_others_and_what_was_right_never(monkeypatch):
    texts = ["abcdefghij"[: number % 10] + "!" * (10 - number % 10) for number in range(50)]
    readings = [Reading("abcdefghij", "06-10", 0, text) for text in texts] + [Reading("a", "01", 0, "a")]
    rows = sheet_of(monkeypatch, readings)
    assert [len(row) for row in rows] == [6] * 6
    shown = [number for row in rows for number, _ in row]
    assert len(set(shown)) == 36 and 50 not in shown
    neds = [readings[number].ned for number in shown]
    assert neds[:18] == sorted(reading.ned for reading in readings)[:18]
    assert min(neds[18:]) >= max(neds[:18])
    assert neds[18:] != sorted(neds[18:])


def test_a_caption_has_what_was_read_beside_the_prompt_line_by_line(monkeypatch):
    (((_, caption),),) = sheet_of(monkeypatch, [Reading("red\ndog", "06-10", 0, "rad\n\nx")])
    head, *lines = caption.split("\n")
    assert "worst" in head and "06-10" in head and "0.43" in head
    assert lines == ["red   rad", "dog   ", "      x"]


def test_an_unread_picture_says_so_and_a_long_line_is_cut(monkeypatch):
    rows = sheet_of(monkeypatch, [Reading("cat", "03-05", 0, ""), Reading("dog", "03-05", 0, "w" * 200)])
    captions = [caption for row in rows for _, caption in row]
    assert any("nothing" in caption for caption in captions)
    assert max(len(line) for caption in captions for line in caption.split("\n")) < 30


def test_nothing_failed_means_no_sheet():
    assert failures.contact_sheet([np.zeros((2, 2, 3), np.uint8)], [Reading("a", "01", 0, "a")], 0) is None
