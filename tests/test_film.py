"""The film of training holds every pixel of the strips it was made of, and the curves of the logs."""

import json

import numpy as np
import pytest
from PIL import Image

from textdiff import pixels
from textdiff.training.film import main, read_film, read_strips, sheet
from textdiff.training.film_strip import PROMPTS

SIDE = 4


def drawn(pictures: int) -> np.ndarray:
    """(P, S, S, 3): what the checkpoint has drawn, each of its pixels by chance."""
    return np.random.default_rng(pictures).integers(256, size=(len(PROMPTS), SIDE, SIDE, 3), dtype=np.uint8)


def strips(folder, *seen: int, before: int = 0) -> list[str]:
    """The strips of a run that did not count the pictures seen `before` it."""
    folder.mkdir(exist_ok=True)
    for pictures in seen:
        strip = pixels.film_strip(drawn(pictures), len(PROMPTS), scale=2)
        Image.fromarray(strip).save(folder / f"strip-{pictures - before:08d}.png")
    return [str(file) for file in sorted(folder.glob("strip-*.png"))]


@pytest.fixture
def log(tmp_path):
    lines = [
        {"pictures": 50, "minutes": 1.0, "loss": 0.5},
        {"pictures": 100, "minutes": 2.0, "letter_gap_0.35": 0.1, "letter_gap_0.65": 0.2},
        {"pictures": 150, "minutes": 4.0, "loss": 0.9},
        {"pictures": 150, "minutes": 3.0, "loss": 0.4},
        {"pictures": 200, "minutes": 4.0, "em": 0.25, "ned": 0.75},
    ]
    file = tmp_path / "log.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(file)


@pytest.fixture
def make(tmp_path, log):
    """Runs the command on the film in this folder, and returns what is then in there."""

    def run(*arguments: str):
        main(["--film", str(tmp_path / "film"), "--log", log, *arguments])
        return read_film(tmp_path / "film")

    return run


def test_a_film_has_a_row_for_every_checkpoint_and_a_column_for_every_prompt(make, tmp_path):
    film = make("--strips", *strips(tmp_path / "a", 200, 100))
    assert film.prompts == PROMPTS and list(film.rows) == [100, 200]
    image = np.array(Image.open(tmp_path / "film" / "film.png"))
    assert image.shape == (2 * SIDE, len(PROMPTS) * SIDE, 3)
    for row, pictures in enumerate((100, 200)):
        for column, picture in enumerate(drawn(pictures)):
            place = image[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
            np.testing.assert_array_equal(place, picture)


def test_the_curves_are_those_of_the_log_and_the_last_attempt_at_a_stage_counts(make, tmp_path):
    make("--strips", *strips(tmp_path / "a", 75, 200))
    values = json.loads((tmp_path / "film" / "film.json").read_text())
    assert values["size"] == SIDE and values["prompts"] == list(PROMPTS)
    assert values["checkpoints"] == [{"pictures": 75, "minutes": 1.5}, {"pictures": 200, "minutes": 4.0}]
    assert values["loss"] == [[50, 0.5], [150, 0.4]]
    assert values["letter_gap"] == [[100, 0.2]]
    assert values["scores"] == [[200, 0.25, 0.75]]


def test_a_run_that_went_on_is_added_at_the_pictures_seen_before_it(make, tmp_path):
    make("--strips", *strips(tmp_path / "a", 100, 200))
    film = make("--strips", *strips(tmp_path / "b", 250, 300, before=200), "--before", "200")
    assert list(film.rows) == [100, 200, 250, 300]
    for pictures, row in film.rows.items():
        np.testing.assert_array_equal(row, drawn(pictures))


def test_a_film_is_made_again_from_itself(make, tmp_path):
    before = make("--strips", *strips(tmp_path / "a", 100, 200))
    after = make()
    assert list(after.rows) == list(before.rows)
    np.testing.assert_array_equal(after.rows[200], before.rows[200])


@pytest.mark.parametrize(
    ("most", "kept"),
    [("9", [0, 10, 20, 30, 90, 100]), ("5", [0, 20, 30, 90, 100]), ("3", [0, 30, 100]), ("2", [0, 100])],
)
def test_a_film_that_is_too_long_keeps_its_ends_and_what_lies_evenly_between(make, tmp_path, most, kept):
    film = make("--strips", *strips(tmp_path / "a", 0, 10, 20, 30, 90, 100), "--most", most)
    assert list(film.rows) == kept


def test_the_sheet_shows_every_picture_magnified_right_of_its_label(tmp_path):
    film = read_strips([*map(type(tmp_path), strips(tmp_path / "a", 100, 2000))])
    page = sheet(film)
    right = page[:, -(len(PROMPTS) * (2 * SIDE + 2) - 2) :]
    np.testing.assert_array_equal(pixels.cut_strip(right[: 2 * SIDE]), drawn(100))
    np.testing.assert_array_equal(pixels.cut_strip(right[2 * SIDE + 2 :]), drawn(2000))
    assert (page[:, : page.shape[1] - right.shape[1]] < 128).any()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("strip-1.png", "is not a picture that can be read"),
        ("picture.png", "is not called strip-PICTURES.png"),
        ("strip-2.png", "has 2 pictures, not 8"),
        ("strip-3.png", "is not a strip"),
    ],
)
def test_what_is_no_strip_is_refused_and_the_film_stays(make, tmp_path, capsys, wrong, said):
    make("--strips", *strips(tmp_path / "a", 100, 200))
    (tmp_path / "strip-1.png").write_text("no picture")
    (tmp_path / "picture.png").touch()
    for name, width in (("strip-2.png", 2 * (2 * SIDE + 2) - 2), ("strip-3.png", 37)):
        Image.new("RGB", (width, 2 * SIDE)).save(tmp_path / name)
    with pytest.raises(SystemExit):
        make("--strips", str(tmp_path / wrong))
    assert said in capsys.readouterr().err
    assert list(make().rows) == [100, 200]


def test_without_a_film_or_strips_there_is_nothing_to_make(make, capsys):
    with pytest.raises(SystemExit):
        make()
    assert "name the strips that it shall begin with" in capsys.readouterr().err
