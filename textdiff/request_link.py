"""A request as the query of a link, and back: `text=Hello&seed=7&steps=20`.

Opened on the page, such a link fills in the form and starts nothing. `hide=steps,guidance` leaves these
controls out of the form, for teachers who want their class to see fewer.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from textdiff.request_rules import FIELDS, NUMBERS, SWITCHES, checked
from textdiff.trajectory import Request

_NUMBER = re.compile(r"[0-9]{1,10}(\.[0-9]{1,17})?", re.ASCII)
HIDEABLE = tuple(name for name in FIELDS if name != "text")


@dataclass(frozen=True, kw_only=True)
class Link:
    """What a link says. What it does not say stays as it is on the page."""

    fields: dict[str, str | int | float | bool]  # fields of Request; empty, or the text and any others
    hidden: tuple[str, ...] = ()  # fields of Request without a control


def to_query(request: Request, hidden: Iterable[str] = ()) -> str:
    """The part of a link behind the question mark. It says everything: defaults may change."""
    said = {name: _written(value) for name, value in dataclasses.asdict(request).items()}
    return urlencode(said | ({"hide": ",".join(hidden)} if hidden else {}))


def from_query(query: Mapping[str, str]) -> Link:
    """What the decoded `query` of a link says; parameters that are not about the request are passed over.

    Raises ValueError with one sentence when any of it makes no sense: a link is followed whole or not at all.
    """
    hidden = tuple(query.get("hide", "").split(",")) if query.get("hide") else ()
    if not set(hidden) <= set(HIDEABLE):
        raise ValueError(f"This link was not followed: what can be hidden is {', '.join(HIDEABLE)}.")
    said = {name: _value(name, query[name]) for name in FIELDS if name in query}
    if said:
        try:
            request = checked({"text": ""} | said)
        except ValueError as problem:
            raise ValueError(f"This link was not followed. {problem}") from problem
        said = {name: getattr(request, name) for name in said}
    return Link(fields=said, hidden=hidden)


def _written(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _value(name: str, text: str) -> str | int | float | bool:
    """The value that `text` stands for. What stands for none stays a text, which no number or switch is."""
    if name in NUMBERS and _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return {"yes": True, "no": False}.get(text, text) if name in SWITCHES else text
