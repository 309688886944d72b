from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from textdiff.alphabet import CHARACTERS
from textdiff.config import PRESETS, DataConfig
from textdiff.training.fonts import find_faces
from textdiff.training.render import LEAST_CONTRAST, Renderer, limits
from textdiff.training.text_source import LONGEST_LINE

FULL = DataConfig()
EARLY = replace(FULL, curriculum=((0, 4, 1, 14), (1000, 12, 2, 10), (2000, 48, 5, 8)))
LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def faces():
    return find_faces("first")


@pytest.fixture(scope="module")
def samples(faces):
    renderer = Renderer(FULL, faces)
    return [renderer.picture(index) for index in range(400)]


def rng(seed=0):
    return np.random.default_rng(seed)


def ink(sample):
    """Where the picture differs from its background, which its corner shows."""
    return (sample.picture != sample.picture[0, 0]).any(axis=2)


def rows_of(text):
    """Indices into the text, line by line, without the newlines."""
    rows, start = [], 0
    for line in text.split("\n"):
        rows.append(range(start, start + len(line)))
        start += len(line) + 1
    return rows


def test_pictures_are_rgb_with_one_box_per_character(samples):
    for sample in samples:
        assert sample.picture.shape == (64, 64, 3) and sample.picture.dtype == np.uint8
        assert sample.boxes.shape == (len(sample.text), 4) and sample.boxes.dtype == np.float32


def test_a_picture_depends_on_its_number_alone_not_on_those_drawn_before(faces, samples):
    fresh = Renderer(FULL, faces)
    for index in (399, 7, 120):
        again = fresh.picture(index)
        assert again.text == samples[index].text
        np.testing.assert_array_equal(again.picture, samples[index].picture)
        np.testing.assert_array_equal(again.boxes, samples[index].boxes)


def test_another_seed_or_number_gives_another_picture(faces, samples):
    other = Renderer(replace(FULL, seed=2), faces)
    assert [other.picture(n).text for n in range(20)] != [sample.text for sample in samples[:20]]
    assert len({sample.picture.tobytes() for sample in samples}) == len(samples)


def test_text_stays_a_pixel_away_from_the_edge(samples):
    for sample in samples:
        assert not ink(sample)[[0, -1]].any() and not ink(sample)[:, [0, -1]].any()
        assert sample.boxes.size == 0 or (sample.boxes.min() >= 0 and sample.boxes.max() <= 63)


def test_all_ink_lies_in_the_band_of_a_line(samples):
    for sample in samples:
        rows = np.zeros(64, dtype=bool)
        for _, top, _, bottom in sample.boxes.astype(int):
            rows[top:bottom] = True
        assert not ink(sample)[~rows].any()


def test_visible_text_leaves_ink_and_empty_text_none(samples):
    for sample in samples:
        assert ink(sample).any() == bool(sample.text.strip())
    assert any(sample.text == "" for sample in samples)


def test_each_box_but_a_space_s_holds_ink(samples):
    for sample in samples:
        for character, (left, top, right, bottom) in zip(sample.text, sample.boxes.astype(int), strict=True):
            if not character.isspace():
                assert ink(sample)[top:bottom, left:right].any(), (sample.text, character)


def test_a_newline_has_a_box_of_zeros_and_the_boxes_of_a_line_touch(samples):
    for sample in samples:
        for row in rows_of(sample.text) if sample.text else ():
            line = sample.boxes[row.start : row.stop]
            np.testing.assert_array_equal(line[1:, 0], line[:-1, 2])
            assert len(np.unique(line[:, [1, 3]], axis=0)) == 1 and (line[:, 3] > line[:, 1]).all()
            if row.stop < len(sample.text):
                assert not sample.boxes[row.stop].any()


def test_lines_do_not_overlap_and_are_at_most_a_third_of_a_line_apart(samples):
    for sample in samples:
        bands = [sample.boxes[row.start, [1, 3]] for row in rows_of(sample.text) if sample.text]
        for (top, bottom), (next_top, _) in zip(bands, bands[1:], strict=False):
            assert bottom <= next_top <= top + 1.3 * (bottom - top) + 0.5


