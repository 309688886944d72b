import shutil

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from textdiff.alphabet import CHARACTERS
from textdiff.training.fonts import FIRST, FOLDER_VARIABLE, NARROW, ONE, find_faces, is_held_out


@pytest.fixture(scope="module")
def dejavu():
    """The file of DejaVu Sans Book, in the set named first."""
    faces = {(face.family, face.style): face.path for face in find_faces("first")}
    return faces["DejaVu Sans", "Book"]


def rename(source, target, family):
    font = TTFont(source)
    for name in font["name"].names:
        if name.nameID in (1, 16):
            name.string = family
    font.save(target)


def unheld_and_held_names():
    names = [f"Family {number}" for number in range(100)]
    return next(n for n in names if not is_held_out(n)), next(n for n in names if is_held_out(n))


def test_the_first_set_is_made_of_listed_faces_that_are_never_held_out():
    faces = find_faces("first")
    assert {(face.family, face.style) for face in faces} <= set(FIRST)
    assert not any(is_held_out(face.family) for face in faces)


def test_about_fifteen_percent_of_families_are_held_out():
    share = sum(is_held_out(f"Family {number}") for number in range(2000)) / 2000
    assert 0.12 < share < 0.18


def test_training_and_held_out_faces_share_no_family(tmp_path, dejavu):
    used, held = unheld_and_held_names()
    rename(dejavu, tmp_path / "a.ttf", used)
    rename(dejavu, tmp_path / "b.ttf", held)
    assert [face.family for face in find_faces("all", [tmp_path])] == [used]
    assert [face.family for face in find_faces("held-out", [tmp_path])] == [held]


def test_the_order_is_by_file_name_whatever_the_folders(tmp_path, dejavu):
    used, _ = unheld_and_held_names()
    for folder, file, family in (("z", "1.ttf", used), ("a", "2.ttf", "DejaVu Sans")):
        (tmp_path / folder).mkdir()
        rename(dejavu, tmp_path / folder / file, family)
    families = [face.family for face in find_faces("all", [tmp_path / "a", tmp_path / "z"])]
    assert families == [used, "DejaVu Sans"]
    assert families == [face.family for face in find_faces("all", [tmp_path / "z", tmp_path / "a"])]


def test_a_face_found_twice_counts_once(tmp_path, dejavu):
    shutil.copy(dejavu, tmp_path / "one.ttf")
    shutil.copy(dejavu, tmp_path / "two.ttf")
    assert [face.path for face in find_faces("first", [tmp_path])] == [str(tmp_path / "one.ttf")]


def test_the_folder_of_the_environment_variable_comes_first(tmp_path, dejavu, monkeypatch):
    copy = tmp_path / "DejaVuSans.ttf"
    shutil.copy(dejavu, copy)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert str(copy) in {face.path for face in find_faces("first")}


def test_a_face_that_lacks_a_character_is_not_used(tmp_path, dejavu):
    for name, characters in (("whole", CHARACTERS), ("lacking", CHARACTERS.replace("~", ""))):
        font = TTFont(dejavu)
        subsetter = Subsetter(Options(name_IDs=["*"]))
        subsetter.populate(text=characters)
        subsetter.subset(font)
        (tmp_path / name).mkdir()
        font.save(tmp_path / name / "font.ttf")
    assert len(find_faces("first", [tmp_path / "whole"])) == 1
    with pytest.raises(ValueError):
        find_faces("first", [tmp_path / "lacking"])


def test_a_face_that_draws_the_same_box_for_everything_is_not_used(tmp_path):
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 700), (500, 700), (500, 0)):
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "box"])
    builder.setupCharacterMap({ord(character): "box" for character in CHARACTERS if character != "\n"})
    box = pen.glyph()
    builder.setupGlyf({".notdef": box, "box": box})
    builder.setupHorizontalMetrics({".notdef": (600, 0), "box": (600, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "DejaVu Sans", "styleName": "Book"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "boxes.ttf")
    with pytest.raises(ValueError):
        find_faces("first", [tmp_path])


def test_a_broken_file_is_passed_over(tmp_path, dejavu):
    shutil.copy(dejavu, tmp_path / "good.ttf")
    (tmp_path / "broken.ttf").write_bytes(b"this is no font")
    assert len(find_faces("first", [tmp_path])) == 1


def test_no_fonts_at_all_is_told_in_one_sentence_that_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=FOLDER_VARIABLE):
        find_faces("all", [tmp_path, tmp_path / "missing"])


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="every"):
        find_faces("every")


def test_the_set_of_two_is_refused_where_its_narrow_face_is_missing(tmp_path):
    mono = find_faces("one")[0].path
    shutil.copy(mono, tmp_path / "mono.ttf")
    with pytest.raises(ValueError, match="fonts-open-sans"):
        find_faces("two", [tmp_path])


def test_in_the_set_of_two_the_wide_face_comes_first(tmp_path):
    mono = TTFont(find_faces("one")[0].path)
    mono.save(tmp_path / "DejaVuSansMono-Bold.ttf")
    for name in mono["name"].names:
        if name.nameID in (1, 16):
            name.string = NARROW[0]
    mono.save(tmp_path / "OpenSans-CondBold.ttf")
    assert [(face.family, face.style) for face in find_faces("two", [tmp_path])] == [ONE, NARROW]


def test_the_set_of_one_is_one_face_that_matplotlib_carries():
    faces = find_faces("one")
    assert [(face.family, face.style) for face in faces] == [("DejaVu Sans Mono", "Bold")]
