"""Guidance in one call, from the question up to the form. How it is learnt: test_distillation.py."""

import json
from dataclasses import asdict, replace

import gradio as gr
import numpy as np
import pytest
import torch
from fake_writer import FakeWriter
from fakes import fake_generation
from oracles import ReadsHi, Recorder, ids_of, lively_unet, null_ids

import textdiff.write as write
from textdiff import notebook, run_folder, run_loading
from textdiff import writer as writer_module
from textdiff.attention_capture import watch_attention
from textdiff.bench import calls
from textdiff.bench.measure import Setting
from textdiff.checkpoints import Checkpoint, save_checkpoint
from textdiff.config import PRESETS
from textdiff.cost import Speed, cost
from textdiff.denoiser import Denoiser
from textdiff.experiments import branch, guidance, replay
from textdiff.experiments.records import Branch
from textdiff.noise_schedule import cosine, level
from textdiff.picture_settings import picture_with_settings, read_settings
from textdiff.prediction import x0_from_velocity
from textdiff.request_rules import ONE_CALL, filled_in, untouched
from textdiff.run_json import parse
from textdiff.training import evaluate
from textdiff.training.fonts import find_faces
from textdiff.trajectory import Reading, Request
from textdiff.ui.endpoints import Endpoints
from textdiff.ui.experiments_panel import request_of
from textdiff.ui.form_filling import take_usual
from textdiff.ui.write_panel import build_write_panel
from textdiff.weight_files import guided_in_one_call
from textdiff.writer import Writer

DISTILLED = replace(PRESETS["tiny"].model, distilled_guidance=True)
REQUEST = Request(text="Hi", candidates=2, seed=5, steps=3, guidance=3.0, readability=False, one_call=True)
IDS = ids_of("Hi", "a\nb", "", "textdiff")
X_T = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(5))
T = 0.6


@pytest.fixture(scope="module")
def checkpoint():
    return Checkpoint(lively_unet(DISTILLED), "distilled", "0" * 64, {})


@pytest.fixture(scope="module")
def weights(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "distilled.safetensors"
    save_checkpoint(checkpoint.network, path, {"pictures": 0})
    return path


@pytest.fixture
def writer(checkpoint, monkeypatch):
    monkeypatch.setattr(writer_module, "open_reader", lambda name, allow_download: ReadsHi())
    return Writer(checkpoint)


# ---- the question


def denoiser(network, **changes):
    return Denoiser(**{"network": network, "ids": IDS, "null_ids": null_ids(), "guidance": 3.0, **changes})


def test_the_network_is_asked_once_and_told_the_scale(checkpoint):
    recorder = Recorder(checkpoint.network)
    belief = denoiser(recorder, one_call=True)(X_T, T)
    ((x, t, ids, scale),) = recorder.questions
    assert torch.equal(x, X_T) and torch.equal(ids, IDS) and torch.equal(scale, torch.tensor([3.0]))
    assert belief.x0_unconditional is None
    v = checkpoint.network(x, t, ids, torch.full((4,), 3.0))
    expected = x0_from_velocity(X_T, v, *level(cosine, T)).clamp(-1, 1)
    torch.testing.assert_close(belief.x0, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "times"), [({"guidance": 1.0}, (T,)), ({"guided_between": (0.3, 0.7)}, (0.2, 0.8))]
)
def test_where_there_is_no_guidance_it_is_asked_as_ever(checkpoint, changes, times):
    recorder = Recorder(checkpoint.network)
    for t in times:
        told = denoiser(recorder, **changes, one_call=True)(X_T, t)
        assert torch.equal(told.x0, denoiser(checkpoint.network, **changes)(X_T, t).x0)
    assert {len(question) for question in recorder.questions} == {3}


