"""The attention view in a real browser: every map, number and picture is the one in the record."""

import json
import re

import numpy as np
import pytest
from fakes import LAYERS, attention_weights, clean_levels
from looking import expect, frame, open_view, pixels, requests_from_now_on
from matplotlib import colormaps

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]

TEXT = "Hello\nworld"
TOKENS = 1 + len(TEXT)
BEST = 1  # the candidate that is on screen
STEP = 4


@pytest.fixture
def look(visit, site, bare):
    """Opens the view in a page without a server, at step 5 of 12; `fragment` says what else is chosen."""

    def open_page(fragment: str = "", **options):
        page = visit(url=f"{bare(site.recorded)}#view=attention&step={STEP}&{fragment}", **options)
        expect(page.locator(".td-maps")).to_be_visible()
        return page

    return open_page


def recorded_levels(site, number: int, step: int, head: int, token: int) -> tuple[np.ndarray, float]:
    """Levels of one map, as they are in the atlas of layer `number`, and the weight of level 255."""
    files = json.loads((site.recorded / "run.json").read_text())["candidates"][BEST]["files"]["attention"]
    side = LAYERS[number].resolution
    file = site.recorded / files[number]["file"]
    return frame(file, side, column=step, row=head * TOKENS + token), files[number]["scale"]


def colours(levels: np.ndarray) -> np.ndarray:
    return np.rint(colormaps["cividis"](levels)[..., :3] * 255)


def number(weight: float) -> str:
    return "0" if weight == 0 else f"{weight:.1g}" if weight < 0.01 else f"{weight:.2f}"


def test_a_click_on_a_character_shows_its_weights_as_they_are_in_the_atlas(look, site):
    page = look("head=1&more=true")
    page.get_by_role("button", name="Character 8 of 11: o").click()
    for layer, label in [(3, "Text to picture"), (2, "Picture to text")]:
        page.locator(".td-settings .td-choice label", has_text=label).click()
        levels, scale = recorded_levels(site, layer, STEP, head=1, token=8)
        expect(page.locator(".td-one .td-map")).to_have_attribute("width", "8")
        np.testing.assert_array_equal(pixels(page.locator(".td-one .td-map")), colours(levels))
        expect(page.locator(".td-legend .td-ticks span").last).to_have_text(f"{scale:.2f}")
        expect(page.locator(".td-one .td-readout")).to_contain_text(
            f"Strongest: {levels.max() / 255 * scale:.2f}"
        )


def test_the_taught_head_is_marked_and_the_mean_of_heads_is_their_mean(look, site):
    page = look("more=true&head=taught")
    head = page.get_by_label("Head")
    expect(head).to_have_value("0")
    expect(head.locator("option")).to_have_text(["mean of heads", "head 0 (taught)", "head 1"])
    expect(page.locator(".td-taught")).to_contain_text("This head was taught")
    head.select_option("mean")
    levels = np.mean([recorded_levels(site, 3, STEP, head, token=1)[0] for head in range(2)], axis=0)
    nearest = np.floor(levels + 0.5).astype(int)  # a half is rounded up there
    np.testing.assert_array_equal(pixels(page.locator(".td-one .td-map")), colours(nearest))
    page.get_by_label("Layer").select_option("up.4x4_block0")
    expect(page.locator(".td-taught")).to_contain_text("No head of this layer was taught")


def test_scrubbing_the_attention_sends_no_request_once_its_layer_is_there(visit):
    page = visit()
    open_view(page, "Attention")
    expect(page.locator(".td-one .td-map")).to_be_visible()
    requests = requests_from_now_on(page)
    before = pixels(page.locator(".td-one .td-map"))
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".td-where")).to_have_text("step 1 of 12")
    assert (pixels(page.locator(".td-one .td-map")) != before).any()
    page.get_by_role("button", name=re.compile("Character 2 of 11: e")).click()
    for maps in ("All characters", "Over the steps"):
        page.locator(".td-maps > .td-choice label", has_text=maps).click()
        expect(page.locator(".td-small").filter(visible=True).first).to_be_visible()
    assert requests == []


