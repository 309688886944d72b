"""What people type, as the models here can write it: plain characters, short lines."""

import textwrap
import unicodedata

from textdiff.alphabet import CHARACTERS

# What a tablet makes of quotes, dashes and dots on its own.
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‐‑–—−", "-"),
        "‚": ",",
        "…": "...",
    }
)
# Letters that have no accent to leave out.
_SPELLED = str.maketrans(
    {
        **{"ß": "ss", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "Þ": "Th", "þ": "th"},
        **{"Ø": "O", "ø": "o", "Ł": "L", "ł": "l", "Đ": "D", "đ": "d", "Ð": "D", "ð": "d", "ı": "i"},
        **{"«": '"', "»": '"', "¿": "", "¡": ""},
    }
)
# Characters. At the smallest size, a line of so many has the wide letters of which there were most to learn
# from, a longer one only the narrow letters: README.md, "How well it spells", says what that costs.
SHORT_LINE = 12


def tidied(text: str) -> str:
    """The text with plain quotes, dashes, dots and spaces, without empty lines, outer and repeated spaces.

    None of these can be read in a picture, so that one more line break at the end would make every picture a
    wrong one.
    """
    lines = (" ".join(line.split()) for line in text.translate(_SIGNS).splitlines())
    return "\n".join(line for line in lines if line)


def with_plain_letters(text: str) -> str | None:
    """The text as the letters of English spell it, without accents.

    None where that would change nothing, or leave what no letters of English stand for.
    """
    parts = unicodedata.normalize("NFKD", text.translate(_SPELLED))  # an accent after its letter
    plain = "".join(part for part in parts if not unicodedata.combining(part))
    return plain if plain != text and set(plain) <= set(CHARACTERS) else None


def with_short_lines(text: str, max_lines: int) -> str | None:
    """The text with long lines broken at their spaces, into at most `max_lines` lines in all.

    No line gets longer than SHORT_LINE, or than it must be for the lines to be so few. None where that would
    change nothing.
    """
    lines = text.split("\n")
    longest = max(map(len, lines))
    for width in range(SHORT_LINE, longest):
        short = [piece for line in lines for piece in _broken(line, width)]
        if len(short) <= max_lines and max(map(len, short)) < longest:
            return "\n".join(short)
    return None


def _broken(line: str, width: int) -> list[str]:
    """The line in pieces of about the same length, as few as there can be; a word stays whole."""
    if len(line) <= width:
        return [line]
    ways = (
        textwrap.wrap(line, narrower, break_long_words=False, break_on_hyphens=False)
        for narrower in range(1, width + 1)
    )
    return min(ways, key=len)
