"""Run folders: what is saved can be predicted pixel by pixel, comes back, and nothing foreign is believed."""

import copy
import dataclasses
import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fakes import LAYERS, attention_weights, clean_levels, fake_generation, sprite_levels, upscaled_levels
from PIL import Image

from textdiff import run_folder
from textdiff.trajectory import Generation, Origin

TEXT = "Hi\nyou"
RECORDED = Path(__file__).parents[1] / "assets" / "runs"
PICTURES = ["noisy", "x0", "eps", "x0_unconditional"]


@pytest.fixture
def folder(tmp_path):
    run_folder.save(fake_generation(), tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def large_folder(tmp_path):
    """Three candidates, the worst of them pruned; two large pictures, of candidates 1 and 0."""
    run_folder.save(fake_generation(candidates=3, readability=True, upscaled=2), tmp_path / "large")
    return tmp_path / "large"


def pixels(file) -> np.ndarray:
    return np.array(Image.open(file))


def edit(folder, change) -> None:
    """Apply `change` to the run.json of `folder`."""
    file = folder / "run.json"
    run = json.loads(file.read_text())
    change(run)
    file.write_text(json.dumps(run))


def assert_same(one: Generation, other: Generation) -> None:
    """Everything equal, arrays up to half a level of their range."""
    names = ("request", "model", "model_sha256", "reader", "best", "seconds", "stopped")
    for name in (*names, "upscaler", "upscaler_sha256", "best_upscaled"):
        assert getattr(one, name) == getattr(other, name), name
    assert list(map(dataclasses.asdict, one.layers)) == list(map(dataclasses.asdict, other.layers))
    for a, b in zip(one.candidates, other.candidates, strict=True):
        assert (a.index, a.seed, a.reading, a.verdict) == (b.index, b.seed, b.reading, b.verdict)
        assert a.readability == b.readability
        assert (a.final == b.final).all()
        for s, u in zip(a.steps, b.steps, strict=True):
            assert (s.index, s.t, s.alpha, s.sigma) == (u.index, u.t, u.alpha, u.sigma)
            for name in PICTURES:
                if getattr(s, name) is None:
                    assert getattr(u, name) is None
                    continue
                half = 0.5001 * (6 if name == "eps" else 2) / 255
                np.testing.assert_allclose(getattr(s, name), getattr(u, name), atol=half, rtol=0)
            for v, w in zip(s.attention, u.attention, strict=True):
                assert v.shape == w.shape and w.dtype == np.float32
                np.testing.assert_allclose(v, w, atol=0.5001 / 255, rtol=0)

    for a, b in zip(one.upscaled, other.upscaled, strict=True):
        for name in ("index", "source", "seed", "reading", "verdict"):
            assert getattr(a, name) == getattr(b, name), name
        assert (a.final == b.final).all()
        for s, u in zip(a.steps, b.steps, strict=True):
            assert (s.index, s.t, s.alpha, s.sigma) == (u.index, u.t, u.alpha, u.sigma)
            assert (s.noisy == u.noisy).all() and (s.x0 == u.x0).all()


@pytest.mark.parametrize(
    "variant",
    [
        {},
        {"readability": True, "upscaled": 3, "candidates": 4},
        {"text": "", "readability": True, "upscaled": 1, "upscaler_steps": 1, "watched": False},
        {"watched": False},
        {"guidance": 1.0},
        {"text": ""},
        {"candidates": 1, "steps": 1},
        {"candidates": 4, "steps": 2, "size": 32},
    ],
)
def test_what_was_saved_is_loaded(tmp_path, variant):
    generation = fake_generation(**variant)
    run_folder.save(generation, tmp_path / "run")
    assert_same(generation, run_folder.load(tmp_path / "run"))


def test_a_run_stopped_early_keeps_the_steps_it_took(tmp_path):
    whole = fake_generation(steps=5)
    cut = tuple(dataclasses.replace(candidate, steps=candidate.steps[:2]) for candidate in whole.candidates)
    run_folder.save(dataclasses.replace(whole, candidates=cut, stopped=True), tmp_path / "run")
    loaded = run_folder.load(tmp_path / "run")
    assert loaded.stopped and loaded.request.steps == 5
    assert [len(candidate.steps) for candidate in loaded.candidates] == [2, 2]


def test_values_beyond_the_range_are_clipped_to_it(tmp_path):
    generation = fake_generation(candidates=1, steps=1)
    step = dataclasses.replace(generation.candidates[0].steps[0], noisy=np.full((16, 16, 3), 2.5, np.float32))
    candidate = dataclasses.replace(generation.candidates[0], steps=(step,))
    run_folder.save(dataclasses.replace(generation, candidates=(candidate,)), tmp_path / "run")
    assert (run_folder.load(tmp_path / "run").candidates[0].steps[0].noisy == 1).all()


def test_loaded_arrays_are_read_only(folder):
    step = run_folder.load(folder).candidates[0].steps[1]
    for array in (step.noisy, step.x0, step.eps, step.x0_unconditional, *step.attention):
        assert not array.flags.writeable


@pytest.mark.parametrize("name", PICTURES)
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
    assert run_folder.load(tmp_path / "run").request.text == "../secret"


def test_saving_leaves_nothing_else_behind(folder):
    assert [entry.name for entry in folder.parent.iterdir()] == ["run"]


def test_an_older_run_is_replaced(folder):
    run_folder.save(fake_generation(text="new", candidates=1), folder)
    assert run_folder.load(folder).request.text == "new"
    assert not (folder / "candidate-01").exists()
    assert [entry.name for entry in folder.parent.iterdir()] == ["run"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "run").mkdir()
    run_folder.save(fake_generation(), tmp_path / "run")
    assert run_folder.load(tmp_path / "run").best == 1


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
    assert run_folder.load(folder).request.text == TEXT
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
    assert run_folder.load(folder).request.text == TEXT


def test_a_run_without_steps_is_refused(tmp_path):
    generation = fake_generation(candidates=1)
    empty = dataclasses.replace(generation.candidates[0], steps=())
    with pytest.raises(ValueError, match="first step"):
        run_folder.save(dataclasses.replace(generation, candidates=(empty,)), tmp_path / "run")
    assert not list(tmp_path.iterdir())


ORIGIN = Origin(step=1, text="Ho", guidance=3, sampler="ddim", seed=None, eta=1, muted=(0, 2))


def test_a_branch_says_where_it_comes_from_and_any_other_run_does_not(folder, tmp_path):
    assert run_folder.load(folder).origin is None
    assert "origin" not in json.loads((folder / "run.json").read_text())
    run_folder.save(dataclasses.replace(run_folder.load(folder), origin=ORIGIN), tmp_path / "branch")
    assert run_folder.load(tmp_path / "branch").origin == ORIGIN


@pytest.mark.parametrize(
    "change",
    [{"step": 3}, {"step": -1}, {"text": "x" * 1025}, {"text": None}, {"muted": [7]}, {"muted": 1}]
    + [{"seed": "1"}, {"eta": True}, {"guidance": float("inf")}, {"action": "branch"}],
)
def test_where_a_branch_comes_from_is_believed_as_little_as_the_rest(folder, tmp_path, change):
    run_folder.save(dataclasses.replace(run_folder.load(folder), origin=ORIGIN), folder)
    run = json.loads((folder / "run.json").read_text())
    run["origin"] |= change
    (folder / "run.json").write_text(json.dumps(run))
    with pytest.raises(ValueError, match=r"^The run cannot be read: .+\.$"):
        run_folder.load(folder)


def test_a_zip_loads_like_its_folder(folder, tmp_path):
    run_folder.to_zip(folder, tmp_path / "run.zip")
    from_folder, from_zip = run_folder.load(folder), run_folder.load(tmp_path / "run.zip")
    assert_same(from_folder, from_zip)
    a, b = (run.candidates[1].steps[2] for run in (from_folder, from_zip))
    assert (a.eps == b.eps).all() and all(
        (v == w).all() for v, w in zip(a.attention, b.attention, strict=True)
    )


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


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "candidate-00/../../evil.png", "C:\\evil.png"])
def test_a_zip_with_a_name_that_leads_outside_is_refused(folder, tmp_path, name):
    run_folder.to_zip(folder, tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip", "a") as archive:
        archive.writestr(name, b"evil")
    with pytest.raises(ValueError, match="leads out of its folder"):
        run_folder.load(tmp_path / "run.zip")


@pytest.mark.parametrize(
    "name",
    [
        "../outside.png",
        "/etc/passwd",
        "candidate-00/../best.png",
        "candidate-00/x0.png\n",
        "run.json",
        "",
        "a\0b",
    ],
)
def test_a_picture_name_that_is_not_ours_is_refused(folder, name):
    shutil.copy(folder / "candidate-00" / "x0.png", folder.parent / "outside.png")
    edit(folder, lambda run: run["candidates"][0]["files"].update(x0=name))
    with pytest.raises(ValueError, match="name that textdiff does not give"):
        run_folder.load(folder)


def test_a_link_out_of_the_folder_is_refused(folder):
    picture = folder / "candidate-00" / "x0.png"
    picture.rename(folder.parent / "outside.png")
    picture.symlink_to(folder.parent / "outside.png")
    with pytest.raises(ValueError, match="outside its folder"):
        run_folder.load(folder)


DELETE = object()


def put(run: dict, path: str, value) -> None:
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in parents:
        run = run[key]
    if value is DELETE:
        del run[last]
    else:
        run[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", 3, "format 1 or 2"),
        ("format", DELETE, "format 1 or 2"),
        ("format", 1, "run.json is not"),  # format 1 did not know all this
        ("upscaling", DELETE, "run.json is not"),
        ("upscaling", [], "upscaling is not"),
        ("request.upscaled", "2", "upscaled is not"),
        ("candidates.0.readability", DELETE, r"candidates\[0\] is not"),
        ("candidates.0.readability", [{"text": "", "similarity": 0.5, "right": [True] * 6}], "per step"),
        ("best", DELETE, "run.json is not"),
        ("extra", 1, "run.json is not"),
        ("best", 2, "best candidate"),
        ("best", True, "best is not"),
        ("best", "1", "best is not"),
        ("seconds", float("nan"), "seconds is not"),
        ("seconds", 10**400, "seconds is not"),
        ("stopped", 0, "stopped is not"),
        ("request.seed", 1.5, "request: seed is not"),
        ("request.text", "other", "tokens are not"),
        ("tokens.1", "x", "tokens are not"),
        ("steps", [], "0 steps"),
        ("steps.1.index", 0, "steps are not in order"),
        ("steps.0.t", None, r"steps\[0\]: t is not"),
        ("ranges.x0", [1, -1], "range"),
        ("ranges.x0", [-1, 0, 1], "ranges: x0 is not"),
        ("size", 10**6, "1000000 pixels"),
        ("size", 32, "size"),
        ("layers.0.direction", "sideways", "direction"),
        ("layers.0.heads", 10**6, "heads"),
        ("layers.0.heads", 3, "size"),
        ("layers.0.resolution", 64, "finer"),
        ("layers.0.taught_head", 2, "taught head"),
        ("candidates", [], "0 candidates"),
        ("candidates.0.index", 1, "candidates are not in order"),
        ("candidates.0.verdict.rank", 1, "ranks"),
        ("candidates.0.reading.boxes.0", [1, 2, 3], "boxes"),
        ("candidates.0.files.attention.0", DELETE, "one attention picture per layer"),
        ("candidates.0.files.attention.0.scale", 0, "scale"),
        ("candidates.0.files.x0", None, "x0 is not"),
        ("candidates.0.files.x0", "candidate-00/attention-00.png", "size or the colours"),
        ("candidates.0.files.x0", "candidate-07/x0.png", "missing"),
    ],
)
def test_a_run_json_that_textdiff_does_not_write_is_refused_in_one_sentence(folder, path, value, message):
    edit(folder, lambda run: put(run, path, value))
    with pytest.raises(ValueError, match=message) as refusal:
        run_folder.load(folder)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("candidates.1.readability.0.right.2", 1, r"right\[2\] is not"),
        ("candidates.1.readability.0.right.2", DELETE, "every character"),
        ("candidates.1.readability.2", DELETE, "one reading per step"),
        ("candidates.1.readability.0.similarity", 1.5, "from 0 to 1"),
        ("candidates.1.readability.0.similarity", float("nan"), "similarity is not"),
        ("upscaling.extra", 1, "upscaling is not"),
        ("upscaling.best", 2, "best large picture"),
        ("upscaling.best", None, "best is not"),
        ("upscaling.size", 16, "twice as large"),
        ("upscaling.size", 10**6, "twice as large"),
        ("upscaling.steps", [], "took 0 steps"),
        ("upscaling.steps.1.index", 0, "steps are not in order"),
        ("upscaling.pictures", [], "0 large pictures"),
        ("upscaling.pictures.0.index", 1, "large pictures are not in order"),
        ("upscaling.pictures.0.source", 2, "no candidate that was kept"),  # the worst of three
        ("upscaling.pictures.0.source", 7, "no candidate that was kept"),
        ("upscaling.pictures.0.source", "0", "source is not"),
        ("upscaling.pictures.0.verdict.rank", 1, "ranks of its large pictures"),
        ("upscaling.pictures.0.verdict.kept", DELETE, "verdict is not"),
        ("upscaling.pictures.0.files.noisy", None, "noisy is not"),
        ("upscaling.pictures.0.files.noisy", "upscaled-00/../best.png", "name that textdiff does not give"),
        ("upscaling.pictures.0.files.x0", "candidate-00/x0.png", "size or the colours"),
        ("upscaling.pictures.0.files.final", "candidate-00/final.png", "size or the colours"),
        ("upscaling.pictures.0.files.x0", "upscaled-09/x0.png", "missing"),
    ],
)
def test_large_pictures_and_readings_are_believed_as_little_as_the_rest(large_folder, path, value, message):
    edit(large_folder, lambda run: put(run, path, value))
    with pytest.raises(ValueError, match=message) as refusal:
        run_folder.load(large_folder)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


