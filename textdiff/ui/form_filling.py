"""What fills in the form beside its visitor: a link, what the browser remembers, a picture, a candidate, line
breaks.

None of them starts a run. The page binds the panel and the writer.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import gradio as gr

from textdiff.picture_settings import read_settings
from textdiff.request_link import from_query
from textdiff.request_rules import ONE_CALL, checked, untouched
from textdiff.typed_text import tidied, with_plain_letters, with_short_lines
from textdiff.ui.viewer_component import show_answer, show_problem
from textdiff.ui.write_panel import WritePanel

if TYPE_CHECKING:  # the page answers before torch has been imported
    from textdiff.writer import Writer


def use_seed(asked: gr.EventData) -> tuple:
    """The seed of one candidate, for that picture alone, into the form; nothing is started."""
    return asked.seed, 1, show_answer("use_seed", seed=asked.seed)


def offer_easier_text(get_writer: Callable[[], "Writer"], text: str | None) -> dict:
    """The button that offers a text that is easier to write, if there is one: it says why, and which."""
    try:
        why, easier = _easier(get_writer(), text)
    except Exception:  # there is no model, and the page has said so when it was opened
        easier = None
    if easier is None:
        return gr.update(visible=False)
    shown = easier.replace("\n", " / ")
    return gr.update(visible=True, value=f"{why}: {shown}")


def take_offer(get_writer: Callable[[], "Writer"], text: str | None) -> str | None:
    """The easier text, into the form."""
    return _easier(get_writer(), text)[1] or text


def _easier(writer: "Writer", typed: str | None) -> tuple[str, str | None]:
    """What is the matter with the text, and what could be written instead; None if nothing."""
    text, limits = tidied(typed or ""), writer.limits
    if len(text) > limits.max_characters:
        return "", None
    if plain := with_plain_letters(text):
        return "The model has seen English letters only. Use those", plain
    return "Long lines are often misspelt. Break them", with_short_lines(text, limits.max_lines)


def take_usual(one_call: bool, *values) -> list:
    """The fields of `ONE_CALL`: what is usual in the other way to guide becomes what is usual in this."""
    usual, other = (untouched(one_call=way) for way in (one_call, not one_call))
    pairs = zip(ONE_CALL, values, strict=True)
    return [getattr(usual, name) if value == getattr(other, name) else value for name, value in pairs]


def remember(panel: WritePanel, *values) -> dict:
    """What the browser keeps of a form that was sent: all but the text."""
    return {name: value for name, value in zip(panel.fields, values, strict=True) if name != "text"}


def following(panel: WritePanel) -> Callable:
    """What a page does when it is opened: it fills in the form from its own address, or as it was sent last
    from this browser; it hides controls, and starts nothing."""

    def follow(remembered: dict, opened: gr.Request) -> list[dict]:
        before = _sensible(remembered)
        try:
            link = from_query(opened.query_params)
        except ValueError as problem:
            gr.Warning(str(problem))
            return panel.filled(before)
        seen = {name: value for name, value in before.items() if name not in link.hidden}
        return panel.filled(seen | link.fields, link.hidden)

    return follow


def _sensible(remembered) -> dict:
    """The settings that a browser has kept; none of them if it kept something else."""
    try:
        request = checked({"text": ""} | remembered)
    except (TypeError, ValueError):
        return {}
    return {name: getattr(request, name) for name in remembered}


def restore(panel: WritePanel, picture: str | None) -> list:
    """The settings that a picture carries, into the form; nothing is started and the picture is not kept."""
    try:
        values = asdict(read_settings(picture or ""))
    except ValueError as problem:
        return [*panel.filled({}), None, show_problem(str(problem))]
    return [*panel.filled(values), None, gr.skip()]
