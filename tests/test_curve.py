"""The curve says what the logs of a run say."""

import json
from types import SimpleNamespace

import pytest

from textdiff.training.curve import figure, load_curve, log_line, table
from textdiff.training.scores import Reading, report
from textdiff.training.train import Trainer


def rows(exact: int) -> dict:
    """A report in which so many of four short texts, and none of two longer ones, were read right."""
    texts = ["ab", "cd", "ef", "gh", "longer", "longest"]
    model = [
        Reading(text, f"{len(text) // 5}", 0, text if number < exact else "?")
        for number, text in enumerate(texts)
    ]
    return report(model, [Reading(one.text, one.bucket, 0, one.text) for one in model])


def evaluation(pictures: int, exact: int = 1) -> dict:
    return log_line({"step": pictures // 32, "pictures": pictures, "minutes": pictures / 1000}, rows(exact))


def gap(pictures: int, value: float) -> dict:
    return {"step": pictures // 32, "pictures": pictures, "minutes": 1.0, "letter_gap_0.35": value}


def loss(pictures: int) -> dict:
    return {"step": pictures // 32, "pictures": pictures, "minutes": 1.0, "loss": 0.1}


def written(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_line_of_the_log_holds_the_scores_overall_and_by_bucket():
    line = log_line({"step": 5, "pictures": 160, "minutes": 0.70004, "config": {}}, rows(exact=3))
    assert (line["step"], line["pictures"], line["minutes"]) == (5, 160, 0.7)
    assert line["em"] == line["em_over_ceiling"] == 0.5
    assert line["em_interval"][0] < 0.5 < line["em_interval"][1]
    assert line["buckets"] == {"0": {"em": 0.75, "ned": 0.75}, "1": {"em": 0.0, "ned": 0.0}}


def test_weights_that_do_not_know_their_training_have_no_place_in_a_log():
    with pytest.raises(ValueError, match="do not say their minutes"):
        log_line({"step": 5, "pictures": 160}, rows(1))


def test_a_resumed_run_keeps_the_evaluations_of_its_past_and_drops_those_of_its_lost_future(tmp_path):
    log = written(tmp_path / "log.jsonl", loss(320), evaluation(320), loss(640), evaluation(640))
    Trainer._rewind_log(SimpleNamespace(out=tmp_path, rank=0, seen={"step": 10}))
    assert [line["pictures"] for line in load_curve([log]).evaluations] == [320]


def test_evaluations_come_in_the_order_of_pictures_and_the_last_of_the_same_checkpoint_counts(tmp_path):
    log = written(
        tmp_path / "log.jsonl", evaluation(640, 2), gap(320, 0.1), evaluation(320, 1), evaluation(640, 3)
    )
    curve = load_curve([log])
    assert [(line["pictures"], line["em"]) for line in curve.evaluations] == [(320, 0.1667), (640, 0.5)]
    assert curve.gaps == {320: {"0.35": 0.1}}


def test_where_a_run_went_on_elsewhere_the_later_log_counts(tmp_path):
    first = written(
        tmp_path / "a.jsonl", gap(320, 0.1), evaluation(320), gap(960, 0.2), evaluation(960), loss(960)
    )
    second = written(tmp_path / "b.jsonl", gap(640, 0.4), evaluation(1280, 4))
    curve = load_curve([first, second])
    assert [line["pictures"] for line in curve.evaluations] == [320, 1280]
    assert list(curve.gaps) == [320, 640]
    with pytest.raises(ValueError, match="a.jsonl begins before"):
        load_curve([second, first])


@pytest.mark.parametrize("text", ["", "no log", '{"step": 1}', "[1]"])
def test_what_is_no_log_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(ValueError, match="is not the log of a training run"):
        load_curve([tmp_path / "log.jsonl"])


def test_a_log_without_evaluations_says_how_to_get_them(tmp_path):
    log = written(tmp_path / "log.jsonl", loss(320), gap(320, 0.1))
    with pytest.raises(ValueError, match="There are no evaluations in .*--log"):
        load_curve([log])


def test_the_table_has_a_row_for_each_evaluation_with_the_gap_of_the_same_checkpoint(tmp_path):
    log = written(tmp_path / "log.jsonl", gap(320, 0.125), evaluation(320), evaluation(12800, 3))
    lines = table(load_curve([log])).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| 320 |") and lines[2].endswith("| 0.125 |")
    assert lines[3].startswith("| 12,800 | 13 | 0.500 |") and lines[3].endswith(
        "| 0.750, 0.750 | 0.000, 0.000 | - |"
    )


def test_the_figure_has_a_panel_for_the_gap_where_there_is_one(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "textdiff.figures.stacked", lambda panels, label, log_x: asked.append((panels, log_x))
    )
    figure(load_curve([written(tmp_path / "a.jsonl", evaluation(320), evaluation(640, 3))]))
    figure(load_curve([written(tmp_path / "b.jsonl", gap(32, -0.001), gap(64, 2.0), evaluation(640, 3))]))
    (without, linear), (whole, logarithmic) = asked
    assert len(without) == 2 and len(whole) == 3
    assert (linear, logarithmic) == (False, True)
    assert [line.name for line in without[0].lines] == ["0", "1", "overall"]
    overall = without[0].lines[-1]
    assert overall.xs == [320, 640] and overall.ys == [0.1667, 0.5]
    assert all(low < em < high for em, low, high in zip(overall.ys, *overall.band, strict=True))
    low, high = whole[2].y_range
    assert low < -0.001 and high > 2
