"""The forward process in a real browser: its formulas are Python's, and nothing leaves the page."""

import io
import json
import math

import numpy as np
import pytest
from looking import expect, pixels
from one_file import write_page
from PIL import Image

from textdiff.noise_schedule import SCHEDULES, level

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]

LARGE = ".td-forward > div > canvas"


@pytest.fixture
def open_noise(visit, site, tmp_path):
    """Opens the view at what the address says besides."""
    url = write_page(tmp_path / "page.html", site.recorded)

    def open_page(fragment: str = ""):
        page = visit(url=f"{url}#view=noise&{fragment}")
        expect(page.locator(LARGE)).to_be_visible()
        return page

    return open_page


def noise(page, seed: int) -> np.ndarray:
    """(64, 64, 3) what the page draws for a seed."""
    numbers = page.evaluate(f"Array.from(textdiff.gaussians({seed}, 3 * 64 * 64))")
    return np.array(numbers).reshape(64, 64, 3)


def noised(clean: np.ndarray, eps: np.ndarray, schedule: str, t: float) -> np.ndarray:
    """Levels of alpha x0 + sigma eps, with Python's alpha and sigma."""
    alpha, sigma = level(SCHEDULES[schedule], t)
    return np.clip(127.5 * (1 + alpha * (clean / 127.5 - 1) + sigma * eps), 0, 255)


def best_picture(site) -> np.ndarray:
    run = json.loads((site.recorded / "run.json").read_text())
    return np.array(Image.open(site.recorded / run["candidates"][run["best"]]["files"]["final"]))


