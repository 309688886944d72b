"""What browser tests look at a page with."""

from pathlib import Path

import numpy as np
from PIL import Image

PIXELS = """canvas => [canvas.width, canvas.height,
    ...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]"""
# A canvas whose file is still on its way is transparent.
DRAWN = f"canvas => canvas.width && ({PIXELS})(canvas).slice(2).some((level, at) => at % 4 === 3 && level)"


def expect(*arguments):
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(*arguments)


def pixels(canvas) -> np.ndarray:
    """(H, W, 3) uint8, what is drawn on the canvas, once it is there: not while a file is on its way."""
    expect(canvas).to_be_visible()
    canvas.page.wait_for_function(DRAWN, arg=canvas.element_handle())
    width, height, *levels = canvas.evaluate(PIXELS)
    return np.array(levels, dtype=np.uint8).reshape(height, width, 4)[..., :3]


def frame(file: Path, side: int, column: int, row: int = 0) -> np.ndarray:
    """One square of a sheet of squares."""
    sheet = np.array(Image.open(file))
    return sheet[row * side : (row + 1) * side, column * side : (column + 1) * side]


def requests_from_now_on(page) -> list[str]:
    """Grows with every request, once the page has everything that it asks for by itself."""
    if page.locator("#text").count():
        expect(page.locator("#text")).to_contain_text("Up to 48 characters")
    page.wait_for_timeout(300)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    return requests


def open_view(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
