"""A run as one file: every level of every picture is in it, and nothing that could do harm."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fakes import fake_generation
from hostile import HOSTILE
from PIL import Image

from textdiff import run_folder
from textdiff.run_json import MAX_TOKENS, parse, picture_files
from textdiff.ui import replay_page as replay_page_file
from textdiff.ui.replay_page import replay_page


class Page(HTMLParser):
    """The elements of a page with their attributes and the text right inside of them."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: list[list] = []
        self.inside = False
        self.feed(content.decode("utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])
        self.inside = True

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.elements[-1][2] += data

    def texts(self, tag: str) -> list[str]:
        return [text for name, _, text in self.elements if name == tag]

    @property
    def data(self) -> dict:
        (text,) = [text for _, attributes, text in self.elements if attributes.get("id") == "replay"]
        return json.loads(text)

    @property
    def run(self) -> dict:
        return parse(content_of(self.data["run"]))


def content_of(address: str) -> bytes:
    return base64.b64decode(address.split(",", 1)[1], validate=True)


def sheet_of(address: str, columns: int) -> np.ndarray:
    """What replay_page.js makes of a packed sheet."""
    packed = np.array(Image.open(io.BytesIO(content_of(address))).convert("RGB"))
    return np.concatenate([packed[:, column::columns] for column in range(columns)], axis=1)


@pytest.fixture
def saved(tmp_path):
    """Saves a made-up run and returns its folder."""

    def save(**variant):
        run_folder.save(fake_generation(**variant), tmp_path / "run")
        return tmp_path / "run"

    return save


@pytest.mark.parametrize("variant", [{}, {"steps": 16, "guidance": 1.0}, {"watched": False, "text": ""}])
def test_every_level_of_every_picture_is_in_the_page(saved, variant):
    folder = saved(**variant)
    page = Page(replay_page(folder))
    assert page.run == parse((folder / "run.json").read_bytes())
    assert set(page.data["pictures"]) == set(picture_files(page.run))
    for name, packed in page.data["pictures"].items():
        with Image.open(folder / name) as image:
            np.testing.assert_array_equal(sheet_of(*packed), np.array(image.convert("RGB")), err_msg=name)


def test_a_sheet_too_wide_for_webp_is_as_exact(saved, monkeypatch):
    folder = saved()
    monkeypatch.setattr(replay_page_file, "MAX_WEBP", 40)
    pictures = Page(replay_page(folder)).data["pictures"]
    wide, narrow = (pictures[f"candidate-00/{name}.png"] for name in ("x0", "final"))
    assert wide[0].startswith("data:image/png") and narrow[0].startswith("data:image/webp")
    with Image.open(folder / "candidate-00" / "x0.png") as image:
        np.testing.assert_array_equal(sheet_of(*wide), np.array(image))


def test_a_zip_gives_the_same_page_as_its_folder(saved, tmp_path):
    folder = saved()
    run_folder.to_zip(folder, tmp_path / "run.zip")
    assert replay_page(folder) == replay_page(tmp_path / "run.zip")


def with_attention(page: Page) -> list[int]:
    """The ranks of the candidates whose attention maps are in the page."""
    kept = [c["verdict"]["rank"] for c in page.run["candidates"] if c["files"]["attention"]]
    names = {entry["file"] for c in page.run["candidates"] for entry in c["files"]["attention"]}
    assert names == {name for name in page.data["pictures"] if "attention" in name}
    return sorted(kept)


def test_a_page_too_large_keeps_the_attention_of_the_best_candidates_and_says_so(saved, monkeypatch):
    folder = saved(candidates=4)
    whole = Page(content := replay_page(folder))
    assert with_attention(whole) == [1, 2, 3, 4]
    assert "only" not in whole.texts("footer")[0]

    monkeypatch.setattr(replay_page_file, "MAX_BYTES", len(content) - 1)
    smaller = Page(replay_page(folder))
    assert with_attention(smaller) == [1, 2, 3]
    assert "the best 3 of the 4 candidates only;" in smaller.texts("footer")[0]

    monkeypatch.setattr(replay_page_file, "MAX_BYTES", 0)
    smallest = Page(replay_page(folder))
    assert with_attention(smallest) == [1]
    assert {"candidate-03/noisy.png", "candidate-03/eps.png"} <= set(smallest.data["pictures"])


def test_large_pictures_are_all_there_and_above_the_limit_the_steps_of_the_best_alone(saved, monkeypatch):
    folder = saved(candidates=2, upscaled=3, upscaler_steps=2)
    whole = Page(replay_page(folder))
    assert "upscaled-00/noisy.png" in whole.data["pictures"] and "only" not in whole.texts("footer")[0]
    with Image.open(folder / "upscaled-02" / "x0.png") as image:
        np.testing.assert_array_equal(
            sheet_of(*whole.data["pictures"]["upscaled-02/x0.png"]), np.array(image)
        )

    monkeypatch.setattr(replay_page_file, "MAX_BYTES", 0)
    smallest = Page(replay_page(folder))
    names = {name for name in smallest.data["pictures"] if name.startswith("upscaled")}
    best = "upscaled-02/x0.png"  # the last one wins
    assert names == {best, *(f"upscaled-{index:02d}/final.png" for index in range(3))}
    assert "the guesses of 1 and the noisy pictures of 0 large ones only" in smallest.texts("footer")[0]


@pytest.mark.parametrize("text", [text[: MAX_TOKENS - 1] for text in HOSTILE])
def test_a_hostile_text_is_data_and_a_title(saved, text):
    page = Page(replay_page(saved(text=text, candidates=1, steps=1, watched=False)))
    assert page.run["request"]["text"] == text
    harmless = Page(replay_page(saved(text="Hi", candidates=1, steps=1, watched=False)))
    assert [element[0] for element in page.elements] == [element[0] for element in harmless.elements]
    for (_, ours, _), (_, theirs, _) in zip(page.elements, harmless.elements, strict=True):
        assert ours.keys() == theirs.keys()
    (title,) = page.texts("title")
    assert title.strip().isprintable() and len(title) < 80


def test_only_the_script_and_the_style_that_are_in_it_may_run(saved):
    page = Page(replay_page(saved()))
    (policy,) = [a["content"] for tag, a, _ in page.elements if tag == "meta" and "http-equiv" in a]
    rules = dict(rule.split(maxsplit=1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["connect-src"] == "data:"
    assert "unsafe" not in policy
    ((_, _, script),) = [e for e in page.elements if e[0] == "script" and "id" not in e[1]]
    for rule, inline in [("script-src", script), ("style-src", page.texts("style")[0])]:
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_a_page_names_no_other_machine(saved):
    content = re.sub(rb"data:[a-z/]+;base64,[\w+/=]+", b"", replay_page(saved()))
    assert set(re.findall(rb"https?://[^\"' )]+", content)) == {b"http://www.w3.org/2000/svg"}


def test_what_is_not_a_run_is_refused(saved, tmp_path):
    with pytest.raises(ValueError, match="no run folder"):
        replay_page(tmp_path / "nowhere")
    picture = saved() / "candidate-01" / "x0.png"
    picture.write_bytes(picture.read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged"):
        replay_page(tmp_path / "run")
