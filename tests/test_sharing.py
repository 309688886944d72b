"""A visitor gets the run on screen as a file, and nothing else that lies on this machine."""

import urllib.parse
from pathlib import Path

import pytest
from fakes import fake_generation

from textdiff import export, run_folder
from textdiff.ui import sharing
from textdiff.ui.run_store import RunStore, address
from textdiff.ui.sharing import NAMES, shared


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Where recorded runs and visitors' runs lie, with a run in each."""
    run_folder.save(fake_generation("recorded", steps=2), tmp_path / "recorded" / "hello")
    RunStore(folder=tmp_path / "runs").save(fake_generation("fresh", steps=2))
    return tmp_path / "recorded", tmp_path / "runs"


def file_at(there: str) -> Path:
    return Path("/" + urllib.parse.unquote(there).removeprefix("gradio_api/file=").strip("/"))


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("which", ["recorded", "runs"])
def test_every_kind_of_file_is_made_where_the_page_may_serve_it(folders, kind, which):
    recorded, runs = folders
    (run,) = (recorded if which == "recorded" else runs).iterdir()
    answer = shared({"kind": kind, "run": address(run)}, recorded, runs)
    file = file_at(answer["address"])
    assert file.read_bytes() == export.export(run, kind)
    assert file.name == answer["name"] and file.is_relative_to(runs)


def test_a_file_is_made_once_and_goes_with_its_run(folders, monkeypatch):
    recorded, runs = folders
    (run,) = runs.iterdir()
    asked = {"kind": "png", "run": address(run)}
    file = file_at(shared(asked, recorded, runs)["address"])
    monkeypatch.setattr(sharing, "export", None)
    assert file_at(shared(asked, recorded, runs)["address"]) == file
    RunStore(folder=runs, keep_runs=1).save(fake_generation(steps=1))
    assert not file.exists()
    with pytest.raises(ValueError, match="no longer there"):
        shared(asked, recorded, runs)


def test_no_other_place_can_be_asked_for(folders, tmp_path):
    recorded, runs = folders
    run_folder.save(fake_generation("private", steps=1), tmp_path / "private")
    (runs / "empty").mkdir()
    (fresh,) = (run for run in runs.iterdir() if run.name != "empty")
    before = sorted(tmp_path.rglob("*"))
    for place in (
        *(address(tmp_path / "private"), address(runs / "empty"), address(runs), address(tmp_path)),
        *(f"{address(runs)}../private/", f"{address(recorded)}../../private/", address(fresh)[:-1]),
        *(str(fresh), "gradio_api/file=/etc/passwd", "", None, 7, ["x"], "x" * 10_000, "\0"),
    ):
        with pytest.raises(ValueError, match="no longer there"):
            shared({"kind": "zip", "run": place}, recorded, runs)
    for asked in (None, [], "zip", {}, {"kind": "../zip", "run": address(fresh)}, {"kind": [], "run": 1}):
        with pytest.raises(ValueError, match="no longer there"):
            shared(asked, recorded, runs)
    assert sorted(tmp_path.rglob("*")) == before
