"""The tables in the README are those of the shipped weights' reports, and a command puts them there."""

import json

import pytest

from textdiff.training import readme_tables
from textdiff.training.readme_tables import README, filled, with_table
from textdiff.weight_files import SHIPPED

TEXT = """# a
<!-- large -->
| old | table |
|---|---|

Words of ours.
<!-- /large -->
| another | table |
"""


def test_the_readme_has_the_figures_of_the_reports():
    text = README.read_text("utf-8")
    assert filled(text, SHIPPED.parent) == text, "run python -m textdiff.training.readme_tables"


def test_a_table_takes_the_place_of_the_old_one_and_words_stay():
    new = with_table(TEXT, "large", "| new |\n|---|\n| 1 |")
    assert new == TEXT.replace("| old | table |\n|---|---|", "| new |\n|---|\n| 1 |")
    assert (
        with_table(TEXT.replace("| old | table |\n|---|---|\n", ""), "large", "| new |\n|---|\n| 1 |") == new
    )
    with pytest.raises(ValueError, match="no place, or several, for the table 'funnel'"):
        with_table(TEXT, "funnel", "| new |")


def test_every_report_has_its_block_and_one_that_is_not_there_leaves_it(tmp_path, monkeypatch):
    score = {"pictures": 2, "em": 0.5, "ned": 0.75, "cer": 0.25}
    other = {**score, "em": 1.0}
    rows = {"overall": {"small": score, "large": other, "repaired": 1, "broken": 0}}
    one = {"model": {**score, "em_interval": [0.1, 0.9]}, "ceiling": None, "em_over_ceiling": None}
    report = {"buckets": {"overall": one}, "upscaled": {"buckets": rows, "sizes": [64, 128]}}
    (tmp_path / "first-words-report.json").write_text(json.dumps(report))
    funnel = {
        "single": {"overall": score},
        "buckets": {"overall": {"model": other}},
        "large": {"overall": other},
    }
    readme = tmp_path / "README.md"
    readme.write_text(TEXT + "<!-- funnel -->\nkept\n<!-- /funnel -->\n<!-- report -->\n<!-- /report -->\n")
    monkeypatch.setattr(readme_tables, "SHIPPED", tmp_path / "weights")
    readme_tables.main(["--readme", str(readme)])
    text = readme.read_text()
    assert "| overall | 2 | 0.500 | 0.10 to 0.90 | 0.750 | 0.250 |" in text
    assert "| overall | 2 | 0.500 | 1.000 | 0.750 | 0.750 | 0.250 | 0.250 | 1 | 0 |" in text
    assert "<!-- funnel -->\nkept\n" in text

    (tmp_path / "first-words-funnel-report.json").write_text(json.dumps({"best_of": funnel}))
    readme_tables.main(["--readme", str(readme)])
    assert "| overall | 2 | 0.500 | 1.000 | 1.000 |" in readme.read_text()