def test_attention_is_that_of_the_one_call_and_watching_changes_nothing(checkpoint):
    ask = denoiser(checkpoint.network, one_call=True)
    watched = ask(X_T, T, watch=True)
    assert torch.equal(watched.x0, ask(X_T, T).x0)
    with watch_attention(checkpoint.network) as seen, torch.no_grad():
        checkpoint.network(X_T, torch.full((4,), T), IDS, torch.full((4,), 3.0))
    for name, weights in seen.items():
        torch.testing.assert_close(watched.attention[name], weights, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
def test_a_candidate_alone_equals_itself_among_others_of_its_text_bit_by_bit(checkpoint, autocast):
    ids = ids_of(*4 * ["a\nb"])
    together = denoiser(checkpoint.network, ids=ids, one_call=True, autocast=autocast)(X_T, T)
    for k in range(4):
        alone = denoiser(checkpoint.network, ids=ids[k : k + 1], one_call=True, autocast=autocast)
        assert torch.equal(alone(X_T[k : k + 1], T).x0[0], together.x0[k])


# ---- a run


def test_a_run_in_one_call_has_no_guess_without_the_text_and_can_be_kept(writer, tmp_path):
    *_, generation = writer.write(REQUEST)
    *_, in_two = writer.write(replace(REQUEST, one_call=False))
    steps = [step for candidate in generation.candidates for step in candidate.steps]
    assert len(steps) == 6 and all(step.x0_unconditional is None and step.attention for step in steps)
    assert in_two.candidates[0].steps[0].x0_unconditional is not None
    assert not np.array_equal(generation.candidates[0].final, in_two.candidates[0].final)
    run_folder.save(generation, tmp_path / "run")
    assert run_loading.load(tmp_path / "run").request == REQUEST
    (tmp_path / "picture.png").write_bytes(picture_with_settings(generation))
    assert read_settings(tmp_path / "picture.png") == REQUEST


def test_a_run_from_before_there_was_one_call_was_made_in_two(tmp_path):
    run_folder.save(fake_generation("Hi"), tmp_path / "run")
    values = json.loads((tmp_path / "run" / "run.json").read_text())
    del values["request"]["one_call"]
    assert parse(json.dumps(values).encode())["request"]["one_call"] is False


def test_a_model_is_asked_in_one_call_only_what_it_has_learnt(writer):
    assert writer.problem_with(replace(REQUEST, guidance=8.0)) is None
    assert "at most 8" in writer.problem_with(replace(REQUEST, guidance=8.5))
    assert writer.problem_with(replace(REQUEST, guidance=8.5, one_call=False)) is None
    ordinary = Writer(Checkpoint(lively_unet(), "tiny", "0" * 64, {}))
    sentence = ordinary.problem_with(REQUEST)
    assert sentence == "This model has not learnt guidance in one call; let it take two."


def test_one_call_costs_half():
    speed = Speed(small=0.01, large=None, reading=0.0)
    assert cost(REQUEST, speed).small == pytest.approx(2 * 3 * 0.01)
    assert cost(replace(REQUEST, one_call=False), speed).small == pytest.approx(2 * 3 * 2 * 0.01)
    assert cost(replace(REQUEST, guidance=1.0), speed) == cost(REQUEST, speed)


# ---- asking about a run


def test_a_run_in_one_call_is_made_again_bit_by_bit_and_a_branch_of_it_stays_in_one_call(writer, checkpoint):
    *_, generation = writer.write(REQUEST)
    *_, moment = replay.replayed(checkpoint, REQUEST, 1, 2)
    step = generation.candidates[1].steps[2]
    assert np.array_equal(replay.picture(moment.x_t), step.noisy)
    *_, comparison = branch.branched(
        checkpoint, Branch(of=REQUEST, candidate=1, step=1, guidance=5.0), ReadsHi()
    )
    old, new = (run.candidates[0] for run in (comparison.old, comparison.new))
    assert np.array_equal(old.final, generation.candidates[1].final)
    assert not np.array_equal(new.final, old.final)
    assert all(step.x0_unconditional is None for step in (*old.steps, *new.steps))
    assert "at most 8" in branch.problem_with(
        checkpoint, Branch(of=REQUEST, candidate=1, step=1, guidance=9.0)
    )
    # The experiment with scales asks twice, whatever the run did.
    answer = guidance.guidance_at(moment, [1.0, 3.0])
    assert not np.array_equal(answer.without_text, answer.with_text)
    assert not np.allclose(answer.guided[1], step.x0)


def test_a_view_says_whether_its_run_was_made_in_one_call():
    described = {
        name: asdict(REQUEST)[name] for name in ("text", "seed", "steps", "sampler", "guidance", "reader")
    }
    details = {"model": "0" * 64, "request": described}
    assert not request_of(FakeWriter(), details).one_call  # a run of before
    assert request_of(FakeWriter(), details | {"request": described | {"one_call": True}}).one_call
    with pytest.raises(ValueError, match="one_call"):
        request_of(FakeWriter(), details | {"request": described | {"one_call": 1}})


# ---- the form


@pytest.fixture(scope="module")
def panel():
    with gr.Blocks():
        return build_write_panel(one_call=True)


def test_one_call_is_offered_where_the_weights_say_that_they_have_learnt_it(panel, weights, tmp_path):
    with gr.Blocks():
        assert set(panel.fields) - set(build_write_panel().fields) == {"one_call"}
    assert panel.fields["one_call"].value is True and panel.fields["one_call"] in panel.costly
    assert guided_in_one_call(weights)
    for wrong in (
        None,
        "no json",
        "[]",
        '{"model": {}}',
        '{"model": {"distilled_guidance": "yes"}}',
        '{"model": 1}',
    ):
        if wrong is not None:
            (tmp_path / "words.json").write_text(wrong)
        assert not guided_in_one_call(tmp_path / "words.safetensors")


def test_a_scale_that_was_not_learnt_gets_its_sentence_at_the_guidance(panel, writer):
    def problems(**changes) -> dict:
        values = [changes.get(name, field.value) for name, field in panel.fields.items()]
        return panel.problems(writer, *values)

    assert problems(text="Hi", one_call=True) == {}
    assert list(problems(text="Hi", one_call=True, guidance=9)) == ["guidance"]
    assert list(problems(text="Hi", one_call=True, candidates=16, steps=200)) == ["steps"]


def test_what_is_usual_goes_with_the_way_to_guide_and_what_was_chosen_stays(panel):
    assert [panel.fields[name].value for name in ONE_CALL] == [3, "ddpm"]
    assert take_usual(False, 3, "ddpm") == [3, "unipc"] == [getattr(untouched(), name) for name in ONE_CALL]
    assert take_usual(True, 3, "unipc") == [3, "ddpm"]
    assert take_usual(True, 2, "unipc") == [2, "ddpm"]
    assert take_usual(True, None, "ddim") == [None, "ddim"]


# ---- commands


def test_what_nobody_said_is_as_on_the_untouched_page_around_the_same_model():
    nothing = dict.fromkeys(("guidance", "sampler", "one_call"))
    for learnt in (False, True):
        usual = untouched(one_call=learnt)
        assert filled_in(nothing, learnt) == {name: getattr(usual, name) for name in nothing}
        assert filled_in({"one_call": False, "guidance": None}, learnt)["guidance"] == 3
        assert filled_in({"one_call": True, "guidance": None}, learnt)["guidance"] == 3
        assert filled_in({"one_call": None, "guidance": 1.5, "seed": 0}, learnt)["guidance"] == 1.5
    assert filled_in({"seed": 0, "text": None}, True) == {"seed": 0, "text": None}
    assert filled_in({"text": " Hi\n\nyou\n"}, True) == {"text": "Hi\nyou"}


def test_the_command_line_writes_in_one_call_where_that_is_learnt_unless_told_otherwise(weights, tmp_path):
    save_checkpoint(lively_unet(), tmp_path / "tiny.safetensors", {})

    def request(weights, *options) -> Request:
        how = ["--text", "Hi", "--steps", "2", "--weights", str(weights), "--out", str(tmp_path / "run")]
        write.main([*how, *options])
        return run_loading.load(tmp_path / "run").request

    assert request(weights) == replace(untouched(one_call=True), text="Hi", steps=2)
    assert request(weights, "--no-one-call") == Request(text="Hi", steps=2)
    assert request(tmp_path / "tiny.safetensors") == Request(text="Hi", steps=2)
    with pytest.raises(SystemExit, match="has not learnt"):
        request(tmp_path / "tiny.safetensors", "--one-call")


def test_a_notebook_and_a_program_ask_as_the_untouched_page_does(weights, tmp_path, monkeypatch):
    asked = []

    class Noting:
        def write(self, *request):
            asked.append(request[-1])
            yield None

    monkeypatch.setattr(notebook, "SHIPPED", weights)
    monkeypatch.setattr(notebook, "_writer", lambda **_: Noting())
    notebook.write("Hi", seed=3)
    notebook.write("Hi", seed=3, one_call=False)
    for one_call in (True, False):
        list(Endpoints(Noting, _Keeping(Noting()), tmp_path, tmp_path, one_call).write("Hi", seed=3))
    in_one, in_two = (replace(untouched(one_call=way), text="Hi", seed=3) for way in (True, False))
    assert asked == [in_one, in_two, in_one, in_two]


class _Keeping:
    """A cache that asks the writer."""

    def __init__(self, writer):
        self.writer = writer

    def write(self, _, request):
        list(self.writer.write(request))
        return iter(())


def test_an_evaluation_can_be_of_either_way_and_says_of_which(weights, tmp_path, monkeypatch):
    faces = find_faces("first")[:1]
    monkeypatch.setattr(evaluate, "find_faces", lambda name: faces if name == "first" else ())
    monkeypatch.setattr(evaluate, "open_reader", lambda name: ReadsHi())
    (tmp_path / "prompts.jsonl").write_text('{"bucket": "02", "text": "Hi"}')
    command = ["--prompts", str(tmp_path / "prompts.jsonl"), "--weights", str(weights), "--steps", "2"]

    def drawn(*options) -> tuple[bool, bytes]:
        evaluate.main([*command, "--json", str(tmp_path / "report.json"), "--keep", str(tmp_path), *options])
        settings = json.loads((tmp_path / "report.json").read_text())["settings"]
        return settings["one_call"], (tmp_path / "00000.png").read_bytes()

    (fast, picture), (in_two, other) = drawn(), drawn("--no-one-call")
    assert fast and not in_two and picture != other
    with pytest.raises(SystemExit, match="at most 8"):
        evaluate.main([*command, "--guidance", "9"])


def test_bench_has_rows_of_one_call_where_the_weights_have_learnt_it(checkpoint):
    class Silent:
        name = "silent 1"

        def read(self, pictures):
            return [Reading(text="", confidence=0.0) for _ in pictures]

    def table(checkpoint):
        monkeypatched = Setting(checkpoint=checkpoint, texts=("Hi",), repeats=1, steps=2)
        return calls.table(monkeypatched, reader=Silent())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "QUICK", (calls.Way("ddim", 2),))
        one, two = table(checkpoint), table(Checkpoint(lively_unet(), "tiny", "0" * 64, {}))
    assert [row[1:4] for row in one.rows] == [
        *((steps, "always, one call at 3", steps) for steps in (10, 20)),
        (2, "always", 4),
    ]
    assert len(two.rows) == 1
