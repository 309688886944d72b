"""The page without a browser: its handlers, its endpoint and what it is allowed to do."""

import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np
import pytest
from fake_writer import FakeWriter
from fakes import fake_generation
from matplotlib import colormaps

from textdiff import alphabet
from textdiff.config import PRESETS
from textdiff.picture_settings import picture_with_settings
from textdiff.request_link import to_query
from textdiff.request_rules import NUMBERS, number_problem
from textdiff.run_folder import save
from textdiff.run_loading import load
from textdiff.samplers import STEP_RULES
from textdiff.trajectory import MAX_SEED, Request
from textdiff.ui import writing
from textdiff.ui.form_filling import following, offer_easier_text, remember, restore, take_offer
from textdiff.ui.page import build_page, once
from textdiff.ui.run_cache import RunCache
from textdiff.ui.run_store import RunStore, address, first_recorded
from textdiff.ui.serving import launch_settings
from textdiff.ui.viewer_component import show_live
from textdiff.ui.viewer_files import FILM, VIEWER, VIEWS, lessons, viewer_script, viewer_style
from textdiff.ui.write_panel import EXAMPLES, SAMPLERS, build_write_panel
from textdiff.ui.writing import Turn, arm, check, write

# Gradio's own statistics use what pandas has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:::gradio.queueing")


@pytest.fixture(scope="module")
def panel():
    with gr.Blocks():
        return build_write_panel()


@pytest.fixture
def cache(tmp_path):
    return RunCache(RunStore(folder=tmp_path))


def begun(panel, given: list) -> Turn:
    """The turn of a visitor who has just clicked Write."""
    turn = Turn()
    turn.begin(panel.request(*given))
    return turn


def values(panel, **changes) -> list:
    """What the widgets of an untouched form would send, but for `changes`."""
    return [changes.get(name, field.value) for name, field in panel.fields.items()]


def sentences(panel, writer, turn=None, **changes) -> dict[str, str]:
    """Field -> sentence, as the visitor would see them."""
    verdicts = check(panel, lambda: writer, *values(panel, **changes), turn or Turn())
    assert len(verdicts) == len(panel.fields) + 1
    return {
        name: verdict["message"]
        for name, verdict in zip(panel.fields, verdicts, strict=False)
        if not verdict["is_valid"]
    }


def run_of(shown: dict) -> Path:
    """The folder of a run that the viewer is to show."""
    return Path("/" + shown["run"].removeprefix("gradio_api/file=").strip("/"))


def test_an_untouched_form_asks_for_the_default_request(panel):
    assert panel.request(*values(panel, text="Hello")) == Request(text="Hello")
    assert sentences(panel, FakeWriter()) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", -1), ("seed", MAX_SEED + 1), ("seed", 1.5), ("seed", None), ("candidates", 17), ("steps", 0)]
    + [("steps", float("inf")), ("guidance", float("nan")), ("guidance", 0.5), ("delete_under", 1.1)],
)
def test_a_number_out_of_its_range_gets_a_sentence_at_its_field(panel, field, value):
    problems = sentences(panel, FakeWriter(), **{field: value})
    assert list(problems) == [field]
    assert re.fullmatch(r"[A-Z][a-z ]+ must be a (whole )?number from [\d.]+ to [\d.]+\.", problems[field])


@pytest.mark.parametrize(
    ("field", "value"), [("seed", 0), ("seed", MAX_SEED), ("candidates", 16), ("steps", 250)]
)
def test_numbers_at_the_ends_of_their_ranges_are_fine(field, value):
    assert number_problem(field, value) is None


def test_each_problem_stands_at_the_field_that_it_is_about(panel):
    writer = FakeWriter()
    assert list(sentences(panel, writer, text="naïve")) == ["text"]
    assert list(sentences(panel, writer, text="naïve", seed=-1)) == ["text", "seed"]
    assert list(sentences(panel, writer, reader="missing")) == ["reader"]
    assert list(sentences(panel, writer, candidates=16, steps=250)) == ["steps"]
    assert sentences(panel, writer, candidates=16, steps=250, watch=False) == {}
    assert sentences(panel, writer, text=None) == {}


def test_whoever_has_a_run_going_on_is_asked_to_wait(panel):
    turn = Turn()
    turn.begin(Request(text="a"))
    assert list(sentences(panel, FakeWriter(), turn)) == ["text"]
    turn.end()
    assert sentences(panel, FakeWriter(), turn) == {}


