"""Which requests there are: the type and the range of every field.

A request may come from a link or a picture that anybody made, so `checked` believes nothing. What depends on
the model, its alphabet and the length of its texts, is the writer's to judge.
"""

import dataclasses
import math
import re

from textdiff.run_json import MAX_CANDIDATES, MAX_STEPS, MAX_TOKENS, MAX_UPSCALED, MAX_UPSCALER_STEPS
from textdiff.trajectory import MAX_SEED, Request
from textdiff.typed_text import tidied

MAX_CHARACTERS = MAX_TOKENS - 1
# Field -> (lowest, highest, whole numbers only).
NUMBERS = {
    "candidates": (1, MAX_CANDIDATES, True),
    "steps": (1, MAX_STEPS, True),
    "guidance": (1, 20, False),
    "seed": (0, MAX_SEED, True),
    "keep_only_if_above": (0, 2, False),
    "delete_under": (0, 1, False),
    "upscaled": (0, MAX_UPSCALED, True),
    "upscaler_steps": (1, MAX_UPSCALER_STEPS, True),
}
# Field -> what it may be. samplers.py and readers/ have what these names stand for, and need torch.
NAMES = {"sampler": ("unipc", "dpm++2m", "ddim", "ddpm"), "reader": ("rapidocr", "easyocr", "tesseract")}
SWITCHES = ("watch", "readability", "one_call")
# Two take a fraction of the time of the candidates.
LARGE_PICTURES = 2
# What is read best in one call (measured, see training/NOTES.md). The fresh noise of DDPM makes up for what a
# step got wrong; the better the weights know guidance, the smaller the scale that they want.
ONE_CALL = {"guidance": 3.0, "sampler": "ddpm"}
# As a person is told of a field whose name says too little.
_SPOKEN = {"upscaled": "Large pictures", "upscaler_steps": "Steps of the large pictures"}
FIELDS = tuple(field.name for field in dataclasses.fields(Request))


def untouched(large: bool = False, one_call: bool = False) -> Request:
    """The request of a form that nobody has touched, but for its text.

    `large`: there is an upscaler; `one_call`: the model has learnt guidance in one call.
    """
    request = Request(text="", upscaled=LARGE_PICTURES if large else 0, one_call=one_call)
    return dataclasses.replace(request, **ONE_CALL) if one_call else request


def filled_in(values: dict, learnt: bool) -> dict:
    """The values of fields as somebody says them who leaves some out: the text tidied; where `one_call` or a
    field of `ONE_CALL` is None, what is usual in its place.

    `learnt`: the model has learnt guidance in one call, which is then the usual way.
    """
    if isinstance(values.get("text"), str):
        values = values | {"text": tidied(values["text"])}
    said = values.get("one_call")
    usual = untouched(one_call=learnt if said is None else said)
    left_out = [name for name in ("one_call", *ONE_CALL) if name in values and values[name] is None]
    return values | {name: getattr(usual, name) for name in left_out}


def number_problem(name: str, value: float | None) -> str | None:
    """One sentence if `value` is not a number that the field `name` takes, else None."""
    low, high, whole = NUMBERS[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and low <= value <= high and (not whole or math.floor(value) == value):
        return None
    return f"{_spoken(name)} must be a {'whole ' if whole else ''}number from {low} to {high}."


def index_problem(name: str, index: int, count: int) -> str | None:
    """One sentence if `index` is not that of one of `count` candidates or steps, else None."""
    if type(index) is int and 0 <= index < count:
        return None
    return f"The {name} must be a whole number from 0 to {count - 1}."


def checked(values: dict) -> Request:
    """The request with these values, and defaults for the fields that are not there.

    Raises ValueError with one sentence about the first thing that is wrong.
    """
    if unknown := [name for name in values if name not in FIELDS]:
        raise ValueError(f"A request has no field {_shortened(unknown[0])}.")
    if problem := _text_problem(values.get("text")):
        raise ValueError(problem)
    for name, value in values.items():
        if name in NUMBERS and (problem := number_problem(name, value)):
            raise ValueError(problem)
        if name in NAMES and value not in NAMES[name]:
            raise ValueError(f"{_spoken(name)} must be one of {', '.join(NAMES[name])}.")
        if name in SWITCHES and not isinstance(value, bool):
            raise ValueError(f"{_spoken(name)} must be true or false.")
    whole = {name: int(value) for name, value in values.items() if name in NUMBERS and NUMBERS[name][2]}
    return Request(**values | whole)


def _text_problem(text) -> str | None:
    if not isinstance(text, str):
        return "A request needs a text."
    if len(text) > MAX_CHARACTERS:
        return f"The text has {len(text)} characters; {MAX_CHARACTERS} is the most that any model here takes."
    if re.search("[\ud800-\udfff]", text):  # half of a character: no file and no page can hold it
        return "The text is not made of whole characters."
    return None


def _spoken(name: str) -> str:
    return _SPOKEN.get(name, name.replace("_", " ").capitalize())


def _shortened(name) -> str:
    return repr(name)[:40]
