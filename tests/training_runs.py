"""Training runs of seconds: tiny networks, every step logged, no film."""

import functools
import json

import numpy as np
import pytest

from textdiff.config import PRESETS, overridden
from textdiff.training import train
from textdiff.training.fonts import find_faces
from textdiff.training.train import Trainer, main

QUICK = ["train.batch=4", "train.checkpoint_minutes=0", "train.warmup_steps=4"]
TINY = overridden(PRESETS["tiny"], QUICK)
TINY_UPSCALER = overridden(PRESETS["tiny-upscaler"], QUICK)


@pytest.fixture(autouse=True, scope="module")
def quick():
    """Fonts are looked for once, no film is drawn, and every step is logged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "find_faces", functools.cache(find_faces))
        patch.setattr(train, "film_strip", lambda *_: np.zeros((1, 1, 3), dtype=np.uint8))
        patch.setattr(train, "upscaler_strip", lambda *_: np.zeros((2, 2, 3), dtype=np.uint8))
        patch.setattr(train, "_LOG_EVERY", 1)
        yield


def trainer(out, preset=TINY, kind=Trainer, warm_start=None, base=None, teacher=None):
    out.mkdir(exist_ok=True)
    return kind(preset, out, "cpu", 0, warm_start, base, teacher=teacher)


def log_of(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


class Killed(Exception):
    pass


class DiesInStep3(Trainer):
    """Has saved what the first two steps made."""

    def _one_step(self, *arguments):
        if self.step == 2:
            self.save()
            raise Killed
        return super()._one_step(*arguments)


def refusal(capsys, *arguments):
    """The last line that the command says when it refuses to start."""
    with pytest.raises(SystemExit) as stopped:
        main(["--preset", "tiny", "--device", "cpu", "--workers", "0", *map(str, arguments)])
    assert stopped.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]
