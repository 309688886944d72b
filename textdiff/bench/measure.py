"""How to measure on a machine that does other things as well: in turn, several times, and the median.

A ratio is one of two times taken right after each other; the median of several such ratios is what is
reported, never the ratio of two times from different runs.
"""

import ctypes
import gc
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from textdiff.checkpoints import Checkpoint
from textdiff.request_rules import untouched
from textdiff.trajectory import Request

# Long and short, one to five lines; no list of prompts is part of the app.
TEXTS = (
    "cat",
    "Hello",
    "7481",
    "red dog",
    "diffusion",
    "Good\nmorning",
    "two plus\ntwo is 4",
    "Write me\na letter",
    "noise in,\nwords out",
    "every step\nis a guess\nabout it",
    "a class of\nthirty on\nlaptops",
    "the\nwhat string\ncommit\nString evolved\nLEGGED",
)


@dataclass(frozen=True)
class Setting:
    """What is measured, and how thoroughly."""

    checkpoint: Checkpoint
    texts: tuple[str, ...] = TEXTS
    repeats: int = 5  # of every timing
    steps: int = Request(text="").steps  # of a run whose time is taken
    full: bool = False  # more settings of the sampler, larger pictures, more of everything

    def request(self, text: str) -> Request:
        """That of the untouched form of a page around this model."""
        one_call = self.checkpoint.network.config.distilled_guidance
        return replace(untouched(one_call=one_call), text=text, steps=self.steps)


class Times(dict[str, list[float]]):
    """Seconds of every case, one per repeat."""

    def seconds(self, case: str) -> float:
        return median(self[case])

    def ratio(self, case: str, to: str) -> float:
        """How many times as long as `to` the case takes."""
        return median(one / other for one, other in zip(self[case], self[to], strict=True))


def interleaved(cases: Mapping[str, Callable[[], object]], repeats: int, warm: bool = True) -> Times:
    """Every case once to warm up, then all of them in turn, `repeats` times."""
    if warm:
        for case in cases.values():
            case()
    times = Times({name: [] for name in cases})
    for _ in range(repeats):
        for name, case in cases.items():
            times[name].append(seconds(case))
    return times


def seconds(act: Callable[[], object]) -> float:
    """Seconds that it takes, once."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def flops(act: Callable[[], object]) -> int:
    """Floating-point operations of the convolutions and matrix products; one multiply-add is two."""
    with FlopCounterMode(display=False) as counter:
        act()
    return counter.get_total_flops()


def peak_memory(act: Callable[[], object]) -> float | None:
    """MB by which this process grows at most while `act` runs; None where the system is not Linux."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # or what was freed before would hide what is needed now
        Path("/proc/self/clear_refs").write_text("5")  # forget the former peak
    except (OSError, AttributeError, TypeError):
        act()
        return None
    before = _memory("VmRSS")
    act()
    return (_memory("VmHWM") - before) / 1e6


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise AssertionError(f"{name} is not in /proc/self/status")


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The p of the power law value = c size^p that fits best, by least squares of the logarithms."""
    slope, _ = np.polyfit(np.log(sizes), np.log(values), 1)
    return float(slope)


def machine() -> dict[str, str | int]:
    """What the figures depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "bfloat16": "native" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "emulated",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