def test_large_pictures_that_would_not_fit_into_memory_are_refused_before_a_picture_is_read(large_folder):
    def swell(run):
        run["size"], run["upscaling"]["size"] = 512, 1024
        (step, *_), (picture, *_) = run["upscaling"]["steps"], run["upscaling"]["pictures"]
        run["upscaling"]["steps"] = [{**step, "index": k} for k in range(50)]
        run["upscaling"]["pictures"] = [
            {**picture, "index": k, "verdict": {**picture["verdict"], "rank": k + 1}} for k in range(16)
        ]

    edit(large_folder, swell)
    for picture in large_folder.rglob("*.png"):
        picture.unlink()
    with pytest.raises(ValueError, match="too large"):
        run_folder.load(large_folder)


def test_the_winner_and_the_large_pictures_are_files_of_the_run(large_folder, tmp_path):
    assert (pixels(large_folder / "best.png") == clean_levels(TEXT, 0, 32)).all()  # 1 enlarges candidate 0
    for name in ("noisy", "x0"):
        sprite = pixels(large_folder / "upscaled-01" / f"{name}.png")
        assert sprite.shape == (32, 2 * 32, 3)
        for k in range(2):
            expected = upscaled_levels(name, TEXT, picture=1, source=0, step=k, steps=2, size=16)
            assert (sprite[:, 32 * k : 32 * (k + 1)] == expected).all()
    run_folder.to_zip(large_folder, tmp_path / "run.zip")
    assert_same(run_folder.load(large_folder), run_folder.load(tmp_path / "run.zip"))
    run_folder.save(fake_generation(), large_folder)  # and go with it
    assert not (large_folder / "upscaled-00").exists()


