"""The viewer as text: scripts, styles and the words beside its views, for every page that it is put into."""

import dataclasses
import re
from pathlib import Path

from textdiff.ui.lesson_path import read_path

VIEWER = Path(__file__).parent / "viewer"
LESSONS = Path(__file__).parents[2] / "assets" / "lessons"
FILM = Path(__file__).parents[2] / "assets" / "training" / "first-words"  # as training/film.py makes it

# In the order of their tabs. A view is views/NAME.js, a lesson, and views/NAME.css for looks of its own.
VIEWS = ("denoising", "attention", "candidates", "guidance", "branch", "noise", "learning")
# What a view is made of beside views/NAME.js: views/NAME_PART.js, loaded before it.
PARTS = {
    "denoising": ("answer",),
    "attention": ("weights", "map", "many", "characters", "mute", "within"),
    "candidates": ("thresholds", "reading", "funnel", "upscaled"),
    "branch": ("form",),
    "noise": ("source", "game"),
    "learning": ("film", "live"),
}
VIEW_SCRIPTS = tuple(
    f"views/{name}.js"
    for view in VIEWS
    for name in (*(f"{view}_{part}" for part in PARTS.get(view, ())), view)
)
SCRIPTS = (
    "core.js",
    "state.js",
    "run.js",
    "chart.js",
    "live.js",
    "similarity.js",
    "ranking.js",
    "forward.js",
    *VIEW_SCRIPTS,
    "lesson_player.js",
    "share.js",
    "mount.js",
)


def viewer_script() -> str:
    """One classic script that defines `textdiff.mountViewer`; viewer/mount.js says how to call it."""
    return "\n".join((VIEWER / name).read_text(encoding="utf-8") for name in SCRIPTS)


def viewer_style() -> str:
    """The style sheet of the viewer and its views."""
    sheets = [
        VIEWER / "viewer.css",
        VIEWER / "lesson_player.css",
        VIEWER / "share.css",
        *(VIEWER / f"views/{view}.css" for view in VIEWS),
    ]
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets if sheet.exists())


def lessons() -> dict[str, str]:
    """View -> a few plain sentences about what there is to see in it."""
    return {view: (LESSONS / f"{view}.md").read_text(encoding="utf-8").strip() for view in VIEWS}


def state_fields() -> set[str]:
    """What a lesson may set: the fields of the viewer's state, but for those of the moment."""
    declared = "\n".join((VIEWER / name).read_text(encoding="utf-8") for name in (*VIEW_SCRIPTS, "mount.js"))
    return set(re.findall(r"^\s+(\w+): fields\.(?!passing)\w+\(", declared, re.MULTILINE))


def tour() -> list[dict]:
    """The lessons of the tour as the viewer takes them; lesson_path.py says what they are made of."""
    return [dataclasses.asdict(lesson) for lesson in read_path(LESSONS / "path", VIEWS, state_fields())]
