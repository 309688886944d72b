"""The contact sheet of one text: small and large side by side, and a frame around what was read exactly."""

import numpy as np
import pytest
from oracles import lively_unet, lively_upscaler
from PIL import Image

from textdiff import figures, trajectory
from textdiff.checkpoints import save_checkpoint
from textdiff.training import contact_sheet
from textdiff.training.contact_sheet import COLUMNS, EXACT, FRAME, GAP
from textdiff.training.scores import Reading


def readings(*read: str) -> list[Reading]:
    return [Reading("red\ndog", "overall", seed, one) for seed, one in enumerate(read)]


@pytest.fixture
def asked(monkeypatch):
    """What the figure was made of."""
    found = []

    def drawn(rows, **settings):
        found.append((rows, settings["title"]))
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(figures, "contact_sheet", drawn)
    return found


def test_each_pair_has_its_readings_below_it_and_a_frame_where_they_are_exact(asked):
    small, large = (list(np.full((2, side, side, 3), level, np.uint8)) for side, level in ((4, 50), (8, 90)))
    before, after = readings("red\ndog", "rad\ndog"), readings("rd", "red\ndog")
    contact_sheet.sheet(small, before, large, after, "fake reader")
    (([(picture, caption), (other, _)],), title) = asked[0]
    side = 8 + 2 * FRAME
    assert picture.shape == (side, 2 * (side + GAP), 3)
    left, right = picture[:, :side], picture[:, side + GAP : 2 * side + GAP]
    assert (left[0] == EXACT).all() and (right[0] == figures.PAPER).all()
    assert (left[FRAME:-FRAME, FRAME:-FRAME] == 50).all() and (right[FRAME:-FRAME, FRAME:-FRAME] == 90).all()
    assert (other[0, :side] == figures.PAPER).all() and (other[0, side + GAP : -GAP] == EXACT).all()
    assert [line.split() for line in caption.split("\n")] == [
        ["exact", "NED", "0.29"],
        ["red", "rd"],
        ["dog"],
    ]
    assert title == "4 px: 1 of 2 exact, NED 0.929   8 px: 1 of 2 exact, NED 0.643   read by fake reader"


def test_without_an_upscaler_small_pictures_stand_alone_in_rows(asked):
    small = np.zeros((COLUMNS + 1, 4, 4, 3), np.uint8)
    contact_sheet.sheet(small, readings(*[""] * (COLUMNS + 1)), [], [], "fake")
    rows, title = asked[0]
    assert [len(row) for row in rows] == [COLUMNS, 1] and "8 px" not in title
    assert rows[0][0][1].split("\n") == ["NED 0.00", "(nothing)"]


def test_the_command_draws_as_many_samples_as_asked_and_says_how_many_are_exact(
    tmp_path, monkeypatch, capsys
):
    class Reader:
        name = "fake"

        def read(self, pictures):
            text = "ab" if len(pictures[0]) == 32 else "x"
            return [trajectory.Reading(text=text, confidence=1.0)] * len(pictures)

    monkeypatch.setattr(contact_sheet, "open_reader", lambda name: Reader())
    save_checkpoint(lively_unet(), tmp_path / "tiny.safetensors", {})
    save_checkpoint(lively_upscaler(), tmp_path / "tiny-upscaler.safetensors", {})
    out = tmp_path / "sheet.png"
    options = ["--text", "ab", "--samples", "3", "--steps", "1", "--upscaler-steps", "1"]
    contact_sheet.main(["--weights", str(tmp_path / "tiny.safetensors"), "--out", str(out), *options])
    assert "16 px: 0 of 3 exact" in (said := capsys.readouterr().out) and "32 px: 3 of 3 exact" in said
    assert np.array(Image.open(out)).shape[1] > 3 * 2 * 32
    with pytest.raises(SystemExit, match="at most"):
        contact_sheet.main(["--weights", str(tmp_path / "tiny.safetensors"), "--out", str(out)])
