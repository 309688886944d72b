"""The export command leaves whole files or none, and says in one sentence what is wrong."""

import io

import pytest
from fakes import fake_generation
from hostile import HOSTILE
from PIL import Image

from textdiff import export, run_folder, run_loading
from textdiff.picture_settings import read_settings
from textdiff.run_json import MAX_TOKENS

KINDS = ["replay", "zip", "apng", "gif", "webp", "png"]


@pytest.fixture
def run(tmp_path):
    run_folder.save(fake_generation(steps=2), tmp_path / "run")
    return tmp_path / "run"


def names(folder) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_one_call_makes_every_kind_of_file(run, tmp_path, capsys):
    outputs = {kind: tmp_path / "out" / f"{kind}.bin" for kind in KINDS}
    export.main([str(run), *(word for kind, file in outputs.items() for word in (f"--{kind}", str(file)))])
    assert names(tmp_path / "out") == sorted(file.name for file in outputs.values())
    assert outputs["replay"].read_bytes().startswith(b"<!doctype html>")
    assert run_loading.load(outputs["zip"]).request == run_loading.load(run).request
    for kind, format in [("apng", "PNG"), ("gif", "GIF"), ("webp", "WEBP")]:
        with Image.open(outputs[kind]) as film:
            assert (film.format, film.n_frames) == (format, 2)
    assert read_settings(outputs["png"]) == run_loading.load(run).request
    assert "replay.bin: " in capsys.readouterr().out


def test_the_zip_of_a_run_is_exported_like_its_folder(run, tmp_path):
    run_folder.to_zip(run, tmp_path / "run.zip")
    for kind in KINDS:
        assert export.export(tmp_path / "run.zip", kind) == export.export(run, kind)


def test_a_film_may_be_of_another_candidate_and_of_another_length(run):
    def film(**settings) -> tuple[bytes, float]:
        with Image.open(io.BytesIO(export.export(run, "webp", **settings))) as image:
            image.load()
            return image.convert("RGB").tobytes(), image.info["duration"]

    assert film(candidate=1) == film()
    assert film(candidate=0)[0] != film()[0]
    assert film(seconds=8)[1] == 2 * film()[1]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_file_is_named_after_the_text_of_a_run(tmp_path, text):
    run_folder.save(fake_generation(text[: MAX_TOKENS - 1], 1, 1, watched=False), tmp_path / "run")
    out = tmp_path / "out"
    export.main([str(tmp_path / "run"), "--zip", str(out / "f.zip"), "--png", str(out / "f.png")])
    assert names(out) == ["f.png", "f.zip"] and names(tmp_path) == ["out", "run"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{run}"], "Say what to make of the run: --replay, --zip"),
        (["{tmp}/nowhere", "--zip", "{tmp}/f.zip"], "no run"),
        (["{tmp}/nowhere", "--replay", "{tmp}/f.html"], "no run"),
        (["{run}", "--png", "{tmp}/f.png", "--apng", "{tmp}/x/../f.png"], "same name"),
        (["{run}", "--png", "{tmp}/f.png", "--gif", "{tmp}/f.gif", "--candidate", "2"], "no candidate 2"),
        (["{run}", "--png", "{tmp}/f.png", "--gif", "{tmp}/f.gif", "--seconds", "nan"], "seconds"),
        (["{run}", "--png", "{run}"], "run could not be written"),
        (["{run}", "--png", "{run}/run.json/f.png"], "f.png could not be written"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(run, tmp_path, arguments, sentence):
    with pytest.raises(SystemExit, match=sentence) as stop:
        export.main([argument.format(run=run, tmp=tmp_path) for argument in arguments])
    assert str(stop.value).endswith(".") and "\n" not in str(stop.value)
    assert names(tmp_path) == ["run"] and len(names(run)) == 4


def test_a_file_that_cannot_be_finished_leaves_the_older_one(run, tmp_path, monkeypatch):
    file = tmp_path / "f.png"
    file.write_bytes(b"older")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export.os, "replace", fail)
    with pytest.raises(SystemExit, match="f.png could not be written: No space left on device."):
        export.main([str(run), "--png", str(file)])
    assert file.read_bytes() == b"older" and names(tmp_path) == ["f.png", "run"]
