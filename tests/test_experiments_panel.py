"""What a view asks for is checked before the model hears of it, and answered with pictures and readings."""

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from fake_writer import FakeWriter
from fakes import clean_levels, cover, sprite_levels
from PIL import Image

from textdiff.trajectory import Request
from textdiff.ui.answering import answering
from textdiff.ui.endpoints import OUR_FAULT
from textdiff.ui.experiments_panel import (
    SCALES,
    branched,
    ddim_against_ddpm,
    guided,
    half_of_a_longer_run,
    muted,
    request_of,
    within,
)

REQUEST = {"text": "Hi\nyou", "seed": 9, "steps": 3, "sampler": "ddim", "guidance": 3, "reader": "rapidocr"}
ASKED = {"number": "td-mute-1", "model": "0" * 64, "token": 2, "request": REQUEST}


def picture(address: str) -> np.ndarray:
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    return np.array(Image.open(io.BytesIO(base64.b64decode(data))))


def test_a_muted_token_is_answered_with_both_pictures_and_what_changed():
    *progress, answer = muted(FakeWriter(), ASKED)
    assert progress == [{"step": step, "steps": 6} for step in range(1, 7)]
    before, after = (picture(answer[side]["picture"]) for side in ("before", "after"))
    np.testing.assert_array_equal(before, clean_levels("Hi\nyou", 0, 64))
    differs = np.abs(after.astype(float) - before).mean(-1) / 255
    assert (differs > 0).tolist() == (cover("Hi\nyou", 64) == 2).tolist()
    assert answer["change"]["top"] == pytest.approx(differs.max())
    levels = picture(answer["change"]["picture"])
    np.testing.assert_allclose(levels / 255 * answer["change"]["top"], differs, atol=0.003)
    assert (answer["before"]["text"], answer["after"]["text"]) == ("Hi\nyou", "Hx\nyou")
    assert answer["before"]["similarity"] == 1 > answer["after"]["similarity"]


def test_self_attention_is_answered_with_a_map_for_every_place():
    *progress, answer = within(FakeWriter(), ASKED | {"step": 2})
    assert progress == [{"step": step, "steps": 2} for step in (1, 2)]
    (layer,) = answer["layers"]
    assert (layer["name"], layer["resolution"], layer["top"]) == ("middle.2x2_block0", 2, 0.5)
    looks_at = [[2, 3], [0, 3], [0, 1], [1, 2]]  # place p, in both heads: p + 2 and p + 3
    levels = picture(layer["picture"])
    assert [np.flatnonzero(row == 255).tolist() for row in levels] == looks_at


def test_guidance_is_answered_with_all_guesses_side_by_side():
    *progress, answer = guided(FakeWriter(), ASKED | {"step": 2})
    assert progress == [{"step": step, "steps": 2} for step in (1, 2)]
    tiles = np.split(picture(answer["picture"]), 3 + len(SCALES), axis=1)
    assert {tile.shape for tile in tiles} == {(64, 64, 3)}
    tenths = [tile.mean() / 25.5 for tile in tiles]
    assert tenths == pytest.approx([0, 1, 10, 1, 2, 3, 4, 5, 6, 7, 8], abs=0.05)


def test_a_branch_is_answered_with_every_guess_of_both_runs():
    changes = {"text": "Ho\nyou \n"}  # which is tidied
    *progress, answer = branched(FakeWriter(), ASKED | {"step": 1, "changes": changes})
    assert progress == [{"step": step, "steps": 6} for step in range(1, 7)]
    old, new = (np.split(picture(answer[side]["picture"]), 3, axis=1) for side in ("old", "new"))
    for step in range(3):
        then = "Hi\nyou" if step < 1 else "Ho\nyou"
        np.testing.assert_allclose(old[step], sprite_levels("x0", "Hi\nyou", 0, step, 3, 64), atol=1)
        np.testing.assert_allclose(new[step], sprite_levels("x0", then, 0, step, 3, 64), atol=1)
    assert (answer["old"]["text"], answer["new"]["text"], answer["note"]) == ("Hi\nyou", "Ho\nyou", "")


@pytest.mark.parametrize("probe", [ddim_against_ddpm, half_of_a_longer_run])
def test_a_probe_is_answered_with_as_many_guesses_of_both_runs(probe):
    *_, answer = probe(FakeWriter(), ASKED)
    assert {picture(answer[side]["picture"]).shape for side in ("old", "new")} == {(64, 3 * 64, 3)}


@pytest.mark.parametrize(
    "change", [{"text": None}, {"seed": 1.5}, {"guidance": None}, {"sampler": 1}, {"eta": "0"}]
)
def test_a_change_that_no_view_makes_gets_one_sentence(change):
    with pytest.raises(ValueError, match=rf"did not say its {next(iter(change))} as it should\.$"):
        next(branched(FakeWriter(), ASKED | {"step": 1, "changes": change}))


def test_the_run_is_asked_for_without_what_an_experiment_does_not_need():
    request = request_of(FakeWriter(), ASKED)
    wanted = Request(**REQUEST, candidates=1, watch=False, readability=False)
    assert request == wanted and isinstance(request.guidance, float)


@pytest.mark.parametrize(
    "change",
    [
        {"text": ["Hi"]},
        {"seed": "9"},
        {"seed": True},
        {"steps": 3.5},
        {"guidance": None},
        {"guidance": 10**400},
        {"sampler": {"$": 1}},
        {"reader": 7},
    ],
)
def test_a_request_that_no_view_makes_gets_one_sentence(change):
    with pytest.raises(ValueError, match=rf"did not say its {next(iter(change))} as it should\.$"):
        request_of(FakeWriter(), ASKED | {"request": REQUEST | change})


@pytest.mark.parametrize(
    "details", [None, [], "mute", {}, {"request": None}, {"model": "0" * 64}, {"model": 1}]
)
def test_what_is_no_question_at_all_gets_one_sentence(details):
    with pytest.raises(ValueError, match=r"as it should\.$"):
        next(muted(FakeWriter(), details))


def test_a_run_of_other_weights_is_not_repeated():
    with pytest.raises(ValueError, match="Other weights wrote this run"):
        next(muted(FakeWriter(), ASKED | {"model": "1" * 64}))


def test_the_page_answers_with_the_number_of_the_question():
    answers = list(answering("mute", muted, FakeWriter)(SimpleNamespace(_data=ASKED)))
    assert {answer["answer"]["number"] for answer in answers} == {"td-mute-1"}
    assert {answer["answer"]["action"] for answer in answers} == {"mute"}
    assert "after" in answers[-1]["answer"]


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        (ASKED | {"request": REQUEST | {"text": "é"}}, "never seen these characters"),
        (ASKED | {"request": REQUEST | {"reader": "missing"}}, "not installed"),
        (ASKED | {"request": REQUEST | {"text": "fail"}}, OUR_FAULT),
        ("nonsense", "as it should"),
    ],
)
def test_when_an_experiment_cannot_be_the_page_answers_with_one_sentence(details, sentence, caplog):
    *_, last = answering("mute", muted, FakeWriter)(SimpleNamespace(_data=details))
    assert sentence in last["answer"]["problem"] and "secret" not in last["answer"]["problem"]
