"""What goes wrong in writing: where in the text characters fail, and which are taken for which.

Reading and prompt are aligned by the shortest way from one to the other (Levenshtein). A character of the
prompt is wrong when that way replaces or deletes it. Line breaks have no place in a line: they count among
the confusions only. The clean renders stand beside the model, so that the reader's own mistakes show.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from textdiff.similarity import edits
from textdiff.training.scores import Reading, folded, markdown

LEAST_ALIKE = 0.5  # NED from which on confusions are counted: below it, what faces what is chance
_LENGTHS = 8  # characters of text in one class of lengths
_SHOWN = 15  # rows of a printed list
_NAMES = {"\n": "line break", " ": "space", "|": "vertical bar", "`": "backtick", "": "nothing"}


class Character(NamedTuple):
    """One character of a prompt, and what it was read as."""

    wanted: str
    read: str  # "" if nothing
    from_start: int  # place in its line, 1 is the first; a line break's is one past the last
    from_end: int  # 1 is the last character of its line; a line break's is 0
    line: int  # 1 is the first
    length: int  # characters of the whole text, line breaks included


def aligned(reading: Reading) -> Iterator[Character]:
    """The characters of the prompt, runs of spaces as one, in order."""
    text = folded(reading.text)
    read = list(text)
    for edit in edits(text, folded(reading.read)):
        if edit.kind != "insert":
            read[edit.position] = edit.found
    position = 0
    for number, line in enumerate(text.split("\n"), start=1):
        ended = f"{line}\n" if position + len(line) < len(text) else line
        for column, wanted in enumerate(ended):
            yield Character(wanted, read[position], column + 1, len(line) - column, number, len(text))
            position += 1


def _class_of_length(character: Character) -> int:
    return (character.length - 1) // _LENGTHS


PLACES: dict[str, Callable[[Character], int]] = {
    "from_line_start": lambda character: character.from_start,
    "from_line_end": lambda character: character.from_end,
    "by_line": lambda character: character.line,
    "by_length": lambda character: _class_of_length(character) * _LENGTHS + 1,  # the shortest of its class
}


def errors(readings: Sequence[Reading], clean: Sequence[Reading]) -> dict[str, list[dict]]:
    """Error rates by place, confusions and insertions, of the model and of the clean renders.

    Each list of PLACES holds {"at", "model", "clean"}, sorted by "at", where model and clean are
    {"characters", "wrong", "rate"}, or None where there are no characters. "confusions" holds {"wanted",
    "read", "model", "clean"} and "insertions" {"read", "model", "clean"} with the counts, the model's most
    frequent first, from the readings at least LEAST_ALIKE; a "read" of "" means nothing.
    """
    ours, theirs = (
        [character for reading in group for character in aligned(reading)] for group in (readings, clean)
    )
    result = {place: _rates(ours, theirs, at) for place, at in PLACES.items()}
    result["confusions"] = [
        {"wanted": wanted, "read": read, "model": model, "clean": typeset}
        for (wanted, read), model, typeset in _side_by_side(_confusions(readings), _confusions(clean))
    ]
    result["insertions"] = [
        {"read": read, "model": model, "clean": typeset}
        for read, model, typeset in _side_by_side(_insertions(readings), _insertions(clean))
    ]
    return result


def _rates(ours: list[Character], theirs: list[Character], at: Callable[[Character], int]) -> list[dict]:
    model, clean = _rates_of(ours, at), _rates_of(theirs, at)
    return [
        {"at": place, "model": model.get(place), "clean": clean.get(place)}
        for place in sorted({*model, *clean})
    ]


def _rates_of(characters: list[Character], at: Callable[[Character], int]) -> dict[int, dict]:
    total: Counter[int] = Counter()
    wrong: Counter[int] = Counter()
    for character in characters:
        if character.wanted != "\n":
            total[at(character)] += 1
            wrong[at(character)] += character.read != character.wanted
    return {
        place: {"characters": count, "wrong": wrong[place], "rate": round(wrong[place] / count, 4)}
        for place, count in total.items()
    }


def _confusions(readings: Sequence[Reading]) -> Counter[tuple[str, str]]:
    return Counter(
        (character.wanted, character.read)
        for reading in readings
        if reading.ned >= LEAST_ALIKE
        for character in aligned(reading)
        if character.wanted != character.read
    )


def _insertions(readings: Sequence[Reading]) -> Counter[str]:
    return Counter(
        edit.found
        for reading in readings
        if reading.ned >= LEAST_ALIKE
        for edit in edits(folded(reading.text), folded(reading.read))
        if edit.kind == "insert"
    )


def _side_by_side(model: Counter, clean: Counter) -> list[tuple]:
    """(what, the model's count, the clean renders' count), the model's most frequent first."""
    order = sorted({*model, *clean}, key=lambda what: (-model[what], -clean[what], what))
    return [(what, model[what], clean[what]) for what in order]


def tables(found: dict[str, list[dict]]) -> str:
    """What `errors` found, as short Markdown tables."""
    # A line of n characters has the places 1 to n, from either end: the two lists go through the same places.
    both_ends = zip(found["from_line_start"], found["from_line_end"], strict=True)
    return "\n\n".join(
        [
            "Wrong characters by place in the line, those of the clean renders in brackets:",
            markdown(
                ("place", "from the start", "from the end"),
                [(start["at"], _rate(start), _rate(end)) for start, end in both_ends],
            ),
            "By line:",
            markdown(("line", "wrong"), [(row["at"], _rate(row)) for row in found["by_line"]]),
            "By length of the whole text:",
            markdown(
                ("characters", "wrong"),
                [(f"{row['at']} to {row['at'] + _LENGTHS - 1}", _rate(row)) for row in found["by_length"]],
            ),
            f"The most frequent confusions, in readings of NED {LEAST_ALIKE} or more:",
            markdown(
                ("wanted", "read", "model", "clean"),
                [
                    (_shown(row["wanted"]), _shown(row["read"]), row["model"], row["clean"])
                    for row in found["confusions"][:_SHOWN]
                ],
            ),
            "Read, but not wanted, in the same readings:",
            markdown(
                ("read", "model", "clean"),
                [(_shown(row["read"]), row["model"], row["clean"]) for row in found["insertions"][:_SHOWN]],
            ),
        ]
    )


def _rate(row: dict) -> str:
    """Such as "12 % of 240 (1 %)"."""
    model, clean = row["model"], row["clean"]
    ours = f"{model['rate']:.0%} of {model['characters']}" if model else "-"
    theirs = f"{clean['rate']:.0%}" if clean else "-"
    return f"{ours} ({theirs})".replace("%", " %")


def _shown(character: str) -> str:
    return _NAMES.get(character, f"`{character}`")
