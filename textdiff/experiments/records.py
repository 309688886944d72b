"""What an experiment asks and what came out. Immutable; numpy only, so that a page can use it.

Units as in trajectory.py: pictures are (H, W, 3) float32 with -1 black and 1 white, weights are float32 in
[0, 1], token 0 is START, token i is character i - 1 of the text, and every array is read-only.
"""

from dataclasses import dataclass

import numpy as np

from textdiff.trajectory import Generation, Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """A run that leaves another one before a step. None, or no token, means: as in the other run.

    The picture at that step and the memory of the sampler are those of the other run, so that a branch
    without changes is the other run again, bit by bit.
    """

    of: Request
    candidate: int  # 0 to of.candidates - 1
    step: int  # 0 to of.steps - 1, the first one that may differ
    text: str | None = None  # of any length
    seed: int | None = None  # of the noise drawn from here on; the first noise stays
    guidance: float | None = None
    sampler: str | None = None
    eta: float | None = None  # for DDIM, which has 0 otherwise: how much of DDPM's noise it draws, 0 to 1
    muted: tuple[int, ...] = ()  # tokens that no cell of the picture can see, see attention_mute


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Comparison:
    """Two runs from the same noise, each a Generation of one candidate, and where their pictures differ.

    `old.request` gives `old` again, up to where it was stopped. No request gives a branch: `new.request` says
    what holds from `branch.step` on, and is the truth only beside `new.origin`. The steps before are those of
    `old`, the same objects where possible: if the text changes, their attention is 0, for the new one was not
    there yet; if guidance begins or ends, no step of `new` has x0_unconditional.
    """

    old: Generation
    new: Generation
    change: np.ndarray  # (H, W), 0 to 1: |new - old| at the end, mean of the colours; 1: black to white
    branch: Branch | None = None  # None when these are two whole runs
    note: str = ""  # one sentence when a change cannot matter, and why

    def __post_init__(self) -> None:
        self.change.setflags(write=False)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Guidance:
    """One question about one noisy picture, answered in several ways; all but `noisy` in [-1, 1]."""

    step: int
    t: float
    alpha: float
    sigma: float
    noisy: np.ndarray  # x_t
    with_text: np.ndarray  # x0 given the text
    without_text: np.ndarray  # x0 given the null prompt: nothing is known about the text
    empty: np.ndarray  # x0 given the text "": it is known that there is none
    scales: tuple[float, ...]
    guided: tuple[np.ndarray, ...]  # the guided x0, one per scale

    def __post_init__(self) -> None:
        for array in (self.noisy, self.with_text, self.without_text, self.empty, *self.guided):
            array.setflags(write=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfAttentionLayer:
    """Where the picture looks at itself."""

    name: str  # a place in the network, "down.8x8_block0"
    resolution: int  # the picture is resolution x resolution cells, row by row
    heads: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SelfAttentionMaps:
    """Where each cell of the picture looks in the picture, at one step."""

    step: int
    layers: tuple[SelfAttentionLayer, ...]
    # Per layer (heads, cells, cells), query before key; the weights of a query add up to 1.
    weights: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        for array in self.weights:
            array.setflags(write=False)

    def seen_from(self, layer: str, row: int, column: int) -> np.ndarray:
        """(heads, cells): where the cell at `row` and `column` of the layer of that name looks.

        Raises ValueError with one sentence when there is no such layer or cell.
        """
        for place, weights in zip(self.layers, self.weights, strict=True):
            if place.name == layer:
                for name, value in (("row", row), ("column", column)):
                    if not (isinstance(value, int) and 0 <= value < place.resolution):
                        raise ValueError(
                            f"The {name} of a cell of {layer} must be a whole number "
                            f"from 0 to {place.resolution - 1}."
                        )
                return weights[:, row * place.resolution + column]
        raise ValueError(
            f"There is no self-attention called {layer!r}; "
            f"choose one of {', '.join(place.name for place in self.layers)}."
        )
