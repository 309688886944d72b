"""Does speed change what is drawn? The default settings against float32, from the same noise."""

from dataclasses import replace

import numpy as np
import torch

from textdiff.bench.calls import Way, draw, score
from textdiff.bench.measure import Setting
from textdiff.bench.tables import Table
from textdiff.networks.unet import UNet
from textdiff.readers import Reader, open_reader
from textdiff.samplers import Move
from textdiff.trajectory import Request
from textdiff.writer import candidate_moves, compute_type, device_of

LIMIT = 2.0  # of 255, mean absolute difference
TEXTS = 6  # of the bench's texts that --quick draws
CANDIDATES = (1, 2, 3, 4, 7)


def table(setting: Setting, reader: Reader | None = None) -> Table:
    """What is different, beside what may be."""
    network, texts = setting.checkpoint.network, setting.texts
    texts = texts if setting.full else texts[:: max(1, len(texts) // TEXTS)]
    reader = reader or open_reader("rapidocr")
    request = setting.request(texts[0])
    way = Way(request.sampler, request.steps, request.guidance, one_call=request.one_call)
    fast = draw(network, texts, way, compute_type(device_of(network)))
    exact = draw(network, texts, way, None)
    difference = np.abs(fast.astype(float) - exact).mean(axis=(1, 2, 3))
    em_fast, em_exact = (score(texts, [r.text for r in reader.read(list(p))])[0] for p in (fast, exact))
    request = replace(request, steps=min(4, setting.steps), candidates=max(CANDIDATES))
    return Table(
        question="Truth: does speed change what is drawn?",
        columns=("what", "measured", "limit"),
        rows=(
            (
                "mean difference to float32, of 255",
                float(difference.mean()),
                f"under {LIMIT:g}",
            ),
            ("the same, the picture that differs most", float(difference.max()), None),
            ("exact match", em_fast, f"float32: {em_exact:.3g}"),
            ("watched and unwatched runs are identical", watching_is_harmless(network, request), "yes"),
            ("a candidate alone is the one in a batch", batches_are_harmless(network, request), "yes"),
        ),
        notes=(
            f"{len(texts)} texts, {way.steps} steps, guidance {way.guidance:g} in "
            f"{'one call' if way.one_call else 'two calls'}; alone against batches of {CANDIDATES}.",
        ),
    )


def watching_is_harmless(network: UNet, request: Request) -> bool:
    """Whether the noisy pictures of all steps have the same bits, whether somebody looks or not."""
    moves = []
    for watch in (True, False):
        asked = replace(request, watch=watch)
        moves.append(_pictures(candidate_moves(network, asked, _seeds(asked.candidates))))
    return torch.equal(*moves)


def batches_are_harmless(network: UNet, request: Request) -> bool:
    """Whether every candidate has the same bits alone and in batches of several sizes."""
    alone = torch.cat(
        [_pictures(candidate_moves(network, request, [seed])) for seed in _seeds(max(CANDIDATES))], dim=1
    )
    return all(
        torch.equal(_pictures(candidate_moves(network, request, _seeds(count))), alone[:, :count])
        for count in CANDIDATES
    )


def _seeds(count: int) -> list[int]:
    return list(range(7, 7 + count))


def _pictures(moves: list[Move]) -> torch.Tensor:
    """(steps, B, 3, H, W)."""
    return torch.stack([move.x_next for move in moves])
