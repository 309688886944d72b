"""Characters to token ids, with lines and columns; the empty text and the null prompt.

A prompt becomes `START, character, character, ..., PAD, PAD`. The START token is there so that the empty
text still says something ("a picture without text"), and so that cells of the picture without a letter have
somewhere to look. The null prompt of classifier-free guidance is the single token NULL: "nothing is known
about the text", a different condition.

Legend: B prompts, T = 1 + max_characters tokens.
"""

from collections.abc import Sequence

import numpy as np

PAD, NULL, START = 0, 1, 2
CHARACTERS = "\n" + "".join(chr(code) for code in range(32, 127))
_ID = {character: 3 + index for index, character in enumerate(CHARACTERS)}
NEWLINE = _ID["\n"]
SIZE = 3 + len(CHARACTERS)


def problem_with(text: str, max_characters: int, max_lines: int) -> str | None:
    """One sentence for the person who typed `text` if the model cannot take it, else None.

    `max_characters` counts line breaks; `max_lines` counts lines, the empty text having one.
    """
    unknown = sorted({character for character in text if character not in _ID})
    if unknown:
        shown = ", ".join(f"{c!r} (U+{ord(c):04X})" for c in unknown[:3])
        more = ", ..." if len(unknown) > 3 else ""
        return f"The model has never seen these characters: {shown}{more}."
    if len(text) > max_characters:
        return (
            f"The text has {len(text)} characters, line breaks included; "
            f"this model writes at most {max_characters}."
        )
    if text.count("\n") + 1 > max_lines:
        return f"The text has {text.count(chr(10)) + 1} lines; this model writes at most {max_lines}."
    return None


def encode(texts: Sequence[str], max_characters: int) -> np.ndarray:
    """Token ids (B, T) int64 of the texts. KeyError on an unknown character: ask `problem_with` first."""
    ids = np.full((len(texts), 1 + max_characters), PAD, dtype=np.int64)
    ids[:, 0] = START
    for row, text in enumerate(texts):
        assert len(text) <= max_characters, f"{len(text)} characters do not fit into {max_characters}"
        ids[row, 1 : 1 + len(text)] = [_ID[character] for character in text]
    return ids


def null_prompt(count: int, max_characters: int) -> np.ndarray:
    """Token ids (count, T) int64 of the null prompt."""
    ids = np.full((count, 1 + max_characters), PAD, dtype=np.int64)
    ids[:, 0] = NULL
    return ids
