"""Pictures of a trajectory that say something about it: heat maps, captioned sheets and curves.

Every function returns an (H, W, 3) uint8 image, and takes pictures as pixels.py does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps, get_data_path
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from PIL import Image, ImageDraw, ImageFont

from textdiff.pixels import PAPER, magnified, to_uint8

INK = (40, 40, 40)


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a panel; `xs`, `ys` and both edges of `band` are equally long."""

    name: str  # for the legend; "" stays out of it
    xs: Sequence[float]
    ys: Sequence[float]
    style: str = "-"
    shade: float | None = None  # 0 to 1, a colour for lines that have an order; None is ink
    band: tuple[Sequence[float], Sequence[float]] | None = None  # lower and upper edge of the uncertainty


@dataclass(frozen=True, eq=False)
class Panel:
    """Lines over one y axis."""

    y_label: str
    lines: Sequence[Line]
    y_range: tuple[float, float] | None = None
    linear_below: float | None = None  # the y axis is linear up to here, then logarithmic; None: all linear


def heat_map(picture: np.ndarray, weights: np.ndarray, opacity: float = 0.6) -> np.ndarray:
    """`picture` under the cividis colours of (cells,) attention weights, a square of cells row by row.

    The largest weight is yellow, zero is dark blue. Cells keep hard edges: the network sees no finer.
    """
    side = math.isqrt(weights.size)
    assert side**2 == weights.size, f"{weights.size} cells are not a square"
    height, width = picture.shape[:2]
    rows, columns = np.arange(height) * side // height, np.arange(width) * side // width
    relative = weights.reshape(side, side)[np.ix_(rows, columns)] / (float(weights.max()) or 1.0)
    colours = colormaps["cividis"](relative)[..., :3] * 255
    return np.rint((1 - opacity) * to_uint8(picture) + opacity * colours).astype(np.uint8)


def contact_sheet(
    rows: Sequence[Sequence[tuple[np.ndarray, str]]],
    scale: int = 2,
    gap: int = 8,
    font_size: int = 12,
    title: str = "",
) -> np.ndarray:
    """Rows of (picture, caption), each caption drawn under its picture; a caption may have several lines.
    The title stands on one line above them all.

    Captions are set in a monospaced face, in which I, l and 1 differ and columns can be aligned by spaces.
    """
    font = ImageFont.truetype(get_data_path() + "/fonts/ttf/DejaVuSansMono.ttf", font_size)
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    cells = [cell for row in rows for cell in row]
    boxes = [ruler.multiline_textbbox((0, 0), caption, font) for _, caption in cells]
    width = max(*(scale * picture.shape[1] for picture, _ in cells), *(math.ceil(box[2]) for box in boxes))
    above = scale * max(picture.shape[0] for picture, _ in cells)
    height = above + gap // 2 + max(math.ceil(box[3]) for box in boxes)

    top = gap + 2 * font_size * bool(title)
    size = (gap + max(map(len, rows)) * (width + gap), top + len(rows) * (height + gap))
    sheet = Image.new("RGB", size, (PAPER,) * 3)
    draw = ImageDraw.Draw(sheet)
    draw.text((gap, gap), title, INK, font)
    for y, row in enumerate(rows):
        for x, (picture, caption) in enumerate(row):
            corner = (gap + x * (width + gap), top + y * (height + gap))
            sheet.paste(Image.fromarray(magnified(to_uint8(picture), scale)), corner)
            draw.multiline_text((corner[0], corner[1] + above + gap // 2), caption, INK, font)
    return np.array(sheet)


def curve(
    xs: Sequence[float],
    ys: Mapping[str, Sequence[float]],
    x_label: str,
    y_label: str,
    size: tuple[int, int] = (640, 360),
) -> np.ndarray:
    """One line per name in `ys` over the common `xs`, as an image of `size` (width, height) pixels."""
    return _plot([(name, xs, values, "-") for name, values in ys.items()], x_label, y_label, size)


def schedule_curve(
    times: Sequence[float],
    alphas: Sequence[float],
    sigmas: Sequence[float],
    steps: Sequence[tuple[float, float, float]] = (),
    size: tuple[int, int] = (640, 360),
) -> np.ndarray:
    """How much signal and noise there is over time, with dots at the (t, alpha, sigma) of a run's steps."""
    lines = [("signal, alpha", times, alphas, "-"), ("noise, sigma", times, sigmas, "-")]
    if steps:
        t, alpha, sigma = zip(*steps, strict=True)
        lines += [("", t, alpha, "o"), ("", t, sigma, "o")]
    return _plot(lines, "time t (0 is the picture, 1 is noise)", "share", size)


def stacked(
    panels: Sequence[Panel], x_label: str, log_x: bool = False, size: tuple[int, int] = (720, 840)
) -> np.ndarray:
    """The panels one above the other over a common x axis; a legend stands wherever there are new names."""
    figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    plots = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    ink = tuple(level / 255 for level in INK)
    explained: set[str] = set()
    for axes, panel in zip(plots, panels, strict=True):
        for line in panel.lines:
            colour = ink if line.shade is None else colormaps["viridis"](line.shade)
            width = 2.2 if line.shade is None else 1.3
            axes.plot(line.xs, line.ys, line.style, color=colour, label=line.name, lw=width, markersize=4)
            if line.band:
                axes.fill_between(line.xs, *line.band, color=colour, alpha=0.15, linewidth=0)
        axes.set(ylabel=panel.y_label, ylim=panel.y_range)
        if panel.linear_below is not None:
            axes.set_yscale("symlog", linthresh=panel.linear_below)
            axes.yaxis.set_major_formatter("{x:g}")
        names = {line.name for line in panel.lines} - {""}
        if names - explained:
            axes.legend(frameon=False)
        explained |= names
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    if log_x:
        plots[-1].set_xscale("log")
        plots[-1].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        plots[-1].xaxis.set_minor_formatter(NullFormatter())
    plots[-1].xaxis.set_major_formatter(EngFormatter(sep=""))
    plots[-1].set_xlabel(x_label)
    figure.align_ylabels()
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _plot(lines: Sequence[tuple], x_label: str, y_label: str, size: tuple[int, int]) -> np.ndarray:
    """Lines of (name, xs, ys, style) in one pair of axes; the dots "o" have the colours of the lines "-"."""
    figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
    drawn = {"-": 0, "o": 0}
    for name, xs, ys, style in lines:
        axes.plot(xs, ys, style, color=f"C{drawn[style]}", label=name, markersize=4)
        drawn[style] += 1
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if any(name for name, *_ in lines):
        axes.legend(frameon=False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
