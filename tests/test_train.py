import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import lively_unet
from training_runs import TINY, TINY_UPSCALER, Killed, log_of, quick, refusal, trainer

from textdiff.checkpoints import load_checkpoint, save_checkpoint
from textdiff.config import PRESETS, Preset, from_json, overridden
from textdiff.training import run_state, train
from textdiff.training.train import Budget, Trainer, learning_rate_share

__all__ = ["quick"]  # a fixture, for every test of this file

ROOT = Path(__file__).parent.parent


class SavesRarely(Trainer):
    """Saves after steps 3 and 6 only."""

    def save(self):
        if self.step in (3, 6):
            super().save()


class DiesInStep6(SavesRarely):
    """Has logged steps 4 and 5 by then, which its last checkpoint knows nothing of."""

    def _one_step(self, *arguments):
        if self.step == 5:
            raise Killed
        return super()._one_step(*arguments)


@pytest.fixture(scope="module")
def runs(quick, tmp_path_factory):
    """The same six steps at one go, and killed and resumed."""
    folder = tmp_path_factory.mktemp("runs")
    budget = Budget(minutes=None, steps=6)
    whole = trainer(folder / "whole", kind=SavesRarely)
    whole.run(budget)
    with pytest.raises(Killed):
        trainer(folder / "resumed", kind=DiesInStep6).run(budget)
    logged = [line["step"] for line in log_of(folder / "resumed")]
    resumed = trainer(folder / "resumed", kind=SavesRarely)
    resumed.resume()
    assert (resumed.step, resumed.pictures) == (3, 12)
    torch.manual_seed(99)  # whatever else may have drawn random numbers
    resumed.run(budget)
    return whole, resumed, logged


def test_a_resumed_run_ends_with_the_very_weights_of_an_uninterrupted_one(runs):
    whole, resumed, _ = runs
    for ours, theirs in ((whole.network, resumed.network), (whole.ema.network, resumed.ema.network)):
        for (name, value), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            assert torch.equal(value, other), name
    assert not torch.equal(whole.network.stem.weight, whole.ema.network.stem.weight)


def test_the_average_of_a_young_run_has_hardly_any_memory(tmp_path):
    run = trainer(tmp_path, kind=SavesRarely)
    before = run.network.out.weight.detach().clone()
    run.run(Budget(minutes=None, steps=1))
    now, average = run.network.out.weight, run.ema.network.out.weight
    assert not torch.equal(now, before)
    torch.testing.assert_close(average, before.lerp(now, 9 / 11))


def test_a_resumed_run_has_the_optimizer_state_of_an_uninterrupted_one(runs):
    whole, resumed, _ = runs
    for ours, theirs in zip(whole.optimizers, resumed.optimizers, strict=True):
        ours, theirs = ours.state_dict(), theirs.state_dict()
        assert ours["param_groups"] == theirs["param_groups"]
        assert ours["state"].keys() == theirs["state"].keys()
        for number, values in ours["state"].items():
            for name, value in values.items():
                assert torch.equal(value, theirs["state"][number][name]), (number, name)


def test_a_resumed_run_logs_what_an_uninterrupted_one_does_each_step_once(runs):
    whole, resumed, logged_by_the_killed = runs
    assert logged_by_the_killed == [1, 2, 3, 3, 4, 5]  # at step 3 there is a checkpoint, too
    clocks = ("minutes", "pictures_per_second")
    ours, theirs = (
        [{name: value for name, value in line.items() if name not in clocks} for line in log_of(run.out)]
        for run in (whole, resumed)
    )
    assert ours == theirs
    assert [line["step"] for line in ours] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert [line["pictures"] for line in ours if "loss" in line] == [4, 8, 12, 16, 20, 24]
    assert [set(line) - {"step", "pictures"} for line in ours if "loss" not in line] == [
        {"letter_gap_0.35", "letter_gap_0.65"}
    ] * 2


def test_a_finished_run_leaves_weights_that_can_be_asked_and_say_where_they_come_from(runs):
    whole, _, _ = runs
    checkpoint = load_checkpoint(whole.out / "weights.safetensors")
    assert (checkpoint.info["step"], checkpoint.info["pictures"]) == (6, 24)
    config = checkpoint.info["config"]
    assert Preset(**{part: from_json(type(getattr(TINY, part)), config[part]) for part in config}) == TINY
    assert torch.equal(checkpoint.network.stem.weight, whole.ema.network.stem.weight.half().float())
    assert (whole.out / "strip-00000024.png").exists()


