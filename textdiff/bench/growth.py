"""How do time and memory grow with what is asked for? One power law per question, and its exponent.

One watched network call with guidance, as the writer makes it; the networks that the presets describe for
larger pictures; and visitors who come at once, a run for each, until the last one has his. The networks are
fresh: what they draw does not matter here.

Times are taken in turn in this process. Memory is that of a new process for each size, which has answered
another size before: its peak above what it had then. One process for all would hide in what it has freed.
"""

import gc
import multiprocessing
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor

from textdiff.bench.measure import Setting, exponent, interleaved, peak_memory
from textdiff.bench.tables import Table
from textdiff.checkpoints import Checkpoint, build_network
from textdiff.config import PRESETS, UPSCALER, ModelConfig
from textdiff.denoiser import UPSCALER_GUIDANCE
from textdiff.experiments.laboratory import Laboratory
from textdiff.networks.unet import UNet
from textdiff.trajectory import Request
from textdiff.ui.run_cache import RunCache
from textdiff.ui.run_store import RunStore
from textdiff.writer import denoiser_for

GUIDANCE, T = 3.0, 0.6
LEAST_MB = 1.0
LADDER = ("first-words", "post", "post-upscaler")  # presets for 64, 128 and 256 pixels a side

Act = Callable[[], object]


@dataclass(frozen=True)
class Axis:
    """One question: what grows, and what is then to be done; `make` can be sent to another process."""

    name: str
    sizes: Sequence[int]
    make: Callable[[int], Act]
    linear: float = 1.0  # the exponent of what grows in proportion
    repeats: int = 3


def table(
    setting: Setting,
    ladder: Sequence[str] = LADDER,
    peaks: Callable[[Axis], list[float | None]] | None = None,
) -> Table:
    """One row per question: sizes, seconds, megabytes, and the exponents of both.

    `ladder`: the presets of growing pictures, an upscaler last. `peaks` measures the memory of all sizes.
    """
    return Table(
        question="Growth: how do time and memory grow?",
        columns=("with", "sizes", "seconds", "exponent", "linear", "MB", "exponent of MB"),
        rows=tuple(_row(axis, setting.repeats, peaks or fresh_peaks) for axis in axes(setting, ladder)),
        notes=(
            "One guided, watched network call (pixels: an unguided one for one picture; visitors: a run of "
            "two steps each, read and stored, until the last is served). An exponent of 1 is linear: in "
            "pixels a side, 2 is linear in pixels. Memory is a fresh process's peak above what it had before "
            "the call; weights are not in it.",
        ),
    )


def axes(setting: Setting, ladder: Sequence[str] = LADDER) -> list[Axis]:
    """The questions; --full has more sizes, and texts as long as the largest preset can write."""
    config, full = setting.checkpoint.network.config, setting.full
    models = {PRESETS[name].model.image_size: PRESETS[name].model for name in ladder}
    sides, asked = sorted(models), [config]
    by = 2 if full else 4
    if full:
        asked.append(PRESETS[ladder[-2]].model)
    return [
        Axis("candidates", _growing(64 if full else 8, by), partial(of_candidates, config)),
        *(
            Axis(
                f"characters, of {model.max_characters} at most at {model.image_size} px",
                _growing(model.max_characters, by),
                partial(of_characters, model),
            )
            for model in asked
        ),
        Axis("visitors at once", _growing(32 if full else 4, by), partial(of_visitors, config), repeats=1),
        Axis("pixels a side", sides if full else sides[:2], partial(of_pixels, models), linear=2.0),
    ]


def fresh_peaks(axis: Axis) -> list[float | None]:
    """MB for each size, each in a process of its own; None where the system is not Linux."""
    if sys.platform != "linux":
        return [None] * len(axis.sizes)
    # Forked from a process that has imported everything and computed nothing.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as processes:
        return [processes.submit(_peak, axis, size, torch.get_num_threads()).result() for size in axis.sizes]


def _peak(axis: Axis, size: int, threads: int) -> float | None:
    torch.set_num_threads(threads)
    # What any first call takes is not what this size takes; what its own first call takes, is.
    axis.make(next(other for other in axis.sizes if other != size))()
    return peak_memory(axis.make(size))


# ---- what is done for a size


def of_candidates(config: ModelConfig, count: int) -> Act:
    """One guided, watched question about so many pictures of one text."""
    return _call(fresh(config), count, min(12, config.max_characters), GUIDANCE)


def of_characters(config: ModelConfig, count: int) -> Act:
    """The same about one picture of a text of so many characters."""
    return _call(fresh(config), 1, count, GUIDANCE)


def of_pixels(models: dict[int, ModelConfig], side: int) -> Act:
    """One unguided, unwatched question about one picture, to the model of that size."""
    config = models[side]
    small = torch.zeros(1, 3, side // 2, side // 2) if config.kind == UPSCALER else None
    return _call(fresh(config), 1, min(8, config.max_characters), UPSCALER_GUIDANCE, small, watch=False)


def of_visitors(config: ModelConfig, count: int) -> Act:
    """A short run for each of so many visitors, who all come at once; the page serves one after another."""
    laboratory, model = _laboratory(config), threading.Lock()
    text = "a" * min(8, config.max_characters)

    def act() -> None:
        with tempfile.TemporaryDirectory() as folder:
            cache = RunCache(RunStore(folder=Path(folder)))

            def visit(seed: int) -> None:
                with model:
                    for _ in cache.write(laboratory, Request(text=text, seed=seed, candidates=1, steps=2)):
                        pass

            visitors = [threading.Thread(target=visit, args=(seed,)) for seed in range(count)]
            for visitor in visitors:
                visitor.start()
            for visitor in visitors:
                visitor.join()

    return act


def _call(
    network: UNet,
    candidates: int,
    characters: int,
    guidance: float,
    small: Tensor | None = None,
    watch: bool = True,
) -> Act:
    size = network.config.image_size
    denoiser = denoiser_for(network, "a" * characters, candidates, guidance, small)
    x = torch.randn(candidates, 3, size, size)
    return lambda: denoiser(x, T, watch)


@lru_cache(maxsize=4)
def fresh(config: ModelConfig) -> UNet:
    """The untrained network of a config, ready to be asked."""
    network = build_network(config).to(memory_format=torch.channels_last)
    return network.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def _laboratory(config: ModelConfig) -> Laboratory:
    return Laboratory(Checkpoint(fresh(config), "fresh", "0" * 64, {}))


def _growing(most: int, by: int) -> tuple[int, ...]:
    """1, by, by^2, ... and last `most` itself."""
    powers = [by**k for k in range(most.bit_length()) if by**k < most]
    return (*powers, most)


def _row(axis: Axis, repeats: int, peaks: Callable[[Axis], list[float | None]]) -> tuple:
    cases = {str(size): axis.make(size) for size in axis.sizes}
    times = interleaved(cases, min(axis.repeats, repeats))
    cases.clear()
    gc.collect()
    spent, memory = [times.seconds(str(size)) for size in axis.sizes], peaks(axis)
    # Less than that is what the system rounds to.
    grown = [
        (size, value) for size, value in zip(axis.sizes, memory, strict=True) if (value or 0) >= LEAST_MB
    ]
    return (
        axis.name,
        " ".join(map(str, axis.sizes)),
        " ".join(f"{value:.2g}" for value in spent),
        exponent(axis.sizes, spent),
        axis.linear,
        " ".join("-" if value is None else f"{value:.0f}" for value in memory),
        exponent(*zip(*grown, strict=True)) if len(grown) > 1 else None,
    )
