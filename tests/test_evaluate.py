"""The command draws, reads, reports and writes what it was asked to."""

import json
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from oracles import lively_unet, lively_upscaler
from PIL import Image

from textdiff.checkpoints import save_checkpoint
from textdiff.training import evaluate
from textdiff.training.fonts import find_faces
from textdiff.training.samples import Drawn, Prompt
from textdiff.trajectory import Reading

DEJAVU = Path(matplotlib.get_data_path()) / "fonts" / "ttf"  # none of them is held out
TRAINED = {"step": 3, "pictures": 12, "minutes": 0.5}


@dataclass(frozen=True)
class FakeReader:
    """Reads the same in every picture, or what stands under the level of a flat one."""

    name: str
    text: str = "ab"
    by_level: tuple[str, ...] = ()
    large: str | None = None  # read in the pictures of an upscaler

    def read(self, pictures):
        if self.large and len(pictures[0]) == 32:
            return [Reading(text=self.large, confidence=1.0)] * len(pictures)
        texts = [self.by_level[one[0, 0, 0]] if self.by_level else self.text for one in pictures]
        return [Reading(text=text, confidence=1.0) for text in texts]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with tiny weights and two prompts; the readers are fakes, and no typeface is held out."""
    save_checkpoint(lively_unet(), tmp_path / "tiny.safetensors", TRAINED)
    save_checkpoint(lively_upscaler(), tmp_path / "large.safetensors", {})
    prompts = [{"bucket": "01", "text": "a"}, {"bucket": "02", "text": "ab"}]
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, prompts)))
    monkeypatch.setattr(evaluate, "find_faces", lambda font_set: find_faces(font_set, [DEJAVU]))
    monkeypatch.setattr(evaluate, "open_reader", lambda name: FakeReader(f"fake {name}"))
    return tmp_path


def measure(folder: Path, *options: str) -> dict:
    """The report of a quick evaluation."""
    evaluate.main(
        ["--prompts", str(folder / "prompts.jsonl"), "--weights", str(folder / "tiny.safetensors")]
        + ["--steps", "2", "--json", str(folder / "report.json"), *options]
    )
    return json.loads((folder / "report.json").read_text())


def test_the_command_writes_a_report_and_every_picture_with_its_index(folder, capsys):
    result = measure(folder, "--samples", "2", "--keep", str(folder / "kept"))
    assert list(result["buckets"]) == ["01", "02", "overall"]
    assert result["buckets"]["01"]["model"]["pictures"] == 2
    assert result["buckets"]["overall"]["model"]["em"] == result["buckets"]["overall"]["ceiling"]["em"] == 0.5
    assert result["weights"]["pictures"] == 12 and result["reader"] == "fake rapidocr"
    assert result["errors"]["insertions"] == [{"read": "b", "model": 2, "clean": 2}]
    index = [json.loads(line) for line in (folder / "kept" / "index.jsonl").read_text().splitlines()]
    assert sorted(line["text"] for line in index) == ["a", "a", "ab", "ab"]
    assert len({line["seed"] for line in index}) == 4
    assert np.array(Image.open(folder / "kept" / index[0]["file"])).shape == (16, 16, 3)
    printed = capsys.readouterr().out
    assert "| overall | 4 | 0.500 |" in printed and "Best of 2" in printed
    assert "not wanted" not in printed


def test_long_lines_are_broken_before_they_are_drawn_if_that_is_asked_for(folder, monkeypatch, capsys):
    short = {("ab", 2): "a\nb"}  # by the text and the most lines of the tiny model
    monkeypatch.setattr(evaluate, "with_short_lines", lambda *asked: short.get(asked))
    drawn = {reading["text"] for reading in measure(folder, "--short-lines")["readings"]}
    assert drawn == {"a", "a\nb"}
    assert {reading["text"] for reading in measure(folder)["readings"]} == {"a", "ab"}


def test_errors_are_printed_and_failures_drawn_when_asked_for(folder, capsys):
    measure(folder, "--errors", "--failures", str(folder / "sheet"))
    assert "| `b` | 1 | 1 |" in capsys.readouterr().out
    assert np.array(Image.open(folder / "sheet")).shape[2] == 3


def test_where_nothing_failed_no_sheet_is_drawn(folder, capsys):
    (folder / "prompts.jsonl").write_text('{"bucket": "02", "text": "ab"}')
    measure(folder, "--failures", str(folder / "sheet"))
    assert not (folder / "sheet").exists() and "No sample failed" in capsys.readouterr().out


def test_without_held_out_faces_the_report_says_so(folder, capsys):
    result = measure(folder)
    assert result["buckets"]["overall"]["held_out_ceiling"] is None
    assert result["faces"]["held_out_ceiling"] == 0
    assert "held-out faces is not known" in capsys.readouterr().out


def test_the_ceiling_in_held_out_faces_stands_apart(folder, capsys, monkeypatch):
    faces = {"first": find_faces("first", [DEJAVU]), "held-out": find_faces("one", [DEJAVU])}
    monkeypatch.setattr(evaluate, "find_faces", faces.get)
    result = measure(folder)
    assert result["faces"] == {"ceiling": 4, "held_out_ceiling": 1}
    assert result["buckets"]["02"]["held_out_ceiling"]["em"] == 1
    assert "in 1 held-out faces: EM 0.500" in capsys.readouterr().out


def test_the_judge_reads_the_pictures_that_the_other_reader_chose(folder, monkeypatch, capsys):
    def flat_pictures(checkpoint, prompts, **settings):
        levels = {"a": (0, 1), "ab": (2, 3)}
        for prompt in prompts:
            for level in levels[prompt.text]:
                yield Drawn(prompt, level, np.full((16, 16, 3), level, np.uint8))

    chooser = FakeReader("chooser", by_level=("x", "a", "ab", "y"))
    judge = FakeReader("judge", by_level=("a", "b", "ab", "ab"))
    monkeypatch.setattr(evaluate, "model_pictures", flat_pictures)
    monkeypatch.setattr(evaluate, "clean_pictures", lambda size, prompts, *_: flat_pictures(None, prompts))
    monkeypatch.setattr(evaluate, "open_reader", {"rapidocr": chooser, "easyocr": judge}.get)
    result = measure(folder, "--samples", "2", "--judge", "easyocr")
    best = result["best_of"]
    assert (best["samples"], best["chosen_by"], best["read_by"]) == (2, "chooser", "judge")
    assert result["buckets"]["overall"]["model"]["em"] == 0.5
    # Pictures 1 and 2 are chosen; of them the judge, which likes picture 0 better, reads only 2 as it should.
    assert {bucket: row["model"]["em"] for bucket, row in best["buckets"].items()} == {
        "01": 0,
        "02": 1,
        "overall": 0.5,
    }
    assert "chosen by chooser, read by judge" in capsys.readouterr().out


def test_every_picture_is_read_again_when_it_has_been_enlarged(folder, capsys, monkeypatch):
    readers = {
        "rapidocr": FakeReader("chooser", "a", large="ab"),
        "easyocr": FakeReader("judge", "x", large="a"),
    }
    monkeypatch.setattr(evaluate, "open_reader", readers.get)
    options = ["--upscaler-weights", str(folder / "large.safetensors"), "--upscaler-steps", "1"]
    result = measure(folder, "--samples", "2", "--judge", "easyocr", "--keep", str(folder / "kept"), *options)
    rows = result["upscaled"]["buckets"]
    assert [(row["repaired"], row["broken"]) for row in rows.values()] == [(0, 2), (2, 0), (2, 2)]
    assert [row["small"]["em"] for row in rows.values()] == [1, 0, 0.5]
    assert [row["large"]["em"] for row in rows.values()] == [0, 1, 0.5]
    assert len(result["upscaled"]["readings"]) == 4 and result["upscaled"]["weights"]["name"] == "large"
    best = result["best_of"]
    assert best["single"]["overall"]["em"] == 0 and best["large"]["overall"]["em"] == 0.5
    assert best["large"]["overall"]["pictures"] == 2
    assert np.array(Image.open(folder / "kept" / "enlarged" / "00000.png")).shape == (32, 32, 3)
    assert np.array(Image.open(folder / "kept" / "00000.png")).shape == (16, 16, 3)
    printed = capsys.readouterr().out
    assert "| bucket | pictures | EM 16 px | EM 32 px |" in printed
    assert "| overall | 2 | 0.000 | 0.000 | 0.500 |" in printed


def test_the_same_samples_are_enlarged_with_every_pair_of_steps_and_guidance(folder, capsys, monkeypatch):
    asked = []

    def enlarged(upscaler, drawn, steps, sampler, guidance):
        asked.append((steps, guidance, id(drawn)))
        return [one._replace(picture=np.full((32, 32, 3), steps == 1, np.uint8)) for one in drawn]

    readers = {"rapidocr": FakeReader("fake", by_level=("a", "ab"))}
    small = [Drawn(Prompt("a", "01"), seed, np.zeros((16, 16, 3), np.uint8)) for seed in (0, 1)]
    for kind in ("model_pictures", "clean_pictures"):
        monkeypatch.setattr(evaluate, kind, lambda *_, **__: small)
    monkeypatch.setattr(evaluate, "enlarged", enlarged)
    monkeypatch.setattr(evaluate, "open_reader", readers.get)
    options = ["--upscaler-weights", str(folder / "large.safetensors"), "--upscaler-steps", "2", "1"]
    result = measure(folder, *options, "--upscaler-guidance", "1", "1.5")
    assert [pair[:2] for pair in asked] == [(2, 1), (2, 1.5), (1, 1), (1, 1.5)]
    assert len({drawn for _, _, drawn in asked}) == 1
    rows = result["upscaler_sweep"]
    assert [(row["steps"], row["guidance"], row["broken"]) for row in rows] == [
        *((2, 1, 0), (2, 1.5, 0)),
        *((1, 1, 2), (1, 1.5, 2)),
    ]
    assert (result["upscaled"]["steps"], result["upscaled"]["guidance"]) == (2, 1)
    assert result["upscaled"]["buckets"]["overall"]["broken"] == 0
    assert "| 1 | 1.5 | 0.000 |" in capsys.readouterr().out


def test_an_evaluation_joins_the_log_of_its_run_and_the_curve_shows_it(folder, capsys):
    log = folder / "log.jsonl"
    log.write_text('{"step": 3, "pictures": 12, "minutes": 0.5, "letter_gap_0.35": 0.25}\n')
    measure(folder, "--log", str(log))
    assert json.loads(log.read_text().splitlines()[1]) | TRAINED == json.loads(
        log.read_text().splitlines()[1]
    )
    capsys.readouterr()
    evaluate.main(["--curve", str(log), "--figure", str(folder / "curve")])
    printed = capsys.readouterr().out
    assert "| 12 | 0 | 0.500 |" in printed and "0.250 |" in printed and "at least three points" in printed
    assert np.array(Image.open(folder / "curve")).shape[2] == 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--judge", "rapidocr"], "another reader must judge"),
        (["--fonts", "held-out"], "faces of the font set 'held-out' were not found"),
        (["--log", "nowhere/log.jsonl"], "There is no folder nowhere"),
        (["--weights", "missing.safetensors"], "no weights at missing"),
        (["--weights", "large.safetensors"], "weights large are an upscaler's, and cannot begin a picture"),
        (["--upscaler-weights", "tiny.safetensors"], "weights tiny are not an upscaler for pictures of 16"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_drawn(folder, monkeypatch, options, sentence):
    monkeypatch.setattr(evaluate, "model_pictures", None)
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit, match=sentence):
        measure(folder, *options)


def test_weights_of_unknown_training_are_refused_before_anything_is_drawn(folder, monkeypatch):
    save_checkpoint(lively_unet(), folder / "tiny.safetensors", {})
    monkeypatch.setattr(evaluate, "model_pictures", None)
    with pytest.raises(SystemExit, match="do not say their step"):
        measure(folder, "--log", str(folder / "log.jsonl"))


def test_neither_prompts_nor_logs_is_an_error_of_the_command_line(capsys):
    with pytest.raises(SystemExit):
        evaluate.main([])
    assert "--prompts" in capsys.readouterr().err
