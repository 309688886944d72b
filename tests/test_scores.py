"""Scores count what they say they count, and their intervals go by prompt."""

import numpy as np
import pytest

from textdiff.training.scores import OVERALL, Reading, best_of, folded, report, scores, table


def reading(text: str, read: str, bucket: str = "03-05", seed: int = 0) -> Reading:
    return Reading(text, bucket, seed, read)


def some(exact: int, of: int, samples: int = 1) -> list[Reading]:
    """Readings of `of` prompts, the first `exact` of them right in every sample, the others in none."""
    return [
        reading(f"t{number}", f"t{number}" if number < exact else "?", seed=sample)
        for sample in range(samples)
        for number in range(of)
    ]


def width(interval: list[float]) -> float:
    return interval[1] - interval[0]


def test_exact_match_minds_case_and_line_breaks_but_not_runs_of_spaces():
    assert reading("a  b", "a b ").exact == 1
    assert reading("ab", "aB").exact == 0
    assert reading("a\nb", "a b").exact == 0
    assert folded(" a  b \n c ") == "a b\nc"


def test_ned_is_a_similarity_and_cer_a_rate_of_the_prompt():
    assert reading("hello", "helo").ned == pytest.approx(0.8)
    assert reading("hi", "hiya!").cer == pytest.approx(1.5)
    assert reading("", "").ned == 1


def test_scores_are_means_per_bucket_with_an_interval_around_each():
    group = [reading("abc", "abc"), reading("abd", "abx"), reading("abcdef", "abcdef", "06-10")]
    result = scores(group)
    assert result["03-05"]["em"] == 0.5 and result["06-10"]["em"] == 1
    assert result[OVERALL]["em"] == pytest.approx(2 / 3, abs=1e-4) and result[OVERALL]["pictures"] == 3
    for measure, value in (("em", 1 / 2), ("ned", 5 / 6), ("cer", 1 / 6)):
        low, high = result["03-05"][f"{measure}_interval"]
        assert result["03-05"][measure] == pytest.approx(value, abs=1e-4)
        assert 0 <= low < value < high <= 1


def test_an_interval_is_as_wide_as_the_binomial_says():
    low, high = scores(some(exact=60, of=200))[OVERALL]["em_interval"]
    assert (low + high) / 2 == pytest.approx(0.3, abs=0.02)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 200), rel=0.1)


def test_more_samples_of_the_same_prompts_that_fail_together_do_not_narrow_the_interval():
    once, often = (scores(some(exact=20, of=50, samples=samples))[OVERALL] for samples in (1, 8))
    assert often["pictures"] == 8 * once["pictures"]
    assert often["em_interval"] == once["em_interval"] and often["ned_interval"] == once["ned_interval"]


def test_the_ratio_is_to_the_ceiling_and_missing_where_the_ceiling_is_zero_or_unknown():
    model = [reading("abc", "abc"), reading("abd", "x")]
    rows = report(model, [reading("abc", "abc"), reading("abd", "abd")])
    assert rows[OVERALL]["em_over_ceiling"] == 0.5
    assert "| 0.500 |" in table(rows)
    for clean in ([reading("abc", "x")], [], [reading("longer", "longer", "06-10")]):
        row = report(model, clean)["03-05"]
        assert row["em_over_ceiling"] is None and row["em_over_ceiling_interval"] is None
        assert "| - | - |" in table(report(model, clean))


def test_the_ratio_is_resampled_with_model_and_ceiling_together():
    # Both read the same prompts right: however the prompts are drawn, the ratio is 1.
    row = report(some(exact=10, of=40, samples=2), some(exact=10, of=40))[OVERALL]
    assert row["em_over_ceiling"] == 1 and row["em_over_ceiling_interval"] == [1, 1]
    assert width(row["model"]["em_interval"]) > 0.2


def test_a_prompt_without_a_clean_render_counts_for_the_model_alone():
    row = report(some(exact=2, of=4), some(exact=2, of=2))[OVERALL]
    assert row["ceiling"]["em"] == 1 and row["em_over_ceiling"] == 0.5


def test_best_of_takes_the_most_similar_reading_of_each_prompt():
    readings = [reading("hello", "hxllo"), reading("world", "w"), reading("hello", "hello")]
    assert best_of(readings) == [2, 1]