def test_a_run_of_format_1_is_one_without_large_pictures_and_readings(folder):
    edit(folder, as_format_1)
    expected = fake_generation(upscaler_steps=8)
    assert_same(run_folder.load(folder), expected)
    edit(folder, lambda run: run["request"].update(upscaled=0))
    with pytest.raises(ValueError, match="request is not"):
        run_folder.load(folder)


def as_format_1(run):
    """A run.json as textdiff wrote it before there was an upscaler."""
    run["format"] = 1
    del run["upscaling"]
    for name in ("readability", "upscaled", "upscaler_steps"):
        del run["request"][name]
    for candidate in run["candidates"]:
        del candidate["readability"]


@pytest.mark.parametrize("recorded", sorted(RECORDED.glob("*/run.json")), ids=lambda file: file.parent.name)
def test_the_recorded_runs_can_be_loaded(recorded):
    generation = run_folder.load(recorded.parent)
    assert generation.candidates[generation.best].steps


def test_a_run_that_would_not_fit_into_memory_is_refused_before_a_picture_is_read(folder):
    def swell(run):
        run["size"] = 1024
        run["steps"] = [{**run["steps"][0], "index": k} for k in range(250)]

    edit(folder, swell)
    for picture in folder.rglob("*.png"):
        picture.unlink()
    with pytest.raises(ValueError, match="too large"):
        run_folder.load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b"9" * 10_000])
