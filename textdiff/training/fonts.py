"""The typefaces of the training pictures: which exist here, which are used, which are held out.

Faces come from the folder named by the environment variable TEXTDIFF_FONTS (so that a set of fonts can travel
to another machine), from the system's font folders, and from matplotlib, whose wheel carries DejaVu. A face
is used when it really draws every character of the alphabet. `DEBIAN_PACKAGES` gives a good spread of
designs.
"""

import importlib.util
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTCollection, TTFont, TTLibError
from PIL import Image, ImageDraw, ImageFont

from textdiff.alphabet import CHARACTERS

FOLDER_VARIABLE = "TEXTDIFF_FONTS"

# SIL Open Font License, Apache License 2.0, or Bitstream Vera's licence (DejaVu).
DEBIAN_PACKAGES = (
    "fonts-cabin",
    "fonts-cantarell",
    "fonts-comic-neue",
    "fonts-courier-prime",
    "fonts-crosextra-caladea",
    "fonts-crosextra-carlito",
    "fonts-dejavu",
    "fonts-dosis",
    "fonts-ebgaramond",
    "fonts-firacode",
    "fonts-inconsolata",
    "fonts-inter",
    "fonts-jetbrains-mono",
    "fonts-lato",
    "fonts-league-spartan",
    "fonts-liberation2",
    "fonts-noto-mono",
    "fonts-open-sans",
    "fonts-play",
    "fonts-quicksand",
    "fonts-roboto-unhinted",
)

# Plain upright faces of one design that stay legible at 8 px and that matplotlib carries: every machine has
# them, so what learns from them can be trained again anywhere.
FIRST = (
    ("DejaVu Sans", "Bold"),
    ("DejaVu Sans", "Book"),
    ("DejaVu Sans Mono", "Bold"),
    ("DejaVu Sans Mono", "Book"),
)
ONE = ("DejaVu Sans Mono", "Bold")
# Sets 16 characters of 8 px where ONE sets 12, and is as bold and as easily read. In fonts-open-sans.
NARROW = ("Open Sans Condensed", "Bold")
_LISTED = {"one": (ONE,), "two": (ONE, NARROW), "first": FIRST}
FONT_SETS = (*_LISTED, "all", "held-out")
_FIRST_FAMILIES = frozenset(family for family, _ in FIRST)
_HELD_OUT_PERCENT = 15
# At the sizes drawn here, hairline strokes are too faint to be read by anyone.
_TOO_THIN = ("thin", "hairline", "extralight", "extra light", "ultralight", "ultra light")
_SYSTEM_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "~/.local/share/fonts")
_SUFFIXES = {".ttf", ".otf", ".ttc", ".otc"}
_PROBE_PX = 24


@dataclass(frozen=True)
class Face:
    """One typeface: a family and a style, and where its outlines are."""

    family: str
    style: str
    path: str
    index: int  # within a font collection, else 0

    def at(self, size_px: int) -> ImageFont.FreeTypeFont:
        """The face at `size_px` pixels per em, with one glyph per character and no shaping."""
        return ImageFont.truetype(self.path, size_px, index=self.index, layout_engine=ImageFont.Layout.BASIC)


def is_held_out(family: str) -> bool:
    """Whether the family never appears in training: about 15 % of them, the same ones everywhere."""
    return family not in _FIRST_FAMILIES and zlib.crc32(family.encode()) % 100 < _HELD_OUT_PERCENT


