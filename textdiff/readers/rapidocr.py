"""The default reader: RapidOCR, whose models come with its package, so it needs no network.

RapidOCR's recogniser (PP-OCRv6 small, a CTC model) reads each line that `lines.py` found, and what may be two
lines both ways. Only when it is unsure does RapidOCR's detector look for the lines as well: on small pictures
with an even background it is several times slower and no better. The surest reading counts.

Pictures that come together are read at the same time, one on each core. Putting their lines into one batch
instead was measured: on a CPU as slow as line by line where all are as wide, and a third slower where the
narrower ones have to be padded.
"""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

from textdiff.readers.lines import Line, both_ways, find_lines
from textdiff.trajectory import Reading

LINE_HEIGHT = 48  # what the recogniser was trained on
MARGIN = 0.2  # of a line's height, left around it
SURE = 0.9  # under this confidence the detector is asked too
# Times: the recogniser overlooks spaces, most of all beside single letters and between capitals, but then
# they are its second guess. Where there is none in typeset lines, it gives one a tenth in 7 of 8,114 places.
SPACE_FAVOUR = 10
LEGIBLE = 0.5  # lines under this confidence are dropped, RapidOCR's own default
LARGE_SIDE = 320  # both work on the framed picture at this size, four times the 80 pixels of a 64-pixel one
MOST_AT_ONCE = 4  # pictures
EDGE = 1 / 8  # of the picture's side: the frame, because the detector overlooks text that touches the edge

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels of the enlarged picture
Row = tuple[Box, ...]  # a line, as the boxes of its pieces


@dataclass(frozen=True, slots=True)
class _ReadLine:
    text: str
    confidence: float
    box: Box


