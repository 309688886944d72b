"""Prompts for large pictures and narrow faces, also longer, with longer lines, than `text_source` writes.

Half of them are its own, so that short texts stay frequent; the others are put together from its lines, every
length as likely as any other. Few of these have a long line; where all should have one, there is
`wide_prompt`.
"""

import numpy as np

from textdiff.training.text_source import LONGEST_LINE, random_prompt

_LONG_SHARE = 0.5


def long_prompt(
    rng: np.random.Generator, longest: int, most_lines: int, longest_line: int, full_share: float = 0.0
) -> str:
    """A prompt of at most `longest` characters, newlines counted, and `most_lines` lines; now and then empty.

    No line is longer than `longest_line`. `full_share` is that of `random_prompt`.
    """
    if rng.random() >= _LONG_SHARE:
        return random_prompt(rng, longest, most_lines, full_share)
    length = int(rng.integers(1, min(longest, most_lines * (longest_line + 1) - 1) + 1))
    fewest = -(-(length + 1) // (longest_line + 1))
    count = int(rng.integers(fewest, max(fewest, min(most_lines, 1 + length // 5)) + 1))
    return "\n".join(_line(rng, width) for width in _widths(rng, length, count, longest_line))


def wide_prompt(rng: np.random.Generator, longest: int, most_lines: int, longest_line: int) -> str:
    """A prompt with a line of more than LONGEST_LINE characters, as `long_prompt` has one now and then.

    Of at most `longest` characters, newlines counted, and `most_lines` lines, none longer than
    `longest_line`, which is more than LONGEST_LINE and no more than `longest`.
    """
    wide = ""
    while len(wide) <= LONGEST_LINE:
        wide = _line(rng, int(rng.integers(LONGEST_LINE + 1, longest_line + 1)))
    lines, left = [wide], longest - len(wide) - 1
    for _ in range(int(rng.integers(most_lines))):
        if left > 0:
            lines.append(_line(rng, int(rng.integers(1, min(left, longest_line) + 1))))
            left -= len(lines[-1]) + 1
    return "\n".join(lines[place] for place in rng.permutation(len(lines)))


def _widths(rng: np.random.Generator, length: int, count: int, longest_line: int) -> np.ndarray:
    """`count` line widths, each 1 to `longest_line`: `length` characters with a newline between lines."""
    widths, left = [], length - (count - 1)
    for following in range(count - 1, -1, -1):
        lowest, highest = max(1, left - following * longest_line), min(longest_line, left - following)
        fair = left / (following + 1)  # the draw lies around an even split, so that no line is favoured
        width = round(rng.uniform(0.4, 1.6) * fair) if following else left
        widths.append(min(highest, max(lowest, width)))
        left -= widths[-1]
    return rng.permutation(widths)


def _line(rng: np.random.Generator, width: int) -> str:
    """Lines of `text_source` with a space between them: `width` characters or a few less."""
    pieces, left = [], int(width)
    while left > 0:
        if piece := random_prompt(rng, min(left, LONGEST_LINE), 1, full_share=1.0):
            pieces.append(piece)
            left -= len(piece) + 1
    return " ".join(pieces)
