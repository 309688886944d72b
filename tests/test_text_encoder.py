import math
from dataclasses import replace

import pytest
import torch
from oracles import ids_of
from torch import nn

from textdiff.config import PRESETS
from textdiff.networks.text_encoder import TextEncoder, lines_and_columns, relative_bucket

TINY = PRESETS["tiny"].model
TIME = torch.randn(1, TINY.time_width, generator=torch.Generator().manual_seed(1))


def lively_encoder(config=TINY):
    torch.manual_seed(0)
    encoder = TextEncoder(config).eval().requires_grad_(False)
    if config.t5_bias:
        nn.init.normal_(encoder.relative.weight)
    return encoder


@pytest.mark.parametrize(
    ("text", "lines", "columns"),
    [
        ("", [0], [0]),
        ("Hi", [0, 0, 0], [0, 1, 2]),
        ("Hi\nyou", [0, 0, 0, 0, 1, 1, 1], [0, 1, 2, 3, 1, 2, 3]),
        ("a\n\nb", [0, 0, 0, 1, 2], [0, 1, 2, 1, 1]),
        ("\na", [0, 0, 1], [0, 1, 1]),
        ("a\n", [0, 0, 0], [0, 1, 2]),
    ],
)
def test_a_line_break_belongs_to_the_line_it_ends_and_columns_start_anew_behind_it(text, lines, columns):
    line, column = lines_and_columns(ids_of(text, config=replace(TINY, max_characters=len(text))))
    assert line.tolist() == [lines] and column.tolist() == [columns]


def test_prompts_of_a_batch_have_their_own_lines():
    line, _ = lines_and_columns(ids_of("a\nb", "abc"))
    assert line[:, :4].tolist() == [[0, 0, 0, 1], [0, 0, 0, 0]]


def t5_bucket(distance, buckets=32, farthest=64):
    """Raffel et al. 2020, as in their code (_relative_position_bucket, bidirectional), in plain Python."""
    half = buckets // 2
    bucket, distance = (half if distance > 0 else 0), abs(distance)
    exact = half // 2
    if distance < exact:
        return bucket + distance
    share = math.log(distance / exact) / math.log(farthest / exact)
    return bucket + min(half - 1, exact + int(share * (half - exact)))


def test_relative_buckets_are_those_of_t5():
    distances = list(range(-100, 101))
    assert relative_bucket(torch.tensor(distances)).tolist() == [t5_bucket(d) for d in distances]


def test_near_distances_have_buckets_of_their_own_and_far_ones_share():
    assert relative_bucket(torch.tensor([0, -1, 1, -7, -8, -64, 100])).tolist() == [0, 1, 17, 7, 8, 15, 31]


def test_padding_does_not_change_the_encoding_of_the_text():
    encoder = lively_encoder()
    padded = encoder(ids_of("Hi\nyo"), TIME)
    alone = encoder(ids_of("Hi\nyo")[:, :6], TIME)
    assert padded.shape == (1, 9, TINY.text_width) and alone.shape == (1, 6, TINY.text_width)
    torch.testing.assert_close(padded[:, :6], alone)


def test_the_same_characters_in_another_order_are_another_text():
    encoder = lively_encoder()
    first, second = encoder(ids_of("abc", "cba"), TIME)
    assert not torch.allclose(first[2], second[2], atol=1e-3)  # the "b" in the middle knows its neighbours
    assert not torch.allclose(first[:4].sum(0), second[:4].sum(0), atol=1e-3)


def test_an_equal_character_in_another_line_is_encoded_differently_and_the_line_embedding_is_one_reason():
    encoder, lineless = lively_encoder(), lively_encoder()
    nn.init.zeros_(lineless.line.weight)
    for ids in (ids_of("a\na"), ids_of("aaa")):
        assert not torch.allclose(encoder(ids, TIME)[0, 1], encoder(ids, TIME)[0, 3], atol=1e-3)
    assert not torch.allclose(encoder(ids_of("a\na"), TIME), lineless(ids_of("a\na"), TIME), atol=1e-3)


def test_the_encoding_depends_on_the_time_only_where_the_config_says_so():
    for config, depends in ((TINY, True), (replace(TINY, time_in_encoder=False), False)):
        encoder, ids = lively_encoder(config), ids_of("Hi")
        assert torch.equal(encoder(ids, TIME), encoder(ids, -TIME)) is not depends


def test_the_relative_bias_starts_silent():
    encoder = TextEncoder(TINY)
    assert not encoder.relative.weight.any()
