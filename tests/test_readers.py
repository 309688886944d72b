"""The readers read what is there, say when nothing is, and explain in one sentence what they miss."""

import shutil
import subprocess
import sys
import urllib.error

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from textdiff.readers import READERS, open_reader
from textdiff.readers.lines import divided, draw_line, find_lines, ink_of, read_by_lines
from textdiff.similarity import trigram_similarity
from textdiff.training.fonts import find_faces


def render(text, size=16, background=(250, 240, 200), colour=(20, 30, 90), at=(3, 2), font=None, pitch=None):
    picture = Image.new("RGB", (64, 64), background)
    font = font or ImageFont.load_default(size=size)  # Pillow's own font: the same everywhere
    for index, line in enumerate(text.split("\n")):
        place = (at[0], at[1] + index * (pitch or size + 3))
        ImageDraw.Draw(picture).text(place, line, fill=colour, font=font)
    return np.asarray(picture).copy()


def typeset(text, size, pitch):
    """As the training pictures are: bold and monospaced, `pitch` pixels from line to line."""
    (face,) = find_faces("one")
    return render(text, background=(240, 240, 236), colour=(20, 20, 24), font=face.at(size), pitch=pitch)


@pytest.fixture(scope="module")
def rapidocr():
    return open_reader("rapidocr")


# lines


def test_each_line_of_text_is_found_with_its_box_from_top_to_bottom():
    lines = find_lines(render("Hi\njig\nlow"))
    assert len(lines) == 3
    tops = [line.box[1] for line in lines]
    assert tops == sorted(tops)
    for line in lines:
        x0, y0, x1, y1 = line.box
        assert 0 <= x0 < x1 <= 64 and 0 <= y0 < y1 <= 64
        assert line.ink.shape == (y1 - y0, x1 - x0)


def test_a_flat_or_barely_uneven_picture_has_no_lines():
    flat = np.full((64, 64, 3), 130, np.uint8)
    assert find_lines(flat) == []
    assert find_lines(flat + np.random.default_rng(0).integers(0, 5, flat.shape, dtype=np.uint8)) == []


def test_the_ink_is_the_same_whatever_the_two_colours_are():
    dark = ink_of(render("ink", background=(255, 255, 255), colour=(0, 0, 0)))
    light = ink_of(render("ink", background=(10, 60, 20), colour=(250, 200, 240)))
    assert dark.max() == 1 and dark.min() == 0
    np.testing.assert_allclose(dark, light, atol=0.03)


def test_tiny_text_has_ink_too():
    assert len(find_lines(render("i.", size=8))) == 1


def test_a_drawn_line_is_black_on_white_with_a_white_margin():
    strip = draw_line(np.ones((10, 30), np.float32), 48, 0.2)
    assert strip.dtype == np.uint8 and strip.shape == (48, round(34 * 48 / 14), 3)
    assert (strip[24, 60] == 0).all()
    assert (strip[0] == 255).all() and (strip[-1] == 255).all() and (strip[:, 0] == 255).all()


def test_lines_that_touch_are_parted_where_little_ink_is_and_others_stay_whole():
    for text, parts in (("shoppers\nParka Go", 2), ("shoppers\nParka Gy\nBig\nHal", 4), ("Go", 1)):
        found = find_lines(picture := typeset(text, size=8, pitch=9))
        assert len(found) == 1
        lines = divided(found, len(picture))
        assert len(lines) == parts
        assert [line.box[1] for line in lines] == [found[0].box[1], *(line.box[3] for line in lines[:-1])]
        assert lines[-1].box[3] == found[0].box[3]
        assert all(line.ink.shape == (line.box[3] - line.box[1], found[0].ink.shape[1]) for line in lines)


@pytest.mark.parametrize("divided_is_surer", [True, False])
def test_lines_that_touch_are_read_both_ways_each_once_and_the_surer_way_counts(divided_is_surer):
    picture = typeset("shoppers\nParka Go\n\n2 Pesote", size=8, pitch=9)
    whole = [line.ink.shape for line in find_lines(picture)]
    parted = [line.ink.shape for line in divided(find_lines(picture), len(picture))]
    assert (len(whole), len(parted)) == (2, 3)
    asked = []

    def read_line(ink):
        asked.append(ink.shape)
        return str(len(asked)), 0.9 if (ink.shape == whole[0]) != divided_is_surer else 0.8

    reading = read_by_lines(picture, read_line)
    assert asked == [*whole, *parted[:2]]  # the last line is the same either way
    assert reading.text == ("3\n4\n2" if divided_is_surer else "1\n2")
    assert len(reading.boxes) == (3 if divided_is_surer else 2)


