"""The command line leaves a run folder and prints the ranking."""

import json

import pytest
from fakes import fake_generation
from oracles import lively_unet, lively_upscaler

import textdiff.write as write
from textdiff import run_loading
from textdiff.checkpoints import save_checkpoint


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(lively_unet(), path, {"pictures": 0})
    return path


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny-upscaler.safetensors"
    save_checkpoint(lively_upscaler(), path, {"pictures": 0})
    return path


def run(weights, *arguments: str) -> None:
    write.main(["--text", "Hi", "--candidates", "2", "--steps", "2", "--weights", str(weights), *arguments])


def test_a_run_folder_is_left_and_the_ranking_printed_as_a_table(weights, tmp_path, capsys):
    run(weights, "--out", str(tmp_path / "run"))
    generation = run_loading.load(tmp_path / "run")
    assert generation.request.text == "Hi" and len(generation.candidates) == 2
    assert (tmp_path / "run" / "best.png").exists()
    assert (tmp_path / "run" / "candidate-01" / "final.png").exists()
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].split()[:2] == ["rank", "candidate"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2"]


def test_json_is_for_programs(weights, capsys):
    run(weights, "--json", "--text", " Hi \n")  # which is tidied
    printed = json.loads(capsys.readouterr().out)
    assert printed["text"] == "Hi"
    assert printed["ranking"][0]["candidate"] == printed["best"]
    assert {"similarity", "exact", "kept", "rule", "read", "seed"} <= printed["ranking"][0].keys()


def test_large_pictures_are_saved_and_ranked_below_the_candidates(weights, upscaler, tmp_path, capsys):
    options = ["--upscaled", "3", "--upscaler-steps", "2", "--upscaler-weights", str(upscaler)]
    run(weights, "--out", str(tmp_path / "run"), *options)
    generation = run_loading.load(tmp_path / "run")
    assert len(generation.upscaled) == 3 and len(generation.upscaled[0].steps) == 2
    assert len(generation.candidates[generation.best].readability) == 2
    small, large = capsys.readouterr().out.strip().split("\n\n")
    assert large.split()[:2] == ["rank", "enlarges"]
    assert len(small.splitlines()) == 1 + 2 and len(large.splitlines()) == 1 + 3

    run(weights, "--json", "--no-readability", *options)
    printed = json.loads(capsys.readouterr().out)
    assert printed["upscaled"][0]["upscaled"] == printed["best_upscaled"]
    assert [one["rank"] for one in printed["upscaled"]] == [1, 2, 3]
    assert {one["candidate"] for one in printed["upscaled"]} <= {0, 1}


def test_programs_are_told_whether_a_small_or_a_large_picture_is_the_answer():
    good, spoiled = (fake_generation(upscaled=2, spoiled=spoiled) for spoiled in (False, True))
    assert write.ranking(good)["winner"] == "upscaled" and write.ranking(spoiled)["winner"] == "candidate"
    assert write.ranking(fake_generation())["winner"] == "candidate"


def test_an_upscaler_that_lies_beside_the_weights_under_their_name_is_used(tmp_path, capsys):
    save_checkpoint(lively_unet(), tmp_path / "tiny.safetensors", {})
    options = ["--upscaled", "1", "--upscaler-steps", "1", "--json", "--no-readability"]
    with pytest.raises(SystemExit, match="There is no upscaler here"):
        run(tmp_path / "tiny.safetensors", *options)
    save_checkpoint(lively_upscaler(), tmp_path / "tiny-upscaler.safetensors", {})
    run(tmp_path / "tiny.safetensors", *options)
    assert json.loads(capsys.readouterr().out)["upscaler"] == "tiny-upscaler"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seed", "-1"], "Seed"),
        (["--weights", "nowhere.safetensors"], "no weights"),
        (["--upscaled", "2", "--upscaler-weights", "nowhere.safetensors"], "no weights"),
        (["--upscaled", "99"], "Large pictures"),
        (["--text", "né"], "seen"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_no_traceback(weights, arguments, words):
    with pytest.raises(SystemExit) as stop:
        run(weights, *arguments)
    assert words in str(stop.value)
