"""The page in a real browser, from the recorded run on screen to a visitor's own."""

import http.server
import json
import re
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]

VIEWER = Path(__file__).parents[2] / "textdiff" / "ui" / "viewer"
PIXELS = """canvas => [canvas.width, canvas.height,
    ...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]"""


@pytest.fixture(scope="module", autouse=True)
def patience(chromium):
    """Whatever is expected on a page may take its time on a busy machine."""
    from playwright.sync_api import expect

    expect.set_options(timeout=30_000)


def expect(*arguments):
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(*arguments)


def pixels(canvas) -> np.ndarray:
    """(H, W, 3) uint8, what is drawn on the canvas."""
    width, height, *levels = canvas.evaluate(PIXELS)
    return np.array(levels, dtype=np.uint8).reshape(height, width, 4)[..., :3]


def frame(file: Path, side: int, column: int, row: int = 0) -> np.ndarray:
    """One square of a sheet of squares."""
    sheet = np.array(Image.open(file))
    return sheet[row * side : (row + 1) * side, column * side : (column + 1) * side]


def canvas_of(page, kind: str):
    return page.locator(".td-figures figure").filter(has_text=kind).locator("canvas")


def choose(page, text: str, **settings) -> None:
    expect(page.locator("#text")).to_contain_text("Up to 48 characters")
    page.locator("#text textarea").fill(text)
    if settings:
        page.locator("#settings > button").click()
        for name, value in settings.items():
            fill(page, page.locator(f"#{name} input"), str(value))


def fill(page, field, value: str) -> None:
    """Type as late as a person would: Gradio gives a new field its first value once more."""
    for _ in range(20):
        field.fill(value)
        field.press("Tab")
        page.wait_for_timeout(250)
        if field.input_value() == value:
            return
    expect(field).to_have_value(value)


def write(page, text: str, **settings) -> None:
    choose(page, text, **settings)
    page.locator("#write").click()


def requests_from_now_on(page) -> list[str]:
    """Grows with every request, once the page has everything that it asks for by itself."""
    expect(page.locator("#text")).to_contain_text("Up to 48 characters")
    page.wait_for_timeout(300)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    return requests


def open_view(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def test_a_recorded_run_is_on_screen_before_the_first_click(visit, site):
    page = visit()
    expect(page.locator(".td-facts")).to_contain_text("Recorded run")
    expect(page.locator(".td-facts")).to_contain_text("fake reader 1.0")
    step = int(page.get_by_role("slider", name="Step").input_value())
    run = json.loads((site.recorded / "run.json").read_text())
    for kind, title in [
        ("noisy", "Noisy picture"),
        ("x0", "Guess at the picture"),
        ("eps", "Guess at the noise"),
    ]:
        file = site.recorded / run["candidates"][run["best"]]["files"][kind]
        np.testing.assert_array_equal(pixels(canvas_of(page, title)), frame(file, 64, step))


def test_arrow_keys_and_play_move_through_the_steps_without_a_request(visit, site):
    page = visit()
    slider = page.get_by_role("slider", name="Step")
    expect(page.locator(".td-where")).to_have_text("step 7 of 12")
    requests = requests_from_now_on(page)

    before = pixels(canvas_of(page, "Noisy picture"))
    page.keyboard.press("ArrowRight")
    expect(page.locator(".td-where")).to_have_text("step 8 of 12")
    assert (pixels(canvas_of(page, "Noisy picture")) != before).any()
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator(".td-where")).to_have_text("step 1 of 12")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".td-where")).to_have_text("step 1 of 12")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator(".td-where")).to_have_text("step 12 of 12")
    expect(page.get_by_role("button", name="Play all steps")).to_be_visible()
    file = site.recorded / "candidate-01" / "noisy.png"
    np.testing.assert_array_equal(pixels(canvas_of(page, "Noisy picture")), frame(file, 64, 11))
    assert requests == []


def test_arrow_keys_in_the_text_belong_to_the_text(visit):
    page = visit()
    expect(page.locator(".td-where")).to_have_text("step 7 of 12")
    page.locator("#text textarea").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    expect(page.locator(".td-where")).to_have_text("step 7 of 12")