def test_a_way_in_which_a_line_is_lost_is_not_the_surer_one():
    picture = typeset("shoppers\nParka Go", size=8, pitch=9)
    (whole,), lost = find_lines(picture), divided(find_lines(picture), len(picture))[0]
    readings = {whole.ink.shape: ("both", 0.8), lost.ink.shape: ("", 0.0)}
    assert read_by_lines(picture, lambda ink: readings.get(ink.shape, ("one", 0.9))).text == "both"


def test_what_nobody_can_read_is_an_empty_reading():
    reading = read_by_lines(typeset("shoppers\nParka Go", size=8, pitch=9), lambda ink: ("", 0.0))
    assert (reading.text, reading.confidence, reading.boxes) == ("", 0.0, ())


# rapidocr, the default


@pytest.mark.parametrize("text", ["Hello", "green\ncat", "Orwell\nwrites", "commit 42"])
def test_the_default_reader_reads_lines_top_to_bottom(rapidocr, text):
    (reading,) = rapidocr.read([render(text, size=13)])
    assert reading.text == text
    assert 0.9 < reading.confidence <= 1
    assert len(reading.boxes) == text.count("\n") + 1
    for x0, y0, x1, y1 in reading.boxes:
        assert 0 <= x0 < x1 <= 64 and 0 <= y0 < y1 <= 64


def test_the_default_reader_reads_light_text_on_dark(rapidocr):
    pictures = [render("night", background=(20, 10, 60), colour=(240, 230, 90)), render("day")]
    assert [reading.text for reading in rapidocr.read(pictures)] == ["night", "day"]


@pytest.mark.parametrize(
    ("text", "size", "pitch"),
    [("g u", 12, 14), ("shoppers\nParka Go\n2 Pesote", 8, 9), ("E", 20, 20), ("BE\nEB", 18, 22)],
)
def test_the_default_reader_sees_lone_letters_touching_lines_and_the_gaps_in_an_e(
    rapidocr, text, size, pitch
):
    (reading,) = rapidocr.read([typeset(text, size, pitch)])
    assert reading.text == text


def test_a_wide_gap_is_one_space(rapidocr):
    (reading,) = rapidocr.read([typeset("XV   65", 12, 14)])
    assert reading.text == "XV 65"


def test_the_default_reader_says_nothing_about_a_picture_without_text(rapidocr):
    (reading,) = rapidocr.read([np.full((64, 64, 3), 90, np.uint8)])
    assert (reading.text, reading.confidence, reading.boxes) == ("", 0.0, ())
    assert rapidocr.read([]) == []


def test_noise_is_not_read_with_confidence(rapidocr):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    (reading,) = rapidocr.read([noise])
    assert reading.confidence < 0.9
    assert set(reading.text) <= {"\n", *(chr(code) for code in range(32, 127))}


def test_on_an_uneven_background_the_detector_finds_the_lines(rapidocr):
    picture = render(
        "Hello\nworld", size=18, background=(60, 60, 60), colour=(255, 255, 255), at=(3, 8)
    ).astype(float)
    picture += np.linspace(0, 120, 64)[None, :, None]  # dark on the left, light on the right
    (reading,) = rapidocr.read([picture.clip(0, 255).astype(np.uint8)])
    assert reading.text == "Hello\nworld"
    (x0, y0, x1, y1), (_, second_top, _, _) = reading.boxes
    assert 0 <= x0 < 10 and 40 < x1 <= 64 and y0 < second_top
    assert y1 <= 40


def test_larger_pictures_are_read_too(rapidocr):
    picture = np.asarray(Image.fromarray(render("big", size=20)).resize((256, 256), Image.Resampling.BICUBIC))
    (reading,) = rapidocr.read([picture])
    assert reading.text == "big"
    assert reading.boxes[0][2] > 80


def test_a_picture_reads_the_same_alone_or_among_others(rapidocr):
    pictures = [render("one"), render("two\nthree"), render("four", size=9)]
    assert rapidocr.read(pictures) == [rapidocr.read([picture])[0] for picture in pictures]


def test_the_readers_name_carries_its_version(rapidocr):
    assert rapidocr.name.split(" ")[0] == "rapidocr" and rapidocr.name.split(" ")[1][0].isdigit()


# the registry


