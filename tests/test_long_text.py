"""Long prompts keep within their limits, reach them, and can be written."""

import numpy as np
import pytest

from textdiff import alphabet
from textdiff.training.long_text import long_prompt, wide_prompt
from textdiff.training.text_source import LONGEST_LINE


@pytest.mark.parametrize(("longest", "lines", "line"), [(128, 8, 24), (30, 1, 20), (5, 3, 14), (1, 1, 24)])
def test_a_prompt_keeps_within_its_limits_and_comes_near_them(longest, lines, line):
    rng = np.random.default_rng(0)
    texts = [long_prompt(rng, longest, lines, line) for _ in range(400)]
    for text in texts:
        assert alphabet.problem_with(text, longest, lines) is None
        assert all(len(row) <= line and row == row.strip(" ") for row in text.split("\n"))
    reach = min(longest, lines * (line + 1) - 1)
    assert max(map(len, texts)) >= 0.9 * reach
    assert max(len(row) for text in texts for row in text.split("\n")) >= 0.8 * min(line, reach)
    if longest > lines:
        assert max(text.count("\n") for text in texts) == min(lines, 1 + longest // 5) - 1


def test_no_line_is_empty_unless_the_text_is():
    rng = np.random.default_rng(1)
    for _ in range(400):
        text = long_prompt(rng, 128, 8, 24)
        assert text == "" or all(text.split("\n"))


def test_short_texts_stay_frequent():
    rng = np.random.default_rng(2)
    lengths = np.array([len(long_prompt(rng, 128, 8, 24)) for _ in range(400)])
    assert (lengths <= 10).mean() > 0.15 and (lengths > 64).mean() > 0.15


def test_the_same_chance_gives_the_same_prompt():
    one, same = (long_prompt(np.random.default_rng(3), 128, 8, 24) for _ in range(2))
    assert one == same


@pytest.mark.parametrize(("longest", "lines", "line"), [(48, 5, 16), (14, 3, 14), (128, 1, 24)])
def test_a_wide_prompt_has_a_long_line_anywhere_and_keeps_within_its_limits(longest, lines, line):
    rng = np.random.default_rng(4)
    texts = [wide_prompt(rng, longest, lines, line) for _ in range(400)]
    widths = [[len(row) for row in text.split("\n")] for text in texts]
    for text, row in zip(texts, widths, strict=True):
        assert alphabet.problem_with(text, longest, lines) is None
        assert LONGEST_LINE < max(row) <= line and min(row) >= 1
    assert {max(row) for row in widths} == set(range(LONGEST_LINE + 1, line + 1))
    most = lines if longest > LONGEST_LINE + 3 else 1
    assert max(map(len, widths)) == most
    assert {row.index(max(row)) for row in widths} == set(range(most))
