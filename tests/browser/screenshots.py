"""Photographs every view of the page, with the shipped model behind it: wide and narrow, light and dark.

python -m tests.browser.screenshots --out assets/screenshots

Needs Chromium. Two people's pictures differ by what their machines' model draws, in the last bits, and by
their typefaces.
"""

import argparse
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from textdiff.bench.browser import FLAGS, find_chromium

ROOT = Path(__file__).parents[2]
WIDTHS = {"wide": 1280, "narrow": 390}
THEMES = ("light", "dark")
PATIENCE = 120_000  # ms: the first answer waits for the model to load
QUALITY = 70  # of WebP: lettering stays sharp, and a clone stays quick


def nothing(page: Page) -> None:
    """The view as it opens."""


def mute(page: Page) -> None:
    page.get_by_role("button", name="Mute").click()
    page.locator(".td-muted").wait_for()


def ask_the_model(page: Page) -> None:
    page.get_by_role("button", name="Ask the model").click()
    page.locator(".td-guided").wait_for()


def compare_samplers(page: Page) -> None:
    page.get_by_role("button", name="DDIM against DDPM").click()
    page.locator(".td-branched").wait_for()


# The title of a view -> what is done there before the picture is taken.
VIEWS: dict[str, Callable[[Page], None]] = {
    "Denoising": nothing,
    "Attention": mute,
    "Candidates": nothing,
    "Guidance": ask_the_model,
    "Branch": compare_samplers,
    "Noise": nothing,
    "Learning": nothing,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder for the pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    app = subprocess.Popen([sys.executable, ROOT / "app.py"], stdout=subprocess.PIPE, text=True)
    try:
        url = next(line for line in app.stdout if "http" in line).split()[-1]
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            for size, width in WIDTHS.items():
                for theme in THEMES:
                    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
                    page.set_default_timeout(PATIENCE)
                    photograph(page, url, options.out, f"{size}-{theme}")
                    page.close()
    finally:
        app.terminate()
    (options.out / "README.md").write_text(index(), encoding="utf-8")


def photograph(page: Page, url: str, out: Path, name: str) -> None:
    """One picture of the whole page for each view."""
    page.goto(url)
    page.locator(".td-facts").wait_for()
    page.get_by_text("on this machine").wait_for()  # the model is there, and what a run takes is known
    for title, prepare in VIEWS.items():
        page.get_by_role("tab", name=title).click()
        prepare(page)
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)  # for pictures that are still being decoded
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        picture.save(out / f"{slug(title)}-{name}.webp", quality=QUALITY, method=6)


def slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def index() -> str:
    """A page that shows them all."""
    lines = [
        "# The views of the page",
        "",
        "Made by `python -m tests.browser.screenshots --out assets/screenshots`.",
    ]
    for title in VIEWS:
        lines += ["", f"## {title}", ""]
        lines += [
            f"![{title}, {size}, {theme}]({slug(title)}-{size}-{theme}.webp)"
            for size in WIDTHS
            for theme in THEMES
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
