"""A training that visitors watch: one at a time, nobody stops another's, and nothing is left behind."""

import sys
import tempfile
from pathlib import Path

import fake_training
import numpy as np
import pytest

from textdiff.ui import live_training
from textdiff.ui.live_training import COMMAND, LETTERS, LiveTraining

FOREVER = 60  # seconds


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """Where the trainings work."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(live_training, "POLL_SECONDS", 0.02)
    return tmp_path


def training(checkpoints: int = 2, seconds: float = 0) -> LiveTraining:
    return LiveTraining(
        [sys.executable, fake_training.__file__, str(len(LETTERS)), str(checkpoints), str(seconds)]
    )


def first_with(glimpses, checkpoints: int):
    """The first glimpse of so many checkpoints."""
    return next(glimpse for glimpse in glimpses if len(glimpse.checkpoints) == checkpoints)


def test_a_glimpse_has_everything_since_the_start(folders):
    *_, last = training().watch("me", 1)
    assert last.ended and 0 < last.seconds_left <= 60
    assert last.losses == ((100, 1.0), (200, 0.5))
    for number, (pictures, drawn) in enumerate(last.checkpoints, start=1):
        assert pictures == 100 * number
        expected = [fake_training.picture(number, letter) for letter in range(len(LETTERS))]
        np.testing.assert_array_equal(drawn, expected)
    assert not any(folders.iterdir())


def test_one_training_goes_on_at_a_time(folders):
    live = training(seconds=FOREVER)
    glimpses = live.watch("me", 1)
    first_with(glimpses, 2)
    with pytest.raises(ValueError, match="Somebody else's training is going on.*in about [0-9]+ seconds"):
        next(live.watch("you", 1))
    with pytest.raises(ValueError, match="Your training is going on"):
        next(live.watch("me", 1))
    assert len([*folders.iterdir()]) == 1
    glimpses.close()
    assert not any(folders.iterdir())
    next(live.watch("you", 1))


def test_a_visitor_stops_no_training_but_their_own(folders):
    live = training(seconds=FOREVER)
    glimpses = live.watch("me", 1)
    first_with(glimpses, 2)
    live.stop("you")
    assert not next(glimpses).ended
    live.stop("me")
    *_, last = glimpses
    assert last.ended and len(last.checkpoints) == 2
    live.stop("me")
    assert not any(folders.iterdir())


def test_a_training_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(live_training, "_GRACE_SECONDS", -59)
    *_, last = training(seconds=FOREVER).watch("me", 1)
    assert last.ended


def test_a_training_whose_watcher_is_gone_makes_room_for_the_next(monkeypatch):
    live = training(seconds=FOREVER)
    abandoned = live.watch("me", 1)
    next(abandoned)
    monkeypatch.setattr(live._present, "_deadline", 0.0)
    next(live.watch("you", 1))


def test_what_fails_says_why_to_whoever_runs_the_page_and_leaves_nothing(folders):
    with pytest.raises(RuntimeError, match="no letters here"):
        [*training(checkpoints=0).watch("me", 1)]
    assert not any(folders.iterdir())


def test_a_training_takes_one_of_a_few_times():
    with pytest.raises(ValueError, match="takes 1, 2, 3 minutes"):
        next(training().watch("me", 60))


def test_files_that_are_being_written_are_passed_over(tmp_path):
    (tmp_path / "strip-00000100.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "log.jsonl").write_text('{"pictures": 1, "loss": 0.5}\n{"pictu')
    assert live_training._squares(tmp_path / "strip-00000100.png") is None
    assert [*live_training._losses(tmp_path / "log.jsonl")] == [(1, 0.5)]


def test_the_command_is_one_that_training_takes(tmp_path):
    from textdiff.config import PRESETS, overridden
    from textdiff.training.dataset import batches
    from textdiff.training.fonts import find_faces

    settings = [word for word, before in zip(COMMAND[1:], COMMAND, strict=False) if before == "--set"]
    preset = overridden(PRESETS["tiny"], settings)
    assert Path(COMMAND[0]).samefile(sys.executable)
    batch = next(batches(preset.data, find_faces(preset.data.fonts), 8))
    assert max(map(len, batch.texts)) == preset.model.max_characters == max(map(len, LETTERS))
