"""How do time and memory grow with what is asked for? One power law per question, and its exponent.

One watched network call with guidance, as the writer makes it; for visitors who come at once, a run for
each, until the last one has his. Where there are no weights of a size, the network is fresh: what it draws
does not matter here.
"""

import gc
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch

from textdiff.bench.measure import Setting, exponent, interleaved, peak_memory
from textdiff.bench.tables import Table
from textdiff.checkpoints import build_network
from textdiff.config import BASE, PRESETS, ModelConfig
from textdiff.networks.unet import UNet
from textdiff.trajectory import Request
from textdiff.writer import candidate_moves, denoiser_for

GUIDANCE, T = 3.0, 0.6
REPEATS = 3


def table(setting: Setting) -> Table:
    """One row per question: sizes, seconds, megabytes, and the exponents of both."""
    network = setting.checkpoint.network
    longest = network.config.max_characters
    asked: dict[str, tuple[Sequence[int], Callable[[int], Callable[[], object]]]] = {
        "candidates": ((1, 2, 4, 8, 16, 32, 64) if setting.full else (1, 2, 4, 8), partial_call(network)),
        "characters": (_doubling(longest), lambda count: call(network, 4, count)),
        "visitors at once": (
            (1, 2, 4, 8, 16, 32) if setting.full else (1, 2, 4),
            lambda count: visitors(network, count),
        ),
        "pixels a side": (
            _sizes(network.config, setting.full),
            lambda size: call(fresh(_resized(network.config, size)), 1, min(8, longest)),
        ),
    }
    if setting.full and longest < PRESETS["post"].model.max_characters:
        post = fresh(PRESETS["post"].model)
        asked["characters, preset post"] = (_doubling(128), lambda count: call(post, 1, count))
    return Table(
        question="Growth: how do time and memory grow?",
        columns=("with", "sizes", "seconds", "exponent", "linear", "MB", "exponent of MB"),
        rows=tuple(_row(name, sizes, make, setting.repeats) for name, (sizes, make) in asked.items()),
        notes=(
            "One guided, watched network call (visitors: a run of two steps each, until the last is served). "
            "An exponent of 1 is linear: in pixels a side, 2 is linear in pixels.",
        ),
    )


def partial_call(network: UNet) -> Callable[[int], Callable[[], object]]:
    """The call as a function of the number of candidates."""
    length = min(12, network.config.max_characters)
    return lambda count: call(network, count, length)


def call(network: UNet, candidates: int, characters: int) -> Callable[[], object]:
    """One guided, watched question about so many pictures of a text of so many characters."""
    size = network.config.image_size
    denoiser = denoiser_for(network, "a" * characters, candidates, GUIDANCE)
    x = torch.randn(candidates, 3, size, size)
    return lambda: denoiser(x, T, watch=True)


def visitors(network: UNet, count: int) -> Callable[[], object]:
    """A short run for each of so many visitors, who all come at once; the page serves one after another."""
    request = Request(text="a" * min(8, network.config.max_characters), candidates=1, steps=2)

    model = threading.Lock()

    def visit(seed: int) -> None:
        with model:
            for _ in candidate_moves(network, request, [seed]):
                pass

    def act() -> None:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(visit, range(count)))

    return act


def fresh(config: ModelConfig) -> UNet:
    """The untrained network of a config, ready to be asked."""
    network = build_network(config).to(memory_format=torch.channels_last)
    return network.eval().requires_grad_(False)


def _resized(config: ModelConfig, size: int) -> ModelConfig:
    """The same model for larger pictures: one more level on top for each doubling, as the presets have it."""
    while config.image_size < size:
        config = replace(
            config,
            kind=BASE,
            image_size=2 * config.image_size,
            channels=(config.channels[0], *config.channels),
            down_blocks=(config.down_blocks[0], *config.down_blocks),
        )
    return config


def _sizes(config: ModelConfig, full: bool) -> tuple[int, ...]:
    return tuple(config.image_size * factor for factor in ((1, 2, 4) if full else (1, 2)))


def _doubling(most: int) -> tuple[int, ...]:
    """1, 2, 4, ... and last `most` itself."""
    powers = [2**k for k in range(most.bit_length()) if 2**k < most]
    return (*powers, most)


def _row(name: str, sizes: Sequence[int], make: Callable[[int], Callable[[], object]], repeats: int) -> tuple:
    cases = {str(size): make(size) for size in sizes}
    times = interleaved(cases, min(REPEATS, repeats))
    memory = [peak_memory(case) for case in cases.values()]
    cases.clear()
    gc.collect()
    spent = [times.seconds(str(size)) for size in sizes]
    known = None not in memory and min(memory) > 0
    return (
        name,
        " ".join(map(str, sizes)),
        " ".join(f"{value:.2g}" for value in spent),
        exponent(sizes, spent),
        2.0 if name.startswith("pixels") else 1.0,
        " ".join("-" if value is None else f"{value:.0f}" for value in memory),
        exponent(sizes, memory) if known else None,
    )
