import numpy as np
import pytest

from textdiff.training.long_text import wide_prompt
from textdiff.training.text_source import random_prompt
from textdiff.typed_text import SHORT_LINE, tidied, with_plain_letters, with_short_lines

LINES = 5


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("Hello\n", "Hello"),
        ("\n Hello  world \n\n\tnext\u00a0one\r\n", "Hello world\nnext one"),
        ("it’s “so” – he said…", 'it\'s "so" - he said...'),
        ("‘a’ ‚b‘ „c” d—e f‑g 3−2", "'a' ,b' \"c\" d-e f-g 3-2"),
        (" \n ", ""),
        ("", ""),
        ("Straße, déjà vu", "Straße, déjà vu"),  # other letters are others, until their writer says so
    ],
)
def test_what_no_picture_shows_is_left_out_and_typographic_signs_become_plain_ones(typed, taken):
    assert tidied(typed) == taken == tidied(taken)


def test_what_the_model_learns_from_is_tidy():
    rng = np.random.default_rng(1)
    texts = [random_prompt(rng, 48, LINES) for _ in range(200)]
    assert [tidied(text) for text in texts] == texts


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("déjà vu", "deja vu"),
        ("e\u0301te\u0301", "ete"),  # an accent may be a character of its own
        ("Straße\nŁódź\nsmørrebrød", "Strasse\nLodz\nsmorrebrod"),
        ("¿Qué? «Œuvre»", 'Que? "OEuvre"'),
        ("plain, as it is", None),
        ("日本 café", None),  # no letters of English stand for these
        ("☕", None),
        ("", None),
    ],
)
def test_accents_can_be_left_out_where_letters_of_english_remain(text, plain):
    assert with_plain_letters(text) == plain


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("Happy birthday, dear Anna", "Happy\nbirthday,\ndear Anna"),
        ("Ox\nfour pale owls\n19 maps, at noon", "Ox\nfour pale\nowls\n19 maps,\nat noon"),
        ("to be or not to be", "to be or\nnot to be"),  # evenly, not "to be or not / to be"
        ("a well-known well-wisher", "a well-known\nwell-wisher"),
        ("extraordinarily good", "extraordinarily\ngood"),  # a long word stays whole, and alone
        ("   indented by three", "indented\nby three"),
    ],
)
def test_a_long_line_is_broken_at_its_spaces_into_lines_of_about_the_same_length(text, short):
    assert with_short_lines(text, LINES) == short


@pytest.mark.parametrize(
    "text",
    ["", "Hello", "twelve chars", "red dog\ngreen cat", "extraordinarily", "a\nb\nc\nd\nlong enough line"],
)
def test_there_is_nothing_to_offer_for_short_lines_single_words_and_full_pictures(text):
    assert with_short_lines(text, LINES) is None


def test_lines_are_as_short_as_the_number_of_lines_allows():
    text = "the quick brown fox jumps over the lazy dog, again"
    by_lines = {count: with_short_lines(text, count).split("\n") for count in (2, 3, 4, 5)}
    assert [len(lines) for lines in by_lines.values()] == [2, 3, 4, 5]
    longest = [max(map(len, lines)) for lines in by_lines.values()]
    assert longest == sorted(longest, reverse=True) and longest[-1] <= SHORT_LINE < longest[-2]
    assert with_short_lines(text, 1) is None


def test_nothing_is_lost_but_spaces_that_become_line_breaks():
    rng = np.random.default_rng(0)
    for _ in range(200):
        text = wide_prompt(rng, 48, 3, 16)
        short = with_short_lines(text, LINES)
        if short is not None:
            assert short.split() == text.split() and len(short) <= len(text)
            assert short.count("\n") < LINES and max(map(len, short.split("\n"))) < 16
