"""Where fresh runs lie while visitors look at them: folders that nobody can guess, and that do not stay.

A file that Gradio serves is open to everyone who knows its address, so the address is the secret that keeps
one visitor out of another's run.
"""

import secrets
import shutil
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from textdiff import run_folder
from textdiff.trajectory import Generation


@dataclass(frozen=True, kw_only=True)
class RunStore:
    """Keeps runs in `folder` for `keep_seconds`, and at most the newest `keep_runs`."""

    folder: Path
    keep_seconds: float = 3 * 3600
    keep_runs: int = 100

    def save(self, generation: Generation) -> Path:
        """The new folder of `generation`; old runs go. Raises ValueError for a run without steps."""
        self._sweep()
        folder = self.folder / secrets.token_urlsafe(24)
        run_folder.save(generation, folder)
        return folder

    def _sweep(self) -> None:
        runs = [entry for entry in self.folder.glob("*") if (entry / "run.json").is_file()]
        runs.sort(key=lambda run: run.stat().st_mtime, reverse=True)
        oldest = time.time() - self.keep_seconds
        for place, run in enumerate(runs):
            if place >= self.keep_runs - 1 or run.stat().st_mtime < oldest:
                shutil.rmtree(run, ignore_errors=True)


def address(folder: Path) -> str:
    """Where the page finds the files of `folder`, relative to itself; ends in a slash."""
    return f"gradio_api/file={urllib.parse.quote(folder.resolve().as_posix())}/"


def first_recorded(recorded_runs: Path) -> Path | None:
    """The recorded run that is on screen before the first click: the first folder with a run in it."""
    return next((file.parent for file in sorted(recorded_runs.glob("*/run.json"))), None)
