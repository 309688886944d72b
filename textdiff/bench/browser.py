"""A headless Chromium, where there is one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def find_chromium() -> str | None:
    """The system's Chromium; its path may also be given as TEXTDIFF_CHROMIUM."""
    names = ["chromium", "chromium-browser", "google-chrome", "chrome"]
    return os.environ.get("TEXTDIFF_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@contextmanager
def new_page() -> Iterator:
    """Yields an empty page of a new browser, or None where playwright or Chromium is missing."""
    executable = find_chromium()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        executable = None
    if executable is None:
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(60_000)
            yield page
        finally:
            browser.close()