def png(levels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_schedules_of_the_page_are_those_of_the_model(open_noise, schedule):
    page = open_noise()
    for t in (0.0, 0.001, 0.1, 0.25, 0.5, 0.77, 0.9, 0.999, 1.0):
        python = level(SCHEDULES[schedule], t)
        in_page = page.evaluate(f"textdiff.SCHEDULES.{schedule}({t})")
        np.testing.assert_allclose(in_page, python, rtol=1e-12, atol=1e-15)
        if 0 < t < 1:
            ratio = page.evaluate(f"textdiff.logSnr(textdiff.SCHEDULES.{schedule}({t}))")
            assert math.isclose(ratio, 2 * python.log_ratio, abs_tol=1e-9)


def test_the_noisy_picture_is_the_mixture_and_its_noise_stays_while_time_moves(open_noise, site):
    page = open_noise("schedule=linear&t=0.25&noise=7")
    clean, eps = best_picture(site), noise(page, 7)
    assert abs(eps.mean()) < 0.03 and abs(eps.std() - 1) < 0.03
    slider = page.get_by_role("slider", name="Time t")
    for t in (0.25, 0.26, 0.0):
        expect(page.locator(".td-mixture b").first).to_have_text(f"{t:.2f}")
        for canvas, schedule in [
            (LARGE, "linear"),
            (".td-linear canvas", "linear"),
            (".td-cosine canvas", "cosine"),
        ]:
            shown = pixels(page.locator(canvas))
            np.testing.assert_allclose(shown, noised(clean, eps, schedule, t), atol=0.51)
        slider.press("ArrowRight" if t == 0.25 else "Home")
    alpha, sigma = level(SCHEDULES["cosine"], 0.6)
    page.evaluate("viewer.set({ t: 0.6, schedule: 'cosine' })")
    expect(page.locator(".td-mixture")).to_have_text(f"t = 0.60: xₜ = {alpha:.2f} x₀ + {sigma:.2f} ε")
    page.get_by_role("button", name="new noise").click()
    shown = pixels(page.locator(LARGE))
    np.testing.assert_allclose(shown, noised(clean, noise(page, 8), "cosine", 0.6), atol=0.51)
    expect(page.get_by_role("slider", name="Step")).not_to_be_visible()


def test_the_curves_mark_the_signal_to_noise_of_both_schedules(open_noise):
    page = open_noise("t=0.25")
    for line, schedule in [("a", "cosine"), ("b", "linear")]:
        ratio = 2 * level(SCHEDULES[schedule], 0.25).log_ratio
        mark = page.locator(f".td-time .td-here-{line}")
        expect(mark).to_have_attribute("cx", "25.00%")
        expect(mark).to_have_attribute("cy", f"{100 * (0.5 - ratio / 20):.2f}%")
        expect(page.locator(".td-snr")).to_contain_text(f"{schedule} {ratio:.1f}")
    page.evaluate("viewer.set({ t: 0 })")
    expect(page.locator(".td-snr")).to_contain_text("cosine ∞")
    page.evaluate("viewer.set({ t: 1 })")
    expect(page.locator(".td-snr")).to_contain_text("cosine −∞")


@pytest.mark.parametrize(
    "text", ["A word\nof mine", "<img src=x onerror=boom()>${alert(1)}", "\u202e" + "W" * 47]
)
def test_a_text_of_ones_own_is_set_dark_on_light_and_stands_in_the_address(open_noise, text):
    page = open_noise("t=0")
    page.locator(".td-source label", has_text="Own text").click()
    field = page.get_by_role("textbox", name="Own text")
    field.fill(text)
    shown = pixels(page.locator(LARGE)).astype(int)
    assert shown[[0, 0, -1, -1], [0, -1, 0, -1]].min() > 240  # the corners
    assert (shown.max(axis=2) < 160).sum() > 20
    page.wait_for_function("location.hash.includes('words=')")
    page.reload()
    expect(field).to_have_value(text)
    np.testing.assert_array_equal(pixels(page.locator(LARGE)), shown)


def test_a_picture_of_ones_own_is_cut_to_its_middle_and_goes_nowhere(open_noise):
    page = open_noise("t=0")
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    middle = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    wide = np.pad(middle, ((0, 0), (20, 20), (0, 0)))
    page.locator(".td-source label", has_text="Own picture").click()
    expect(page.locator(".td-file")).to_contain_text("or drop one here")
    expect(page.locator(".td-forward")).not_to_be_visible()
    file = page.locator("input[type=file]")
    file.set_input_files({"name": "<b>cat", "mimeType": "image/png", "buffer": png(wide)})
    expect(page.locator(".td-file")).to_contain_text("<b>cat, its middle, 64 × 64 pixels")
    np.testing.assert_array_equal(pixels(page.locator(LARGE)), middle)

    file.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text(
        "Your browser cannot read this file as a picture; try a PNG or a JPEG."
    )
    np.testing.assert_array_equal(pixels(page.locator(LARGE)), middle)
    assert requests == []


def test_a_picture_may_be_dropped_on_the_view(open_noise):
    page = open_noise("t=0")
    grey = np.full((64, 64, 3), 77, dtype=np.uint8)
    drop = """bytes => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([new Uint8Array(bytes)], "grey.png", { type: "image/png" }));
        const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
        document.querySelector(".td-forward").dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    assert page.evaluate(drop, list(png(grey)))
    expect(page.locator(".td-file")).to_contain_text("grey.png")
    np.testing.assert_array_equal(pixels(page.locator(LARGE)), grey)


def test_the_game_is_played_with_the_keyboard_and_does_not_tell_before_the_guess(open_noise, site):
    page = open_noise("schedule=linear")
    page.evaluate("Math.random = () => 0.5")
    page.get_by_role("button", name="Guess t: a game").press("Enter")
    board = page.locator(".td-board")
    expect(page.get_by_role("slider", name="Your guess at t")).to_be_focused()
    shown = pixels(board.locator("canvas"))
    wanted = noised(best_picture(site), noise(page, 2**30), "linear", 0.5)
    np.testing.assert_allclose(shown, wanted, atol=0.51)
    page.keyboard.press("Enter")
    expect(board).to_contain_text("It is t = 0.50. Exactly right: 10 points.")
    page.evaluate("Math.random = () => 0.9")
    page.keyboard.press("Enter")
    expect(board).not_to_contain_text("0.89")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(board).to_contain_text("It is t = 0.89. You are 0.19 off: 2 points.")
    expect(board).to_contain_text("Round 2 of 5 · 12 of 20 points")
    for _ in range(3):
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
    expect(board).to_contain_text("Round 5 of 5 · 12 of 50 points")
    page.keyboard.press("Enter")
    expect(board).to_contain_text("Round 1 of 5")
    assert "points" not in board.inner_text()


@pytest.mark.parametrize(
    "fragment",
    [
        "t=1.5&schedule=sideways&source=disk&noise=-1",
        "t=NaN&guessing=yes&noise=99999999999&words=" + "x" * 49,
    ],
)
def test_a_hostile_address_changes_nothing(open_noise, fragment):
    state = open_noise(fragment).evaluate("viewer.state")
    assert (state["t"], state["schedule"], state["source"], state["noise"]) == (0.5, "cosine", "run", 0)
    assert (state["words"], state["guessing"]) == ("Your\ntext", False)
