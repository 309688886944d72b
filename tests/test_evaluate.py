"""The evaluation counts what it says it counts."""

import json

import numpy as np
import pytest
from oracles import lively_unet
from PIL import Image

from textdiff.checkpoints import save_checkpoint
from textdiff.training import evaluate
from textdiff.training.evaluate import OVERALL, Reading, best_of, folded, load_prompts, report, scores


def reading(text: str, read: str, bucket: str = "03-05", seed: int = 0) -> Reading:
    return Reading(text, bucket, seed, read)


def test_exact_match_minds_case_and_line_breaks_but_not_runs_of_spaces():
    assert reading("a  b", "a b ").exact == 1
    assert reading("ab", "aB").exact == 0
    assert reading("a\nb", "a b").exact == 0
    assert folded(" a  b \n c ") == "a b\nc"


def test_ned_is_a_similarity_and_cer_a_rate_of_the_prompt():
    assert reading("hello", "helo").ned == pytest.approx(0.8)
    assert reading("hi", "hiya!").cer == pytest.approx(1.5)
    assert reading("", "").ned == 1


def test_scores_are_means_per_bucket_with_an_interval_around_em():
    group = [reading("abc", "abc"), reading("abc", "abd"), reading("abcdef", "abcdef", "06-10")]
    result = scores(group)
    assert result["03-05"]["em"] == 0.5 and result["06-10"]["em"] == 1
    assert result[OVERALL]["em"] == pytest.approx(2 / 3, abs=1e-4) and result[OVERALL]["pictures"] == 3
    low, high = result["03-05"]["em_interval"]
    assert 0 <= low <= 0.5 <= high <= 1 and low < high


def test_the_ratio_is_to_the_ceiling_and_missing_where_the_ceiling_is_zero():
    model, perfect = scores([reading("abc", "abc"), reading("abc", "x")]), scores([reading("abc", "abc")])
    assert report(model, perfect)[OVERALL]["em_over_ceiling"] == 0.5
    assert report(model, scores([reading("abc", "x")]))[OVERALL]["em_over_ceiling"] is None
    assert "0.500" in evaluate.table(report(model, perfect))


def test_best_of_takes_the_most_similar_reading_of_each_prompt():
    chosen = best_of([reading("hello", "hxllo"), reading("hello", "hello"), reading("world", "w")])
    assert [one.read for one in chosen] == ["hello", "w"]


def test_a_bad_prompt_file_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n')
    for name in ("bad.jsonl", "missing.jsonl"):
        with pytest.raises(ValueError, match="not a file of prompts"):
            load_prompts(tmp_path / name)


def test_the_command_writes_a_report_and_every_picture_with_its_index(tmp_path, capsys):
    save_checkpoint(lively_unet(), tmp_path / "tiny.safetensors", {"pictures": 12})
    prompts = [{"bucket": "01", "text": "a"}, {"bucket": "02", "text": "ab"}]
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, prompts)))
    evaluate.main(
        ["--prompts", str(tmp_path / "prompts.jsonl"), "--weights", str(tmp_path / "tiny.safetensors")]
        + ["--steps", "2", "--samples", "2"]
        + ["--json", str(tmp_path / "report.json"), "--keep", str(tmp_path / "kept")]
    )
    result = json.loads((tmp_path / "report.json").read_text())
    assert result["buckets"]["01"]["model"]["pictures"] == 2
    assert result["weights"]["pictures"] == 12
    index = [json.loads(line) for line in (tmp_path / "kept" / "index.jsonl").read_text().splitlines()]
    assert sorted(line["text"] for line in index) == ["a", "a", "ab", "ab"]
    assert len({line["seed"] for line in index}) == 4
    assert np.array(Image.open(tmp_path / "kept" / index[0]["file"])).shape == (16, 16, 3)
    assert "| overall | 4 |" in capsys.readouterr().out
