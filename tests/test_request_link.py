"""A link says what a request says, and a link that makes no sense is not followed."""

from dataclasses import asdict
from urllib.parse import parse_qsl, urlsplit

import pytest
from hostile import HOSTILE

from textdiff.request_link import HIDEABLE, Link, from_query, to_query
from textdiff.request_rules import MAX_CHARACTERS
from textdiff.trajectory import MAX_SEED, Request

REQUESTS = [
    Request(text=""),
    Request(text="Hello\nworld", seed=MAX_SEED, steps=250, guidance=1.25, sampler="ddpm", watch=False),
    Request(text="Hi", one_call=True),
    Request(text="a&b=c#d %20+é文", keep_only_if_above=1e-3 + 0.7, delete_under=1 / 3, reader="easyocr"),
]


def query_of(link: str) -> dict[str, str]:
    """The query of a link as the page gets it."""
    return dict(parse_qsl(urlsplit(f"http://127.0.0.1/?{link}").query, keep_blank_values=True))


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_link_brings_back_the_whole_request(request_):
    assert from_query(query_of(to_query(request_))) == Link(fields=asdict(request_))


@pytest.mark.parametrize("text", [text for text in HOSTILE if len(text) <= MAX_CHARACTERS])
def test_a_hostile_text_is_only_the_text_of_a_link(text):
    link = to_query(Request(text=text))
    assert link.isascii() and link.isprintable() and not set(link) & set("<>\"' #")
    assert from_query(query_of(link)) == Link(fields=asdict(Request(text=text)))


def test_a_link_may_say_less_and_other_things_than_a_request():
    assert from_query({}) == Link(fields={})
    assert from_query({"__theme": "dark", "view": "api", "seed": "8"}) == Link(fields={"seed": 8})
    assert from_query({"text": "Hi", "hide": ""}) == Link(fields={"text": "Hi"})


def test_a_teacher_may_hide_controls_but_not_the_text():
    link = to_query(Request(text="Hi"), hidden=("steps", "guidance"))
    assert "hide=steps%2Cguidance" in link
    assert from_query(query_of(link)).hidden == ("steps", "guidance")
    assert from_query({"hide": ",".join(HIDEABLE)}).hidden == HIDEABLE
    for wrong in ("text", "steps,", "write", "__class__", "steps, guidance", "x" * 10_000):
        with pytest.raises(ValueError, match="what can be hidden is candidates, seed, steps"):
            from_query({"hide": wrong})


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"text": "x" * 10_000}, "The text has 10000 characters"),
        ({"text": "Hi", "seed": "-1"}, "Seed must be"),
        ({"seed": "1e3"}, "Seed must be"),
        ({"seed": "9" * 5000}, "Seed must be"),
        ({"steps": ""}, "Steps must be"),
        ({"steps": "٣"}, "Steps must be"),
        ({"steps": "4.5"}, "Steps must be a whole number"),
        ({"guidance": "nan"}, "Guidance must be"),
        ({"watch": "True"}, "Watch must be"),
        ({"sampler": "<img src=x onerror=alert(1)>"}, "Sampler must be one of"),
        ({"text": "\ud800"}, "whole characters"),
    ],
)
def test_a_link_that_makes_no_sense_gets_one_sentence_without_what_it_said(query, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        from_query(query)
    assert str(refusal.value).startswith("This link was not followed. ") and len(str(refusal.value)) < 150
    assert "<img" not in str(refusal.value)