def test_an_unknown_reader_is_refused_in_one_sentence():
    with pytest.raises(
        ValueError, match=r"^There is no reader called 'abbyy'; choose one of rapidocr, easyocr, tesseract\.$"
    ):
        open_reader("abbyy")
    assert list(READERS) == ["rapidocr", "easyocr", "tesseract"]


def test_importing_the_readers_imports_no_engine():
    code = "import sys, textdiff.readers; print({'cv2', 'onnxruntime', 'rapidocr', 'torch'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# easyocr


def test_without_weights_easyocr_says_where_they_belong_and_what_to_use_instead(tmp_path):
    # In a process of its own, where torchvision is not yet imported: PyPI's clashes with a CPU torch there.
    code = (
        "from textdiff.readers import open_reader\n"
        "try:\n    open_reader('easyocr')\n"
        "except ValueError as error:\n    print(error)\n"
        "import easyocr; print(easyocr.__version__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"EASYOCR_MODULE_PATH": str(tmp_path), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    sentence, version = done.stdout.splitlines()
    assert f"english_g2.pth into {tmp_path / 'model'}" in sentence and "rapidocr" in sentence
    assert version.startswith("1.7")
    assert done.stderr == ""


@pytest.fixture
def easyocr_home(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setenv("EASYOCR_MODULE_PATH", str(tmp_path))
    return tmp_path / "model"


def test_easyocr_reads_with_its_own_network_once_weights_are_there(easyocr_home, monkeypatch):
    import torch

    from textdiff.readers.easyocr import import_easyocr

    model = import_easyocr().config.recognition_models["gen2"]["english_g2"]
    from easyocr.model.vgg_model import Model
    from easyocr.utils import calculate_md5

    network = Model(
        input_channel=1, output_channel=256, hidden_size=256, num_class=len(model["characters"]) + 1
    )
    easyocr_home.mkdir()
    weights = easyocr_home / model["filename"]
    torch.save({f"module.{name}": value for name, value in network.state_dict().items()}, weights)
    monkeypatch.setitem(
        model, "md5sum", calculate_md5(str(weights))
    )  # random weights, not the published ones

    reader = open_reader("easyocr")
    assert reader.name == "easyocr 1.7.2"
    readings = reader.read([render("Hi\nyou"), np.full((64, 64, 3), 90, np.uint8)])
    assert len(readings[0].boxes) == len(readings[0].text.splitlines()) <= 2  # or nothing: see its weights
    assert 0 <= readings[0].confidence <= 1
    assert (readings[1].text, readings[1].confidence) == ("", 0.0)


def test_a_failed_download_is_one_sentence(easyocr_home, monkeypatch):
    from textdiff.readers.easyocr import import_easyocr

    def offline(*_):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(import_easyocr().easyocr, "download_and_unzip", offline)
    with pytest.raises(
        ValueError, match="could not download its weights .*no route to host.*rapidocr needs none"
    ):
        open_reader("easyocr", allow_download=True)


# tesseract


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="the program tesseract is not installed")
def test_tesseract_reads_lines_top_to_bottom():
    reader = open_reader("tesseract")
    assert reader.name.startswith("tesseract 5") or reader.name.startswith("tesseract 4")
    first, second = reader.read([render("green\ncat", size=18), np.full((64, 64, 3), 90, np.uint8)])
    assert trigram_similarity("green\ncat", first.text) > 0.6
    assert len(first.boxes) == 2 and 0.3 < first.confidence <= 1
    assert (second.text, second.confidence) == ("", 0.0)


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="the program tesseract is not installed")
def test_tesseract_sees_lines_that_touch():
    (reading,) = open_reader("tesseract").read([typeset("shoppers\nParka Go", size=8, pitch=9)])
    assert len(reading.boxes) == 2
    assert trigram_similarity("shoppers\nParka Go", reading.text) > 0.5


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="the program tesseract is not installed")
def test_a_crash_of_tesseract_is_an_empty_reading(monkeypatch):
    import pytesseract

    reader = open_reader("tesseract")

    def crash(*_, **__):
        raise pytesseract.TesseractError(-8, "Floating point exception")

    monkeypatch.setattr(pytesseract, "image_to_data", crash)
    (reading,) = reader.read([render("Hi")])
    assert (reading.text, reading.confidence, reading.boxes) == ("", 0.0, ())


def test_without_the_program_tesseract_the_reader_says_so(monkeypatch):
    pytesseract = pytest.importorskip("pytesseract")
    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", "no-such-program")
    with pytest.raises(
        ValueError, match="^The reader tesseract needs the program tesseract, which is not installed.$"
    ):
        open_reader("tesseract")