def test_text_is_clearly_lighter_or_darker_than_the_background(faces):
    renderer = Renderer(FULL, faces)
    for seed in range(60):
        sample = renderer.render("HHH", rng(seed), smallest_px=20)  # thick enough for full coverage
        lumas = sample.picture @ LUMA / 255
        assert np.abs(lumas - lumas[0, 0]).max() >= LEAST_CONTRAST - 0.02


@pytest.mark.parametrize("px", [8, 13, 20])
def test_glyphs_are_pillow_s_own_at_the_boxes_on_one_baseline(faces, px):
    text = "Agj\nif(W" if px < 20 else "Ag"
    face = faces[0]
    sample = Renderer(replace(FULL, min_font_px=px, max_font_px=px), [face]).render(text, rng(1))
    font = face.at(px)
    top = font.getbbox(CHARACTERS[1:], anchor="ls")[1]
    coverage = np.zeros((64, 64))
    for character, (x0, y0, x1, _) in zip(text, sample.boxes.astype(int).tolist(), strict=True):
        if character != "\n":
            assert x1 - x0 == round(font.getlength(character))
            alone = Image.new("L", (64, 64))
            ImageDraw.Draw(alone).text((x0, y0 - top), character, fill=255, font=font, anchor="ls")
            coverage = np.maximum(coverage, alone)
    background = sample.picture[0, 0].astype(float)
    assert coverage.max() > 200
    full = sample.picture[np.unravel_index(coverage.argmax(), coverage.shape)]
    colour = background + (full - background) * 255 / coverage.max()
    expected = background + (colour - background) * coverage[:, :, None] / 255
    np.testing.assert_allclose(sample.picture, expected, atol=2)


def test_left_centred_and_right_aligned_text_all_occur(faces):
    renderer = Renderer(FULL, faces)
    seen = set()
    for seed in range(60):
        boxes = renderer.render("abcdef\ni", rng(seed)).boxes
        left, right = (
            boxes[0, 0] - boxes[7, 0],
            boxes[5, 2] - boxes[7, 2],
        )  # of the first line against the second
        seen.add(
            "left" if left == 0 else "right" if right == 0 else "centre" if abs(left + right) <= 1 else "no"
        )
    assert seen == {"left", "right", "centre"}


def test_text_lies_anywhere_in_the_picture(faces):
    renderer = Renderer(replace(FULL, max_font_px=10), faces)
    corners = np.array([renderer.render("it", rng(seed)).boxes[0, :2] for seed in range(200)])
    assert corners.min() <= 3 and (corners.max(axis=0) >= [48, 50]).all()


def test_sizes_go_up_to_the_largest_that_fits_and_lean_that_way(faces):
    face = faces[:1]
    renderer = Renderer(replace(FULL, min_font_px=8, max_font_px=28), face)
    heights = [np.ptp(renderer.render("ab", rng(seed)).boxes[0, [1, 3]]) for seed in range(200)]
    of = {
        px: np.ptp(np.array(face[0].at(px).getbbox(CHARACTERS[1:], anchor="ls"))[[1, 3]])
        for px in (8, 18, 28)
    }
    assert of[8] <= min(heights) < of[18] and max(heights) == of[28]
    assert np.mean(np.array(heights) >= of[18]) > 0.6


def test_the_largest_share_is_as_large_as_fits_and_another_pixel_would_not(faces):
    mono = [face for face in faces if (face.family, face.style) == ("DejaVu Sans Mono", "Bold")]
    settings = {"min_font_px": 8, "max_font_px": 12}

    def heights(text, **others):
        renderer = Renderer(replace(FULL, **settings | others), mono)
        return [np.ptp(renderer.render(text, rng(seed)).boxes[0, [1, 3]]) for seed in range(60)]

    for text in ("abcdefgh", "abcdefghi", "abcdefghijkl", "a\nb\nc\nd\ne"):
        assert set(heights(text, largest_share=1.0)) == {max(heights(text))}
    never, some = (np.array(heights("ab", largest_share=share)) for share in (0.0, 0.5))
    assert len(set(never)) > 2 and 1 < len(set(some)) and set(some) <= set(never)
    assert np.mean(some == max(some)) > np.mean(never == max(never)) + 0.1


