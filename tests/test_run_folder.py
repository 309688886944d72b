"""Saved runs: every file can be predicted pixel by pixel, and no other file is touched."""

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fakes import LAYERS, attention_weights, clean_levels, fake_generation, sprite_levels, upscaled_levels
from PIL import Image

from textdiff import run_folder, run_loading
from textdiff.trajectory import Origin

TEXT = "Hi\nyou"


def pixels(file) -> np.ndarray:
    return np.array(Image.open(file))


def test_a_run_stopped_early_keeps_the_steps_it_took(tmp_path):
    whole = fake_generation(steps=5)
    cut = tuple(dataclasses.replace(candidate, steps=candidate.steps[:2]) for candidate in whole.candidates)
    run_folder.save(dataclasses.replace(whole, candidates=cut, stopped=True), tmp_path / "run")
    loaded = run_loading.load(tmp_path / "run")
    assert loaded.stopped and loaded.request.steps == 5
    assert [len(candidate.steps) for candidate in loaded.candidates] == [2, 2]


def test_values_beyond_the_range_are_clipped_to_it(tmp_path):
    generation = fake_generation(candidates=1, steps=1)
    step = dataclasses.replace(generation.candidates[0].steps[0], noisy=np.full((16, 16, 3), 2.5, np.float32))
    candidate = dataclasses.replace(generation.candidates[0], steps=(step,))
    run_folder.save(dataclasses.replace(generation, candidates=(candidate,)), tmp_path / "run")
    assert (run_loading.load(tmp_path / "run").candidates[0].steps[0].noisy == 1).all()


@pytest.mark.parametrize("name", ["noisy", "x0", "eps", "x0_unconditional"])
def test_a_sprite_is_one_row_with_a_column_per_step(folder, name):
    sprite = pixels(folder / "candidate-01" / f"{name}.png")
    assert sprite.shape == (16, 3 * 16, 3)
    for k in range(3):
        expected = sprite_levels(name, TEXT, candidate=1, step=k, steps=3, size=16)
        assert (sprite[:, 16 * k : 16 * (k + 1)] == expected).all()


def test_best_png_is_the_winning_picture(folder):
    assert (pixels(folder / "best.png") == clean_levels(TEXT, 1, 16)).all()
    assert (pixels(folder / "candidate-00" / "final.png") == clean_levels(TEXT, 0, 16)).all()


@pytest.mark.parametrize("number", range(len(LAYERS)))
def test_an_atlas_has_a_column_per_step_and_a_row_per_head_and_token(folder, number):
    layer, tokens, side = LAYERS[number], 1 + len(TEXT), LAYERS[number].resolution
    atlas = pixels(folder / "candidate-00" / f"attention-{number:02d}.png")
    assert atlas.shape == (layer.heads * tokens * side, 3 * side)

    scale = json.loads((folder / "run.json").read_text())["candidates"][0]["files"]["attention"][number][
        "scale"
    ]
    weights = [attention_weights(layer, TEXT, candidate=0, step=k, steps=3) for k in range(3)]
    assert scale == pytest.approx(np.max(weights)) and atlas.max() == 255
    for k, head, token in [(0, 0, 0), (1, 0, 5), (2, 1, 3), (0, 1, tokens - 1)]:
        row = (head * tokens + token) * side
        tile = atlas[row : row + side, side * k : side * (k + 1)]
        expected = weights[k][head, :, token].reshape(side, side)
        np.testing.assert_allclose(tile / 255 * scale, expected, atol=0.5001 * scale / 255, rtol=0)


def test_run_json_says_what_the_contract_says(folder):
    run = json.loads((folder / "run.json").read_text())
    assert list(run) == [
        *("format", "request", "model", "reader", "size", "tokens", "steps", "ranges", "layers"),
        *("candidates", "best", "upscaling", "seconds", "stopped"),
    ]
    assert run["upscaling"] is None and run["candidates"][0]["readability"] == []
    assert run["format"] == 2 and run["size"] == 16 and run["best"] == 1
    assert run["tokens"] == ["START", "H", "i", "\n", "y", "o", "u"]
    assert run["ranges"]["eps"] == [-3, 3] and run["ranges"]["x0"] == [-1, 1]
    assert run["model"] == {"name": "fake", "sha256": "0" * 64}
    assert run["layers"][3] == {
        "name": "up.8x8_block0",
        "direction": "text_to_image",
        "resolution": 8,
        "heads": 2,
        "taught_head": 0,
    }
    assert run["candidates"][1]["files"]["attention"][2]["file"] == "candidate-01/attention-02.png"


def test_matched_and_missing_trigrams_together_are_those_of_the_text(folder):
    exact, mistaken = (json.loads((folder / "run.json").read_text())["candidates"][i] for i in (1, 0))
    assert exact["missing"] == [] and sum(count for _, count in exact["matched"]) > 0
    assert mistaken["missing"] != []
    assert sorted(mistaken["matched"] + mistaken["missing"]) == sorted(exact["matched"])
    assert all("H" in trigram for trigram, _ in mistaken["missing"]), "only the H was misread"


def test_without_guidance_or_watching_the_files_say_so(tmp_path):
    run_folder.save(fake_generation(watched=False, guidance=1.0), tmp_path / "run")
    files = json.loads((tmp_path / "run" / "run.json").read_text())["candidates"][0]["files"]
    assert files["x0_unconditional"] is None and files["attention"] == []
    names = {file.name for file in (tmp_path / "run" / "candidate-00").iterdir()}
    assert names == {"final.png", "noisy.png", "x0.png", "eps.png"}


