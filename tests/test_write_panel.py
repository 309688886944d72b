"""The form with large pictures on offer, without them, and what it says a run will cost."""

from functools import partial
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from fake_writer import FakeWriter

from textdiff.request_rules import LARGE_PICTURES, NUMBERS
from textdiff.trajectory import Request
from textdiff.ui.form_filling import following, remember
from textdiff.ui.page import tell_cost
from textdiff.ui.viewer_component import show_live
from textdiff.ui.write_panel import build_write_panel


@pytest.fixture(scope="module")
def small():
    with gr.Blocks():
        return build_write_panel()


@pytest.fixture(scope="module")
def large():
    with gr.Blocks():
        return build_write_panel(large=True)


def values(panel, **changes) -> list:
    """What the widgets of an untouched form would send, but for `changes`."""
    return [changes.get(name, field.value) for name, field in panel.fields.items()]


def test_without_an_upscaler_the_form_has_nothing_of_it(small, large):
    assert set(large.fields) - set(small.fields) == {"upscaled", "upscaler_steps"}
    assert "128" not in tell_cost(small, FakeWriter, *values(small))
    assert tell_cost(small, FakeWriter, *values(small)).startswith("About ")


def test_an_untouched_form_asks_for_large_pictures_where_there_are_any(small, large):
    assert small.request(*values(small, text="Hi")) == Request(text="Hi")
    assert large.request(*values(large, text="Hi")) == Request(text="Hi", upscaled=LARGE_PICTURES)
    asked = large.request(*values(large, text="Hi", upscaled=4.0, upscaler_steps=6.0))
    assert asked == Request(text="Hi", upscaled=4, upscaler_steps=6)


def test_what_a_tablet_makes_of_a_text_is_taken_as_it_was_meant(small):
    typed = values(small, text="it’s…  me\n")
    assert small.problems(FakeWriter(), *typed) == {}
    assert small.request(*typed).text == "it's... me"


@pytest.mark.parametrize("field", ["upscaled", "upscaler_steps"])
def test_too_many_large_pictures_get_a_sentence_at_their_field(large, field):
    problems = large.problems(FakeWriter(), *values(large, **{field: NUMBERS[field][1] + 1}))
    assert list(problems) == [field]


def test_large_pictures_are_remembered_where_they_are_on_offer(small, large):
    kept = remember(large, *values(large, text="Hi", upscaled=5, upscaler_steps=3))
    opened = SimpleNamespace(query_params={})
    shown = dict(zip(large.fields, following(large)(kept, opened), strict=True))
    assert (shown["upscaled"]["value"], shown["upscaler_steps"]["value"]) == (5, 3)
    assert len(following(small)(kept, opened)) == len(small.fields)


def test_every_choice_has_its_price_before_the_button_is_pressed(large):
    def price(**changes) -> str:
        changes = {"steps": 20, "upscaler_steps": 8} | changes
        return tell_cost(large, FakeWriter, *values(large, **changes))

    # 4 x 20 x 2 evaluations and 4 + 20 readings; 8 evaluations and a reading for each large picture.
    small = "About 4.0 s on this machine; each large picture, 128 px, would add 0.5 s."
    assert price(upscaled=0) == small
    assert price(upscaled=4) == "About 6.0 s on this machine: 4.0 s at 64 px and 2.0 s at 128 px."
    assert price(upscaled=0, candidates=8, steps=10) == small.replace("4.0", "3.4")
    assert price(upscaled=0, guidance=1) == small.replace("4.0", "3.2")
    assert price(steps=None) == price(upscaled=99) == ""


def test_a_model_that_cannot_be_loaded_has_no_price_and_only_a_fault_of_ours_is_logged(large, caplog):
    def fails(error):
        raise error

    for error, logged in ((ValueError("There are no weights."), 0), (KeyError("weights"), 1)):
        assert tell_cost(large, partial(fails, error), *values(large)) == ""
        assert len(caplog.records) == logged


def test_all_that_changes_the_price_is_listened_to(large):
    writer, changed = FakeWriter(), {"candidates": 2, "steps": 3, "guidance": 1, "upscaled": 3}
    prices = {
        name: tell_cost(large, lambda: writer, *values(large, **{name: new})) for name, new in changed.items()
    }
    assert len({*prices.values(), tell_cost(large, lambda: writer, *values(large))}) == 5
    assert [large.fields[name] for name in (*changed, "upscaler_steps")] == large.costly


def test_the_second_round_is_previewed_with_its_own_pictures_and_steps():
    request = Request(text="", candidates=2, seed=5, steps=9, upscaled=3, upscaler_steps=4)
    live = show_live(request, "upscaling", 1, np.zeros((3, 8, 8, 3), dtype=np.uint8), large=True)["live"]
    assert live["seeds"] == [21, 22, 23]  # beyond those that candidates can have
    assert (live["stage"], live["step"], live["steps"], live["size"]) == ("upscaling", 1, 4, 8)
