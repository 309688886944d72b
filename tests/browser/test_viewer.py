"""The page in a real browser, from the recorded run on screen to a visitor's own."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from looking import expect, frame, open_view, pixels, requests_from_now_on

from textdiff.ui.viewer_files import VIEWS, viewer_script

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]


def canvas_of(page, kind: str):
    title = page.locator("figcaption span", has_text=kind)
    return page.locator(".td-figures figure").filter(has=title).locator("canvas")


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


def opened(page, fragment: str) -> None:
    """The page's address ends like this, a moment after the last change."""
    page.wait_for_function("hash => location.hash === hash", arg=fragment)


def test_an_address_opens_the_view_and_the_step_that_it_names(visit, site):
    page = visit(url=f"{site.url}#view=attention&step=3&character=8&head=1&opacity=0.5")
    expect(page.locator(".td-where")).to_have_text("step 4 of 12")
    expect(page.get_by_role("tab", name="Attention")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("button", name="Character 8 of 11: o")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Head")).to_have_value("1")
    expect(page.get_by_label("Opacity")).to_have_value("0.5")


def test_the_address_says_what_differs_from_where_the_run_opens(visit):
    page = visit()
    expect(page.locator(".td-where")).to_have_text("step 7 of 12")
    requests = requests_from_now_on(page)
    page.keyboard.press("ArrowRight")
    opened(page, "#step=7")
    open_view(page, "Candidates")
    opened(page, "#view=candidates&step=7")
    open_view(page, "Denoising")
    page.keyboard.press("ArrowLeft")
    opened(page, "")
    page.evaluate("location.hash = 'view=attention&step=0'")
    expect(page.locator(".td-where")).to_have_text("step 1 of 12")
    expect(page.get_by_role("tab", name="Attention")).to_have_attribute("aria-selected", "true")
    assert requests and all(url.endswith(".png") for url in requests)  # what other views show


@pytest.mark.parametrize(
    "fragment",
    [
        "view=constructor&step=-1&candidate=4&character=12",
        "view=<img src=x onerror=boom()>&step=1e1&opacity=7&head=mean;boom()&stretch=1",
        "__proto__=1&constructor=2&toString=3&playing=true&cell=5&step=",
        "%E0%A4%A&%00=%00&step=%00&&&=&layer=up.9x9&direction=sideways&picture=toString",
        "step=" + "9" * 5000 + "&view=" + "x" * 5000,
    ],
)
def test_a_hostile_address_opens_the_run_as_if_it_said_nothing(visit, site, bare, fragment):
    page = visit(url=f"{bare(site.recorded)}#{fragment}")
    expect(page.locator(".td-where")).to_have_text("step 12 of 12")
    state = page.evaluate("viewer.state")
    assert state.items() >= {"view": "denoising", "candidate": 1, "character": 1, "playing": False}.items()
    assert state.items() >= {"head": 0, "opacity": 0.8, "stretch": False, "cell": None}.items()
    assert state.items() >= {"layer": "up.8x8_block0", "direction": "text_to_image", "picture": "all"}.items()
    assert not state.keys() & {"__proto__", "constructor", "toString"}


def test_fields_of_an_address_that_contradict_each_other_are_made_to_agree(visit, site, bare):
    page = visit(url=f"{bare(site.recorded)}#view=attention&layer=up.4x4_block0&head=1")
    expect(page.get_by_label("Head")).to_have_value("1")
    page.evaluate("viewer.set({ cell: 63 })")
    assert page.evaluate("viewer.state.cell") is None  # there are 16 cells in this layer
    page.evaluate("viewer.set({ layer: 'up.8x8_block0', cell: 63, step: 99, head: 7, view: 'none' })")
    assert page.evaluate("viewer.state.cell") == 63
    assert page.evaluate("[viewer.state.step, viewer.state.head, viewer.state.view]") == [11, 1, "attention"]


def test_the_difference_is_the_guess_with_the_text_less_the_one_without(visit, site):
    page = visit(url=f"{site.url}#picture=difference&step=4")
    figures = page.locator(".td-figures figure")
    expect(figures.filter(visible=True)).to_have_count(1)
    run = json.loads((site.recorded / "run.json").read_text())
    files = run["candidates"][run["best"]]["files"]
    x0, without = (frame(site.recorded / files[kind], 64, 4) / 127.5 for kind in ("x0", "x0_unconditional"))
    shown = pixels(page.locator("figure.td-difference canvas"))
    np.testing.assert_allclose(shown, 127.5 + 127.5 * (x0 - without) / 2, atol=0.51)
    page.locator("figure.td-difference button").click()
    expect(figures.filter(visible=True)).to_have_count(5)


def test_the_schedule_marks_the_present_step(visit, site):
    page = visit()
    expect(page.locator(".td-where")).to_have_text("step 7 of 12")
    steps = json.loads((site.recorded / "run.json").read_text())["steps"]
    expect(page.locator(".td-schedule .td-dot-a")).to_have_count(len(steps))
    for key, step in [("ArrowLeft", steps[5]), ("ArrowRight", steps[6])]:
        page.keyboard.press(key)
        picture, noise = (page.locator(f".td-schedule .td-here-{line}") for line in "ab")
        expect(picture).to_have_attribute("cx", f"{100 - 100 * step['t']:.2f}%")
        expect(picture).to_have_attribute("cy", f"{100 - 100 * step['alpha']:.2f}%")
        expect(noise).to_have_attribute("cy", f"{100 - 100 * step['sigma']:.2f}%")
        expect(page.locator(".td-schedule figcaption")).to_contain_text(f"noise σ {step['sigma']:.2f}")


def readable(run: dict, candidate: int) -> None:
    """Let `candidate` be read at every step: character i is right from step i on, the last one never."""
    text, steps = run["request"]["text"], len(run["steps"])
    right = [[i <= step and i < len(text) - 1 for i in range(len(text))] for step in range(steps)]
    run["candidates"][candidate]["readability"] = [
        {"text": f"<b>{step}", "similarity": step / steps, "right": right[step]} for step in range(steps)
    ]


def test_readability_stands_under_the_slider_where_it_was_measured(visit, site, bare):
    page = visit(url=f"{bare(site.recorded, lambda run: readable(run, 1))}#step=6")
    expect(page.locator(".td-says")).to_have_text("<b>6")
    expect(page.locator(".td-value")).to_contain_text("0.50")
    chips = page.locator(".td-settled span")
    expect(chips).to_have_text([str(step) for step in range(1, 11)] + ["never"])
    expect(page.locator(".td-by-now")).to_have_count(7)
    slider = page.get_by_role("slider", name="Step").bounding_box()
    mark = page.locator(".td-readability .td-here-a").bounding_box()
    thumb = slider["x"] + 8 + (slider["width"] - 16) * 6 / 11  # the thumb is 16 pixels wide
    assert abs(mark["x"] + mark["width"] / 2 - thumb) < 1
    page.get_by_role("button", name="w: right from step 7 on").click()
    page.get_by_role("button", name="e: right from step 2 on").click()
    expect(page.locator(".td-where")).to_have_text("step 2 of 12")
    expect(page.locator(".td-says")).to_have_text("<b>1")
    page.locator(".td-thumb").nth(1).click()
    expect(page.locator(".td-readability")).not_to_be_visible()


def test_the_viewer_plays_a_run_in_a_bare_page(visit, site, bare):
    page = visit(url=bare(site.recorded))
    expect(page.locator(".td-prompt")).to_have_text("Hello↵world")
    expect(page.locator(".td-where")).to_have_text("step 12 of 12")
    page.get_by_role("slider", name="Step").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("viewer.state.step") == 10
    open_view(page, "Candidates")
    expect(page.locator(".td-card")).to_have_count(4)
    assert page.get_by_role("button", name="use this seed").count() == 0


def test_two_viewers_play_in_one_file_without_a_server(visit, site, tmp_path):
    names = [path.relative_to(site.recorded).as_posix() for path in site.recorded.rglob("*.*")]
    files = {name: data_address(site.recorded / name) for name in names}
    (tmp_path / "replay.html").write_text(
        f"<!doctype html><meta charset=utf-8><div id=one></div><div id=two></div>"
        f"<script>{viewer_script()}</script><script>{viewer_script()}</script><script>"
        f"const files = {json.dumps(files)};"
        "const mount = (id) => textdiff.mountViewer(document.getElementById(id),"
        " { runUrl: '', files, recorded: true, hash: false });"
        "first = mount('one'); second = mount('two'); second.set({ step: 2 });</script>"
    )
    page = visit(url=f"{(tmp_path / 'replay.html').as_uri()}#step=9")
    expect(page.locator("#one .td-where")).to_have_text("step 7 of 12")
    expect(page.locator("#two .td-where")).to_have_text("step 3 of 12")
    expect(page.locator("#one .td-tab")).to_have_count(len(VIEWS))
    canvas = page.locator("#two .td-noisy canvas")
    np.testing.assert_array_equal(pixels(canvas), frame(site.recorded / "candidate-01" / "noisy.png", 64, 2))
    page.wait_for_timeout(600)
    assert page.evaluate("location.hash") == "#step=9"


def data_address(path: Path) -> str:
    kind = "application/json" if path.suffix == ".json" else "image/png"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