def find_faces(font_set: str, folders: Iterable[str | Path] | None = None) -> tuple[Face, ...]:
    """The faces of a font set, sorted by file name: the same fonts give the same tuple on every machine.

    `font_set` is "one" (a single bold monospaced face), "two" (the same and a narrow one for longer lines),
    "first" (a few plain, widely legible faces), "all" (every family that is not held out) or "held-out";
    neither of the last two has faces of hairline weight. `folders` replaces the default places to look; of
    files with the same name the earlier folder's wins. A family and style found twice counts once. Raises
    ValueError when the set is unknown or empty, or one of "two" is missing.
    """
    if font_set not in FONT_SETS:
        raise ValueError(f"There is no font set {font_set!r}; choose one of {', '.join(FONT_SETS)}.")
    faces: dict[tuple[str, str], Face] = {}
    for path in _font_files(_default_folders() if folders is None else [Path(folder) for folder in folders]):
        for face, characters in _faces_of(path):
            key = (face.family, face.style)
            wanted = key not in faces and _in_set(face, font_set)
            if wanted and characters >= _NEEDED and _draws_letters(face):
                faces[key] = face
    if not faces or (font_set == "two" and len(faces) < 2):
        raise ValueError(
            f"The faces of the font set {font_set!r} were not found: install fonts, for example "
            f"{', '.join(_examples(font_set))}, or name a folder of fonts in {FOLDER_VARIABLE}."
        )
    return tuple(faces.values())


def _examples(font_set: str) -> tuple[str, ...]:
    """Packages that would help."""
    return ("fonts-dejavu", "fonts-open-sans") if font_set in _LISTED else DEBIAN_PACKAGES[:3]


_NEEDED = frozenset(ord(character) for character in CHARACTERS if character != "\n")


def _in_set(face: Face, font_set: str) -> bool:
    if font_set in _LISTED:
        return (face.family, face.style) in _LISTED[font_set]
    if any(word in face.style.lower() for word in _TOO_THIN):
        return False
    return is_held_out(face.family) == (font_set == "held-out")


def _default_folders() -> list[Path]:
    folders = [Path(folder).expanduser() for folder in _SYSTEM_FOLDERS]
    if extra := os.environ.get(FOLDER_VARIABLE):
        folders.insert(0, Path(extra).expanduser())
    if matplotlib := importlib.util.find_spec("matplotlib"):
        folders.append(Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf")
    return folders


def _font_files(folders: list[Path]) -> list[Path]:
    found = []
    for rank, folder in enumerate(folders):
        for path in folder.rglob("*") if folder.is_dir() else ():
            # matplotlib's other fonts, STIX and Computer Modern, are for formulas.
            for_formulas = "mpl-data" in path.parts and not path.name.startswith("DejaVu")
            if path.suffix.lower() in _SUFFIXES and not for_formulas:
                found.append((path.name, rank, str(path), path))
    return [entry[-1] for entry in sorted(found)]


def _faces_of(path: Path) -> Iterator[tuple[Face, set[int]]]:
    """Each face in the file, with the code points it has glyphs for."""
    try:
        with path.open("rb") as file:  # fontTools leaves a file open that it cannot read
            is_collection = path.suffix.lower() in (".ttc", ".otc")
            fonts = TTCollection(file, lazy=True).fonts if is_collection else [TTFont(file, lazy=True)]
            for index, font in enumerate(fonts):
                names = font["name"]
                family, style = names.getBestFamilyName(), names.getBestSubFamilyName()
                if family and style:
                    yield Face(family, style, str(path), index), set(font.getBestCmap() or ())
    except (TTLibError, OSError, KeyError):
        return  # a broken file in somebody's font folder is no reason to stop


def _draws_letters(face: Face) -> bool:
    """Whether every visible character leaves ink and letters differ: some faces map all to one box."""
    try:
        font = face.at(_PROBE_PX)
        ink = {character: _ink(font, character) for character in CHARACTERS if not character.isspace()}
    except OSError:
        return False
    if not all(ink.values()):
        return False
    return len({ink["l"], ink["A"], ink["g"]}) == 3 and ink["a"] != ink["A"]


def _ink(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    """The character's pixels, empty if none is dark."""
    picture = Image.new("L", (3 * _PROBE_PX, 3 * _PROBE_PX))
    ImageDraw.Draw(picture).text((_PROBE_PX, 2 * _PROBE_PX), character, fill=255, font=font, anchor="ls")
    pixels = np.asarray(picture)
    return pixels.tobytes() if pixels.max() > 64 else b""
