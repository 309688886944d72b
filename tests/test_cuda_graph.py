"""All of it but the GPU: a recording made here runs the work again, from where a graph would read."""

import pytest
import torch
from oracles import ids_of, lively_unet, lively_upscaler, null_ids
from torch import nn

from textdiff.attention_capture import watch_attention
from textdiff.checkpoints import build_network
from textdiff.config import PRESETS
from textdiff.cuda_graph import Graphs
from textdiff.denoiser import Denoiser

X_T = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(5))
TIME = torch.tensor([0.6])
IDS = ids_of("Hi", "a\nb")


class Recorder:
    """Records like a GPU: the answer always comes to the same place, and is replaced by the next one."""

    def __init__(self):
        self.recorded, self.replayed = 0, 0

    def __call__(self, work):
        self.recorded += 1
        written = work()

        def replay():
            self.replayed += 1
            written.copy_(work())

        return replay, written


class Counts(nn.Module):
    """A network that says how often it was asked, and whether autocast would keep what it converts."""

    def __init__(self):
        super().__init__()
        self.asked, self.keeps = 0, []

    def forward(self, x, t, scale=None):
        self.asked += 1
        self.keeps.append(torch.is_autocast_cache_enabled())
        return x * t if scale is None else x * t * scale


def test_a_graph_answers_as_the_network_does_for_every_new_question():
    network, record = lively_unet(), Recorder()
    graphs = Graphs(network, record)
    for seed in range(3):
        x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
        time, ids = torch.tensor([0.2 + 0.3 * seed]), ids_of("Hi", "abcdefgh"[seed:])
        with torch.no_grad():
            assert torch.equal(graphs(x, time, ids), network(x, time, ids))
    assert (record.recorded, record.replayed) == (1, 3)


def test_an_upscaler_is_asked_with_five_tensors_by_place_or_by_name():
    network = lively_upscaler()
    x, ids = torch.randn(1, 3, 32, 32), ids_of("Hi")
    given = {"small": torch.randn(1, 3, 16, 16), "small_t": torch.tensor([0.1])}
    with torch.no_grad():
        right = network(x, TIME, ids, **given)
    graphs = Graphs(network, Recorder())
    assert torch.equal(graphs(x, TIME, ids, **given), right)
    assert torch.equal(graphs(x, TIME, ids, *given.values()), right)


def test_an_answer_stays_when_the_next_question_is_asked():
    graphs = Graphs(Counts(), Recorder())
    first = graphs(torch.ones(2), torch.tensor(3.0))
    graphs(torch.ones(2), torch.tensor(5.0))
    assert first.tolist() == [3.0, 3.0]


def test_a_graph_is_recorded_for_each_set_of_shapes_and_each_type_of_autocast():
    record = Recorder()
    graphs, t = Graphs(Counts(), record), torch.tensor(2.0)
    for _ in range(2):
        for x in (torch.ones(2), torch.ones(3), torch.ones(2, dtype=torch.float64)):
            graphs(x, t)
        graphs(torch.ones(2), t, scale=t)
        graphs(torch.ones(2), t, scale=None)
        with torch.autocast("cpu", torch.bfloat16):
            graphs(torch.ones(2), t)
    assert record.recorded == 6
    assert graphs(torch.ones(2), t, scale=t).tolist() == [4.0, 4.0]


def test_the_graph_that_was_used_longest_ago_goes_when_there_are_too_many():
    record = Recorder()
    graphs, t = Graphs(Counts(), record, most=2), torch.tensor(2.0)
    for size in (1, 2, 1, 3, 1):
        graphs(torch.ones(size), t)
    assert record.recorded == 3
    graphs(torch.ones(2), t)
    assert record.recorded == 4


def test_nothing_that_autocast_keeps_gets_into_a_graph():
    network = Counts()
    with torch.autocast("cpu", torch.bfloat16):
        Graphs(network, Recorder())(torch.ones(2), torch.tensor(2.0))
        assert torch.is_autocast_cache_enabled()
    assert set(network.keeps) == {False}


def test_whoever_watches_asks_the_network_itself():
    network, record = lively_unet(), Recorder()
    graphs = Graphs(network, record)
    with watch_attention(network) as seen, torch.no_grad():
        graphs(X_T, TIME, IDS)
    assert seen and record.recorded == 0
    graphs(X_T, TIME, IDS)
    assert record.recorded == 1


def test_what_cannot_be_recorded_is_asked_for_without_a_graph_and_not_tried_again(caplog):
    tried = []

    def fails(work):
        tried.append(work)
        raise RuntimeError("operation not permitted when stream is capturing")

    graphs = Graphs(Counts(), fails)
    for _ in range(2):
        assert graphs(torch.ones(2), torch.tensor(3.0)).tolist() == [3.0, 3.0]
    assert len(tried) == 1 and "without" in caplog.text


@pytest.mark.parametrize("kind", ["tiny", "tiny-upscaler"])
def test_no_part_of_a_network_waits_for_numbers_which_no_graph_can_do(kind):
    config = PRESETS[kind].model
    size, device = config.image_size, {"device": "meta"}  # where tensors have shapes and no numbers
    network = build_network(config).to(**device)
    question = [
        torch.empty(4, 3, size, size, **device),
        torch.empty(1, **device),
        IDS.repeat(2, 1).to(**device),
    ]
    if kind == "tiny-upscaler":
        question += [torch.empty(4, 3, size // 2, size // 2, **device), torch.empty(1, **device)]
    assert network(*question).shape == (4, 3, size, size)


def test_a_denoiser_believes_the_same_with_graphs_and_without_and_watches_the_network_itself():
    network, record = lively_unet(), Recorder()
    asked = {"network": network, "ids": IDS, "null_ids": null_ids(), "guidance": 3.0}
    plain, quick = Denoiser(**asked), Denoiser(**asked, ask=Graphs(network, record))
    for t in (0.8, 0.4):
        assert torch.equal(quick(X_T, t).x0, plain(X_T, t).x0)
    assert (record.recorded, record.replayed) == (1, 2)
    watched = quick(X_T, 0.4, watch=True)
    assert watched.attention and torch.equal(watched.x0, plain(X_T, 0.4).x0)
    assert record.replayed == 2
