"""OCR engines behind one protocol: what reads the candidates, never told what they were meant to say.

A new engine is one file with a class like the others, a factory here and a line in `READERS`. Importing this
package imports no engine.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from textdiff.trajectory import Reading


class Reader(Protocol):
    """Reads pictures. `name` is the engine and its version, and stands beside every score that is shown."""

    name: str

    def read(self, pictures: Sequence[np.ndarray]) -> list[Reading]:
        """One reading per picture, (H, W, 3) uint8 RGB; "" with confidence 0 where no text is legible."""
        ...


def _rapidocr(allow_download: bool) -> Reader:
    from textdiff.readers.rapidocr import RapidOcrReader

    return RapidOcrReader()


def _easyocr(allow_download: bool) -> Reader:
    from textdiff.readers.easyocr import EasyOcrReader

    return EasyOcrReader(allow_download=allow_download)


def _tesseract(allow_download: bool) -> Reader:
    from textdiff.readers.tesseract import TesseractReader

    return TesseractReader()


READERS: dict[str, Callable[[bool], Reader]] = {
    "rapidocr": _rapidocr,  # the default: its models come with the package
    "easyocr": _easyocr,
    "tesseract": _tesseract,
}


def open_reader(name: str, allow_download: bool = False) -> Reader:
    """The reader called `name`, ready to read. Without `allow_download` nothing is fetched from the network.

    Raises ValueError with one sentence if there is no such reader, or its engine or its weights are missing.
    """
    if name not in READERS:
        raise ValueError(f"There is no reader called {name!r}; choose one of {', '.join(READERS)}.")
    return READERS[name](allow_download)
