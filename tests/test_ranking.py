"""Pruning and ranking follow the original's rule and never depend on chance."""

import itertools

import pytest

from textdiff.ranking import best, prune, rank, rank_upscaled, tile
from textdiff.trajectory import Reading


def reading(text, confidence=0.9):
    return Reading(text=text, confidence=confidence)


def kept(similarities, keep_only_if_above=0.95, delete_under=0.1):
    return [keep for keep, _ in prune(similarities, keep_only_if_above, delete_under)]


def test_once_one_candidate_reaches_the_upper_threshold_only_those_that_reach_it_stay():
    assert kept([1.0, 0.94, 0.95, 0.0]) == [True, False, True, False]


def test_while_none_reaches_the_upper_threshold_those_at_or_above_the_lower_one_stay():
    assert kept([0.5, 0.1, 0.09, 0.0]) == [True, True, False, False]


def test_pruning_never_removes_everybody():
    assert kept([0.05, 0.0]) == [True, True]
    assert kept([0.0]) == [True]
    assert kept([]) == []


def test_an_upper_threshold_over_1_and_a_lower_one_of_0_switch_pruning_off():
    assert kept([1.0, 0.5, 0.0], keep_only_if_above=2, delete_under=0) == [True, True, True]


def test_the_rule_of_each_candidate_is_one_sentence_that_agrees_with_its_fate():
    for similarities in ([1.0, 0.5], [0.5, 0.05], [0.05, 0.01]):
        for keep, rule in prune(similarities, 0.95, 0.1):
            assert rule.startswith("Kept: " if keep else "Pruned: ")
            assert rule.endswith(".") and "\n" not in rule and rule.count(". ") == 0


def test_a_similarity_just_under_a_threshold_is_not_shown_as_the_threshold():
    (_, rule), _ = prune([0.94996, 1.0], 0.95, 0.1)
    assert "0.949" in rule and "only 0.95" not in rule


def test_a_verdict_says_similarity_exactness_and_distance_of_its_reading():
    first, second = rank("hello", [reading("hallo"), reading("hello")])
    assert (first.similarity, first.exact, first.edit_distance) == (pytest.approx(0.4), False, 1)
    assert (second.similarity, second.exact, second.edit_distance) == (1.0, True, 0)
    assert (first.kept, second.kept) == (False, True)
    assert (first.rank, second.rank) == (2, 1)


def test_the_most_similar_comes_first_and_kept_ones_come_before_pruned_ones():
    verdicts = rank("hello", [reading("x"), reading("hello"), reading("hell"), reading("hallo")])
    assert [v.rank for v in verdicts] == [4, 1, 2, 3]
    assert [v.kept for v in verdicts] == [False, True, False, False]
    ordered = sorted(verdicts, key=lambda v: v.rank)
    assert [v.kept for v in ordered] == sorted((v.kept for v in ordered), reverse=True)


def test_ties_go_to_the_more_confident_reading_and_then_to_the_earlier_candidate():
    verdicts = rank("hello", [reading("hello", 0.5), reading("hello", 0.8), reading("hello", 0.8)])
    assert [v.rank for v in verdicts] == [3, 1, 2]


def test_an_exact_reading_beats_a_more_confident_one_that_is_only_equally_similar():
    # Same trigrams, other order: the only way to a similarity of 1 without being exact.
    text, other = "a$$$b$$$$c", "a$$$$b$$$c"
    verdicts = rank(text, [reading(other, 1.0), reading(text, 0.1)])
    assert [v.similarity for v in verdicts] == [1.0, 1.0]
    assert [v.rank for v in verdicts] == [2, 1]


def test_the_order_of_different_candidates_does_not_change_who_wins():
    readings = [reading("hello", 0.3), reading("hello", 0.6), reading("helo", 0.9), reading("")]
    for shuffled in itertools.permutations(readings):
        assert shuffled[best(rank("hello", shuffled))] == reading("hello", 0.6)


def test_ranks_are_1_to_n():
    verdicts = rank("hi", [reading("ho")] * 5)
    assert [v.rank for v in verdicts] == [1, 2, 3, 4, 5]
    assert rank("hi", []) == ()


def test_large_pictures_enlarge_those_kept_in_turn_best_first_and_nobody_else():
    verdicts = rank("hello", [reading("hallo"), reading("xyz"), reading("hello"), reading("helo")], 2, 0.3)
    assert [verdict.kept for verdict in verdicts] == [True, False, True, True]
    assert tile(verdicts, 7) == (2, 3, 0, 2, 3, 0, 2)
    assert tile(verdicts, 2) == (2, 3)
    assert tile(verdicts, 0) == ()
    assert tile(rank("hello", [reading("x")]), 3) == (0, 0, 0)  # pruning never removes everybody


def test_of_the_large_pictures_the_most_similar_one_is_kept_alone():
    verdicts = rank_upscaled("hello", [reading("hallo"), reading("helo"), reading("x")])
    assert [verdict.rank for verdict in verdicts] == [2, 1, 3]
    assert [verdict.kept for verdict in verdicts] == [False, True, False]
    said = [verdict.rule.split(":")[0] for verdict in verdicts]
    assert said == ["Not the best", "The best", "Not the best"]
    assert "0.625" in verdicts[1].rule and "0.625" in verdicts[0].rule and "0.400" in verdicts[0].rule
    for verdict in verdicts:
        assert verdict.rule.endswith(".") and "\n" not in verdict.rule and verdict.rule.count(". ") == 0


def test_equally_similar_large_pictures_are_ordered_like_candidates_and_the_rule_says_so():
    verdicts = rank_upscaled("hello", [reading("hello", 0.5), reading("hello", 0.8), reading("hello", 0.8)])
    assert [verdict.rank for verdict in verdicts] == [3, 1, 2]
    assert "another with similarity 1.000" in verdicts[2].rule