def test_a_pinned_place_says_how_much_it_reads_of_every_character(look, site):
    """The other way round: one cell of all maps, until Escape or another click."""
    page = look()
    row, column = 6, 2
    expect(page.locator(".td-one .td-map")).to_be_visible()
    box = page.locator(".td-one .td-map").bounding_box()
    page.mouse.click(box["x"] + box["width"] * (column + 0.5) / 8, box["y"] + box["height"] * (row + 0.5) / 8)
    page.mouse.move(5, 5)
    read = []
    for token in range(TOKENS):
        levels, scale = recorded_levels(site, 3, STEP, head=0, token=token)
        read.append(levels[row, column] / 255 * scale)
    shown = page.locator(".td-words .td-token span")
    expect(shown).to_have_text([number(weight) for weight in read])
    recorded = attention_weights(LAYERS[3], TEXT, BEST, STEP, 12)[0, row * 8 + column]
    assert np.argmax(read) == np.argmax(recorded)
    expect(page.locator(".td-one .td-readout")).to_contain_text(
        f"row {row + 1}, column {column + 1} listens to"
    )
    assert page.evaluate("viewer.state.pin") == (8 * row + 4) * 64 + 8 * column + 4

    page.keyboard.press("ArrowRight")  # the map has the focus: its arrow keys move the place
    expect(page.locator(".td-one .td-readout")).to_contain_text(
        f"row {row + 1}, column {column + 2} listens to"
    )
    expect(page.locator(".td-where")).to_have_text(f"step {STEP + 1} of 12")
    page.keyboard.press("Escape")
    expect(page.locator(".td-one .td-readout")).to_contain_text("Strongest")
    expect(page.locator(".td-shaded")).to_have_count(0)


def test_a_pin_stays_at_its_place_in_the_picture_when_the_layer_changes(look):
    page = look(f"pin={50 * 64 + 20}&more=true")
    expect(page.locator(".td-one .td-readout")).to_contain_text("row 7, column 3")
    page.get_by_label("Layer").select_option("up.4x4_block0")
    expect(page.locator(".td-one .td-readout")).to_contain_text("row 4, column 2")
    page.get_by_role("button", name="Let go").click()
    assert page.evaluate("viewer.state.pin") is None


def test_all_characters_stand_in_the_lines_of_the_text_and_a_click_shows_one_large(look, site):
    page = look("maps=all")
    lines = page.locator(".td-all .td-line").filter(has=page.locator("canvas"))
    expect(lines).to_have_count(3)
    expect(lines.nth(1).locator(".td-small > span:last-child")).to_have_text([*"Hello", "↵"])
    maps = page.locator(".td-all .td-map")
    for token in (0, 3, 11):
        levels, _ = recorded_levels(site, 3, STEP, head=0, token=token)
        np.testing.assert_array_equal(pixels(maps.nth(token)), colours(levels))
    page.get_by_role("button", name="w, strongest").click()
    assert page.evaluate("[viewer.state.maps, viewer.state.character]") == ["one", 7]
    levels, _ = recorded_levels(site, 3, STEP, head=0, token=7)
    np.testing.assert_array_equal(pixels(page.locator(".td-one .td-map")), colours(levels))


def test_the_strip_has_a_map_for_every_step_and_a_click_goes_there(look, site):
    page = look("maps=steps&character=7&stretch=true&head=mean")
    strip = page.locator(".td-strip .td-small")
    expect(strip).to_have_count(12)
    levels = [
        np.mean([recorded_levels(site, 3, step, head, token=7)[0] for head in range(2)], axis=0)
        for step in range(12)
    ]
    stretched = [np.floor(255 * one / np.max(levels) + 0.5).astype(int) for one in levels]
    for step in (0, 5, 11):
        shown = pixels(strip.nth(step).locator(".td-map"))
        np.testing.assert_array_equal(shown, colours(stretched[step]))
    expect(strip.nth(STEP)).to_have_attribute("aria-current", "step")
    page.get_by_role("button", name="Step 10", exact=True).click()
    expect(page.locator(".td-where")).to_have_text("step 10 of 12")
    expect(strip.nth(9)).to_have_attribute("aria-current", "step")


def test_a_beginner_sees_no_settings_until_they_ask_and_then_they_stay(look):
    page = look()
    expect(page.get_by_label("Layer")).not_to_be_visible()
    page.locator(".td-settings summary").focus()
    page.keyboard.press("Space")
    expect(page.get_by_label("Layer")).to_be_visible()
    assert page.evaluate("viewer.state.playing") is False
    page.wait_for_function("location.hash.includes('more=true')")