def test_the_centred_share_has_its_lines_in_the_middle_of_each_other(faces):
    def middles_agree(share):
        renderer = Renderer(replace(FULL, min_font_px=10, max_font_px=10, centred_share=share), faces)
        for seed in range(90):
            boxes = renderer.render("abcd\nx", rng(seed)).boxes
            yield abs(boxes[0, 0] + boxes[3, 2] - boxes[5, 0] - boxes[5, 2]) <= 1

    assert all(middles_agree(1.0))
    of_three, half_and_of_three = (np.mean(list(middles_agree(share))) for share in (0.0, 0.5))
    assert 0.2 < of_three < 0.5 < half_and_of_three < 0.85


def test_text_too_long_for_the_smallest_size_is_refused(faces):
    with pytest.raises(ValueError, match="8 pixels"):
        Renderer(FULL, faces).render("MMMMMMMMMMMMMMMMMMMM", rng())


def test_blank_lines_and_outer_spaces_can_be_drawn(faces):
    sample = Renderer(FULL, faces).render(" a\n\nb ", rng())
    assert sample.boxes.shape == (6, 4) and ink(sample).any()


def test_families_are_equally_frequent_however_many_faces_they_have(faces):
    sans = next(face for face in faces if (face.family, face.style) == ("DejaVu Sans", "Book"))
    mono = next(face for face in faces if face.family == "DejaVu Sans Mono")
    renderer = Renderer(replace(FULL, max_font_px=20, min_font_px=20), [mono, sans, sans, sans])
    wide_i = round(mono.at(20).getlength("i"))
    monos = sum(np.ptp(renderer.render("i", rng(seed)).boxes[0, [0, 2]]) == wide_i for seed in range(300))
    assert 110 < monos < 190


def test_the_first_face_gets_its_share_of_what_fits_it_and_nothing_of_what_does_not(faces):
    mono = next(face for face in faces if face.family == "DejaVu Sans Mono")
    sans = next(face for face in faces if (face.family, face.style) == ("DejaVu Sans", "Book"))
    config = DataConfig(colours="paper", max_font_px=8, first_face_share=0.8)
    renderer = Renderer(config, [mono, sans])
    wide_i, narrow_i = (round(face.at(8).getlength("i")) for face in (mono, sans))

    def wide(text):
        widths = [np.ptp(renderer.render(text, rng(seed)).boxes[0, [0, 2]]) for seed in range(300)]
        assert set(widths) <= {wide_i, narrow_i}
        return widths.count(wide_i)

    assert 220 < wide("i") < 260
    assert wide("i" * 14) == 0  # five pixels each: more than the picture has


def test_the_curriculum_is_linear_between_its_points_and_constant_after_them():
    assert limits(EARLY, 0) == (4, 1, 14)
    assert limits(EARLY, 500) == (8, 2, 12)
    assert limits(EARLY, 1500) == (30, 4, 9)
    assert limits(EARLY, 2000) == limits(EARLY, 10**9) == (48, 5, 8)
    assert limits(FULL, 0) == (48, 5, 8)


def test_early_pictures_have_one_short_line_of_large_letters(faces):
    renderer = Renderer(EARLY, faces)
    lowest = min(np.ptp(np.array(face.at(14).getbbox(CHARACTERS[1:], anchor="ls"))[[1, 3]]) for face in faces)
    for index in range(40):
        sample = renderer.picture(index)
        assert len(sample.text) <= 4 and "\n" not in sample.text
        assert sample.text == "" or np.ptp(sample.boxes[0, [1, 3]]) >= lowest


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_s_pictures_can_be_drawn(faces, name):
    config = PRESETS[name].data
    renderer = Renderer(config, faces)
    for index in (*range(50), *range(10**7, 10**7 + 50)):
        sample = renderer.picture(index)
        assert sample.picture.shape == (config.image_size, config.image_size, 3)
        assert len(sample.text) <= config.max_characters


RICH = replace(FULL, backgrounds=("gradient", "noise", "shapes"), max_inks=3, min_font_px=14, max_font_px=18)


