"""Text to a picture with a box around every character: the pictures the model learns from.

A picture has a background and, anywhere in it, text that is clearly lighter or darker. In the simplest of
them, the background is flat and the text has one colour. Glyphs are anti-aliased masks drawn by Pillow once
per face, size and character, then set at whole pixels.

Legend: H, W = S = config.image_size; lengths and positions in pixels, y downwards.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from textdiff.alphabet import CHARACTERS
from textdiff.config import DataConfig
from textdiff.training.backgrounds import BACKGROUNDS
from textdiff.training.fonts import Face
from textdiff.training.long_text import long_prompt, wide_prompt
from textdiff.training.text_source import LONGEST_LINE, random_prompt

MARGIN = 1  # pixels between the text and the picture's edge
LEAST_CONTRAST = 0.35  # of luma, which goes from 0 to 1
LINE_SPACING = (1.0, 1.3)  # times the height of a line's ink
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_EM = 200  # pixels at which faces are measured: fine enough for widths, cheap
_CACHED_SIZES = 4096  # face and size pairs, up to 30 kB each: about 200 faces at every size
_TRIES = 8
_CENTRE = 1  # of the alignments
_BACKGROUND_COLOURS = 3
_CODE = {character: code for code, character in enumerate(CHARACTERS[1:])}  # without the newline
_SPACE = _CODE[" "]


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture and what it says.

    `picture` (H, W, 3) uint8; `boxes` (len(text), 4) float32 of x0, y0, x1, y1: horizontally the character's
    advance, vertically its line from the highest ascender to the lowest descender. A newline's box is
    all zeros.
    """

    picture: np.ndarray
    text: str
    boxes: np.ndarray


def limits(config: DataConfig, index: int) -> tuple[int, int, int]:
    """(longest text, most lines, smallest font px) of picture number `index`, by the curriculum."""
    if not config.curriculum:
        return config.max_characters, config.max_lines, config.min_font_px
    seen, *columns = np.array(config.curriculum, dtype=float).T
    longest, lines, size = (int(np.interp(index, seen, column) + 0.5) for column in columns)
    return min(longest, config.max_characters), min(lines, config.max_lines), max(size, config.min_font_px)