def test_a_click_on_a_character_shows_its_weights_as_they_are_in_the_atlas(visit, site):
    page = visit()
    open_view(page, "Attention")
    page.get_by_role("button", name=re.compile("Character 8 of 11: o")).click()
    page.get_by_label("Head").select_option("1")
    run = json.loads((site.recorded / "run.json").read_text())
    names = [(layer["name"], layer["direction"]) for layer in run["layers"]]
    files = run["candidates"][run["best"]]["files"]["attention"]
    for direction, label in [("text_to_image", "Text to picture"), ("image_to_text", "Picture to text")]:
        page.locator(".td-choice label", has_text=label).click()
        expect(page.get_by_role("radio", name=label)).to_be_checked()
        number = names.index(("up.8x8_block0", direction))
        levels = frame(site.recorded / files[number]["file"], 8, column=6, row=1 * len(run["tokens"]) + 8)
        wanted = np.rint(colormaps["cividis"](levels)[..., :3] * 255)
        expect(page.locator(".td-map")).to_be_visible()
        expect(page.locator(".td-map")).to_have_attribute("width", "8")
        np.testing.assert_array_equal(pixels(page.locator(".td-map")), wanted)
        expect(page.locator(".td-ticks span").last).to_have_text(f"{files[number]['scale']:.2f}")
        strongest = levels.max() / 255 * files[number]["scale"]
        expect(page.locator(".td-readout")).to_contain_text(f"strongest: {strongest:.2f}")


def test_the_taught_head_is_marked_and_the_mean_of_heads_is_their_mean(visit, site):
    page = visit()
    open_view(page, "Attention")
    head = page.get_by_label("Head")
    expect(head.locator("option")).to_have_text(["mean of heads", "head 0 (taught)", "head 1"])
    expect(page.locator(".td-taught")).to_contain_text("This head was taught")
    head.select_option("mean")
    run = json.loads((site.recorded / "run.json").read_text())
    file = site.recorded / run["candidates"][run["best"]]["files"]["attention"][3]["file"]
    tokens = len(run["tokens"])
    levels = np.mean([frame(file, 8, column=6, row=head * tokens + 1) for head in range(2)], axis=0)
    shown = pixels(page.locator(".td-map"))
    nearest = np.floor(levels + 0.5).astype(int)  # a half is rounded up there
    np.testing.assert_array_equal(shown, np.rint(colormaps["cividis"](nearest)[..., :3] * 255))


def test_scrubbing_the_attention_sends_no_request_once_its_layer_is_there(visit):
    page = visit()
    open_view(page, "Attention")
    expect(page.locator(".td-map")).to_be_visible()
    requests = requests_from_now_on(page)
    before = pixels(page.locator(".td-map"))
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".td-where")).to_have_text("step 1 of 12")
    assert (pixels(page.locator(".td-map")) != before).any()
    page.get_by_role("button", name=re.compile("Character 2 of 11: e")).click()
    assert requests == []


def test_a_click_on_a_candidate_loads_it_in_the_other_views(visit, site):
    page = visit()
    open_view(page, "Candidates")
    cards = page.locator(".td-card")
    expect(cards).to_have_count(4)
    expect(page.locator(".td-reader")).to_contain_text("fake reader 1.0")
    run = json.loads((site.recorded / "run.json").read_text())
    second = next(candidate for candidate in run["candidates"] if candidate["verdict"]["rank"] == 2)
    card = cards.nth(1)
    expect(card.locator(".td-transcript")).to_have_text(second["reading"]["text"], use_inner_text=True)
    expect(card.locator(".td-rule")).to_have_text(second["verdict"]["rule"])
    expect(card).to_contain_text(f"similarity {second['verdict']['similarity']:.3f}")
    missing = card.locator(".td-missing")
    missing.locator("summary").click()
    shown = [trigram.replace("\n", "↵").replace(" ", "␣") for trigram, _ in second["missing"]]
    expect(missing.locator("code")).to_have_text(shown)
    card.locator("button").click()
    with page.expect_response(lambda response: response.url.endswith(second["files"]["eps"])):
        open_view(page, "Denoising")
    page.wait_for_timeout(300)
    file = site.recorded / second["files"]["eps"]
    step = int(page.get_by_role("slider", name="Step").input_value())
    np.testing.assert_array_equal(pixels(canvas_of(page, "Guess at the noise")), frame(file, 64, step))


def test_a_text_is_written_with_previews_and_takes_the_place_of_the_recorded_run(visit, site):
    site.writer.seconds_per_step = 0.15
    page = visit()
    expect(page.locator(".td-facts")).to_contain_text("Recorded run")
    write(page, "green\ncat", candidates=3, steps=8)
    expect(page.locator(".td-previews canvas")).to_have_count(3)
    expect(page.locator(".td-live p")).to_contain_text(re.compile(r"Step \d of 8"))
    assert pixels(page.locator(".td-previews canvas").first).shape == (64, 64, 3)
    expect(page.locator("#write")).to_be_disabled()
    expect(page.locator(".td-prompt")).to_have_text("green↵cat")
    expect(page.locator(".td-facts")).not_to_contain_text("Recorded run")
    expect(page.locator(".td-where")).to_have_text("step 8 of 8")
    expect(page.locator(".td-thumb")).to_have_count(3)
    expect(page.locator("#write")).to_be_enabled()
    expect(page.locator("#stop")).not_to_be_visible()


