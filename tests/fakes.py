"""A made-up Generation whose every pixel and weight follows from a formula that tests can check against.

Each character of the text is a coloured box at its line and column, so that it looks like a run, too.
Legend: candidate c, step k of n, size S, levels are 8-bit, and value = low + (high - low) * level / 255.
"""

import math

import numpy as np

from textdiff import similarity
from textdiff.trajectory import (
    IMAGE_TO_TEXT,
    TEXT_TO_IMAGE,
    AttentionLayer,
    Candidate,
    Generation,
    Reading,
    Request,
    Step,
    StepReading,
    Upscaled,
    UpscaledStep,
    Verdict,
)

LAYERS = tuple(
    AttentionLayer(
        name=f"up.{resolution}x{resolution}_block0",
        direction=direction,
        resolution=resolution,
        heads=2,
        taught_head=0 if (resolution, direction) == (8, TEXT_TO_IMAGE) else None,
    )
    for resolution in (4, 8)
    for direction in (IMAGE_TO_TEXT, TEXT_TO_IMAGE)
)


def fake_generation(
    text: str = "Hi\nyou",
    candidates: int = 2,
    steps: int = 3,
    size: int = 16,
    watched: bool = True,
    guidance: float = 3.0,
    seed: int = 7,
    readability: bool = False,
    upscaled: int = 0,
    upscaler_steps: int = 2,
    spoiled: bool = False,
) -> Generation:
    """A run without a model.

    Candidate 1 (0 if alone) is read without a mistake and wins; of three or more the worst is pruned. Of
    several large pictures the last is read best, without a mistake and so that it wins, or `spoiled` by one;
    each before it has one more.
    """
    best = min(1, candidates - 1)
    lines = 1 + text.count("\n")
    order = [best, *(c for c in range(candidates) if c != best)]  # best first
    survivors = order if candidates < 3 else order[:-1]
    return Generation(
        request=Request(
            text=text,
            candidates=candidates,
            seed=seed,
            steps=steps,
            guidance=guidance,
            watch=watched,
            readability=readability,
            upscaled=upscaled,
            upscaler_steps=upscaler_steps,
        ),
        model="fake",
        model_sha256="0" * 64,
        reader="fake reader 1.0",
        layers=LAYERS if watched else (),
        candidates=tuple(
            Candidate(
                index=c,
                seed=seed + c,
                steps=tuple(_step(text, c, k, steps, size, watched, guidance) for k in range(steps)),
                final=clean_levels(text, c, size),
                reading=Reading(
                    text=misread(text, order.index(c)),
                    confidence=0.9,
                    boxes=tuple(
                        (0.0, k * size / lines, 1.0 * size, (k + 1) * size / lines) for k in range(lines)
                    ),
                ),
                verdict=_verdict(text, order.index(c), candidates),
                readability=tuple(step_reading(text, k, steps) for k in range(steps))
                if readability and c == best
                else (),
            )
            for c in range(candidates)
        ),
        best=best,
        seconds=1.5,
        upscaler="fake upscaler" if upscaled else None,
        upscaler_sha256="1" * 64 if upscaled else None,
        upscaled=tuple(
            _upscaled(
                text, k, survivors[k % len(survivors)], upscaled - 1 - k, spoiled, upscaler_steps, seed, size
            )
            for k in range(upscaled)
        ),
        best_upscaled=upscaled - 1 if upscaled else None,
    )


