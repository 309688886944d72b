"""Where fresh runs lie while visitors look at them: folders that nobody can guess, and that do not stay.

A file that Gradio serves is open to everyone who knows its address, so the address is the secret that keeps
one visitor out of another's run.
"""

import os
import secrets
import shutil
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from textdiff import run_folder
from textdiff.trajectory import Generation


@dataclass(frozen=True, kw_only=True)
class RunStore:
    """Keeps runs in `folder` for `keep_seconds`, and at most the newest `keep_runs`."""

    folder: Path
    keep_seconds: float = 3 * 3600
    keep_runs: int = 100
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # visitors come together

    def save(self, generation: Generation) -> Path:
        """The new folder of `generation`; old runs go. Raises ValueError for a run without steps."""
        self._sweep(room=1)
        folder = self._new_folder()
        run_folder.save(generation, folder)
        return folder

    def again(self, run: Path) -> Path | None:
        """A new folder with the same run in it, for another visitor; None when that run has gone."""
        with self._lock:
            folder = self._linked(run)
        if folder is not None:
            self._sweep()
        return folder

    def _linked(self, run: Path) -> Path | None:
        folder = self._new_folder()
        try:
            # Nothing changes the files of a run, so that two folders may share them.
            shutil.copytree(run, folder, copy_function=os.link, ignore=shutil.ignore_patterns("shared"))
            os.utime(folder)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            return None
        return folder

    def _new_folder(self) -> Path:
        return self.folder / secrets.token_urlsafe(24)

    def _sweep(self, room: int = 0) -> None:
        """Old runs go, until there is room for `room` more."""
        with self._lock:
            runs = [entry for entry in self.folder.glob("*") if (entry / "run.json").is_file()]
            runs.sort(key=lambda run: run.stat().st_mtime, reverse=True)
            oldest = time.time() - self.keep_seconds
            for place, run in enumerate(runs):
                if place >= self.keep_runs - room or run.stat().st_mtime < oldest:
                    shutil.rmtree(run, ignore_errors=True)


def address(folder: Path) -> str:
    """Where the page finds the files of `folder`, relative to itself; ends in a slash."""
    return f"gradio_api/file={urllib.parse.quote(folder.resolve().as_posix())}/"


def run_at(wanted, *parents: Path) -> Path | None:
    """The run folder with the address `wanted`, if there is one in one of the folders `parents`.

    It only ever chooses among the runs that there are, so no address leads elsewhere; and whoever knows the
    address of a fresh run may see that run.
    """
    folders = [folder for parent in parents if parent.is_dir() for folder in parent.iterdir()]
    return next((f for f in folders if (f / "run.json").is_file() and address(f) == wanted), None)


def first_recorded(recorded_runs: Path) -> Path | None:
    """The recorded run that is on screen before the first click: the first folder with a run in it."""
    return next((file.parent for file in sorted(recorded_runs.glob("*/run.json"))), None)
