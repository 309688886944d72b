"""The reader EasyOCR, used when chosen and its weights are there or may be fetched.

EasyOCR's package holds no weights; it fetches them from its GitHub releases at first use. Its recogniser
reads each line that `lines.py` found, black on white; its detector (a second, larger download, and slow on a
CPU) is left out.
"""

import os
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from textdiff.readers.lines import draw_line, read_by_lines
from textdiff.trajectory import Reading

LINE_HEIGHT = 64  # what the recogniser was trained on
MARGIN = 0.2
ALLOWED = "".join(chr(code) for code in range(32, 127))


class EasyOcrReader:
    """Reads with EasyOCR's English recogniser on the CPU."""

    def __init__(self, allow_download: bool = False) -> None:
        try:
            engine = import_easyocr()
        except ImportError as error:
            raise ValueError(
                f"The reader easyocr needs a package that is not installed: {error.name}."
            ) from error
        self.name = f"easyocr {version('easyocr')}"
        home = _weights_folder()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about torch functions that EasyOCR calls by their old names
                self._engine = engine.Reader(
                    ["en"],
                    gpu=False,
                    detector=False,
                    quantize=False,  # crashes on some processors (EasyOCR issues 1155 and 1323)
                    verbose=False,
                    download_enabled=allow_download,
                    model_storage_directory=str(home),
                )
        except (
            FileNotFoundError,
            NameError,
        ) as error:  # NameError: EasyOCR 1.7.2 stumbles over damaged weights
            raise ValueError(
                f"EasyOCR has no usable weights: put english_g2.pth into {home}, or allow it to download "
                "them, or choose the reader rapidocr, which needs none."
            ) from error
        except OSError as error:
            raise ValueError(
                f"EasyOCR could not download its weights ({error}); the reader rapidocr needs none."
            ) from error

    def read(self, pictures: Sequence[np.ndarray]) -> list[Reading]:
        """One reading per picture, (H, W, 3) uint8."""
        return [read_by_lines(picture, self._read_line) for picture in pictures]

    def _read_line(self, ink: np.ndarray) -> tuple[str, float]:
        strip = draw_line(ink, LINE_HEIGHT, MARGIN)[..., 0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ((_, text, confidence),) = self._engine.recognize(strip, allowlist=ALLOWED)
        return text.strip(), float(confidence)


def import_easyocr():
    """The module easyocr, also where torchvision was built for another torch.

    PyPI's torchvision is a CUDA build. With a CPU build of torch its library does not load, its operators are
    missing, and its own import fails ("operator torchvision::nms does not exist"). EasyOCR's recogniser calls
    none of them, so it is enough to declare them. A torchvision that imports is left alone: declaring an
    operator twice would break it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import easyocr
        except RuntimeError as error:
            if "operator torchvision::" not in str(error):
                raise
            _declare_torchvision_operators()
            import easyocr
    return easyocr


@cache
def _declare_torchvision_operators():
    """Declares nms and qnms without an implementation. Cached: they last as long as what is returned here."""
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def _weights_folder() -> Path:
    """Where EasyOCR looks for weights: as it does itself, but asked when needed and not at its import."""
    home = os.environ.get("EASYOCR_MODULE_PATH") or os.environ.get("MODULE_PATH") or Path.home() / ".EasyOCR"
    return Path(home) / "model"