def step_reading(text: str, step: int, steps: int) -> StepReading:
    """At step k of n the first (k + 1) / n of the characters can be read, and nothing else."""
    read = -(-len(text) * (step + 1) // steps)
    return StepReading(
        text=text[:read],
        similarity=similarity.trigram_similarity(text, text[:read]),
        right=tuple(place < read for place in range(len(text))),
    )


def upscaled_levels(
    name: str, text: str, picture: int, source: int, step: int, steps: int, size: int
) -> np.ndarray:
    """(2S, 2S, 3) uint8, "noisy" or "x0": candidate `source` twice as wide, in the noise of 20 + picture."""
    if name == "x0":
        return sprite_levels("x0", text, source, step, steps, 2 * size)
    clean = clean_levels(text, source, 2 * size).astype(int)
    noise = noise_levels(20 + picture, step, 2 * size).astype(int)
    return ((clean * step + noise * (steps - step)) // steps).astype(np.uint8)


def misread(text: str, mistakes: int) -> str:
    """The text with its first `mistakes` characters (line breaks excepted) read as "x"."""
    return "".join("x" if i < mistakes and c != "\n" else c for i, c in enumerate(text))


def cover(text: str, size: int) -> np.ndarray:
    """(size, size) int: which token covers each pixel, 0 (START) where no character is."""
    lines = text.split("\n")
    rows, columns = len(lines), max(map(len, lines)) or 1
    covered, token = np.zeros((size, size), dtype=int), 0
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            token += 1
            if character != " ":
                box = (_slice(row, rows, size), _slice(column, columns, size))
                covered[box] = token
        token += 1  # the line break
    return covered


def clean_levels(text: str, candidate: int, size: int) -> np.ndarray:
    """(S, S, 3) uint8: 255 where no character is, else 40 i, 60 c and 31 i (mod 200) for token i."""
    token = cover(text, size)
    green = np.full_like(token, 60 * candidate % 200)
    levels = np.stack([40 * token % 200, green, 31 * token % 200], axis=-1)
    levels[token == 0] = 255
    return levels.astype(np.uint8)


def noise_levels(candidate: int, step: int, size: int) -> np.ndarray:
    """(S, S, 3) uint8: (37 y + 91 x + 17 channel + 53 k + 101 c)^2 mod 251."""
    y, x, channel = np.ogrid[:size, :size, :3]
    return ((37 * y + 91 * x + 17 * channel + 53 * step + 101 * candidate) ** 2 % 251).astype(np.uint8)


def sprite_levels(name: str, text: str, candidate: int, step: int, steps: int, size: int) -> np.ndarray:
    """(S, S, 3) uint8, the picture `name` of a step: noise turns into the clean picture in equal parts."""
    x = np.arange(size)[None, :, None]
    clean = clean_levels(text, candidate, size).astype(int)
    noise = noise_levels(candidate, step, size).astype(int)
    levels = {
        "noisy": (clean * step + noise * (steps - step)) // steps,
        "x0": (clean * (step + 1) + 128 * (steps - step - 1)) // steps,
        "eps": noise,
        "x0_unconditional": np.broadcast_to((10 * step + x) % 256, (size, size, 3)),
    }
    return levels[name].astype(np.uint8)


def attention_weights(layer: AttentionLayer, text: str, candidate: int, step: int, steps: int) -> np.ndarray:
    """(heads, cells, tokens) float32, summing to 1 over the keys.

    A head puts the share p = 0.4 + 0.5 (k + 1) / n - 0.02 c on what belongs together, spreads 1 - p evenly.
    In head h, a cell belongs to the token that covers its upper left corner, plus h, modulo tokens.
    """
    tokens = 1 + len(text)
    share = 0.4 + 0.5 * (step + 1) / steps - 0.02 * candidate
    stride = 16 // layer.resolution
    covering = cover(text, 16)[::stride, ::stride].reshape(-1)
    belongs = np.stack([np.eye(tokens)[(covering + head) % tokens] for head in range(layer.heads)])
    if layer.direction == TEXT_TO_IMAGE:
        weights = share * belongs + (1 - share) / tokens
    else:
        own = belongs.sum(axis=1, keepdims=True)  # cells per token
        even = 1 / layer.resolution**2
        weights = np.where(own > 0, share * belongs / np.maximum(own, 1) + (1 - share) * even, even)
    return weights.astype(np.float32)


def _step(
    text: str, candidate: int, step: int, steps: int, size: int, watched: bool, guidance: float
) -> Step:
    def picture(name: str, low: float, high: float) -> np.ndarray:
        levels = sprite_levels(name, text, candidate, step, steps, size)
        return (low + (high - low) * (levels / 255)).astype(np.float32)

    t = 0.999 - 0.998 * step / steps
    return Step(
        index=step,
        t=t,
        alpha=math.cos(math.pi / 2 * t),
        sigma=math.sin(math.pi / 2 * t),
        noisy=picture("noisy", -1, 1),
        x0=picture("x0", -1, 1),
        eps=picture("eps", -3, 3),
        x0_unconditional=None if guidance == 1 else picture("x0_unconditional", -1, 1),
        attention=tuple(
            attention_weights(layer, text, candidate, step, steps) for layer in (LAYERS if watched else ())
        ),
    )


def _upscaled(
    text: str, picture: int, source: int, better: int, spoiled: bool, steps: int, seed: int, size: int
) -> Upscaled:
    def step(k: int) -> UpscaledStep:
        levels = (upscaled_levels(name, text, picture, source, k, steps, size) for name in ("noisy", "x0"))
        t = 0.999 - 0.998 * k / steps
        alpha, sigma = math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)
        return UpscaledStep(index=k, t=t, alpha=alpha, sigma=sigma, noisy=next(levels), x0=next(levels))

    reading = misread(text, better + spoiled)
    return Upscaled(
        index=picture,
        source=source,
        seed=seed + 16 + picture,
        steps=tuple(map(step, range(steps))),
        final=clean_levels(text, source, 2 * size),
        reading=Reading(text=reading, confidence=0.8, boxes=((0.0, 0.0, 2.0 * size, 2.0 * size),)),
        verdict=Verdict(
            similarity=similarity.trigram_similarity(text, reading),
            exact=similarity.is_exact(text, reading),
            edit_distance=similarity.edit_distance(text, reading),
            kept=not better,
            rule="Not the best." if better else "The best.",
            rank=better + 1,
        ),
    )


def _verdict(text: str, mistakes: int, candidates: int) -> Verdict:
    reading = misread(text, mistakes)
    kept = candidates < 3 or mistakes < candidates - 1
    return Verdict(
        similarity=similarity.trigram_similarity(text, reading),
        exact=similarity.is_exact(text, reading),
        edit_distance=similarity.edit_distance(text, reading),
        kept=kept,
        rule="Among the better ones." if kept else "The worst of three or more.",
        rank=mistakes + 1,
    )


def _slice(index: int, count: int, size: int) -> slice:
    """The pixels of box `index` of `count` side by side, less a gap at its end."""
    return slice(index * size // count, max((index + 1) * size // count - 1, index * size // count + 1))
