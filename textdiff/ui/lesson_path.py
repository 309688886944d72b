"""The tour: lessons that play beside the viewer, as text in files.

A file NN-slug.md holds one lesson:

    # Why is text hard for an image model?

    [view=denoising step=0.3]
    A paragraph of plain text.

    And another one.

Each line in brackets begins a page and says what the viewer shows beside it: fields of the viewer's state,
everything else as the run opens. `step` is a share of the run, from 0 to 1, and `head=taught` the taught head
of the layer, so that a lesson suits any run.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"[0-9]{2}-([a-z0-9-]+)\.md")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Page:
    """What the viewer shows, and the paragraphs beside it."""

    state: dict[str, str | float | bool]
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Lesson:
    """Pages under one title; the slug is its name in an address."""

    slug: str
    title: str
    pages: tuple[Page, ...]


def read_path(folder: Path, views: Collection[str], fields: Collection[str]) -> list[Lesson]:
    """All lessons of the folder, in the order of their numbers. Raises ValueError as `parse_lesson` does."""
    files = sorted(folder.glob("*.md"))
    return [parse_lesson(file.name, file.read_text(encoding="utf-8"), views, fields) for file in files]


def parse_lesson(name: str, text: str, views: Collection[str], fields: Collection[str]) -> Lesson:
    """The lesson in the file `name`. A page may show one of `views` and set any of `fields`.

    Raises ValueError, with the file and the line, for whatever is not as it should be.
    """
    if not (slug := _NAME.fullmatch(name)):
        raise ValueError(f"{name}: a lesson's file is called NN-slug.md.")
    heading, *lines = text.splitlines() or [""]
    if not heading.startswith("# "):
        raise ValueError(f"{name}, line 1: a lesson begins with its # Title.")
    pages, state, paragraphs = [], None, [""]

    def close(number: int) -> None:
        if state is None:
            return
        if not any(paragraphs):
            raise ValueError(f"{name}, line {number}: a page has no words.")
        pages.append(Page(state, tuple(filter(None, paragraphs))))

    for number, line in enumerate(map(str.strip, lines), start=2):
        if line.startswith("["):
            close(number)
            try:
                state, paragraphs = _state(line, views, fields), [""]
            except ValueError as problem:
                raise ValueError(f"{name}, line {number}: {problem}") from problem
        elif not line:
            paragraphs.append("")
        elif state is None:
            raise ValueError(f"{name}, line {number}: words stand below a line in brackets.")
        else:
            paragraphs[-1] = f"{paragraphs[-1]} {line}".strip()
    close(1 + len(lines))
    if not pages:
        raise ValueError(f"{name}: this lesson has no pages.")
    return Lesson(slug[1], heading[2:].strip(), tuple(pages))


def _state(line: str, views: Collection[str], fields: Collection[str]) -> dict[str, str | float | bool]:
    """The fields of a line in brackets."""
    if not line.endswith("]"):
        raise ValueError("the bracket is not closed.")
    state = {}
    for word in line[1:-1].split():
        field, equals, value = word.partition("=")
        if not equals or not value:
            raise ValueError(f'"{word}" is not field=value.')
        if field not in fields:
            raise ValueError(f'the viewer has no field "{field}".')
        if field in state:
            raise ValueError(f'"{field}" is said twice.')
        state[field] = _value(value)
    if state.get("view") not in views:
        raise ValueError(f"a page shows one view of {', '.join(views)}.")
    step = state.get("step", 0)
    if isinstance(step, str | bool) or not 0 <= step <= 1:
        raise ValueError(f'a step is a share of the run, from 0 to 1, not "{step}".')
    return state


def _value(text: str) -> str | float | bool:
    """A number or truth value where the text is one."""
    if text in ("true", "false"):
        return text == "true"
    return (float(text) if "." in text else int(text)) if _NUMBER.fullmatch(text) else text
