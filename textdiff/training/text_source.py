"""Random prompts: what the training pictures say.

A prompt has lines of at most 13 characters; the tokens of a line are separated by single spaces. Tokens are
dictionary words, pronounceable non-words ("Mimarogo"), random letters and digit strings, in lower, title and
upper case, some with punctuation after them, a few with any other symbol. Tokens that are in no dictionary
are there so that the model has to spell, letter by letter, instead of recognising words.

The words (words.txt, with words.LICENSE) are SCOWL's small American list, made fit for a classroom.
"""

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

LONGEST_LINE = 13
EMPTY_SHARE = 0.01
SYMBOL_SHARE = 0.025  # of tokens: gets a symbol other than the common punctuation
PUNCTUATION_SHARE = 0.09  # of tokens
PUNCTUATION = ".,!?;:"
SYMBOLS = "\"#$%&'()*+-/<=>@[\\]^_`{|}~"
# Prompt lengths, newlines counted: equal mass on each range, so that short texts stay frequent.
BUCKETS = ((1, 5), (6, 10), (11, 20), (21, 32), (33, 48))

_VOWELS, _CONSONANTS = "aeiou", "bcdfghjklmnpqrstvwxyz"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TOKEN_LENGTHS = range(1, LONGEST_LINE + 1)
_TOKEN_WEIGHTS = (6, 14, 12, 16, 13, 13, 10, 8, 4, 3, 2, 1, 1)


def random_prompt(rng: np.random.Generator, longest: int, most_lines: int, full_share: float = 0.0) -> str:
    """A prompt of at most `longest` characters, newlines counted, and `most_lines` lines; now and then empty.

    A `full_share` of the prompts is as long as allowed, or up to a quarter shorter. Draws one number from
    `rng`.
    """
    # About a hundred single numbers are needed; Python's generator draws them ten times as fast as numpy's.
    draw = random.Random(int(rng.integers(1 << 63)))
    if draw.random() < EMPTY_SHARE:
        return ""
    longest = min(longest, most_lines * (LONGEST_LINE + 1) - 1)
    full = full_share and draw.random() < full_share
    length = draw.randint(-(-longest * 3 // 4), longest) if full else _length(draw, longest)
    return "\n".join(_line(draw, width) for width in _line_widths(draw, length, most_lines))


def _length(draw: random.Random, longest: int) -> int:
    """A prompt's length: a bucket, each as likely as its share below `longest`, then uniform within."""
    shares = [max(0, min(last, longest) - first + 1) / (last - first + 1) for first, last in BUCKETS]
    first, last = draw.choices(BUCKETS, shares)[0]
    return draw.randint(first, min(last, longest))


def _line_widths(draw: random.Random, length: int, most_lines: int) -> list[int]:
    """Characters per line, each 1 to LONGEST_LINE: `length` characters with a newline between lines."""
    fewest = -(-(length + 1) // (LONGEST_LINE + 1))
    likely_most = 1 + length // 5 if draw.random() < 0.95 else (length + 1) // 2
    lines = draw.randint(fewest, max(fewest, min(most_lines, likely_most)))
    widths, left = [], length - (lines - 1)
    for following in range(lines - 1, -1, -1):
        lowest, highest = max(1, left - following * LONGEST_LINE), min(LONGEST_LINE, left - following)
        fair = left / (following + 1)  # the draw lies around an even split, so that no line is favoured
        widths.append(min(highest, max(lowest, round(draw.uniform(0.4, 1.6) * fair))) if following else left)
        left -= widths[-1]
    draw.shuffle(widths)
    return widths


def _line(draw: random.Random, width: int) -> str:
    """Tokens with single spaces between them, `width` characters in all."""
    tokens, left = [], width
    while left:
        fill = left <= 10 and draw.random() < 0.35
        size = left if fill else draw.choices(_TOKEN_LENGTHS, _TOKEN_WEIGHTS)[0]
        if size >= left - 1:  # neither too long nor one short, which would leave a space at the end
            size = left
        tokens.append(_token(draw, size))
        left -= size + (size < left)
    return " ".join(tokens)


def _token(draw: random.Random, size: int) -> str:
    luck = draw.random()
    if luck < SYMBOL_SHARE:
        return _with_symbol(draw, size)
    if luck < SYMBOL_SHARE + PUNCTUATION_SHARE and size > 1:
        return _plain_token(draw, size - 1) + draw.choice(PUNCTUATION)
    return _plain_token(draw, size)


def _plain_token(draw: random.Random, size: int) -> str:
    luck = draw.random()
    make: Callable[[random.Random, int], str]
    if luck < 0.50 and size > 1:
        make = _word
    elif luck < 0.72 and size > 1:
        make = _non_word
    elif luck < 0.87:
        make = _letters
    else:
        make = _digits
    return make(draw, size)


def _with_symbol(draw: random.Random, size: int) -> str:
    """A token in which one character is a symbol, or two if it is put in brackets."""
    if size >= 4 and draw.random() < 0.25:
        left, right = draw.choice(("()", "[]", "{}", "<>", '""', "''", "``", "**", "__", "~~"))
        return left + _plain_token(draw, size - 2) + right
    place = draw.choice((0, size - 1, draw.randrange(size)))
    token = _plain_token(draw, size)
    return token[:place] + draw.choice(SYMBOLS) + token[place + 1 :]


def _word(draw: random.Random, size: int) -> str:
    if size == 2 and draw.random() < 0.3:
        word = "it"
    else:
        word = draw.choice(_words()[size])
    return word if word[0].isupper() and draw.random() < 0.5 else _cased(draw, word.lower())


def _non_word(draw: random.Random, size: int) -> str:
    """Consonants and vowels in turn."""
    turns = (_CONSONANTS, _VOWELS) if draw.random() < 0.8 else (_VOWELS, _CONSONANTS)
    return _cased(draw, "".join(draw.choice(turns[place % 2]) for place in range(size)))


def _letters(draw: random.Random, size: int) -> str:
    letters = "".join(draw.choices(_LETTERS, k=size))
    if draw.random() < 0.12:
        return "".join(letter.upper() if draw.random() < 0.5 else letter for letter in letters)
    return _cased(draw, letters)


def _digits(draw: random.Random, size: int) -> str:
    return "".join(draw.choices("0123456789", k=size))


def _cased(draw: random.Random, token: str) -> str:
    luck = draw.random()
    return token if luck < 0.5 else token.capitalize() if luck < 0.78 else token.upper()


@cache
def _words() -> dict[int, list[str]]:
    """The dictionary by word length, 2 to 13."""
    by_length: dict[int, list[str]] = {}
    for word in Path(__file__).with_name("words.txt").read_text("ascii").split():
        by_length.setdefault(len(word), []).append(word)
    return by_length
