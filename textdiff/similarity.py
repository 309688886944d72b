"""How alike two short texts are: character trigrams, and the edits that separate them.

The trigram similarity is the one that the original system ranked its candidates with: `NGram.search` of the
Python package `ngram` at N = 3, on texts whose lines were stripped. Case and line breaks count. It is harsh
on short texts, where one letter sits in many of the trigrams: hello/hallo is 0.4. Edit distance is shown
beside it.
"""

from collections import Counter
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

PAD = "$"  # the pad character of the package; a "$" in a text is told apart by position only, as there


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One step on the shortest way from the text to what was read."""

    kind: str  # "replace", "delete" (not read) or "insert" (read, but not wanted)
    position: int  # index into the wanted text; for an insert, the character before which it stands
    wanted: str  # the character of the text, empty for an insert
    found: str  # the character that was read, empty for a delete


@dataclass(frozen=True, kw_only=True, slots=True)
class TrigramMatch:
    """The trigrams of text and reading as (trigram, count) pairs, in the order in which they occur."""

    matched: tuple[tuple[str, int], ...]
    missing: tuple[tuple[str, int], ...]  # in the text, not in the reading
    extra: tuple[tuple[str, int], ...]  # in the reading, not in the text


def strip_lines(text: str) -> str:
    """The text without spaces at the ends of its lines: what every comparison here looks at."""
    return "\n".join(line.strip(" ") for line in text.split("\n"))


def trigrams(text: str) -> Counter[str]:
    """All runs of three characters with their counts, two pads at each end. The empty text has none."""
    text = strip_lines(text)
    if not text:
        return Counter()
    padded = PAD * 2 + text + PAD * 2
    return Counter(padded[start : start + 3] for start in range(len(padded) - 2))


def trigram_similarity(text: str, reading: str) -> float:
    """Shared trigrams over all trigrams, both with multiplicity (a multiset Jaccard index), 0 to 1.

    Two empty texts are alike (1.0): a picture that was to hold no text and holds none is a success.
    """
    ours, theirs = trigrams(text), trigrams(reading)
    union = (ours | theirs).total()
    return (ours & theirs).total() / union if union else 1.0


def compare_trigrams(text: str, reading: str) -> TrigramMatch:
    """Which trigrams made the similarity what it is: similarity = matched / (matched + missing + extra)."""
    ours, theirs = trigrams(text), trigrams(reading)
    return TrigramMatch(
        matched=tuple((ours & theirs).items()),
        missing=tuple((ours - theirs).items()),
        extra=tuple((theirs - ours).items()),
    )


def is_exact(text: str, reading: str) -> bool:
    """Whether the reading is the text, spaces at the ends of lines aside."""
    return strip_lines(text) == strip_lines(reading)


def edit_distance(text: str, reading: str) -> int:
    """The fewest characters to replace, insert or delete between text and reading (Levenshtein)."""
    return Levenshtein.distance(strip_lines(text), strip_lines(reading))


def matched_characters(text: str, read: str) -> tuple[bool, ...]:
    """For each character of `text`, whether a shortest way of edits from text to reading leaves it alone.

    Spaces at the ends of lines, which do not count, always match.
    """
    matched, places, start = [True] * len(text), [], 0
    for line in text.split("\n"):  # places[i] is where character i of the stripped text stands in the text
        end, first = start + len(line), start + len(line) - len(line.lstrip(" "))
        places += [*range(first, first + len(line.strip(" "))), end]
        start = end + 1
    for step in Levenshtein.opcodes(strip_lines(text), strip_lines(read)):
        for place in places[step.src_start : step.src_end]:
            matched[place] = step.tag == "equal"
    return tuple(matched)


def edits(text: str, reading: str) -> tuple[Edit, ...]:
    """One shortest way from text to reading, left to right; there are `edit_distance` of them."""
    text, reading = strip_lines(text), strip_lines(reading)
    return tuple(
        Edit(
            kind=operation.tag,
            position=operation.src_pos,
            wanted="" if operation.tag == "insert" else text[operation.src_pos],
            found="" if operation.tag == "delete" else reading[operation.dest_pos],
        )
        for operation in Levenshtein.editops(text, reading)
    )
