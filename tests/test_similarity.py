"""The trigram similarity is the original's, and the edits lead from the text to the reading."""

import random

import pytest

from textdiff.similarity import (
    compare_trigrams,
    edit_distance,
    edits,
    is_exact,
    matched_characters,
    strip_lines,
    trigram_similarity,
    trigrams,
)


@pytest.mark.parametrize(
    ("text", "reading", "similarity"),
    [
        ("hello", "hello", 1.0),
        ("hello", "hallo", 0.400),
        ("hello", "hell0", 0.400),
        ("hello", "Hello", 0.400),
        ("hello", "helo", 0.625),
        ("hello world", "hello\nworld", 0.625),
        ("hello world", "hello worlD", 0.625),
        ("hello\nworld", "world\nhello", 0.300),
        ("hello world", "helloworld", 0.667),
        ("hi", "ho", 0.143),
        ("a", "b", 0.0),
        ("anything", "", 0.0),
        ("", "anything", 0.0),
        ("", "", 1.0),
    ],
)
def test_the_similarity_has_the_worked_values_of_the_original(text, reading, similarity):
    assert trigram_similarity(text, reading) == pytest.approx(similarity, abs=0.0005)


def test_trigrams_are_counted_with_two_pads_at_each_end():
    assert trigrams("aaaa") == {"$$a": 1, "$aa": 1, "aaa": 2, "aa$": 1, "a$$": 1}


def test_repeated_trigrams_count_as_often_as_they_occur():
    # aaa twice against once: 5 shared of 6. As sets the two texts would be equal.
    assert trigram_similarity("aaaa", "aaa") == pytest.approx(5 / 6)


def test_spaces_at_the_ends_of_lines_do_not_count_but_case_and_line_breaks_do():
    assert strip_lines("  a b \n c") == "a b\nc"
    assert is_exact(" up \ndown", "up\n down ")
    assert not is_exact("Up", "up")
    assert not is_exact("a b", "a\nb")
    assert trigram_similarity(" up \ndown", "up\n down ") == 1.0
    assert edit_distance(" up \ndown", "up\n down ") == 0


def test_matched_missing_and_extra_trigrams_make_up_the_similarity():
    match = compare_trigrams("hello", "hallo")
    assert match.matched == (("$$h", 1), ("llo", 1), ("lo$", 1), ("o$$", 1))
    assert match.missing == (("$he", 1), ("hel", 1), ("ell", 1))
    assert match.extra == (("$ha", 1), ("hal", 1), ("all", 1))
    matched, missing, extra = (
        sum(n for _, n in part) for part in (match.matched, match.missing, match.extra)
    )
    assert matched / (matched + missing + extra) == pytest.approx(trigram_similarity("hello", "hallo"))


def test_similarity_is_symmetric_and_between_0_and_1():
    rng = random.Random(5)
    for _ in range(200):
        text, reading = ("".join(rng.choices("ab \n$", k=rng.randrange(8))) for _ in range(2))
        similarity = trigram_similarity(text, reading)
        assert similarity == trigram_similarity(reading, text)
        assert 0 <= similarity <= 1


@pytest.mark.parametrize(
    ("text", "reading", "distance"),
    [("hello", "hallo", 1), ("hello", "helo", 1), ("", "abc", 3), ("kitten", "sitting", 3)],
)
def test_the_edit_distance_counts_replaced_inserted_and_deleted_characters(text, reading, distance):
    assert edit_distance(text, reading) == distance


def test_the_edits_turn_the_text_into_the_reading():
    rng = random.Random(6)
    for _ in range(100):
        text, reading = ("".join(rng.choices("abc", k=rng.randrange(7))) for _ in range(2))
        steps = edits(text, reading)
        assert len(steps) == edit_distance(text, reading)
        result = list(text)
        for step in reversed(steps):  # from the right, so that positions stay true
            if step.kind != "insert":
                assert result[step.position] == step.wanted
            result[step.position : step.position + len(step.wanted)] = step.found
        assert "".join(result) == reading


def test_each_edit_says_what_was_wanted_and_what_was_found():
    (step,) = edits("hello", "hallo")
    assert (step.kind, step.position, step.wanted, step.found) == ("replace", 1, "e", "a")
    (step,) = edits("hello", "helo")
    assert (step.kind, step.wanted, step.found) == ("delete", "l", "")
    (step,) = edits("helo", "hello")
    assert (step.kind, step.wanted, step.found) == ("insert", "", "l")


@pytest.mark.parametrize(
    ("text", "read", "matched"),
    [
        ("hello", "hello", "11111"),
        ("hello", "hallo", "10111"),
        ("hello", "heo", "11001"),
        ("hello", "hxello", "11111"),
        ("hello", "", "00000"),
        ("", "hello", ""),
        ("ab\ncd", "ab cd", "11011"),
        ("Ab", "ab", "01"),
        (" a b \n c ", "a b\nc", "111111111"),  # spaces at the ends of lines do not count
        ("  \nab", "\nxb", "11101"),
    ],
)
def test_a_character_matches_where_a_shortest_way_of_edits_leaves_it_alone(text, read, matched):
    assert matched_characters(text, read) == tuple(mark == "1" for mark in matched)


def test_every_character_matches_just_when_a_reading_without_additions_is_exact():
    rng = random.Random(7)
    for _ in range(300):
        text, read = ("".join(rng.choices("ab \n", k=rng.randrange(8))) for _ in range(2))
        matched = matched_characters(text, read)
        assert len(matched) == len(text)
        insertions = sum(step.kind == "insert" for step in edits(text, read))
        assert all(matched) == (edit_distance(text, read) == insertions)