class RapidOcrReader:
    """Reads with RapidOCR, each picture on one CPU thread."""

    def __init__(self) -> None:
        try:
            import onnxruntime
            import rapidocr
        except ImportError as error:
            raise ValueError(
                f"The reader rapidocr needs a package that is not installed: {error.name}."
            ) from error
        models = sorted((Path(rapidocr.__file__).parent / "models").glob("*_rec_*.onnx"))
        if not models:
            raise ValueError("The package rapidocr came without its recognition model; install version 3.10.")
        self.name = f"rapidocr {version('rapidocr')}"
        self._pool = ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_AT_ONCE), "reader")
        self._detector = None  # opened at the first picture that needs it
        self._detecting = threading.Lock()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(str(models[0]), options, ["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        # The model knows 18,000 characters, ours are printable ASCII. Class 0 is the CTC blank.
        alphabet = self._session.get_modelmeta().custom_metadata_map["character"].splitlines()
        known = ["", *alphabet, " "]
        self._classes = [i for i, c in enumerate(known) if i == 0 or (len(c) == 1 and 32 <= ord(c) < 127)]
        self._characters = [known[i] for i in self._classes]
        self._space = np.array([character == " " for character in self._characters])

    def read(self, pictures: Sequence[np.ndarray]) -> list[Reading]:
        """One reading per picture, (H, W, 3) uint8; the same as if each had come alone."""
        return list(self._pool.map(self._read, pictures))

    def _read(self, picture: np.ndarray) -> Reading:
        found = find_lines(picture)
        if not found:
            return Reading(text="", confidence=0.0)
        side = max(picture.shape[:2])
        edge = round(side * EDGE)
        framed = cv2.copyMakeBorder(picture[..., ::-1], edge, edge, edge, edge, cv2.BORDER_REPLICATE)  # BGR
        scale = LARGE_SIDE / (side + 2 * edge)
        large = cv2.resize(framed, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)

        read = cache(partial(self._read_row, large))  # most lines are the same when others are divided
        ways = both_ways(found, len(picture))
        lines = max(([read(row) for row in _grown(way, edge, scale)] for way in ways), key=_confidence)
        if _confidence(lines) < SURE:
            lines = max(lines, [read(row) for row in _rows(self._detect(large))], key=_confidence)

        legible = [line for line in lines if line.text and line.confidence >= LEGIBLE]
        limits = [picture.shape[1], picture.shape[0]] * 2
        boxes = [(np.array(line.box) / scale - edge).clip(0, limits) for line in legible]
        return Reading(
            text="\n".join(line.text for line in legible),
            confidence=_confidence(legible),
            boxes=tuple(tuple(box.tolist()) for box in boxes),
        )

    def _read_row(self, picture: np.ndarray, row: Row) -> _ReadLine:
        """Reads a line of a picture (H, W, 3) uint8 BGR."""
        pieces = []
        for x0, y0, x1, y1 in row:
            width = max(round((x1 - x0) * LINE_HEIGHT / (y1 - y0)), LINE_HEIGHT // 3)
            pieces.append(self._recognise(cv2.resize(picture[y0:y1, x0:x1], (width, LINE_HEIGHT))))
        lefts, tops, rights, bottoms = zip(*row, strict=True)
        return _ReadLine(
            text=" ".join(text for text, _ in pieces).strip(),
            confidence=float(np.mean([confidence for _, confidence in pieces])),
            box=(min(lefts), min(tops), max(rights), max(bottoms)),
        )

    def _recognise(self, strip: np.ndarray) -> tuple[str, float]:
        """Text and confidence (mean over its visible characters) of one line, (48, W, 3) uint8 BGR."""
        values = (strip.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        (output,) = self._session.run(None, {self._input: values})
        chances = output[0][:, self._classes]  # (places, classes)
        best = np.where(self._space, SPACE_FAVOUR * chances, chances).argmax(axis=1)
        # CTC: blanks are nothing, and a class repeated from place to place is one character.
        starts = np.flatnonzero((best != 0) & (best != np.concatenate([[0], best[:-1]])))
        text = "".join(self._characters[best[place]] for place in starts)
        visible = starts[~self._space[best[starts]]]
        return " ".join(text.split()), float(chances.max(axis=1)[visible].mean()) if len(visible) else 0.0

    def _detect(self, picture: np.ndarray) -> list[Box]:
        """Upright boxes around the text in a picture (H, W, 3) uint8, BGR."""
        with self._detecting:  # nobody promises that it can be asked by two threads
            if self._detector is None:
                from rapidocr import RapidOCR

                self._detector = RapidOCR(
                    params={
                        "Global.log_level": "critical",
                        "Det.limit_side_len": LARGE_SIDE,
                        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                    }
                )
            corners = self._detector(picture, use_cls=False, use_rec=False).boxes  # (boxes, 4, 2)
        if corners is None:
            return []
        size = picture.shape[1::-1]
        lows, highs = np.floor(corners.min(axis=1)), np.ceil(corners.max(axis=1))
        boxes = np.concatenate([lows.clip(0, size), highs.clip(0, size)], axis=1).astype(int)
        return [tuple(box) for box in boxes.tolist() if box[2] > box[0] and box[3] > box[1]]


def _grown(lines: Sequence[Line], edge: int, scale: float) -> list[Row]:
    """Each line as a row with its margins, in the picture framed by `edge` pixels and enlarged."""
    boxes = np.array([line.box for line in lines])
    margins = MARGIN * (boxes[:, 3:] - boxes[:, 1:2]) * [-1, -1, 1, 1]
    grown = ((boxes + margins + edge) * scale).round().astype(int).clip(0, LARGE_SIDE)
    return [(tuple(box),) for box in grown.tolist()]


def _rows(boxes: list[Box]) -> list[Row]:
    """The boxes line by line, each line from left to right: a wide gap may have split it in pieces."""
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box[1] + box[3]):
        _, top, _, bottom = rows[-1][0] if rows else (0, 0, 0, 0)
        if rows and top < (box[1] + box[3]) / 2 < bottom:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [tuple(sorted(row)) for row in rows]


def _confidence(lines: Sequence[_ReadLine]) -> float:
    return float(np.mean([line.confidence for line in lines])) if lines else 0.0
