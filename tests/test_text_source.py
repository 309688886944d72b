from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from textdiff.alphabet import CHARACTERS, problem_with
from textdiff.training import text_source
from textdiff.training.text_source import BUCKETS, LONGEST_LINE, random_prompt

WORDS_FILE = Path(text_source.__file__).with_name("words.txt")


def prompts(count, longest=48, most_lines=5, seed=3):
    return [random_prompt(np.random.default_rng((seed, n)), longest, most_lines) for n in range(count)]


@pytest.fixture(scope="module")
def many():
    return prompts(6000)


def test_every_prompt_is_one_the_model_accepts(many):
    assert {problem_with(text, 48, 5) for text in many} == {None}


def test_lines_are_short_and_their_tokens_have_single_spaces_between_them(many):
    for line in (line for text in many if text for line in text.split("\n")):
        assert 1 <= len(line) <= LONGEST_LINE
        assert all(line.split(" ")), repr(line)


@pytest.mark.parametrize(
    ("longest", "most_lines"), [(1, 1), (2, 2), (5, 1), (8, 3), (13, 1), (20, 2), (48, 1)]
)
def test_the_curriculum_s_limits_hold(longest, most_lines):
    texts = prompts(400, longest, most_lines)
    assert max(map(len, texts)) == min(longest, most_lines * (LONGEST_LINE + 1) - 1)
    assert max(text.count("\n") + 1 for text in texts) <= most_lines


def test_the_same_generator_state_gives_the_same_prompt():
    assert prompts(50) == prompts(50)
    assert prompts(50) != prompts(50, seed=4)


def test_short_and_long_prompts_are_about_equally_frequent(many):
    for first, last in BUCKETS:
        share = sum(first <= len(text) <= last for text in many) / len(many)
        assert 0.17 < share < 0.23, (first, last)


def test_one_prompt_in_a_hundred_is_empty(many):
    assert 0.005 < many.count("") / len(many) < 0.018


def test_all_numbers_of_lines_occur(many):
    lines = Counter(text.count("\n") + 1 for text in many)
    assert set(lines) == {1, 2, 3, 4, 5}
    assert min(lines.values()) > 0.08 * len(many)


def test_every_character_occurs_but_symbols_are_rare(many):
    counts = Counter("".join(many))
    assert set(counts) == set(CHARACTERS)
    symbols = sum(counts[symbol] for symbol in text_source.SYMBOLS)
    assert 0.002 < symbols / counts.total() < 0.02


def test_every_printable_character_is_a_letter_a_digit_punctuation_or_a_symbol():
    others = set(CHARACTERS) - set(text_source.SYMBOLS) - set(text_source.PUNCTUATION) - {" ", "\n"}
    assert all(character.isalnum() for character in others)


def test_words_of_the_dictionary_and_others_both_have_a_large_share(many):
    words = {word.lower() for word in WORDS_FILE.read_text("ascii").split()}
    tokens = [token.strip(text_source.PUNCTUATION).lower() for text in many for token in text.split()]
    share = sum(token in words for token in tokens) / len(tokens)
    assert 0.3 < share < 0.7


def test_lower_title_and_upper_case_all_occur_often(many):
    tokens = [token for text in many for token in text.split() if len(token) > 2 and token.isalpha()]
    for case in (str.islower, str.istitle, str.isupper):
        assert sum(map(case, tokens)) > 0.15 * len(tokens)


def test_the_word_list_is_small_plain_and_fit_for_a_classroom():
    words = WORDS_FILE.read_text("ascii").split()
    assert WORDS_FILE.stat().st_size < 350_000
    assert all(2 <= len(word) <= 13 and word.isalpha() and word[1:].islower() for word in words)
    assert len(set(words)) == len(words) > 30_000
    assert not {"damn", "murder", "naked", "drunk", "nazi"} & {word.lower() for word in words}


def test_the_word_list_keeps_its_copyright_notice():
    notice = WORDS_FILE.with_suffix(".LICENSE").read_text("utf-8")
    assert "Kevin Atkinson" in notice and "permission notice" in notice


def test_a_full_share_of_one_makes_every_prompt_nearly_as_long_as_allowed():
    rng = np.random.default_rng(3)
    lengths = [len(random_prompt(rng, 20, 3, full_share=1.0)) for _ in range(300)]
    assert all(15 <= length <= 20 or length == 0 for length in lengths)
    assert {15, 20} <= set(lengths)