def test_settings_that_are_opened_while_the_view_is_drawn_stay_open(look):
    """The browser says that they were opened only when the script at work is done."""
    page = look()
    page.evaluate("document.querySelector('.td-settings').open = true, viewer.set({ opacity: 0.3 })")
    page.wait_for_function("location.hash.includes('more=true')")
    expect(page.get_by_label("Layer")).to_be_visible()
    page.evaluate("viewer.set({ more: false })")
    expect(page.get_by_label("Layer")).not_to_be_visible()


def test_without_a_page_behind_it_nothing_can_be_muted(look):
    page = look()
    expect(page.locator(".td-one .td-map")).to_be_visible()
    assert page.get_by_role("button", name=re.compile("^Mute")).count() == 0


def test_a_muted_character_changes_the_picture_where_the_page_says(visit, site):
    page = visit(url=f"{site.url}#view=attention&step={STEP}&character=7")
    expect(page.locator(".td-one .td-map")).to_be_visible()
    requests = requests_from_now_on(page)
    page.get_by_role("button", name="Mute w", exact=True).click()
    result = page.locator(".td-muted")
    expect(result).to_contain_text("Without w the reader reads “Hello↵xorld” instead of “Hello↵world”")
    before, after, change = (pixels(canvas).astype(int) for canvas in result.locator("canvas").all())
    np.testing.assert_array_equal(before, clean_levels(TEXT, 0, 64))
    differs = np.abs(after - before).mean(axis=-1)
    np.testing.assert_array_equal(change, colours(np.rint(255 * differs / differs.max()).astype(int)))
    cells = differs.reshape(8, 8, 8, 8).sum(axis=(1, 3)).ravel()
    levels, _ = recorded_levels(site, 3, STEP, head=0, token=7)
    bright = np.argsort(-levels.ravel().astype(int), kind="stable")[:7]
    share = f"{cells[bright].sum() / cells.sum():.0%}".replace("%", " %")
    expect(result).to_contain_text(f"{share} of the change lies in the 7 of 64 places")
    assert not any(url.endswith(".png") for url in requests)  # pictures came with the answer

    page.get_by_role("button", name="Character 1 of 11: H").click()
    expect(result).not_to_be_visible()
    page.get_by_role("button", name="Character 7 of 11: w").click()
    expect(result).to_be_visible()


def test_a_run_of_other_weights_cannot_be_repeated_and_the_view_says_so(visit, site, monkeypatch):
    monkeypatch.setattr(site.writer, "sha256", "f" * 64)
    page = visit(url=f"{site.url}#view=attention")
    requests_from_now_on(page)
    page.get_by_role("button", name=re.compile("^Mute")).click()
    expect(page.locator(".td-mute small")).to_contain_text("Other weights wrote this run")
    expect(page.get_by_role("button", name=re.compile("^Mute"))).to_be_enabled()


def test_where_a_place_looks_within_the_picture_comes_from_the_page_once_a_step(visit, site):
    page = visit(url=f"{site.url}#view=attention&maps=within&step={STEP}&pin={50 * 64 + 20}")
    requests_from_now_on(page)
    asking = page.get_by_role("button", name="Ask the model")
    asking.click()
    expect(page.locator(".td-within .td-about")).to_contain_text("row 2, column 1")
    requests = requests_from_now_on(page)
    shown = pixels(page.locator(".td-within .td-map"))
    looks_at = np.isin(np.arange(4), [(2 + STEP) % 4, (3 + STEP) % 4]).reshape(2, 2)
    np.testing.assert_array_equal(shown, colours(np.where(looks_at, 255, 0)))
    expect(page.locator(".td-legend .td-ticks span").last).to_have_text("0.50")
    page.keyboard.press("Escape")
    page.locator(".td-within .td-stack").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".td-within .td-about")).to_contain_text("row 1, column 1")
    assert requests == []
    page.get_by_role("slider", name="Step").fill(str(STEP + 1))
    expect(asking).to_be_enabled()


def test_a_view_that_cannot_ask_offers_only_what_is_in_the_record(look):
    page = look("maps=within")
    expect(page.locator(".td-maps > .td-choice label")).to_have_count(3)
    expect(page.get_by_role("radio", name="One character")).to_be_checked()
    page.locator(".td-one .td-stack").hover()
    expect(page.locator(".td-one .td-readout")).to_contain_text("listens to")


@pytest.mark.parametrize("maps", ["one", "all", "steps"])
def test_no_map_is_wider_than_a_phone(look, maps):
    page = look(f"maps={maps}&more=true&pin=100", width=390, height=844)
    expect(page.locator(".td-map").filter(visible=True).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
