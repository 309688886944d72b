from itertools import islice

import numpy as np
import pytest
import torch

from textdiff.config import DataConfig
from textdiff.training.dataset import batches
from textdiff.training.fonts import find_faces
from textdiff.training.render import Renderer

CONFIG = DataConfig()


@pytest.fixture(scope="module")
def faces():
    return find_faces("first")


def take(count, stream):
    return list(islice(stream, count))


def same(ours, theirs):
    return (
        torch.equal(ours.pictures, theirs.pictures)
        and torch.equal(ours.boxes, theirs.boxes)
        and ours.texts == theirs.texts
        and ours.index_end == theirs.index_end
    )


def pictures_of(stream, count):
    return [picture.numpy().tobytes() for batch in take(count, stream) for picture in batch.pictures]


def test_a_batch_holds_consecutive_pictures_with_their_texts_and_padded_boxes(faces):
    batch = next(batches(CONFIG, faces, batch=5, start_index=30))
    assert batch.pictures.shape == (5, 64, 64, 3) and batch.pictures.dtype == torch.uint8
    assert batch.boxes.shape == (5, 48, 4) and batch.boxes.dtype == torch.float32
    assert batch.index_end == 35
    renderer = Renderer(CONFIG, faces)
    for row, index in enumerate(range(30, 35)):
        sample = renderer.picture(index)
        assert batch.texts[row] == sample.text
        np.testing.assert_array_equal(batch.pictures[row], sample.picture)
        np.testing.assert_array_equal(batch.boxes[row, : len(sample.text)], sample.boxes)
        assert not batch.boxes[row, len(sample.text) :].any()


def test_no_worker_and_two_workers_give_identical_batches(faces):
    alone = take(5, batches(CONFIG, faces, batch=3, workers=0))
    together = take(5, batches(CONFIG, faces, batch=3, workers=2))
    assert all(same(ours, theirs) for ours, theirs in zip(alone, together, strict=True))


def test_workers_never_repeat_each_other_s_pictures(faces):
    drawn = pictures_of(batches(CONFIG, faces, batch=4, workers=2), 6)
    assert len(set(drawn)) == len(drawn) == 24


@pytest.mark.parametrize("workers", [0, 2])
def test_resuming_at_index_end_continues_the_same_stream(faces, workers):
    straight = take(4, batches(CONFIG, faces, batch=3))
    resumed = take(2, batches(CONFIG, faces, batch=3, start_index=straight[1].index_end, workers=workers))
    assert all(same(ours, theirs) for ours, theirs in zip(straight[2:], resumed, strict=True))


def test_two_training_processes_share_the_stream_picture_by_picture(faces):
    whole = pictures_of(batches(CONFIG, faces, batch=6), 2)
    shards = [pictures_of(batches(CONFIG, faces, batch=3, shard=(rank, 2)), 2) for rank in range(2)]
    assert whole[0::2] == shards[0] and whole[1::2] == shards[1]


def test_processes_that_share_a_stream_resume_at_the_same_place(faces):
    ends = [
        [b.index_end for b in take(2, batches(CONFIG, faces, 3, 10, shard=(rank, 2)))] for rank in range(2)
    ]
    assert ends == [[16, 22], [16, 22]]


def test_drawing_pictures_leaves_torch_s_random_numbers_alone(faces):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    take(1, batches(CONFIG, faces, batch=2, workers=1))
    assert torch.equal(torch.rand(3), expected)
