"""One HTML file with a viewer and a run in it, which needs no server."""

import base64
import json
from pathlib import Path

from textdiff.ui.viewer_files import lessons, viewer_script, viewer_style


def write_page(file: Path, run: Path, **options) -> str:
    """Write the page that plays the run folder `run`; returns its address. The viewer in it is `viewer`."""
    options = {"runUrl": "", "files": addresses(run), "lessons": lessons(), "recorded": True} | options
    file.write_text(
        "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<style>{viewer_style()}</style><div id=here></div><script>{viewer_script()}</script>"
        f"<script>viewer = textdiff.mountViewer(here, {json.dumps(options)})</script>",
        encoding="utf-8",
    )
    return file.as_uri()


def addresses(run: Path) -> dict[str, str]:
    """File name in the run folder -> a data: address of what is in it."""
    kinds = {".json": "application/json", ".png": "image/png"}
    return {
        path.relative_to(run).as_posix(): f"data:{kinds[path.suffix]};base64,"
        + base64.b64encode(path.read_bytes()).decode()
        for path in sorted(run.rglob("*.*"))
    }
