"""Sharing from the page in a real browser: links, files, and pictures that bring their settings back."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from fakes import fake_generation
from hostile import HOSTILE
from looking import expect, open_view

from textdiff import run_loading
from textdiff.picture_settings import picture_with_settings, read_settings
from textdiff.request_link import HIDEABLE, from_query, to_query
from textdiff.trajectory import Request
from textdiff.ui.sharing import NAMES

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]


def ready(page) -> None:
    expect(page.locator("#text")).to_contain_text("Up to 48 characters")
    expect(page.locator(".td-facts")).to_contain_text("Recorded run")


def test_a_link_fills_in_the_form_hides_controls_and_starts_nothing(visit, site):
    request = Request(text="a&b\n<i>c</i>", seed=11, steps=4, candidates=2, sampler="ddim", watch=True)
    page = visit(url=f"{site.url}?{to_query(request, hidden=('steps', 'guidance'))}#view=attention&step=2")
    ready(page)
    expect(page.locator("#text textarea")).to_have_value(request.text)
    page.locator("#settings > button").click()
    expect(page.locator("#seed input")).to_have_value("11")
    expect(page.locator("#candidates input")).to_have_value("2")
    expect(page.locator("#steps")).not_to_be_visible()
    expect(page.locator("#guidance")).not_to_be_visible()
    expect(page.locator(".td-prompt")).to_have_text("Hello↵world")

    page.locator("#write").click()
    expect(page.locator(".td-prompt")).to_have_text("a&b↵<i>c</i>")
    expect(page.locator(".td-where")).to_have_text("step 3 of 4")
    expect(page.get_by_role("tab", name="Attention")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".td-facts")).to_contain_text("4 steps of ddim")


@pytest.mark.parametrize("clipboard", [True, False])
def test_the_link_to_a_run_says_its_request_and_what_is_on_screen(visit, site, clipboard):
    page = visit(permissions=["clipboard-read", "clipboard-write"] if clipboard else [])
    ready(page)
    if not clipboard:
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    open_view(page, "Attention")
    page.keyboard.press("ArrowRight")
    page.get_by_text("Share this run").click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".td-share [role=status]")).to_contain_text("copied" if clipboard else "selected")
    link = page.locator(".td-link").input_value()
    if clipboard:
        assert page.evaluate("navigator.clipboard.readText()") == link
    else:
        assert page.evaluate("getSelection().toString()") == link
    asked = run_loading.load(site.recorded).request
    said = from_query(dict(parse_qsl(urlsplit(link).query, keep_blank_values=True))).fields
    assert Request(**said) == asked
    assert urlsplit(link).fragment == "view=attention&step=7"


def test_a_teacher_chooses_what_the_link_hides(visit, site):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    ready(page)
    page.get_by_text("Share this run").click()
    page.get_by_text("Hide controls").click()
    for name in ("Steps", "Delete under", "Seed", "Large pictures"):
        page.locator(".td-hiding").get_by_label(name, exact=True).check()
    page.locator(".td-hiding").get_by_label("Seed").uncheck()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".td-share [role=status]")).to_contain_text("copied")
    link = page.locator(".td-link").input_value()
    said = from_query(dict(parse_qsl(urlsplit(link).query, keep_blank_values=True)))
    assert said.hidden == ("steps", "delete_under", "upscaled")
    assert Request(**said.fields) == run_loading.load(site.recorded).request
    names = page.locator(".td-hiding input").evaluate_all("boxes => boxes.map((box) => box.value)")

    opened = visit(url=link)
    ready(opened)
    opened.locator("#settings > button").click()
    expect(opened.locator("#seed")).to_be_visible()
    for name in ("steps", "delete_under"):
        expect(opened.locator(f"#{name}")).not_to_be_visible()
    assert set(HIDEABLE) - set(names) == {"readability"}  # for which the form has no control


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_link_does_no_harm(visit, site, text):
    query = to_query(Request(text=text))
    page = visit(url=f"{site.url}?{query}#{query}")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    ready(page)
    refused = len(text) > 1024
    expect(page.get_by_text("This link was not followed")).to_have_count(int(refused))
    known = "red dog\ngreen cat" if refused else text.replace("\r\n", "\n")
    expect(page.locator("#text textarea")).to_have_value(known)
    assert page.locator("#text img, #text script").count() == 0


def test_the_run_on_screen_is_saved_as_every_kind_of_file(visit, site, tmp_path):
    page = visit()
    ready(page)
    page.get_by_text("Share this run").click()
    buttons = page.locator(".td-share").get_by_role("button")
    expect(buttons).to_have_count(1 + len(NAMES))
    for kind, title in [("png", "Picture"), ("zip", "Run, ZIP"), ("replay", "Replay")]:
        with page.expect_download() as waiting:
            buttons.filter(has_text=title).click()
        file = tmp_path / waiting.value.suggested_filename
        assert file.name == NAMES[kind]
        waiting.value.save_as(file)
    request = run_loading.load(site.recorded).request
    assert read_settings(tmp_path / NAMES["png"]) == request
    assert run_loading.load(tmp_path / NAMES["zip"]).request == request
    replay = visit(url=(tmp_path / NAMES["replay"]).as_uri())
    expect(replay.locator(".td-prompt")).to_have_text("Hello↵world")
    assert replay.locator(".td-share").count() == 0


def test_a_run_that_has_gone_cannot_be_shared_and_says_so(visit, site):
    page = visit()
    ready(page)
    page.get_by_text("Share this run").click()
    moved = site.recorded.rename(site.recorded.with_name("moved"))
    try:
        page.get_by_role("button", name="Film, GIF").click()
        expect(page.locator(".td-share [role=status]")).to_contain_text("This run is no longer there")
    finally:
        moved.rename(site.recorded)


def test_a_picture_dropped_on_the_settings_restores_them_and_another_does_not(visit, tmp_path):
    page = visit()
    ready(page)
    page.locator("#settings > button").click()
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(picture_with_settings(fake_generation("Hi\nthere", candidates=3, steps=5, seed=21)))
    bad.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    upload = page.locator("#picture input[type=file]")
    upload.set_input_files(bad)
    expect(page.get_by_role("alert").filter(has_text="This is no picture of textdiff")).to_be_visible()
    expect(page.locator("#text textarea")).to_have_value("red dog\ngreen cat")
    upload.set_input_files(good)
    expect(page.locator("#text textarea")).to_have_value("Hi\nthere")
    for name, value in [("seed", "21"), ("steps", "5"), ("candidates", "3")]:
        expect(page.locator(f"#{name} input")).to_have_value(value)
    expect(page.locator(".td-facts")).to_contain_text("Recorded run")
