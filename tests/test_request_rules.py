"""Every field of a request has its type and its range, wherever the request comes from."""

from dataclasses import asdict, fields

import pytest

from textdiff.readers import READERS
from textdiff.request_rules import FIELDS, MAX_CHARACTERS, NAMES, NUMBERS, SWITCHES, checked
from textdiff.samplers import STEP_RULES
from textdiff.trajectory import Request


def test_every_field_of_a_request_has_a_rule():
    assert sorted(FIELDS) == sorted(["text", *NUMBERS, *NAMES, *SWITCHES])
    kinds = {field.name: field.type for field in fields(Request)}
    for name, (_, _, whole) in NUMBERS.items():
        assert kinds[name] is (int if whole else float)


def test_the_names_are_those_of_the_samplers_and_readers_that_there_are():
    assert set(NAMES["sampler"]) == set(STEP_RULES)
    assert set(NAMES["reader"]) == set(READERS)


def test_what_is_not_said_has_its_default():
    assert checked({"text": "Hi"}) == Request(text="Hi")
    assert checked(asdict(Request(text="", seed=3))) == Request(text="", seed=3)


@pytest.mark.parametrize("name", NUMBERS)
def test_both_ends_of_a_range_are_in_it_and_nothing_beyond_is(name):
    low, high, _ = NUMBERS[name]
    for value in (low, high):
        assert getattr(checked({"text": "", name: value}), name) == value
    for value in (low - 1, high + 1, float("nan"), float("inf"), 10**400, str(high), None, True, [high]):
        with pytest.raises(ValueError, match="must be a"):
            checked({"text": "", name: value})


def test_a_whole_number_is_an_int_in_the_request():
    assert isinstance(checked({"text": "", "steps": 4.0}).steps, int)
    with pytest.raises(ValueError, match="whole number"):
        checked({"text": "", "steps": 4.5})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "needs a text"),
        ({"text": 7}, "needs a text"),
        ({"text": "x" * (MAX_CHARACTERS + 1)}, "characters"),
        ({"text": "\ud800"}, "whole characters"),
        ({"text": "", "sampler": "euler"}, "Sampler must be one of unipc"),
        ({"text": "", "reader": ["rapidocr"]}, "Reader must be one of"),
        ({"text": "", "watch": 1}, "Watch must be true or false"),
        ({"text": "", "__class__": 1}, "no field '__class__'"),
        ({"text": "", "x" * 10_000: 1}, "no field 'xxx"),
    ],
)
def test_the_first_thing_that_is_wrong_gets_one_short_sentence(values, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        checked(values)
    assert str(refusal.value).endswith(".") and len(str(refusal.value)) < 120
