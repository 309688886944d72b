"""A tiny model trained while a visitor watches: the training command itself, in a process of its own.

At most one such training goes on at a time, whoever asks. It works in a private folder, with one thread and
the lowest priority, and ends when its time is over, when its visitor stops it or goes away, or when the page
ends; the folder goes with it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from textdiff.pixels import cut_strip

MINUTES = (1, 2, 3)  # how long a training may take
LETTERS = tuple("Abe7Kx")  # which every checkpoint draws
# One large letter or digit, black on white, and a hasty optimiser: what can be seen to emerge in a minute.
_SETTINGS = (
    *("model.max_characters=1", "model.max_lines=1", "data.max_characters=1", "data.max_lines=1"),
    *("data.fonts=one", "data.colours=paper", "data.min_font_px=13", "data.max_font_px=13"),
    *("train.batch=32", "train.muon_lr=0.004", "train.adam_lr=0.003", "train.ema_decay=0.98"),
    *("train.checkpoint_minutes=0.1", "train.cooldown=0.4"),
)
COMMAND = (
    *(sys.executable, "-m", "textdiff.training.train", "--preset", "tiny"),
    *("--device", "cpu", "--workers", "0", "--film", *LETTERS),
    *(word for setting in _SETTINGS for word in ("--set", setting)),
)
POLL_SECONDS = 0.5
_GRACE_SECONDS = 90  # above the time that was asked for: to import torch, and to draw the last pictures
_ROOT = Path(__file__).parents[2]
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, eq=False)
class Glimpse:
    """How far a training has got: everything from its start on.

    `losses` are (pictures seen, loss); `checkpoints` are (pictures seen, what was drawn then), the latter
    (L, S, S, 3) uint8, a picture for each of LETTERS. `seconds_left` is None until the first step.
    """

    seconds_left: float | None
    losses: tuple[tuple[int, float], ...]
    checkpoints: tuple[tuple[int, np.ndarray], ...]
    ended: bool


class LiveTraining:
    """The one training that may go on. `command` is followed by --minutes M --out FOLDER."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = tuple(command)
        self._lock = threading.Lock()
        self._present: _Process | None = None

    def watch(self, visitor: str, minutes: int) -> Iterator[Glimpse]:
        """Train, and yield a glimpse now and then; the last one has `ended`. Closing the iterator ends it.

        `visitor` is a secret of who asks, for `stop`. Raises ValueError with one sentence, also while another
        training is going on; RuntimeError if the command fails.
        """
        if minutes not in MINUTES:
            raise ValueError(f"A training takes {', '.join(map(str, MINUTES))} minutes.")
        process = self._begin(visitor, minutes)
        try:
            while process.going_on():
                yield process.glimpse(ended=False)
                time.sleep(POLL_SECONDS)
            process.check()
            yield process.glimpse(ended=True)
        finally:
            process.end()

    def stop(self, visitor: str) -> None:
        """End the training of this visitor; nothing happens to anybody else's."""
        with self._lock:
            if self._present is not None and self._present.visitor == visitor:
                self._present.stop()

    def _begin(self, visitor: str, minutes: int) -> "_Process":
        with self._lock:
            if self._present is not None and self._present.going_on():
                whose = "Your" if self._present.visitor == visitor else "Somebody else's"
                raise ValueError(
                    f"{whose} training is going on, and there is room for one at a time; please try again "
                    f"in about {self._present.seconds_left():.0f} seconds."
                )
            self._present = _Process(self._command, visitor, minutes)
            return self._present


class _Process:
    """The command at work, and the folder it works in; both are gone when this object is, or Python ends."""

    def __init__(self, command: tuple[str, ...], visitor: str, minutes: int) -> None:
        self.visitor = visitor
        self._seconds, self._stopped = 60 * minutes, False
        self._deadline = time.monotonic() + self._seconds + _GRACE_SECONDS
        self._folder = Path(tempfile.mkdtemp(prefix="textdiff-training-"))
        self._out, errors = self._folder / "run", self._folder / "errors.txt"
        with errors.open("w") as file:
            self._process = subprocess.Popen(
                [*command, "--minutes", str(minutes), "--out", str(self._out)],
                cwd=_ROOT,
                env=os.environ | _ONE_THREAD,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
            )
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, 19)
        self.end = weakref.finalize(self, _end, self._process, self._folder)

    def going_on(self) -> bool:
        """Whether the command is at work; one that takes too long is ended here."""
        if time.monotonic() > self._deadline:
            self.stop()
        return self._process.poll() is None

    def stop(self) -> None:
        self._stopped = True
        self._process.kill()
        self._process.wait()

    def check(self) -> None:
        """Raises RuntimeError if the command ended by itself, and not well."""
        if self._process.returncode and not self._stopped:
            errors = (self._folder / "errors.txt").read_text(errors="replace")
            raise RuntimeError(f"The live training failed: {errors[-2000:]}")

    def seconds_left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def glimpse(self, ended: bool) -> Glimpse:
        strips = [(int(file.stem.removeprefix("strip-")), file) for file in self._out.glob("strip-*.png")]
        checkpoints = [(pictures, _squares(file)) for pictures, file in sorted(strips)]
        return Glimpse(
            seconds_left=self._training_left(),
            losses=tuple(_losses(self._out / "log.jsonl")),
            checkpoints=tuple((pictures, drawn) for pictures, drawn in checkpoints if drawn is not None),
            ended=ended,
        )

    def _training_left(self) -> float | None:
        """The command writes config.json right before the first step."""
        config = self._out / "config.json"
        if not config.exists():
            return None
        return max(0.0, self._seconds - (time.time() - config.stat().st_mtime))


def _end(process: subprocess.Popen, folder: Path) -> None:
    process.kill()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _losses(log: Path) -> Iterator[tuple[int, float]]:
    """(pictures seen, loss) of the lines that are written to their end."""
    whole = log.read_text().rpartition("\n")[0] if log.exists() else ""
    for line in map(json.loads, whole.splitlines()):
        if "loss" in line:
            yield line["pictures"], line["loss"]


def _squares(strip: Path) -> np.ndarray | None:
    """The pictures in a strip; None while it is being written."""
    try:
        with Image.open(strip) as image:
            return cut_strip(np.array(image.convert("RGB")))
    except OSError:
        return None
