"""What happened in a run: request, steps, candidates, large pictures, verdicts. Immutable, numpy only.

A run has one stage or two. A base model draws the candidates, which are read and ranked. If large pictures
were asked for, an upscaler enlarges candidates that were kept, and what it draws is read and ranked, too.

Units: pictures inside a trajectory are (H, W, 3) float32 with -1 black and 1 white; a final picture is
(H, W, 3) uint8. Attention weights are float32 in [0, 1]. Token 0 of every attention map is START, token i is
character i - 1 of the text. Every array is read-only. What was not kept is None or an empty tuple.
"""

from dataclasses import dataclass

import numpy as np

MAX_SEED = 2**31 - 1
TEXT_TO_IMAGE, IMAGE_TO_TEXT = "text_to_image", "image_to_text"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Everything a person chooses. Equal requests to one model give equal generations on one machine."""

    text: str
    candidates: int = 4  # 1 to 16
    seed: int = 7  # candidate k draws its noise from seed + k (mod 2^31)
    steps: int = 10  # 1 to 250
    sampler: str = "unipc"  # a key of samplers.STEP_RULES
    guidance: float = 3.0  # 1 means no guidance
    reader: str = "rapidocr"  # a key of readers.READERS
    keep_only_if_above: float = 0.95  # pruning thresholds, see ranking.py
    delete_under: float = 0.1
    watch: bool = True  # keep the attention of every step
    readability: bool = True  # read the best candidate's guess at every step
    upscaled: int = 0  # large pictures, 0 to 16
    upscaler_steps: int = 1  # 1 to 50; see UPSCALER_SHIFT for why one
    one_call: bool = False  # guidance in one call instead of two, of a model that has learnt it

    @property
    def upscaler_sampler(self) -> str:
        """How the steps of the large pictures follow each other: DDPM needs more of them than these few."""
        return "ddim" if self.sampler == "ddpm" else self.sampler


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AttentionLayer:
    """Where an attention sits in the network: what its maps have in common over steps and candidates."""

    name: str  # a place in the network, "up.16x16_block0"
    direction: str  # TEXT_TO_IMAGE: each cell chooses among tokens; IMAGE_TO_TEXT: each token among cells
    resolution: int  # the picture is resolution x resolution cells, row by row
    heads: int
    taught_head: int | None  # the head that was trained on character boxes, if any


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Step:
    """One question to the network and its answer."""

    index: int
    t: float
    alpha: float
    sigma: float
    noisy: np.ndarray  # x_t, what the network saw
    x0: np.ndarray  # the guided guess at the clean picture
    eps: np.ndarray  # the guided guess at the noise
    x0_unconditional: np.ndarray | None  # the guess without the text; None where the network was not asked
    attention: tuple[np.ndarray, ...] = ()  # (heads, cells, tokens) per Generation.layers, either direction

    def __post_init__(self) -> None:
        _freeze(self.noisy, self.x0, self.eps, self.x0_unconditional, *self.attention)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What an OCR engine read in one picture."""

    text: str  # lines joined by "\n", top to bottom
    confidence: float  # 0 to 1, mean over the lines; 0 when nothing was read
    boxes: tuple[tuple[float, float, float, float], ...] = ()  # x0, y0, x1, y1 per line, in pixels


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the ranking decided about one candidate, or about one large picture."""

    similarity: float  # trigram similarity of reading and text, 0 to 1
    exact: bool
    edit_distance: int
    kept: bool  # of the large pictures, the best one alone is
    rule: str  # one sentence: why it was kept or not
    rank: int  # 1 is best; candidates and large pictures are ranked apart


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReading:
    """What an OCR engine read in the guess at the clean picture at one step."""

    text: str
    similarity: float  # trigram similarity of reading and text, 0 to 1
    right: tuple[bool, ...]  # per character of the request's text, see similarity.matched_characters


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Candidate:
    """One picture: how it came about, what was read in it, and what became of it."""

    index: int
    seed: int
    steps: tuple[Step, ...]
    final: np.ndarray  # (H, W, 3) uint8
    reading: Reading
    verdict: Verdict
    readability: tuple[StepReading, ...] = ()  # one per step; the best candidate's, if it was asked for

    def __post_init__(self) -> None:
        _freeze(self.final)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UpscaledStep:
    """One question to the upscaler and its answer; there are many and they are large, so they have 8 bits."""

    index: int
    t: float
    alpha: float
    sigma: float
    noisy: np.ndarray  # x_t, (2H, 2W, 3) uint8; what lies beyond black and white is clipped
    x0: np.ndarray  # the guess at the clean picture, (2H, 2W, 3) uint8

    def __post_init__(self) -> None:
        _freeze(self.noisy, self.x0)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Upscaled:
    """One large picture: which candidate it enlarges, how it came about, and what was read in it."""

    index: int
    source: int  # index of a kept candidate
    seed: int
    steps: tuple[UpscaledStep, ...]
    final: np.ndarray  # (2H, 2W, 3) uint8
    reading: Reading
    verdict: Verdict

    def __post_init__(self) -> None:
        _freeze(self.final)


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """How a run began that no request gives: from the first noise on it went another run's way, and left it
    before a step (see experiments/branch.py). Its own request says what holds from that step on.
    """

    step: int  # the first one that may differ, 0 to steps - 1
    text: str  # of the other run, like the next two
    guidance: float
    sampler: str
    seed: int | None  # of the noise drawn from the step on; None: the other run's
    eta: float | None  # from the step on, for DDIM; None: the sampler's own
    muted: tuple[int, ...]  # tokens that no cell of the picture could see from the step on


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Generation:
    """One request, answered. The answer is the `winner`."""

    request: Request
    model: str  # name of the weights
    model_sha256: str
    reader: str  # engine and version that read the candidates and the large pictures
    layers: tuple[AttentionLayer, ...]
    candidates: tuple[Candidate, ...]
    best: int  # index of the best candidate, whatever became of the large pictures
    seconds: float
    stopped: bool = False  # ended by the user before the last step
    upscaler: str | None = None  # name of its weights; this and the next three only if it drew something
    upscaler_sha256: str | None = None
    upscaled: tuple[Upscaled, ...] = ()
    best_upscaled: int | None = None  # index of the best large picture
    origin: Origin | None = None  # None: the request says it all

    def __post_init__(self) -> None:
        drawn = bool(self.upscaled)
        assert drawn == (self.upscaler is not None) == (self.best_upscaled is not None)

    @property
    def winner(self) -> Candidate | Upscaled:
        """The best large picture; the best candidate if that was read better, or nothing was drawn large."""
        candidate = self.candidates[self.best]
        if self.best_upscaled is None:
            return candidate
        large = self.upscaled[self.best_upscaled]
        return max(large, candidate, key=lambda one: (one.verdict.similarity, one.verdict.exact))

    @property
    def ranking(self) -> tuple[Candidate, ...]:
        """The candidates, best first."""
        return tuple(sorted(self.candidates, key=lambda candidate: candidate.verdict.rank))

    @property
    def upscaled_ranking(self) -> tuple[Upscaled, ...]:
        """The large pictures, best first."""
        return tuple(sorted(self.upscaled, key=lambda picture: picture.verdict.rank))


def _freeze(*arrays: np.ndarray | None) -> None:
    for array in arrays:
        if array is not None:
            array.setflags(write=False)
