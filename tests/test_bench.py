"""The bench answers every question on a tiny network, and its arithmetic is right. No time is asserted."""

import json
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from oracles import ids_of, lively_checkpoint, lively_unet, lively_upscaler

from textdiff import writer as writer_module
from textdiff.bench import __main__ as bench
from textdiff.bench import calls, gpu, growth, processor, redraw, rivals, truth, waiting, watching
from textdiff.bench.calls import Way
from textdiff.bench.measure import Setting, Times, exponent, flops, interleaved, peak_memory
from textdiff.bench.tables import Table, as_json, as_markdown, as_text
from textdiff.checkpoints import Checkpoint, save_checkpoint
from textdiff.config import PRESETS
from textdiff.trajectory import Reading
from textdiff.writer import Writer

TEXTS = ("Hi", "a\nb", "")
SHIPPED_SHAPE = SimpleNamespace(config=PRESETS["first-words"].model)


class Echo:
    """Reads the right text in every picture but the last of a batch."""

    name = "echo 1"

    def read(self, pictures):
        texts = [*TEXTS, *TEXTS, *TEXTS][: len(pictures)]
        return [Reading(text=text, confidence=1.0) for text in [*texts[:-1], "wrong"]]


@pytest.fixture(scope="module")
def setting():
    checkpoint = lively_checkpoint()
    return Setting(checkpoint=checkpoint, texts=TEXTS, repeats=1, steps=2)


@pytest.fixture
def writer(setting, monkeypatch):
    for module in (writer_module, waiting):
        monkeypatch.setattr(module, "open_reader", lambda name, allow_download=False: Echo())
    return Writer(setting.checkpoint)


def column(table: Table, name: str) -> list:
    return [row[table.columns.index(name)] for row in table.rows]


# ---- measuring


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_found(power):
    sizes = (1, 2, 4, 8, 16)
    assert exponent(sizes, [3.0 * size**power for size in sizes]) == pytest.approx(power)


def test_a_convolution_costs_what_it_costs_by_hand():
    x, weight = torch.zeros(2, 3, 8, 10), torch.zeros(5, 3, 3, 3)
    multiply_adds = 2 * 5 * 8 * 10 * (3 * 3 * 3)  # pictures x channels x cells x (channels in x kernel)
    assert flops(lambda: F.conv2d(x, weight, padding=1)) == 2 * multiply_adds
    assert flops(lambda: torch.zeros(4, 6) @ torch.zeros(6, 7)) == 2 * 4 * 6 * 7


