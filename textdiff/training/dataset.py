"""Endless batches of synthetic pictures, the same whatever the number of worker processes.

Batch n of a stream holds consecutive picture numbers, so that training resumes at the very picture after the
last one seen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from textdiff.config import DataConfig
from textdiff.training.fonts import Face
from textdiff.training.render import Renderer, Sample
from textdiff.training.transfer import moved


@dataclass(frozen=True, eq=False)
class Batch:
    """B pictures and what they say.

    `pictures` (B, H, W, 3) uint8; `boxes` (B, max_characters, 4) float32 in pixels, zeros behind the text.
    `index_end` is where the stream goes on: pass it as `start_index` to resume.
    """

    pictures: torch.Tensor
    texts: list[str]
    boxes: torch.Tensor
    index_end: int


def as_x0(batch: Batch, device: str | torch.device) -> torch.Tensor:
    """The pictures as a network sees them, (B, 3, H, W) float32 in [-1, 1]."""
    return moved(batch.pictures, device).permute(0, 3, 1, 2).float() / 127.5 - 1


def collate(samples: Sequence[Sample], max_characters: int, index_end: int) -> Batch:
    """One batch of the samples, in their order."""
    boxes = np.zeros((len(samples), max_characters, 4), dtype=np.float32)
    for row, sample in zip(boxes, samples, strict=True):
        row[: len(sample.boxes)] = sample.boxes
    pictures = np.stack([sample.picture for sample in samples])
    texts = [sample.text for sample in samples]
    return Batch(torch.from_numpy(pictures), texts, torch.from_numpy(boxes), index_end)


def batches(
    config: DataConfig,
    faces: Sequence[Face],
    batch: int,
    start_index: int = 0,
    workers: int = 0,
    shard: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """Batches of `batch` pictures without end, from picture number `start_index` on.

    `workers` processes draw ahead; 0 draws here. Of several training processes, `shard` = (rank, world)
    takes every world-th picture beginning with the rank-th; `index_end` counts the pictures of all of them.
    """
    rank, world = shard
    assert 0 <= rank < world, f"shard {rank} of {world}"
    stream = _Stream(config, tuple(faces), batch, start_index, rank, world)
    if workers == 0:
        return iter(stream)
    # Workers of a loader use one thread each, and their batches come back in turn. An own generator, or the
    # loader would draw its base seed from the global one, which training may be using.
    generator = torch.Generator().manual_seed(0)
    return iter(
        DataLoader(stream, batch_size=None, num_workers=workers, prefetch_factor=4, generator=generator)
    )


class _Stream(IterableDataset):
    """The batches of one shard; within a loader, each worker draws every n-th of them."""

    def __init__(
        self, config: DataConfig, faces: tuple[Face, ...], batch: int, start: int, rank: int, world: int
    ):
        self._config, self._faces, self._batch = config, faces, batch
        self._start, self._rank, self._world = start, rank, world

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        offset, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        renderer = Renderer(self._config, self._faces)
        span = self._batch * self._world
        begin = self._start + offset * span
        while True:
            end = begin + span
            samples = [renderer.picture(index) for index in range(begin + self._rank, end, self._world)]
            yield collate(samples, self._config.max_characters, end)
            begin += stride * span
