"""The viewer as a Gradio component: its value says which run is on screen, or how far one has got."""

import base64
import io

import gradio as gr
import numpy as np
from PIL import Image

from textdiff.run_json import MAX_CANDIDATES
from textdiff.trajectory import MAX_SEED, Request
from textdiff.ui.run_store import address
from textdiff.ui.viewer_files import FILM, lessons, tour, viewer_script, viewer_style

_MOUNT = """
const mount = element.querySelector(".td-mount");
const { lessons, tour, film } = props;
const viewer = textdiff.mountViewer(mount, { lessons, tour, film, ask: trigger });
const follow = () => viewer.show(props.value ?? {});
watch("value", follow);
follow();
"""


def build_viewer(value: dict | None) -> gr.HTML:
    """Put a viewer on the page being built; `show_run`, `show_live` and `show_problem` make its values.

    The template is constant and the value never enters it: Gradio executes what is written between ${ and }
    there. The viewer puts the texts of visitors on the page as text nodes only.

    What a view asks of the page is an event of the component that bears its name: `viewer.use_seed(handler)`
    hears of ask("use_seed", { seed }), and a parameter `asked: gr.EventData` of the handler has `asked.seed`.
    """
    return gr.HTML(
        value=value,
        html_template='<div class="td-mount"></div>',
        js_on_load=viewer_script() + _MOUNT,
        head=f"<style>{viewer_style()}</style>",
        apply_default_css=False,
        elem_id="viewer",
        lessons=lessons(),
        tour=tour(),
        film=address(FILM),
    )


def show_run(address: str, recorded: bool = False) -> dict:
    """The run folder at `address`, an address that ends in a slash."""
    return {"run": address, "recorded": recorded}


def show_problem(sentence: str) -> dict:
    """One sentence for the visitor; the run on screen stays."""
    return {"problem": sentence}


def show_answer(action: str, **details) -> dict:
    """What the page answers to a view that asked for `action`; the view finds `details` beside it."""
    return {"answer": {"action": action, **details}}


def show_live(
    request: Request,
    stage: str,
    step: int = 0,
    x0: np.ndarray | None = None,
    large: bool = False,
    before: int | None = None,
) -> dict:
    """How far the run of `request` has got: `stage` is "waiting" or that of a Progress.

    x0 (candidates, H, W, 3) uint8 are the present guesses at the pictures; `large`: those of round two.
    `before`: how many stand before whoever waits, where that is known.
    """
    first, count = (MAX_CANDIDATES, request.upscaled) if large else (0, request.candidates)
    live = {
        "stage": stage,
        "step": step,
        "steps": request.upscaler_steps if large else request.steps,
        "seeds": [(request.seed + k) % (MAX_SEED + 1) for k in range(first, first + count)],
        "before": before,
        "size": 0 if x0 is None else x0.shape[1],
        "picture": None if x0 is None else png_address(np.concatenate(x0, axis=1)),
    }
    return {"live": live}


def png_address(picture: np.ndarray) -> str:
    """A data: address of the (H, W, 3) or (H, W) uint8 picture."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