class Renderer:
    """Draws texts in the given faces, each family as often as any other, or the first face most often."""

    def __init__(self, config: DataConfig, faces: Sequence[Face]):
        assert faces, "a renderer needs a face"
        self.config = config
        self._faces = tuple(faces)
        families = [face.family for face in faces]
        self._weights = np.array([1 / families.count(family) for family in families])
        if config.first_face_share and len(faces) > 1:
            share = config.first_face_share
            self._weights[0] = self._weights[1:].sum() * share / (1 - share)
        whole = [_Typeface(face, _EM) for face in faces]
        self._em_advances = np.stack([typeface.advances for typeface in whole]) / _EM  # (faces, characters)
        self._em_heights = np.array([typeface.bottom - typeface.top for typeface in whole]) / _EM
        self._typefaces: OrderedDict[tuple[int, int], _Typeface] = OrderedDict()

    def picture(self, index: int) -> Sample:
        """Picture number `index` of the endless stream: a function of config, faces and `index` alone.

        Raises ValueError if the picture is too small for a single letter of the smallest size.
        """
        rng = np.random.default_rng((self.config.seed, index))
        longest, most_lines, smallest_px = limits(self.config, index)
        while longest:
            for _ in range(_TRIES):
                try:
                    return self.render(self._prompt(rng, longest, most_lines), rng, smallest_px)
                except ValueError:
                    continue  # too wide in every face: another text
            longest, most_lines = longest * 3 // 4, max(1, most_lines - 1)
        size = self.config.image_size
        raise ValueError(f"No letter of {smallest_px} pixels fits into a picture of {size} x {size} pixels.")

    def _prompt(self, rng: np.random.Generator, longest: int, most_lines: int) -> str:
        config = self.config
        widest = min(config.longest_line, longest)
        if config.wide_share and widest > LONGEST_LINE and rng.random() < config.wide_share:
            return wide_prompt(rng, longest, most_lines, widest)
        if config.longest_line > LONGEST_LINE:
            return long_prompt(rng, longest, most_lines, config.longest_line, config.full_share)
        return random_prompt(rng, longest, most_lines, config.full_share)

    def render(self, text: str, rng: np.random.Generator, smallest_px: int | None = None) -> Sample:
        """The text in a random face, size, alignment, place and colours, all of it inside the picture.

        The size lies between `smallest_px` (default: the config's smallest) and the largest that fits, more
        often in the upper half; for the config's `largest_share` it is the largest. Raises ValueError if the
        text fits in no face.
        """
        smallest = self.config.min_font_px if smallest_px is None else smallest_px
        lines = text.split("\n")
        codes = [np.array([_CODE[character] for character in line], dtype=np.intp) for line in lines]
        largest = self._largest_px(codes)
        chances = np.where(largest >= smallest, self._weights, 0.0)
        while chances.any():
            order = chances.cumsum()
            face = int(np.searchsorted(order, rng.random() * order[-1], side="right"))
            most = min(int(largest[face]), self.config.max_font_px)
            size = self._size(smallest, most, rng)
            for px in range(size, smallest - 1, -1):  # rounded advances may need a smaller size
                layout = self._layout(self._typeface(face, px), codes, rng)
                if layout is not None:
                    return self._draw(text, codes, self._typeface(face, px), layout, rng)
            chances[face] = 0.0
        raise ValueError(f"The text does not fit into the picture at {smallest} pixels.")

    def _size(self, smallest: int, most: int, rng: np.random.Generator) -> int:
        share = self.config.largest_share
        if share and rng.random() < share:
            return most
        return smallest + int((most - smallest + 1) * np.sqrt(rng.random()))

    def _largest_px(self, codes: list[np.ndarray]) -> np.ndarray:
        """(faces,) the largest size at which the lines should fit; advances scale with the size."""
        room = self.config.image_size - 2 * MARGIN
        width = np.max([self._em_advances[:, line].sum(axis=1) for line in codes], axis=0)
        by_width = room / np.maximum(width, 1e-6)
        by_height = room / (len(codes) * self._em_heights)
        # Half a pixel more: rounding may also make a text narrower. Measuring finds what does not fit.
        return np.minimum(np.minimum(by_width, by_height) + 0.5, self.config.max_font_px)

    def _typeface(self, face: int, px: int) -> "_Typeface":
        key = (face, px)
        if key not in self._typefaces:
            self._typefaces[key] = _Typeface(self._faces[face], px)
            if len(self._typefaces) > _CACHED_SIZES:
                self._typefaces.popitem(last=False)
        self._typefaces.move_to_end(key)
        return self._typefaces[key]

    def _layout(
        self, typeface: "_Typeface", codes: list[np.ndarray], rng: np.random.Generator
    ) -> list[tuple[int, np.ndarray]] | None:
        """Per line, the baseline's y and the pen's x at each character and at the end; None if too large."""
        room = self.config.image_size - 2 * MARGIN
        pens, lefts, rights = [], [], []
        for line in codes:
            pen = np.zeros(len(line) + 1, dtype=np.intp)
            np.cumsum(typeface.advances[line], out=pen[1:])
            pens.append(pen)
            # Ink may stick out of the advance cells on both sides.
            lefts.append(min(0, int((pen[:-1] + typeface.lefts[line]).min(initial=0))))
            rights.append(int(np.maximum(pen[1:], pen[:-1] + typeface.rights[line]).max(initial=0)))
        left = -min(lefts)
        advance = max(int(pen[-1]) for pen in pens)
        height = typeface.bottom - typeface.top
        gaps = len(codes) - 1
        slack = room - height * len(codes)
        if slack < 0:
            return None
        spacing = rng.uniform(*LINE_SPACING)
        pitch = min(int(height * spacing + 0.5), height + (slack // gaps if gaps else 0))
        alignment = self._alignment(rng)
        shifts = [int((advance - pen[-1]) * alignment) // 2 for pen in pens]
        right = max(shift + edge for shift, edge in zip(shifts, rights, strict=True))
        if left + right > room:
            return None
        x = MARGIN + left + int(rng.integers(room - left - right + 1))
        y = MARGIN - typeface.top + int(rng.integers(room - height - pitch * gaps + 1))
        baselines = range(y, y + pitch * len(codes), pitch)
        return [(base, x + shift + pen) for base, shift, pen in zip(baselines, shifts, pens, strict=True)]

    def _alignment(self, rng: np.random.Generator) -> int:
        share = self.config.centred_share
        if share and rng.random() < share:
            return _CENTRE
        return int(rng.integers(3))  # left, centre, right

    def _draw(
        self,
        text: str,
        codes: list[np.ndarray],
        typeface: "_Typeface",
        layout: list[tuple[int, np.ndarray]],
        rng: np.random.Generator,
    ) -> Sample:
        coverage = np.zeros((self.config.image_size, self.config.image_size), dtype=np.uint8)
        words, word = np.zeros(coverage.shape, dtype=np.int16), 0  # whose ink lies on each pixel
        boxes = np.zeros((len(text), 4), dtype=np.float32)
        first = 0
        for line, (baseline, pen) in zip(codes, layout, strict=True):
            last = first + len(line)
            boxes[first:last, 0], boxes[first:last, 2] = pen[:-1], pen[1:]
            boxes[first:last, 1], boxes[first:last, 3] = baseline + typeface.top, baseline + typeface.bottom
            first = last + 1  # over the newline
            for code, x in zip(line.tolist(), pen.tolist(), strict=False):
                mask, dx, dy = typeface.glyph(code)
                height, width = mask.shape
                if width:
                    rows = slice(baseline + dy, baseline + dy + height)
                    columns = slice(x + dx, x + dx + width)
                    if self.config.max_inks > 1:
                        words[rows, columns][mask > coverage[rows, columns]] = word
                    place = coverage[rows, columns]
                    np.maximum(place, mask, out=place)
                word += code == _SPACE
            word += 1
        return Sample(self._coloured(coverage, words, rng), text, boxes)

    def _coloured(self, coverage: np.ndarray, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(S, S, 3) uint8: ink to the degree of `coverage` (S, S) uint8 on a background."""
        palette = _PALETTES[self.config.colours]
        if self.config.backgrounds == ("flat",) and self.config.max_inks == 1:
            background, ink = palette(rng)
            shares = np.arange(256)[:, None] / 255  # a mixture per degree of coverage
            return (background + (ink - background) * shares + 0.5).astype(np.uint8)[coverage]
        behind, inks = _many_colours(palette, rng, int(rng.integers(self.config.max_inks)) + 1)
        draw = BACKGROUNDS[self.config.backgrounds[rng.integers(len(self.config.backgrounds))]]
        background = draw(rng, behind, self.config.image_size)
        ink = inks[rng.integers(len(inks), size=words.max() + 1)][words]
        shares = coverage[..., None] / 255
        return (background + (ink - background) * shares + 0.5).astype(np.uint8)


def _any_colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(background, ink), each (3,) from 0 to 255: the first of random pairs whose lumas differ enough."""
    while True:
        pairs = rng.integers(256, size=(16, 2, 3))
        lumas = pairs @ _LUMA / 255
        enough = np.abs(lumas[:, 0] - lumas[:, 1]) >= LEAST_CONTRAST
        if enough.any():
            return tuple(pairs[enough.argmax()])


def _paper_colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(background, ink), each (3,): nearly black on nearly white, grey throughout."""
    return np.full(3, rng.integers(225, 256)), np.full(3, rng.integers(0, 41))


_PALETTES = {"any": _any_colours, "paper": _paper_colours}


def _many_colours(palette: Callable, rng: np.random.Generator, inks: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours of a background and of the text, (N, 3) each; all of the one are far from all of the other.

    They come from pairs of the palette with the same side lighter. A colour that comes too close to the other
    side is not taken; if too few are found, the first pair stands in.
    """
    (background, ink), *others = [palette(rng) for _ in range(4 * max(_BACKGROUND_COLOURS, inks))]
    sign = np.sign((ink - background) @ _LUMA)
    behind, front = [background], [ink]
    for other_background, other_ink in others:
        if _far_apart([*behind, other_background], front, sign):
            behind.append(other_background)
        if _far_apart(behind, [*front, other_ink], sign):
            front.append(other_ink)
    fill = [behind[0]] * _BACKGROUND_COLOURS, [front[0]] * inks
    return np.array((behind + fill[0])[:_BACKGROUND_COLOURS]), np.array((front + fill[1])[:inks])


def _far_apart(behind: list[np.ndarray], front: list[np.ndarray], sign: float) -> bool:
    """Whether every ink in `front` is lighter (sign 1) or darker (-1) than all `behind` it, by enough."""
    lumas = [sign * (np.array(colours) @ _LUMA) / 255 for colours in (behind, front)]
    return lumas[1].min() - lumas[0].max() >= LEAST_CONTRAST


class _Typeface:
    """A face at one size: integer metrics of every character, and their masks, drawn when first needed."""

    def __init__(self, face: Face, px: int):
        self._face, self._px = face, px
        font = face.at(
            px
        )  # not kept: thousands of sizes are cached, and an open font takes ten times a size's room
        visible = CHARACTERS[1:]
        self._boxes = np.array(
            [font.getbbox(character, anchor="ls") for character in visible], dtype=np.int16
        )
        self.advances = np.array([round(font.getlength(character)) for character in visible], dtype=np.int16)
        self.lefts, self.rights = (
            self._boxes[:, 0],
            self._boxes[:, 2],
        )  # of each character's ink, from the pen
        self.top, self.bottom = (
            int(self._boxes[:, 1].min()),
            int(self._boxes[:, 3].max()),
        )  # of all, from the baseline
        self._glyphs: dict[int, tuple[np.ndarray, int, int]] = {}

    def glyph(self, code: int) -> tuple[np.ndarray, int, int]:
        """Coverage (h, w) uint8 and its upper left corner (x, y) from the pen on the baseline."""
        if code not in self._glyphs:
            left, top, right, bottom = self._boxes[code].tolist()
            picture = Image.new("L", (max(0, right - left), max(0, bottom - top)))
            font, draw = self._face.at(self._px), ImageDraw.Draw(picture)
            draw.text((-left, -top), CHARACTERS[1 + code], fill=255, font=font, anchor="ls")
            self._glyphs[code] = np.asarray(picture), left, top
        return self._glyphs[code]