def test_a_model_that_cannot_be_loaded_gets_a_sentence_without_details(panel):
    def fails():
        raise RuntimeError("secret detail")

    verdict, *_ = check(panel, fails, *values(panel), Turn())
    assert verdict["message"] == writing.OUR_FAULT


def test_a_run_is_previewed_saved_and_shown(panel, cache, monkeypatch):
    monkeypatch.setattr(writing, "PREVIEW_SECONDS", 0)
    given = values(panel, text="Hi", steps=5, candidates=3)
    turn = begun(panel, given)
    *previews, last = write(panel, FakeWriter, cache, *given, turn)
    assert [shown["live"]["step"] for shown, *_ in previews] == [1, 2, 3, 4, 5, 5]
    assert previews[-1][0]["live"]["stage"] == "reading"
    shown, write_button, stop_button = last
    generation = load(run_of(shown))
    assert generation.request.text == "Hi" and len(generation.candidates) == 3 and not generation.stopped
    assert write_button["interactive"] is True and stop_button["visible"] is False
    assert not turn.going_on


def test_stop_ends_the_run_after_its_present_step_and_keeps_it(panel, cache, monkeypatch):
    monkeypatch.setattr(writing, "PREVIEW_SECONDS", 0)
    given = values(panel, text="Hi", steps=50)
    turn, other = begun(panel, given), Turn()
    events = write(panel, FakeWriter, cache, *given, turn)
    next(events)
    writing.press_stop(other)
    next(events)
    writing.press_stop(turn)
    *_, (shown, *_) = events
    generation = load(run_of(shown))
    assert generation.stopped and len(generation.candidates[0].steps) == 2


def test_when_a_visitor_leaves_the_run_ends(panel, cache, tmp_path):
    given = values(panel, text="Hi", steps=50)
    turn = begun(panel, given)
    events = write(panel, FakeWriter, cache, *given, turn)
    next(events)
    events.close()
    assert not turn.going_on
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_before_is_shown_at_once_and_not_written_again(panel, cache, monkeypatch):
    monkeypatch.setattr(writing, "PREVIEW_SECONDS", 0)
    given, writer = values(panel, text="Hi", steps=3), FakeWriter()
    clicked = arm(panel, lambda: writer, cache, *given, turn := Turn())
    assert [shown["live"]["stage"] for shown, *_ in clicked] == ["waiting"] and turn.going_on
    *_, (first, *_) = write(panel, lambda: writer, cache, *given, turn)

    monkeypatch.setattr(writer, "write", None)
    *previews, (again, write_button, _) = arm(panel, lambda: writer, cache, *given, turn)
    assert [shown["live"]["step"] for shown, *_ in previews] == [1, 2, 3, 3]
    assert load(run_of(again)).request.text == "Hi" and again != first
    assert write_button["interactive"] is True and not turn.going_on
    # The second half of the click, when the queue gets there, even if the visitor has begun something else.
    for now in (turn, begun(panel, values(panel, text="other"))):
        request = now.request
        assert list(write(panel, lambda: writer, cache, *given, now)) == [(gr.skip(),) * 3]
        assert now.request == request


def test_a_broken_run_gets_one_sentence_and_gives_the_button_back(panel, cache, caplog):
    given = values(panel, text="fail", steps=2)
    *_, (shown, write_button, _) = write(panel, FakeWriter, cache, *given, begun(panel, given))
    assert shown == {"problem": writing.OUR_FAULT}
    assert write_button["interactive"] is True
    assert "secret detail" in caplog.text


def test_previews_hold_all_candidates_in_one_small_picture():
    x0 = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    live = show_live(Request(text="", candidates=3, seed=MAX_SEED, steps=9), "denoising", 4, x0)["live"]
    assert live["seeds"] == [MAX_SEED, 0, 1]
    assert (live["step"], live["steps"], live["size"]) == (4, 9, 8)
    assert live["picture"].startswith("data:image/png;base64,")


