"""Figures show what the arrays say: levels, places, colours."""

import numpy as np
import pytest

from textdiff import figures, pixels


def flat(value: float, size: int = 4) -> np.ndarray:
    return np.full((size, size, 3), value, dtype=np.float32)


def test_a_heat_map_is_brightest_over_the_cell_with_the_most_weight():
    weights = np.zeros(16, dtype=np.float32)
    weights[6] = 0.02  # row 1, column 2: small, but the largest
    image = figures.heat_map(flat(-1, 8), weights, opacity=1.0).astype(int)
    brightness = image.sum(axis=2)
    assert np.argwhere(brightness == brightness.max()).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]
    assert image[2, 4].tolist() == [
        254,
        232,
        56,
    ]  # the last colour of cividis, rounded from (0.9957, 0.9093, 0.2178)
    assert image[0, 0].tolist() == [0, 34, 78]  # its first, from (0, 0.1351, 0.3048)


def test_a_heat_map_without_opacity_is_the_picture():
    picture = np.random.default_rng(2).uniform(-1, 1, (8, 8, 3)).astype(np.float32)
    image = figures.heat_map(picture, np.arange(16, dtype=np.float32), opacity=0.0)
    assert (image == pixels.to_uint8(picture)).all()


def test_a_heat_map_of_no_weight_at_all_is_all_dark():
    image = figures.heat_map(flat(1, 8), np.zeros(16, dtype=np.float32), opacity=1.0)
    assert (image == [0, 34, 78]).all()


def test_a_heat_map_takes_cells_that_do_not_divide_the_picture():
    assert figures.heat_map(flat(0, 10), np.ones(9)).shape == (10, 10, 3)


def test_a_contact_sheet_shows_each_picture_with_ink_below_it():
    sheet = figures.contact_sheet([[(flat(-1), "one"), (flat(0), "")]], scale=10, gap=8)
    assert (sheet[8:48, 8:48] == 0).all()
    below = sheet[48:]
    half = below.shape[1] // 2
    assert (below[:, :half] < 128).any(), "no caption"
    assert (below[:, half:] == 255).all(), "a caption that nobody asked for"


def test_a_contact_sheet_is_wide_enough_for_its_longest_caption():
    narrow = figures.contact_sheet([[(flat(0), "i")]])
    wide = figures.contact_sheet([[(flat(0), "a caption that is wider than its picture")]])
    assert wide.shape[1] > narrow.shape[1]
    assert (wide[:, -4:] == 255).all(), "the caption is cut off"


@pytest.mark.parametrize("size", [(640, 360), (300, 200)])
def test_a_curve_has_the_asked_size_and_a_colour_per_line(size):
    image = figures.curve([0, 1, 2], {"up": [0, 1, 2], "down": [2, 1, 0]}, "x", "y", size=size)
    assert image.shape == (size[1], size[0], 3) and image.dtype == np.uint8
    colours = {tuple(pixel) for pixel in image.reshape(-1, 3).tolist()}
    assert {(31, 119, 180), (255, 127, 14)} <= colours


def test_a_rising_curve_rises():
    image = figures.curve([0, 1], {"": [0, 1]}, "x", "y")
    rows, columns = np.nonzero((image == (31, 119, 180)).all(axis=2))
    assert rows[columns.argmin()] > rows[columns.argmax()]


def test_a_schedule_curve_marks_the_steps():
    t = np.linspace(0, 1, 20)
    alpha, sigma = np.cos(t * np.pi / 2), np.sin(t * np.pi / 2)
    plain = figures.schedule_curve(t, alpha, sigma)
    marked = figures.schedule_curve(t, alpha, sigma, steps=[(0.5, alpha[10], sigma[10])])
    ink = [int((image == (31, 119, 180)).all(axis=2).sum()) for image in (plain, marked)]
    assert ink[1] > ink[0]


def test_panels_stand_one_above_the_other_and_a_band_is_paler_than_its_line():
    rising = figures.Line("up", [10, 1000], [0, 1], shade=0.0, band=([0, 0.5], [0.5, 1]))
    both = figures.stacked([figures.Panel("a", [rising]), figures.Panel("b", [rising])], "x")
    assert both.shape == (840, 720, 3) and both.dtype == np.uint8
    line = (both == (68, 1, 84)).all(axis=2)  # the first colour of viridis
    assert line[:400].any() and line[440:].any()
    pale = (both == np.rint(255 - 0.15 * (255 - np.array([68, 1, 84])))).all(axis=2)
    assert pale[:400].sum() > 1000 and pale[440:].sum() > 1000


def test_a_logarithmic_axis_gives_every_decade_the_same_room():
    def middle_dot(log_x: bool) -> float:
        dots = figures.Line("", [10, 100, 1000], [0, 1, 0], "o", shade=0.0)
        image = figures.stacked([figures.Panel("a", [dots])], "x", log_x, (400, 300))
        rows, columns = np.nonzero((image == (68, 1, 84)).all(axis=2))
        top = columns[rows == rows.min()].mean()
        return (top - columns.min()) / (columns.max() - columns.min())

    assert middle_dot(log_x=True) == pytest.approx(0.5, abs=0.02)
    assert middle_dot(log_x=False) < 0.15
