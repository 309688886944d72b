"""The reader Tesseract, for those who have its program installed.

It is of a different family than the other engines, and so good for a second opinion.
"""

from collections.abc import Sequence

import numpy as np

from textdiff.readers.lines import draw_line, read_by_lines
from textdiff.trajectory import Reading

LINE_HEIGHT = 48
MARGIN = 0.3
ONE_LINE = "--psm 7"  # Tesseract's page segmentation mode for "the picture is one line of text"


class TesseractReader:
    """Reads each line that `lines.py` finds with the tesseract program, one process per line."""

    def __init__(self) -> None:
        try:
            import pytesseract
        except ImportError as error:
            raise ValueError(
                "The reader tesseract needs the package pytesseract, which is not installed."
            ) from error
        self._engine = pytesseract
        try:
            self.name = f"tesseract {pytesseract.get_tesseract_version().base_version}"
            languages = pytesseract.get_languages()
        except (pytesseract.TesseractNotFoundError, pytesseract.TesseractError) as error:
            raise ValueError(
                "The reader tesseract needs the program tesseract, which is not installed."
            ) from error
        if "eng" not in languages:
            raise ValueError(
                "The reader tesseract needs Tesseract's English data (eng), which is not installed."
            )

    def read(self, pictures: Sequence[np.ndarray]) -> list[Reading]:
        """One reading per picture, (H, W, 3) uint8."""
        return [read_by_lines(picture, self._read_line) for picture in pictures]

    def _read_line(self, ink: np.ndarray) -> tuple[str, float]:
        """Text and confidence (mean over its words)."""
        strip = draw_line(ink, LINE_HEIGHT, MARGIN)
        try:
            found = self._engine.image_to_data(strip, config=ONE_LINE, output_type=self._engine.Output.DICT)
        except (
            self._engine.TesseractError
        ):  # Tesseract 5.3 crashes on one small picture in several hundred (its issue 4242)
            return "", 0.0
        words = [
            ("".join(character for character in word if 32 < ord(character) < 127), float(confidence) / 100)
            for word, confidence in zip(found["text"], found["conf"], strict=True)
        ]
        words = [(word, confidence) for word, confidence in words if word]
        if not words:
            return "", 0.0
        return " ".join(word for word, _ in words), float(np.mean([confidence for _, confidence in words]))