def test_runs_have_names_nobody_guesses_and_do_not_stay(tmp_path):
    store = RunStore(folder=tmp_path, keep_seconds=3600, keep_runs=3)
    generation = fake_generation("a", candidates=1, steps=1)
    folders = [store.save(generation) for _ in range(5)]
    assert all(len(folder.name) >= 32 for folder in folders) and len(set(folders)) == 5
    assert len(list(tmp_path.iterdir())) == 3 and folders[-1].is_dir()
    (tmp_path / "not-a-run").mkdir()
    impatient = RunStore(folder=tmp_path, keep_seconds=-1)
    newest = impatient.save(generation)
    assert {entry.name for entry in tmp_path.iterdir()} == {newest.name, "not-a-run"}


def test_the_first_recorded_run_is_the_one_on_screen(tmp_path):
    assert first_recorded(tmp_path / "nowhere") is None
    for name in ("b", "a"):
        save(fake_generation("a", candidates=1, steps=1), tmp_path / name)
    (tmp_path / "0").mkdir()
    recorded = first_recorded(tmp_path)
    assert recorded == tmp_path / "a"
    page = build_page(FakeWriter, tmp_path, tmp_path)
    viewer = next(block for block in page.blocks.values() if block.elem_id == "viewer")
    assert viewer.value == {"run": address(recorded), "recorded": True}


def test_the_page_is_there_without_a_model_and_without_a_recorded_run(tmp_path):
    def never():
        raise AssertionError("the page must not wait for the model")

    page = build_page(never, tmp_path, tmp_path)
    viewer = next(block for block in page.blocks.values() if block.elem_id == "viewer")
    assert viewer.value is None


def test_the_model_is_loaded_once_however_many_ask_and_again_after_a_failure():
    calls = []

    def load_slowly():
        calls.append(1)
        time.sleep(0.05)
        if len(calls) == 1:
            raise ValueError("not yet")
        return "writer"

    get = once(load_slowly)
    with pytest.raises(ValueError, match="not yet"):
        get()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(get())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["writer"] * 4 and len(calls) == 2


def opened(**query) -> SimpleNamespace:
    """What Gradio says about a visitor who came by a link with this query."""
    return SimpleNamespace(query_params=query)


def changes(panel, updates: list) -> dict[str, dict]:
    """Field -> what becomes of it."""
    fields = zip(panel.fields, updates, strict=True)
    return {
        name: {key: change[key] for key in ("value", "visible") if key in change} for name, change in fields
    }


def test_a_link_fills_in_the_form_and_hides_what_a_teacher_hides(panel):
    query = dict(parse_qsl(to_query(Request(text="Hi\nyou", seed=8, watch=False), hidden=("steps", "seed"))))
    filled = changes(panel, following(panel)({}, opened(**query, view="api")))
    assert filled["text"] == {"value": "Hi\nyou"} and filled["watch"] == {"value": False}
    assert filled["seed"] == {"value": 8, "visible": False} and filled["steps"]["visible"] is False
    assert not any(changes(panel, following(panel)({}, opened())).values())
    assert changes(panel, following(panel)({}, opened(seed="8")))["text"] == {}


def test_a_form_is_filled_in_as_it_was_sent_last_and_a_link_has_the_last_word(panel):
    kept = remember(panel, *values(panel, text="secret", seed=8, steps=5, sampler="ddim"))
    assert "secret" not in kept.values() and kept["seed"] == 8
    filled = changes(panel, following(panel)(kept, opened()))
    assert filled["text"] == {} and filled["steps"] == {"value": 5} and filled["sampler"] == {"value": "ddim"}
    link = dict(text="Hi", seed="9", hide="steps,sampler")
    filled = changes(panel, following(panel)(kept, opened(**link)))
    assert filled["seed"] == {"value": 9} and filled["text"] == {"value": "Hi"}
    assert filled["steps"] == filled["sampler"] == {"visible": False}


@pytest.mark.parametrize("kept", [None, [], "x", {"steps": 0}, {"reader": "other"}, {"gone": 1}, {"text": 1}])
def test_what_a_browser_cannot_have_kept_changes_nothing(panel, kept):
    assert not any(changes(panel, following(panel)(kept, opened())).values())


def test_a_link_that_makes_no_sense_changes_nothing_and_is_answered_with_a_sentence(panel, monkeypatch):
    told = []
    monkeypatch.setattr(gr, "Warning", told.append)
    for query in ({"text": "x" * 10_000}, {"text": "Hi", "seed": "-1"}, {"text": "Hi", "hide": "text"}):
        assert not any(changes(panel, following(panel)({}, opened(**query))).values())
    assert len(told) == 3 and all(sentence.startswith("This link was not followed") for sentence in told)