def test_a_rich_picture_is_the_plain_one_s_text_on_another_background(faces):
    plain, rich = (Renderer(config, faces) for config in (replace(RICH, **PLAIN), RICH))
    for index in range(20):
        ours, theirs = plain.picture(index), rich.picture(index)
        assert ours.text == theirs.text
        np.testing.assert_array_equal(ours.boxes, theirs.boxes)
        assert not np.array_equal(ours.picture, theirs.picture)


PLAIN = {"backgrounds": ("flat",), "max_inks": 1}


def test_text_is_clearly_lighter_or_darker_than_a_rich_background_too(faces):
    renderer, seen, plain = Renderer(RICH, faces), set(), 0
    for seed in range(60):
        sample = renderer.render("HH\nHHH", rng(seed))
        lumas = sample.picture @ LUMA / 255
        text = np.zeros(lumas.shape, dtype=bool)
        for left, top, right, bottom in sample.boxes.astype(int):
            text[top:bottom, left:right] = True
        behind, within = lumas[~text], lumas[text]
        lighter = within.max() - behind.max() >= LEAST_CONTRAST - 0.02
        darker = behind.min() - within.min() >= LEAST_CONTRAST - 0.02
        assert lighter or darker
        seen.add(lighter)
        plain += not np.ptp(sample.picture[~text], axis=0).any()  # a shape may lie behind the text
    assert seen == {True, False} and plain < 10


def test_a_word_has_one_colour_and_a_picture_up_to_three(faces):
    config = replace(RICH, backgrounds=("flat",), colours="paper", min_font_px=12, max_font_px=12)
    renderer, counts = Renderer(config, faces), set()
    for seed in range(40):
        sample = renderer.render("HH\nHH\nHH HH", rng(seed))
        colours = [
            min(map(tuple, sample.picture[int(y0) : int(y1), int(x0) : int(x1)].reshape(-1, 3)))
            for character, (x0, y0, x1, y1) in zip(sample.text, sample.boxes, strict=True)
            if character == "H"
        ]
        assert all(one == other for one, other in zip(colours[::2], colours[1::2], strict=True))
        counts.add(len(set(colours)))
    assert counts == {1, 2, 3}


def test_long_lines_and_long_texts_are_drawn_where_they_are_asked_for():
    config = PRESETS["post"].data
    renderer = Renderer(config, find_faces(config.fonts))
    texts = [renderer.picture(10**7 + index).text for index in range(150)]
    assert max(map(len, texts)) > 100 and max(text.count("\n") for text in texts) == 7
    longest = max(len(line) for text in texts for line in text.split("\n"))
    assert 18 < longest <= config.longest_line
    assert max(map(len, texts)) <= config.max_characters


def test_a_share_of_the_texts_has_a_long_line_if_one_is_named(faces):
    def share(wide_share):
        config = DataConfig(image_size=128, longest_line=16, wide_share=wide_share)  # where every line fits
        renderer = Renderer(config, faces)
        texts = [renderer.picture(index).text for index in range(300)]
        return np.mean([max(map(len, text.split("\n"))) > LONGEST_LINE for text in texts])

    assert share(0.0) < 0.2 < 0.4 < share(0.5) < 0.7 and share(1.0) == 1


def test_no_long_line_is_asked_for_while_the_curriculum_allows_only_short_texts(faces):
    renderer = Renderer(replace(EARLY, longest_line=16, wide_share=1.0), faces)
    assert max(len(renderer.picture(index).text) for index in range(20)) <= 5


def test_a_picture_too_small_for_a_letter_is_an_error(faces):
    with pytest.raises(ValueError, match="8 x 8"):
        Renderer(replace(FULL, image_size=8, min_font_px=10), faces).picture(0)


def test_paper_is_nearly_white_and_its_ink_nearly_black(faces):
    renderer = Renderer(DataConfig(colours="paper"), faces)
    for index in range(20):
        picture = renderer.picture(index).picture
        assert (picture.min(axis=2) == picture.max(axis=2)).all()  # grey
        assert picture.max() >= 225
        assert picture.min() <= 40 or len(np.unique(picture)) == 1  # the empty text has no ink