def test_no_file_name_contains_the_users_text(tmp_path):
    run_folder.save(fake_generation(text="../secret"), tmp_path / "run")
    assert not [file for file in tmp_path.rglob("*") if "secret" in file.name]
    assert run_loading.load(tmp_path / "run").request.text == "../secret"


def test_saving_leaves_nothing_else_behind(folder):
    assert [entry.name for entry in folder.parent.iterdir()] == ["run"]


def test_an_older_run_is_replaced(folder):
    run_folder.save(fake_generation(text="new", candidates=1), folder)
    assert run_loading.load(folder).request.text == "new"
    assert not (folder / "candidate-01").exists()
    assert [entry.name for entry in folder.parent.iterdir()] == ["run"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "run").mkdir()
    run_folder.save(fake_generation(), tmp_path / "run")
    assert run_loading.load(tmp_path / "run").best == 1


@pytest.mark.parametrize("with_run", [False, True])
def test_a_folder_with_other_things_in_it_is_not_touched(folder, with_run):
    (folder / "thesis.txt").write_text("years of work")
    if not with_run:
        (folder / "run.json").unlink()
    before = sorted(file.name for file in folder.rglob("*"))
    with pytest.raises(ValueError, match="other than a run"):
        run_folder.save(fake_generation(text="new"), folder)
    assert sorted(file.name for file in folder.rglob("*")) == before


def test_a_file_is_not_overwritten(tmp_path):
    (tmp_path / "run").write_text("years of work")
    with pytest.raises(ValueError, match="other than a run"):
        run_folder.save(fake_generation(), tmp_path / "run")
    assert (tmp_path / "run").read_text() == "years of work"


def test_a_failed_save_leaves_the_older_run_whole(folder, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(run_folder, "_write_png", fail)
    with pytest.raises(OSError, match="disk full"):
        run_folder.save(fake_generation(text="new"), folder)
    assert run_loading.load(folder).request.text == TEXT
    assert [entry.name for entry in folder.parent.iterdir()] == ["run"]


def test_a_failed_replacement_brings_the_older_run_back(folder, monkeypatch):
    rename = Path.rename

    def fail_for_the_new_one(self, target):
        if self.name == "fresh":
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new_one)
    with pytest.raises(OSError, match="disk full"):
        run_folder.save(fake_generation(text="new"), folder)
    assert run_loading.load(folder).request.text == TEXT


def test_a_run_without_steps_is_refused(tmp_path):
    generation = fake_generation(candidates=1)
    empty = dataclasses.replace(generation.candidates[0], steps=())
    with pytest.raises(ValueError, match="first step"):
        run_folder.save(dataclasses.replace(generation, candidates=(empty,)), tmp_path / "run")
    assert not list(tmp_path.iterdir())


ORIGIN = Origin(step=1, text="Ho", guidance=3, sampler="ddim", seed=None, eta=1, muted=(0, 2))


def test_a_branch_says_where_it_comes_from_and_any_other_run_does_not(folder, tmp_path):
    assert run_loading.load(folder).origin is None
    assert "origin" not in json.loads((folder / "run.json").read_text())
    run_folder.save(dataclasses.replace(run_loading.load(folder), origin=ORIGIN), tmp_path / "branch")
    assert run_loading.load(tmp_path / "branch").origin == ORIGIN


def test_a_zip_holds_the_files_of_the_run_and_no_others(folder, tmp_path):
    before = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.*"))
    (folder / "private.txt").write_text("mine")
    run_folder.to_zip(folder, tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        assert sorted(archive.namelist()) == before
        assert archive.testzip() is None


def test_equal_runs_give_equal_zips(folder, tmp_path):
    run_folder.save(fake_generation(), tmp_path / "again")
    for name in ("run", "again"):
        run_folder.to_zip(tmp_path / name, tmp_path / f"{name}.zip")
    assert (tmp_path / "run.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()


def test_the_winner_and_the_large_pictures_are_files_of_the_run(large_folder):
    assert (pixels(large_folder / "best.png") == clean_levels(TEXT, 0, 32)).all()  # 1 enlarges candidate 0
    for name in ("noisy", "x0"):
        sprite = pixels(large_folder / "upscaled-01" / f"{name}.png")
        assert sprite.shape == (32, 2 * 32, 3)
        for k in range(2):
            expected = upscaled_levels(name, TEXT, picture=1, source=0, step=k, steps=2, size=16)
            assert (sprite[:, 32 * k : 32 * (k + 1)] == expected).all()
    run_folder.save(fake_generation(), large_folder)  # and go with it
    assert not (large_folder / "upscaled-00").exists()


def test_packing_an_incomplete_run_is_refused(folder, tmp_path):
    (folder / "candidate-01" / "eps.png").unlink()
    with pytest.raises(ValueError, match="missing"):
        run_folder.to_zip(folder, tmp_path / "run.zip")
    assert not (tmp_path / "run.zip").exists()


def test_pictures_are_lossless_png(folder):
    for file in folder.rglob("*.png"):
        assert Image.open(io.BytesIO(file.read_bytes())).format == "PNG"