def test_a_picture_brings_its_settings_back(panel, tmp_path):
    request = Request(text="Hi", seed=11, steps=5, sampler="ddim", keep_only_if_above=0.7)
    picture = tmp_path / "picture.png"
    picture.write_bytes(picture_with_settings(replace(fake_generation(), request=request)))
    *fields, emptied, shown = restore(panel, str(picture))
    assert panel.request(*(field["value"] for field in fields)) == request
    assert emptied is None and shown == gr.skip()


def test_another_picture_gets_a_sentence_and_changes_nothing(panel, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    for given in (str(picture), None):
        *fields, emptied, shown = restore(panel, given)
        assert not any(changes(panel, fields).values()) and emptied is None
        assert "no picture of textdiff" in shown["problem"]


def test_a_page_without_a_model_offers_no_other_text_and_fails_silently():
    def no_model():
        raise ValueError("There are no weights here.")

    assert offer_easier_text(no_model, "Happy birthday, dear Anna") == gr.update(visible=False)
    assert offer_easier_text(FakeWriter, None) == gr.update(visible=False)


def test_a_text_that_is_too_long_in_all_is_left_as_it_is():
    book = "it was the best of times, " * 10_000  # looking for the best breaks would take hours
    assert offer_easier_text(FakeWriter, book) == gr.update(visible=False)
    assert take_offer(FakeWriter, book) == book
    assert take_offer(FakeWriter, "it was the best") == "it was\nthe best"


def test_accents_come_first_and_a_text_that_is_fine_stays_as_it_was_typed():
    offered = offer_easier_text(FakeWriter, "déjà vu\n")
    assert offered == gr.update(
        visible=True, value="The model has seen English letters only. Use those: deja vu"
    )
    assert take_offer(FakeWriter, "déjà vu\n") == "deja vu"
    assert take_offer(FakeWriter, " Hi ") == " Hi " and take_offer(FakeWriter, None) is None


def test_the_page_is_served_to_this_machine_and_opens_its_runs_and_the_film_only(tmp_path):
    settings = launch_settings(tmp_path / "recorded", tmp_path / "runs")
    assert settings["server_name"] == "127.0.0.1" and settings["share"] is False
    assert settings["allowed_paths"] == [str(tmp_path / "recorded"), str(tmp_path / "runs"), str(FILM)]
    assert settings["show_error"] is False and settings["strict_cors"] is True


def test_the_samplers_on_offer_are_those_that_there_are():
    assert {name for _, name in SAMPLERS} == set(STEP_RULES)


def test_every_number_on_the_form_has_its_range(panel):
    numbers = {name for name, field in panel.fields.items() if isinstance(field, gr.Number)}
    assert numbers and numbers <= set(NUMBERS)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_fit_the_shipped_model(example):
    model = PRESETS["first-words"].model
    assert alphabet.problem_with(example, model.max_characters, model.max_lines) is None


def test_the_viewer_has_the_colours_of_cividis():
    script = (VIEWER / "core.js").read_text(encoding="utf-8")
    table = "".join(re.findall(r'"([0-9a-f]{96})"', script))
    ours = np.array([int(table[at : at + 2], 16) for at in range(0, len(table), 2)]).reshape(256, 3)
    np.testing.assert_array_equal(ours, np.rint(colormaps["cividis"](np.arange(256))[:, :3] * 255))


def test_the_viewer_writes_no_html_and_names_no_other_machine():
    script, style = viewer_script(), viewer_style()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)
    addresses = set(re.findall(r"https?://[^\"' )]+", script + style))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a namespace; nothing is fetched from it


def test_every_file_of_the_viewer_is_part_of_its_script_or_its_style():
    written = viewer_script() + viewer_style()
    files = [path for path in VIEWER.rglob("*") if path.is_file()]
    assert files and all(path.read_text(encoding="utf-8") in written for path in files)


def test_the_viewer_may_stand_inside_of_an_html_file():
    assert not re.search(r"</?script|<!--", viewer_script(), re.IGNORECASE)
    assert "</style" not in viewer_style().lower()


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_a_lesson_of_two_or_three_sentences(view):
    lesson = lessons()[view]
    assert 2 <= len(re.findall(r"[.!?](?:\s|$)", lesson)) <= 3
    assert "\n\n" not in lesson
