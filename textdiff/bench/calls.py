"""How many network evaluations does a readable picture need?

Every setting draws the same texts from the same noise, and the same reader reads them. A guided step is two
evaluations, one with the text and one without it; or one, of weights that have learnt it in one call.
"""

from dataclasses import dataclass

import numpy as np
import torch

from textdiff import alphabet
from textdiff.bench.measure import Setting
from textdiff.bench.tables import Table
from textdiff.denoiser import Denoiser
from textdiff.networks.unet import UNet
from textdiff.noise_schedule import SHIFT, sampling_times
from textdiff.pixels import to_uint8
from textdiff.readers import Reader, open_reader
from textdiff.request_rules import untouched
from textdiff.samplers import STEP_RULES, initial_noise, sample
from textdiff.similarity import edit_distance, is_exact
from textdiff.step_records import as_pictures
from textdiff.writer import compute_type, device_of

SEED = 1000
BATCH = 16
ALWAYS = (0.0, 1.0)


@dataclass(frozen=True)
class Way:
    """One way to draw a picture."""

    sampler: str
    steps: int
    guidance: float = 3.0
    guided_between: tuple[float, float] = ALWAYS  # times; elsewhere a step is one evaluation
    one_call: bool = False  # a guided step is one evaluation, too: the network has learnt that

    @property
    def times(self) -> list[float]:
        """At which the network is asked."""
        return sampling_times(self.steps, shift=SHIFT).tolist()[:-1]

    @property
    def evaluations(self) -> int:
        low, high = self.guided_between
        twice = self.guidance != 1 and not self.one_call
        return sum(2 if twice and low <= t <= high else 1 for t in self.times)

    @property
    def guided(self) -> str:
        """When, in words."""
        if self.guidance == 1:
            return "never"
        low, high = self.guided_between
        when = "always" if self.guided_between == ALWAYS else f"{low} to {high}"
        return f"{when}, one call at {self.guidance:g}" if self.one_call else when


# The last of each is the rival: the slow way that the others must not fall behind.
QUICK = (
    Way("unipc", 5),
    Way("unipc", 10),
    Way("dpm++2m", 20),
    Way("ddpm", 50),
)
# Before either, where the weights have learnt it.
_USUAL = untouched(one_call=True)
IN_ONE_CALL = tuple(Way(_USUAL.sampler, steps, _USUAL.guidance, one_call=True) for steps in (10, 20))
FULL = (
    *(Way("unipc", steps) for steps in (3, 4, 5, 6, 8, 10, 15, 20, 30)),
    *(Way("dpm++2m", steps) for steps in (5, 10, 20)),
    *(Way("unipc", steps, guidance=1.0) for steps in (10, 20)),
    *(
        Way("unipc", steps, guided_between=between)
        for steps in (7, 8, 10, 20)
        for between in ((0.0, 0.9), (0.5, 1.0), (0.7, 1.0), (0.85, 1.0))
    ),
    *(Way("ddim", steps) for steps in (5, 10, 20)),
    *(Way("ddpm", steps) for steps in (20, 50, 250)),
)


def table(setting: Setting, ways: tuple[Way, ...] | None = None, reader: Reader | None = None) -> Table:
    """Exact match against evaluations; the last way is the one that the others are compared with."""
    network = setting.checkpoint.network
    if ways is None:
        ways = FULL if setting.full else QUICK
        ways = (*IN_ONE_CALL, *ways) if network.config.distilled_guidance else ways
    reader = reader or open_reader("rapidocr")
    readings = []
    for way in ways:
        pictures = draw(network, setting.texts, way, compute_type(device_of(network)))
        readings.append([reading.text for reading in reader.read(list(pictures))])
    slow, rows = ways[-1], []
    for way, read in zip(ways, readings, strict=True):
        exact, similar = score(setting.texts, read)
        here, there = parted(setting.texts, read, readings[-1])
        points = 100 * (here - there) / len(setting.texts)
        what = (way.sampler, way.steps, way.guided, way.evaluations)
        rows.append((*what, exact, similar, points, here, there))
    return Table(
        question="Calls: how many network evaluations does a readable picture need?",
        columns=(
            "sampler",
            "steps",
            "guided at t",
            "evaluations",
            "EM",
            "NED",
            f"points to {slow.sampler} {slow.steps}",
            "right only here",
            "right only there",
        ),
        rows=tuple(rows),
        notes=(
            f"{len(setting.texts)} texts, one picture each from the same noise in every row, read by "
            f"{reader.name}; one picture is {100 / len(setting.texts):.1f} points. Where about as many are "
            "right only here as only there, the two are equal as far as this many texts can tell.",
        ),
    )


def draw(
    network: UNet,
    texts: tuple[str, ...],
    way: Way,
    autocast: torch.dtype | None,
    seed: int = SEED,
) -> np.ndarray:
    """(B, H, W, 3) uint8, text k with the noise of seed + k."""
    pictures = []
    for start in range(0, len(texts), BATCH):
        part = texts[start : start + BATCH]
        pictures.append(_draw(network, part, way, autocast, range(seed + start, seed + start + len(part))))
    return np.concatenate(pictures)


def _draw(
    network: UNet, texts: tuple[str, ...], way: Way, autocast: torch.dtype | None, seeds: range
) -> np.ndarray:
    device, length, size = device_of(network), max(map(len, texts)), network.config.image_size
    denoiser = Denoiser(
        network=network,
        ids=torch.from_numpy(alphabet.encode(texts, length)).to(device),
        null_ids=torch.from_numpy(alphabet.null_prompt(1, length)).to(device),
        guidance=way.guidance,
        one_call=way.one_call,
        guided_between=way.guided_between,
        autocast=autocast,
    )
    noise, generators = initial_noise(seeds, (3, size, size))
    times = sampling_times(way.steps, shift=SHIFT)
    *_, last = sample(denoiser, noise.to(device), times, STEP_RULES[way.sampler], generators)
    return to_uint8(as_pictures(last.x_next))


def parted(texts: tuple[str, ...], read: list[str], other: list[str]) -> tuple[int, int]:
    """How many texts are read exactly in the one but not in the other, and the other way round."""
    both = zip(texts, read, other, strict=True)
    right = [(is_exact(text, one), is_exact(text, two)) for text, one, two in both]
    return right.count((True, False)), right.count((False, True))


def score(texts: tuple[str, ...], read: list[str]) -> tuple[float, float]:
    """The share of exact matches, and the mean of 1 - edit distance / the longer one's length."""
    pairs = list(zip(texts, read, strict=True))
    exact = sum(is_exact(text, other) for text, other in pairs) / len(pairs)
    similar = [1 - edit_distance(text, other) / max(len(text), len(other), 1) for text, other in pairs]
    return exact, sum(similar) / len(similar)
