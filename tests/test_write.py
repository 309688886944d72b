"""The command line leaves a run folder and prints the ranking."""

import json

import pytest
from oracles import lively_unet

from textdiff import run_folder, write
from textdiff.checkpoints import save_checkpoint


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(lively_unet(), path, {"pictures": 0})
    return path


def run(weights, *arguments: str) -> None:
    write.main(["--text", "Hi", "--candidates", "2", "--steps", "2", "--weights", str(weights), *arguments])


def test_a_run_folder_is_left_and_the_ranking_printed_as_a_table(weights, tmp_path, capsys):
    run(weights, "--out", str(tmp_path / "run"))
    generation = run_folder.load(tmp_path / "run")
    assert generation.request.text == "Hi" and len(generation.candidates) == 2
    assert (tmp_path / "run" / "best.png").exists()
    assert (tmp_path / "run" / "candidate-01" / "final.png").exists()
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].split()[:2] == ["rank", "candidate"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2"]


def test_json_is_for_programs(weights, capsys):
    run(weights, "--json")
    printed = json.loads(capsys.readouterr().out)
    assert printed["text"] == "Hi"
    assert printed["ranking"][0]["candidate"] == printed["best"]
    assert {"similarity", "exact", "kept", "rule", "read", "seed"} <= printed["ranking"][0].keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seed", "-1"], "seed"),
        (["--weights", "nowhere.safetensors"], "no weights"),
        (["--text", "né"], "seen"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_no_traceback(weights, arguments, words):
    with pytest.raises(SystemExit) as stop:
        run(weights, *arguments)
    assert words in str(stop.value)