def test_a_run_json_that_is_no_json_object_is_refused(folder, content):
    (folder / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match="run"):
        run_folder.load(folder)


def test_files_above_the_size_limit_are_refused(folder, tmp_path, monkeypatch):
    run_folder.to_zip(folder, tmp_path / "run.zip")
    monkeypatch.setattr(run_folder, "MAX_PNG_BYTES", 100)
    for run in (folder, tmp_path / "run.zip"):
        with pytest.raises(ValueError, match="too large"):
            run_folder.load(run)


@pytest.mark.parametrize("name", ["nowhere", "picture.png", "empty"])
def test_what_is_not_a_run_at_all_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "picture.png")
    with pytest.raises(ValueError, match="no run"):
        run_folder.load(tmp_path / name)


def test_a_truncated_picture_is_refused(folder):
    picture = folder / "candidate-01" / "eps.png"
    picture.write_bytes(picture.read_bytes()[:200])
    with pytest.raises(ValueError, match="damaged"):
        run_folder.load(folder)


def test_packing_an_incomplete_run_is_refused(folder, tmp_path):
    (folder / "candidate-01" / "eps.png").unlink()
    with pytest.raises(ValueError, match="missing"):
        run_folder.to_zip(folder, tmp_path / "run.zip")
    assert not (tmp_path / "run.zip").exists()


