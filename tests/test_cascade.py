"""The funnel chooses by its rules; only what is read exactly counts as repaired, or else as broken."""

import pytest

from textdiff.training.cascade import (
    answers,
    comparison_table,
    side_by_side,
    singles,
    through_the_funnel,
)
from textdiff.training.scores import Reading, scores


def readings(text: str, *read: str) -> list[Reading]:
    """Samples of one prompt."""
    return [Reading(text, f"{len(text):02d}", seed, one) for seed, one in enumerate(read)]


def test_repaired_and_broken_are_counted_apart_in_their_bucket():
    small = readings("hello", "hello", "hallo", "hallo", "hello") + readings("hi", "hi")
    large = readings("hello", "hello", "hello", "hxllo", "hxllo") + readings("hi", "ho")
    rows = side_by_side(small, large)
    counted = {bucket: (row["repaired"], row["broken"]) for bucket, row in rows.items()}
    assert counted == {"02": (0, 1), "05": (1, 1), "overall": (1, 2)}
    assert rows["05"]["small"]["em"] == rows["05"]["large"]["em"] == 0.5
    assert rows["02"]["small"]["em"] == 1 and rows["02"]["large"]["em"] == 0


def test_other_pictures_are_not_compared():
    with pytest.raises(AssertionError):
        side_by_side(readings("hi", "hi", "hi"), readings("hi", "hi"))


@pytest.mark.parametrize(
    ("small", "large", "winner"),
    [
        (
            ("hello", "hallo"),
            ("hxxxo", "hello"),
            0,
        ),  # what is pruned is not enlarged, however well it would do
        (("hallo", "helo", "zzz"), ("hxllo", "hello", "hello"), 1),
        (("zzz", "yyy"), ("hallo", "helo"), 1),  # nobody is pruned where everybody would be
    ],
)
def test_the_best_large_picture_of_those_that_were_kept_wins(small, large, winner):
    assert through_the_funnel(readings("hello", *small), readings("hello", *large)) == [winner]


def test_the_answer_is_the_large_picture_unless_a_small_one_was_read_better():
    small = readings("hello", "hallo", "hello") + readings("hi", "ho", "hi") + readings("yes", "yas", "yxx")
    large = readings("hello", "hello", "hallo") + readings("hi", "hi", "hi") + readings("yes", "yes", "yas")
    # "hallo" is not kept, so it is not enlarged, and its repair never happens.
    assert answers(small, large) == [(1, False), (3, True), (4, True)]


def test_the_first_sample_of_each_prompt_stands_for_all_that_it_could_have_been():
    assert singles(readings("hello", "a", "b") + readings("hi", "c", "d")) == [0, 2]


def test_ways_stand_side_by_side():
    one, best = scores(readings("hi", "ho")), scores(readings("hi", "hi"))
    rows = {bucket: {"model": row} for bucket, row in best.items()}
    table = comparison_table({"single": one, "buckets": rows})
    assert table.splitlines()[0] == "| bucket | prompts | EM, one | EM, best | NED, one | NED, best |"
    assert table.splitlines()[-1] == "| overall | 1 | 0.000 | 1.000 | 0.500 | 1.000 |"
    table = comparison_table({"single": one, "buckets": rows, "large": one, "answer": best})
    assert table.splitlines()[0].count("answer") == 2
    assert table.splitlines()[-1] == (
        "| overall | 1 | 0.000 | 1.000 | 0.000 | 1.000 | 0.500 | 1.000 | 0.500 | 1.000 |"
    )
