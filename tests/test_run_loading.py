"""Loaded runs: what was saved comes back, and nothing foreign is believed."""

import copy
import dataclasses
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fakes import fake_generation
from PIL import Image

from textdiff import run_folder, run_loading
from textdiff.trajectory import Generation, Origin, Request

TEXT = "Hi\nyou"
RECORDED = Path(__file__).parents[1] / "assets" / "runs"
PICTURES = ["noisy", "x0", "eps", "x0_unconditional"]
ORIGIN = Origin(step=1, text="Ho", guidance=3, sampler="ddim", seed=None, eta=1, muted=(0, 2))


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
    assert_same(generation, run_loading.load(tmp_path / "run"))


def test_loaded_arrays_are_read_only(folder):
    step = run_loading.load(folder).candidates[0].steps[1]
    for array in (step.noisy, step.x0, step.eps, step.x0_unconditional, *step.attention):
        assert not array.flags.writeable


@pytest.mark.parametrize(
    "change",
    [{"step": 3}, {"step": -1}, {"text": "x" * 1025}, {"text": None}, {"muted": [7]}, {"muted": 1}]
    + [{"seed": "1"}, {"eta": True}, {"guidance": float("inf")}, {"action": "branch"}],
)
def test_where_a_branch_comes_from_is_believed_as_little_as_the_rest(folder, tmp_path, change):
    run_folder.save(dataclasses.replace(run_loading.load(folder), origin=ORIGIN), folder)
    run = json.loads((folder / "run.json").read_text())
    run["origin"] |= change
    (folder / "run.json").write_text(json.dumps(run))
    with pytest.raises(ValueError, match=r"^The run cannot be read: .+\.$"):
        run_loading.load(folder)


def test_a_zip_loads_like_its_folder(folder, tmp_path):
    run_folder.to_zip(folder, tmp_path / "run.zip")
    from_folder, from_zip = run_loading.load(folder), run_loading.load(tmp_path / "run.zip")
    assert_same(from_folder, from_zip)
    a, b = (run.candidates[1].steps[2] for run in (from_folder, from_zip))
    assert (a.eps == b.eps).all() and all(
        (v == w).all() for v, w in zip(a.attention, b.attention, strict=True)
    )


def test_large_pictures_travel_in_a_zip(large_folder, tmp_path):
    run_folder.to_zip(large_folder, tmp_path / "run.zip")
    assert_same(run_loading.load(large_folder), run_loading.load(tmp_path / "run.zip"))


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "candidate-00/../../evil.png", "C:\\evil.png"])
def test_a_zip_with_a_name_that_leads_outside_is_refused(folder, tmp_path, name):
    run_folder.to_zip(folder, tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip", "a") as archive:
        archive.writestr(name, b"evil")
    with pytest.raises(ValueError, match="leads out of its folder"):
        run_loading.load(tmp_path / "run.zip")


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
        run_loading.load(folder)


def test_a_link_out_of_the_folder_is_refused(folder):
    picture = folder / "candidate-00" / "x0.png"
    picture.rename(folder.parent / "outside.png")
    picture.symlink_to(folder.parent / "outside.png")
    with pytest.raises(ValueError, match="outside its folder"):
        run_loading.load(folder)


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
        run_loading.load(folder)
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
        run_loading.load(large_folder)
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
        run_loading.load(large_folder)


def test_a_run_of_format_1_is_one_without_large_pictures_and_readings(folder):
    edit(folder, as_format_1)
    expected = fake_generation(upscaler_steps=Request(text="").upscaler_steps)
    assert_same(run_loading.load(folder), expected)
    edit(folder, lambda run: run["request"].update(upscaled=0))
    with pytest.raises(ValueError, match="request is not"):
        run_loading.load(folder)


def as_format_1(run):
    """A run.json as textdiff wrote it before there was an upscaler."""
    run["format"] = 1
    del run["upscaling"]
    for name in ("readability", "upscaled", "upscaler_steps", "one_call"):
        del run["request"][name]
    for candidate in run["candidates"]:
        del candidate["readability"]


@pytest.mark.parametrize("recorded", sorted(RECORDED.glob("*/run.json")), ids=lambda file: file.parent.name)
def test_the_recorded_runs_can_be_loaded(recorded):
    generation = run_loading.load(recorded.parent)
    assert generation.candidates[generation.best].steps


def test_a_run_that_would_not_fit_into_memory_is_refused_before_a_picture_is_read(folder):
    def swell(run):
        run["size"] = 1024
        run["steps"] = [{**run["steps"][0], "index": k} for k in range(250)]

    edit(folder, swell)
    for picture in folder.rglob("*.png"):
        picture.unlink()
    with pytest.raises(ValueError, match="too large"):
        run_loading.load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b"9" * 10_000])
def test_a_run_json_that_is_no_json_object_is_refused(folder, content):
    (folder / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match="run"):
        run_loading.load(folder)


def test_files_above_the_size_limit_are_refused(folder, tmp_path, monkeypatch):
    run_folder.to_zip(folder, tmp_path / "run.zip")
    monkeypatch.setattr(run_loading, "MAX_PNG_BYTES", 100)
    for run in (folder, tmp_path / "run.zip"):
        with pytest.raises(ValueError, match="too large"):
            run_loading.load(run)


@pytest.mark.parametrize("name", ["nowhere", "picture.png", "empty"])
def test_what_is_not_a_run_at_all_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "picture.png")
    with pytest.raises(ValueError, match="no run"):
        run_loading.load(tmp_path / name)


def test_a_truncated_picture_is_refused(folder):
    picture = folder / "candidate-01" / "eps.png"
    picture.write_bytes(picture.read_bytes()[:200])
    with pytest.raises(ValueError, match="damaged"):
        run_loading.load(folder)


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
            run_loading.load(tmp_path / "damaged.zip")
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
            run_loading.load(folder)
        except ValueError:
            refused += 1
    assert refused > 20