def test_a_damaged_zip_is_refused_or_loads_but_never_fails_otherwise(folder, tmp_path):
    run_folder.to_zip(folder, tmp_path / "run.zip")
    whole = (tmp_path / "run.zip").read_bytes()
    rng, refused = np.random.default_rng(3), 0
    for _ in range(150):
        damaged = bytearray(copy.copy(whole))
        for position in rng.integers(0, len(whole), 4):
            damaged[position] = rng.integers(0, 256)
        (tmp_path / "damaged.zip").write_bytes(damaged)
        try:
            run_folder.load(tmp_path / "damaged.zip")
        except ValueError:
            refused += 1
    assert refused > 100


def test_damaged_pictures_are_refused_or_load_but_never_fail_otherwise(folder):
    file = folder / "candidate-00" / "x0.png"
    whole, rng, refused = file.read_bytes(), np.random.default_rng(4), 0
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[rng.integers(0, min(len(whole), 80))] = rng.integers(0, 256)
        file.write_bytes(damaged)
        try:
            run_folder.load(folder)
        except ValueError:
            refused += 1
    assert refused > 20


def test_pictures_are_lossless_png(folder):
    for file in folder.rglob("*.png"):
        assert Image.open(io.BytesIO(file.read_bytes())).format == "PNG"