def test_the_log_after_a_resume_is_the_mean_of_the_steps_it_covers(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "_LOG_EVERY", 4)
    resumed = trainer(tmp_path)
    resumed.step = 3
    monkeypatch.setattr(resumed, "_one_step", lambda *arguments: torch.tensor([1.0, 2.0, 3.0]))
    monkeypatch.setattr(resumed, "save", lambda: None)
    resumed.run(Budget(minutes=None, steps=8))
    assert [(line["step"], line["loss"], line["gradient_norm"]) for line in log_of(tmp_path)] == [
        (4, 1, 3),
        (8, 1, 3),
    ]


def test_training_lowers_the_loss(tmp_path):
    run = trainer(tmp_path, replace(TINY, train=replace(TINY.train, batch=8, checkpoint_minutes=60)))
    run.run(Budget(minutes=None, steps=40))
    losses = [line["loss"] for line in log_of(tmp_path) if "loss" in line]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_the_minutes_of_a_budget_count_what_was_trained_before(tmp_path):
    spent = trainer(tmp_path)
    spent.minutes = 10.0
    spent.run(Budget(minutes=10.0, steps=None))
    assert spent.step == 0
    assert Budget(minutes=10.0, steps=None).progress(minutes=2.5, steps=99) == 0.25
    assert Budget(minutes=10.0, steps=8).progress(minutes=99, steps=2) == 0.25


@pytest.mark.parametrize(
    ("step", "progress", "share"),
    [
        (0, 0.0, 0.01),  # the first of 100 steps of warm-up
        (49, 0.1, 0.5),
        (99, 0.2, 1.0),
        (5000, 0.75, 1.0),  # the cool-down begins
        (5000, 0.875, 0.5),
        (5000, 1.0, 0.0),
        (5000, 1.1, 0.0),
        (9, 0.99, 0.04),  # the smaller of the two
    ],
)
def test_the_learning_rate_rises_over_steps_and_falls_over_the_last_quarter(step, progress, share):
    assert learning_rate_share(step, progress, warmup_steps=100, cooldown=0.25) == pytest.approx(share)


def test_a_learning_rate_without_cooldown_stays():
    assert learning_rate_share(500, 0.999, warmup_steps=100, cooldown=0.0) == 1.0


def test_settings_change_the_preset_and_nothing_else():
    preset = overridden(
        PRESETS["tiny"],
        ["train.batch=64", "train.clip=2", "data.fonts=all", "model.t5_bias=false", "model.channels=[16, 48]"]
        + ["data.curriculum=[[0, 4, 1, 14], [9, 8, 2, 8]]"],
    )
    assert (preset.train.batch, preset.train.clip, preset.data.fonts) == (64, 2, "all")
    assert (preset.model.t5_bias, preset.model.channels) == (False, (16, 48))
    assert preset.data.curriculum == ((0, 4, 1, 14), (9, 8, 2, 8))
    assert preset.train == replace(PRESETS["tiny"].train, batch=64, clip=2)
    assert overridden(PRESETS["tiny"], []) == PRESETS["tiny"]


@pytest.mark.parametrize(
    "setting",
    [
        "train.batch",
        "train.batch=",
        "train.batch=many",
        "train.batch=1.5",
        "train.batch=true",
        "train.hats=2",
        "train=2",
        "hats.batch=2",
        "model.channels=16",
        "model.t5_bias=1",
        "=",
    ],
)
def test_what_is_no_setting_is_refused_in_one_sentence_that_shows_one(setting):
    with pytest.raises(ValueError, match=r"is not a setting; write it like train.batch=64\.$") as refused:
        overridden(PRESETS["tiny"], [setting])
    assert repr(setting) in str(refused.value)


def test_a_run_is_never_overwritten_by_another_that_forgot_to_resume(tmp_path, capsys):
    (tmp_path / "state.safetensors").touch()
    assert "There is a run in" in refusal(capsys, "--out", tmp_path)


def test_there_must_be_something_to_resume_and_it_must_fit(tmp_path, capsys):
    assert "There is no run to resume in" in refusal(capsys, "--out", tmp_path, "--resume")
    run = trainer(tmp_path)
    run_state.save_state(tmp_path, run.network, run.ema, run.optimizers, run.counters)
    other = refusal(capsys, "--out", tmp_path, "--resume", "--set", "model.text_layers=2")
    assert other.endswith("does not fit the network of this preset.")


@pytest.mark.parametrize("budget", [("--steps", 0), ("--minutes", -1)])
def test_a_budget_of_nothing_is_refused(tmp_path, capsys, budget):
    assert "must be more than none" in refusal(capsys, "--out", tmp_path, *budget)