def test_stop_keeps_what_there_is(visit, site):
    site.writer.seconds_per_step = 0.3
    page = visit()
    write(page, "slow", steps=60)
    expect(page.locator(".td-live p")).to_contain_text(re.compile(r"Step \d+ of 60"))
    page.locator("#stop").click()
    expect(page.locator(".td-prompt")).to_have_text("slow")
    expect(page.locator(".td-facts")).to_contain_text("Stopped early")
    steps = int(re.search(r"of (\d+)", page.locator(".td-where").inner_text()).group(1))
    assert 1 <= steps < 60
    open_view(page, "Candidates")
    expect(page.locator(".td-card").first).to_contain_text("similarity")
    expect(page.locator("#write")).to_be_enabled()


def test_visitors_neither_see_nor_stop_each_others_runs(visit, site):
    site.writer.seconds_per_step = 0.15
    first, second = visit(), visit()
    write(first, "mine", steps=20)
    expect(first.locator(".td-live p")).to_contain_text("Step")
    expect(second.locator("#stop")).not_to_be_visible()
    write(second, "yours", steps=8)
    expect(second.locator(".td-live p")).to_contain_text("Waiting for the model")
    second.locator("#stop").click()
    expect(first.locator(".td-prompt")).to_have_text("mine")
    expect(first.locator(".td-where")).to_have_text("step 20 of 20")
    expect(first.locator(".td-facts")).not_to_contain_text("Stopped early")
    expect(second.locator(".td-prompt")).to_have_text("yours")
    expect(second.locator(".td-facts")).to_contain_text("Stopped early")


@pytest.mark.parametrize(
    ("text", "settings", "sentence"),
    [
        ("café", {}, "never seen these characters: 'é'"),
        ("x" * 60, {}, "The text has 60 characters"),
        ("\n".join("abcdefg"), {}, "The text has 7 lines"),
        ("fine", {"seed": 2**31}, "Seed must be a whole number from 0 to 2147483647."),
        ("fine", {"candidates": 0}, "Candidates must be a whole number from 1 to 16."),
        ("fine", {"steps": ""}, "Steps must be a whole number from 1 to 250."),
    ],
)
def test_bad_input_gets_one_sentence_and_loses_nothing(visit, text, settings, sentence):
    page = visit()
    write(page, text, **settings)
    expect(page.get_by_text(sentence).first).to_be_visible()
    expect(page.locator("#text textarea")).to_have_value(text)
    expect(page.locator("#write")).to_be_enabled()
    expect(page.locator(".td-facts")).to_contain_text("Recorded run")


@pytest.mark.parametrize(
    "text", ["<img src=x onerror=boom()>", "${window.boom()}", "{{constructor}}", "`${boom()}`</script>"]
)
def test_a_hostile_prompt_is_only_text(visit, text):
    page = visit()
    page.evaluate("() => { window.boomed = 0; window.boom = () => { window.boomed += 1; }; }")
    write(page, text, steps=2, candidates=2)
    expect(page.locator(".td-prompt")).to_have_text(text.replace(" ", "␣"))
    for view in ("Attention", "Candidates", "Denoising"):
        open_view(page, view)
    assert page.evaluate("window.boomed") == 0
    assert page.locator("#viewer img").count() == 0


def test_when_the_writer_breaks_a_visitor_sees_a_sentence_and_no_details(visit):
    page = visit()
    write(page, "fail", steps=2)
    expect(page.get_by_role("alert").filter(has_text="Something went wrong here")).to_be_visible()
    assert "secret detail" not in page.content() and "Traceback" not in page.content()
    expect(page.locator("#text textarea")).to_have_value("fail")
    expect(page.locator("#write")).to_be_enabled()
    expect(page.locator(".td-facts")).to_contain_text("Recorded run")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(visit, scheme):
    page = visit(390, 844, color_scheme=scheme)
    expect(page.locator(".td-facts")).to_contain_text("Recorded run")
    page.locator("#settings > button").click()
    for view in ("Denoising", "Attention", "Candidates"):
        open_view(page, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_viewer_plays_a_run_in_a_bare_page(visit, site, tmp_path):
    (tmp_path / "index.html").write_text(
        "<!doctype html><meta charset=utf-8><link rel=stylesheet href=viewer.css><div id=here></div>"
        "<script src=viewer.js></script><script>viewer = mountViewer(here, { runUrl: 'run/' })</script>"
    )
    for name, source in [("viewer.js", VIEWER), ("viewer.css", VIEWER)]:
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "run").symlink_to(site.recorded)
    handler = partial(_QuietHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = visit(url=f"http://127.0.0.1:{server.server_port}/index.html")
        expect(page.locator(".td-prompt")).to_have_text("Hello↵world")
        expect(page.locator(".td-where")).to_have_text("step 12 of 12")
        page.get_by_role("slider", name="Step").focus()
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("viewer.state.step") == 10
        server.shutdown()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()