def test_cases_are_measured_in_turn_after_each_was_warmed_up():
    done = []
    times = interleaved({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, repeats=2)
    assert done == ["a", "b"] * 3
    assert [len(times["a"]), len(times["b"])] == [2, 2]


def test_a_ratio_is_the_median_of_ratios_and_not_the_ratio_of_medians():
    times = Times({"a": [2.0, 9.0, 40.0], "b": [1.0, 9.0, 10.0]})
    assert times.seconds("a") == 9.0
    assert times.ratio("a", "b") == 2.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory a process had")
def test_memory_that_is_given_back_counts_at_its_peak():
    assert 90 < peak_memory(lambda: torch.ones(25_000_000).sum()) < 250


# ---- the questions


def test_evaluations_are_counted_twice_where_a_step_is_guided(setting):
    assert Way("ddim", 10).evaluations == 20
    assert Way("ddim", 10, guidance=1.0).evaluations == 10
    inside = [t for t in Way("ddim", 10).times if 0.3 <= t <= 0.8]
    assert 0 < len(inside) < 10
    assert Way("ddim", 10, guided_between=(0.3, 0.8)).evaluations == 10 + len(inside)


def test_calls_has_a_row_per_way_beside_the_last_one(setting):
    ways = (Way("dpm++2m", 2, guided_between=(0.5, 1.0)), Way("ddim", 1, guidance=1.0), Way("ddpm", 3))
    table = calls.table(setting, ways, Echo())
    assert column(table, "evaluations") == [ways[0].evaluations, 1, 6]
    assert column(table, "guided at t") == ["0.5 to 1.0", "never", "always"]
    assert column(table, "EM") == [pytest.approx(2 / 3)] * 3
    assert column(table, "points to ddpm 3") == [0.0] * 3


def test_calls_says_how_many_texts_are_right_in_one_way_alone():
    """Equal scores may hide that quite other texts are read."""
    assert calls.parted(("a", "b", "c"), ["a", "b", "x"], ["x", "b", "c"]) == (1, 1)
    assert calls.parted(("a", "b", "c"), ["a", "b", "c"], ["x", "b", "y"]) == (2, 0)


def test_a_score_is_exact_match_and_similarity():
    assert calls.score(("abcd", "Hi"), ["abcx", "Hi"]) == (0.5, pytest.approx((0.75 + 1) / 2))


def test_processor_has_limits_ours_and_what_became_of_every_rival(setting, monkeypatch):
    def missing(*_):
        raise rivals.Missing("not installed")

    for name in ("diffusers_unet", "onnx_runtime"):
        monkeypatch.setattr(rivals, name, missing)
    monkeypatch.setattr(rivals, "openvino", lambda *_: ("OpenVINO fake", lambda: time.sleep(0.001)))
    table = processor.table(setting)
    names = column(table, "what")
    assert names[:6] == [
        *("matmul, bf16", "convolution, bf16", "matmul, float32", "convolution, float32"),
        *(processor.OURS, processor.OURS_FLOAT),
    ]
    assert names[6:] == [
        "OpenVINO fake",
        *(f"{name}: not installed" for name in ("diffusers, float32", "diffusers, bf16", "ONNX Runtime")),
    ]
    ours, rival = table.rows[4], table.rows[6]
    assert ours[4].startswith("matmul") and 0 < ours[5] and ours[2] == rival[2]
    assert table.rows[0][2] == pytest.approx(2 * 1024**3 / 1e9)


def test_a_network_that_guides_in_one_call_is_timed_in_one_too():
    calls, work = processor.our_cases(lively_unet(replace(PRESETS["tiny"].model, distilled_guidance=True)))
    assert [*calls] == [*work] == [processor.OURS, processor.OURS_FLOAT, processor.OURS_IN_ONE]
    assert work[processor.OURS_FLOAT] == work[processor.OURS] > work[processor.OURS_IN_ONE] > 0
    assert calls[processor.OURS]().x0_unconditional is not None
    assert calls[processor.OURS_IN_ONE]().x0_unconditional is None


def test_an_engine_that_answers_something_else_is_no_rival(setting):
    network = setting.checkpoint.network
    with torch.no_grad():
        answer = network(*QUESTION).numpy()
    rivals.must_agree(network, QUESTION, 1.01 * answer)
    with pytest.raises(rivals.Missing, match="answers something else, 20% off"):
        rivals.must_agree(network, QUESTION, 0.8 * answer)


class Clock:
    """Every act takes 2 ms, and most of a call's time goes into its convolutions."""

    def seconds(self, act):
        act()
        return 0.002

    def operators(self, act):
        act()
        return [("aten::convolution", 0.0015), ("aten::bmm", 0.0002)]


def test_gpu_sets_calls_beside_what_their_products_take_at_best(setting, monkeypatch):
    # In float32 a CPU has the products that a GPU has.
    monkeypatch.setattr(writer_module, "compute_type", lambda device: None)
    device = gpu.Gpu("fake", torch.device("cpu"), Clock().seconds, Clock().operators)
    table = gpu.table(setting, device, "tiny", candidates=2, side=64, megabytes=4)
    assert column(table, "what") == [
        *("matmul, bf16", "copy", "a network call", "the same as one CUDA graph", "a run of 10 evaluations"),
        *("of a call: aten::convolution", "of a call: aten::bmm"),
    ]
    product, copy, call, graph, run, slowest, _ = table.rows
    assert product[4] == pytest.approx(2 * 64**3 / 0.002 / 1e12)
    assert copy[5] == pytest.approx(2 * 4e6 / 0.002 / 1e9)
    x, t, ids = QUESTION
    with torch.no_grad():  # as it is sampled: two pictures of one text
        done = flops(lambda: setting.checkpoint.network(x.repeat(2, 1, 1, 1), t, ids.repeat(2, 1)))
    assert call[2] == pytest.approx(done / 1e9)
    assert call[7] == graph[7] == pytest.approx(2 / call[6]) and run[6:] == (1000.0, 0.002)
    assert slowest[1] == 1.5


QUESTION = (torch.zeros(1, 3, 16, 16), torch.zeros(1), ids_of("Hi")[:, :3])


def test_a_product_is_limited_by_what_it_multiplies_or_by_what_it_moves():
    x, y = torch.zeros(4, 6), torch.zeros(6, 7)
    ((flops, moved),) = gpu.work_of(lambda: torch.relu(x @ y))
    assert (flops, moved) == (2 * 4 * 6 * 7, 4 * (4 * 6 + 6 * 7 + 4 * 7))
    assert gpu.least_seconds([(100, 10), (100, 500)], flops_per_second=50, bytes_per_second=100) == 2 + 5


def test_gpu_says_when_there_is_none(setting, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.table(setting).rows[0][0] == "no GPU"


def test_watching_sets_time_and_memory_beside_their_limits(setting, writer):
    table = watching.table(setting, writer)
    assert column(table, "times unwatched")[0] == 1.0
    assert column(table, "limit") == [None, "1.15", "1.15"]
    assert column(table, "limit of that") == [None, "300", "300"]


def test_waiting_has_every_wait_beside_what_is_bearable(setting, writer, monkeypatch):
    monkeypatch.setattr(writer, "sha256", "0" * 64, raising=False)
    table = waiting.table(setting, writer)
    assert all(spent > 0 for spent in column(table, "seconds"))
    assert column(table, "limit or rival")[0] == "0.5" and column(table, "limit or rival")[-1] == "0.05"


def test_with_an_upscaler_the_whole_cascade_has_its_time_and_its_memory(setting, writer, monkeypatch):
    monkeypatch.setattr(writer, "sha256", "0" * 64, raising=False)
    assert "32 px" not in " ".join(column(waiting.table(setting, writer), "what"))
    large = Writer(setting.checkpoint, Checkpoint(lively_upscaler(), "large", "1" * 64, {}))
    monkeypatch.setattr(large, "sha256", "0" * 64, raising=False)
    table = waiting.table(setting, large)
    what, spent, limit = table.rows[-1]
    assert (what, limit) == ("4 candidates at 16 px and 2 at 32 px, all read", "30") and spent > 0
    assert "limit: 3000 MB" in table.notes[-1]


LADDER = ("tiny", "tiny-upscaler")


def test_growth_has_an_exponent_per_question(setting, writer):
    table = growth.table(setting, LADDER, lambda axis: [0.0, *(3.0 * size for size in axis.sizes[1:])])
    assert column(table, "with") == [
        *("candidates", "characters, of 8 at most at 16 px", "visitors at once", "pixels a side")
    ]
    assert column(table, "sizes") == ["1 4 8", "1 4 8", "1 4", "16 32"]
    assert all(isinstance(slope, float) for slope in column(table, "exponent"))
    # What is too little to be measured does not count, and one size has no slope.
    assert column(table, "exponent of MB") == [*[pytest.approx(1.0)] * 2, None, None]


def test_growth_goes_to_64_candidates_128_characters_32_visitors_and_256_pixels(setting):
    setting = replace(setting, full=True, checkpoint=replace(setting.checkpoint, network=SHIPPED_SHAPE))
    ends = {axis.name: axis.sizes[-1] for axis in growth.axes(setting)}
    assert ends == {
        "candidates": 64,
        "characters, of 48 at most at 64 px": 48,
        "characters, of 128 at most at 128 px": 128,
        "visitors at once": 32,
        "pixels a side": 256,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory a process had")
def test_memory_is_that_of_a_process_of_its_own_for_each_size():
    kept = growth.Axis("megabytes kept for ever", (1, 40, 80), hoarding)
    one, two, three = growth.fresh_peaks(kept)
    assert one < 20 < two < 60 < three < 120
    assert not HOARD


HOARD = []


def hoarding(megabytes: int):
    """What a process never gives back; measured in one process, the second size would look smaller."""
    return lambda: HOARD.append(torch.ones(250_000 * megabytes))


def test_truth_finds_our_network_true(setting):
    table = truth.table(setting, Echo())
    measured = dict(zip(column(table, "what"), column(table, "measured"), strict=True))
    assert measured["watched and unwatched runs are identical"] is True
    assert measured["a candidate alone is the one in a batch"] is True
    assert measured["exact match"] == pytest.approx(2 / 3)
    assert 0 <= measured["mean difference to float32, of 255"] < 2


def test_truth_notices_a_batch_that_changes_a_candidate(setting, monkeypatch):
    real = truth.candidate_moves

    def moves(network, request, seeds):
        for move in real(network, request, seeds):
            move.x_next.add_(len(seeds))
            yield move

    monkeypatch.setattr(truth, "candidate_moves", moves)
    measured = column(truth.table(setting, Echo()), "measured")
    assert measured[-2:] == [True, False]


def test_redraw_says_when_there_is_no_browser(setting, writer, monkeypatch):
    monkeypatch.setattr("textdiff.bench.browser.find_chromium", lambda: None)
    table = redraw.table(setting, writer)
    assert column(table, "view") == list(redraw.VIEWS)
    assert set(column(table, "95th percentile ms")) == {None}


# ---- the command

TABLE = Table("How?", ("what", "ms", "ok"), (("a", 12.345, True), ("b", None, False)), ("A note.",))


def test_a_table_is_shown_as_text_as_markdown_and_as_json():
    assert as_text(TABLE).splitlines() == [
        "How?",
        "----",
        "what    ms   ok",
        "a     12.3  yes",
        "b        -   no",
        "A note.",
    ]
    assert as_markdown([TABLE]).splitlines() == [
        "**How?**",
        "",
        "| what | ms | ok |",
        "| --- | ---: | ---: |",
        "| a | 12.3 | yes |",
        "| b | - | no |",
        "",
        "A note.",
    ]
    assert as_json(TABLE)["rows"][1] == {"what": "b", "ms": None, "ok": False}


def test_the_command_asks_what_it_is_told_and_writes_it_down(setting, tmp_path, monkeypatch, capsys):
    weights, prompts = tmp_path / "tiny.safetensors", tmp_path / "prompts.jsonl"
    save_checkpoint(setting.checkpoint.network, weights, {})
    prompts.write_text('{"text": "Hi"}\n{"text": "far too long for it"}\n')
    monkeypatch.setattr(calls, "table", lambda setting: Table("Calls?", ("text",), ((setting.texts[0],),)))
    report, page = tmp_path / "report.json", tmp_path / "page.md"
    given = {"--weights": weights, "--prompts": prompts, "--json": report, "--markdown": page}
    bench.main(["--only", "calls", *(str(word) for pair in given.items() for word in pair)])
    assert "Calls?" in capsys.readouterr().out
    written = json.loads(report.read_text())
    assert written["questions"] == [{"question": "Calls?", "rows": [{"text": "Hi"}], "notes": []}]
    assert {"processor", "cores", "threads"} <= set(written["machine"])
    assert page.read_text().startswith("**Calls?**")


def test_a_mistake_of_the_user_gets_one_sentence(tmp_path):
    prompts = tmp_path / "prompts.jsonl"
    for written in ("no json", '{"text": "\\u00e9"}\n'):
        prompts.write_text(written)
        with pytest.raises(SystemExit, match="prompts"):
            bench.main(["--prompts", str(prompts)])
    with pytest.raises(SystemExit, match="no folder"):
        bench.main(["--json", str(tmp_path / "nowhere" / "report.json")])