def test_what_is_logged_and_shipped_counts_the_runs_before_this_one(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    trainer(first).run(Budget(minutes=None, steps=2))
    started = trainer(second, warm_start=first / "weights.safetensors")
    started.run(Budget(minutes=None, steps=1))
    resumed = trainer(second)
    resumed.resume()
    resumed.run(Budget(minutes=None, steps=3))
    assert resumed.counters["step"] == 3
    assert load_checkpoint(second / "weights.safetensors").info["pictures"] == 5 * TINY.train.batch
    assert {line["step"] for line in log_of(second)} == {3, 4, 5}


def test_a_warm_start_begins_with_the_given_weights_and_trains_them(tmp_path):
    weights = tmp_path / "given.safetensors"
    given = lively_unet()
    save_checkpoint(given, weights, {})
    started = trainer(tmp_path / "run", warm_start=weights)
    assert torch.equal(started.network.stem.weight, given.stem.weight.half().float())
    assert started.network.training and all(p.requires_grad for p in started.network.parameters())
    for name, value in started.ema.network.state_dict().items():
        assert torch.equal(value, given.state_dict()[name].half().float()), name


def test_a_sandwich_begins_with_what_fits_and_says_in_one_line_how_much_that_was(tmp_path, capsys):
    weights = tmp_path / "base.safetensors"
    base = lively_unet()
    save_checkpoint(base, weights, {})
    started = trainer(tmp_path / "run", TINY_UPSCALER, warm_start=weights)
    (line,) = capsys.readouterr().out.splitlines()
    taken, new = (int(word.replace(",", "")) for word in line.split() if word[0].isdigit())
    ours, theirs = started.network.state_dict(), base.state_dict()
    same = [n for n in ours if n in theirs and torch.equal(ours[n], theirs[n].half().float())]
    assert taken == sum(ours[name].numel() for name in same) > 0.7 * sum(v.numel() for v in ours.values())
    assert taken + new == sum(value.numel() for value in ours.values())
    assert "middle.block0.residual.conv1.weight" in same and "stem.weight" not in same


def test_weights_that_have_nothing_in_common_with_the_network_are_refused(tmp_path, capsys):
    weights = tmp_path / "base.safetensors"
    save_checkpoint(lively_unet(), weights, {})
    strange = ("channels=[24,48]", "head_channels=24", "text_width=128", "time_width=64", "stem=4")
    settings = [word for setting in strange for word in ("--set", f"model.{setting}")]
    settings += ["--set", "model.attention_at=[2]", "--set", "model.text_at=[2]"]
    settings += ["--set", "model.text_once_at=[4]", "--warm-start", weights]
    assert "nothing in common" in refusal(capsys, "--out", tmp_path / "run", *settings)


def test_a_save_that_dies_halfway_leaves_the_last_state_whole(tmp_path, monkeypatch):
    def dies_halfway(tensors, file, metadata):
        file.write_bytes(b"half of the sta")
        raise Killed

    run = trainer(tmp_path)
    run_state.save_state(tmp_path, run.network, run.ema, run.optimizers, {"step": 7})
    monkeypatch.setattr(run_state, "save_file", dies_halfway)
    with pytest.raises(Killed):
        run_state.save_state(tmp_path, run.network, run.ema, run.optimizers, {"step": 8})
    assert run_state.load_state(tmp_path, run.network, run.ema, run.optimizers) == {"step": 7}


def command(*arguments):
    """The command line and the surroundings of a training run in a process of its own."""
    line = [sys.executable, "-m", *arguments, "--preset", "tiny", "--device", "cpu", "--set", "train.batch=4"]
    return {"args": line, "cwd": ROOT, "env": os.environ | {"OMP_NUM_THREADS": "1"}, "text": True}


def test_a_killed_run_loses_one_interval_at_most(tmp_path):
    every_step = ("--set", "train.checkpoint_minutes=0", "--workers", "0")
    begun = command("textdiff.training.train", "--out", str(tmp_path), "--steps", "1000", *every_step)
    with subprocess.Popen(**begun, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(tmp_path.glob("strip-*.png"))) < 2:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    reached = max(json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines())
    run = trainer(tmp_path)
    run.resume()
    assert run.step >= reached - 1 >= 1 and run.pictures == 4 * run.step
    load_checkpoint(tmp_path / "weights.safetensors")


def test_two_processes_train_together(tmp_path):
    together = command(
        *("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"),
        *("textdiff.training.train", "--out", str(tmp_path), "--steps", "3"),
    )
    done = subprocess.run(**together, capture_output=True)
    assert done.returncode == 0, done.stderr
    (line,) = log_of(tmp_path)  # one checkpoint, by one of them
    assert (line["step"], line["pictures"]) == (3, 12)
    run = trainer(tmp_path)
    run.resume()
    assert (run.step, run.pictures) == (3, 12)


def test_processes_must_be_able_to_share_a_batch_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr(train.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(train.dist, "get_rank", lambda: 0)
    monkeypatch.setattr(train.dist, "get_world_size", lambda: 3)
    with pytest.raises(ValueError, match="3 processes cannot share a batch of 4 evenly"):
        trainer(tmp_path)
