"""The ablation compares like with like."""

import dataclasses

import pytest
import torch

from textdiff.config import PRESETS, overridden
from textdiff.training import ablate
from textdiff.training.ablate import PROXY, VARIANTS, Result, folder_of, measure, table, train
from textdiff.trajectory import Reading

VARIANTS_TRIED = ("whole", "no image-to-text (plain cross-attention)")


@pytest.fixture
def tiny_proxy(monkeypatch):
    monkeypatch.setattr(ablate, "PROXY", PRESETS["tiny"])
    monkeypatch.setattr(ablate, "_PROMPTS", 3)
    monkeypatch.setattr(ablate, "_STEPS", 2)
    monkeypatch.setattr(ablate, "_BATCHES", 2)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


class Blind:
    """A reader that sees nothing."""

    def read(self, pictures):
        return [Reading(text="", confidence=0.0) for _ in pictures]


def result(variant: str, *neds: float) -> Result:
    return Result(variant, 1_000_000, 0.05, ((0.1, 0.1), (0.1, 0.3)), neds)


def test_a_variant_differs_from_the_whole_in_one_field():
    for settings in VARIANTS.values():
        changed = overridden(PROXY, settings)
        differing = [
            (part, field.name)
            for part in ("model", "data", "train")
            for field in dataclasses.fields(getattr(PROXY, part))
            if getattr(getattr(changed, part), field.name) != getattr(getattr(PROXY, part), field.name)
        ]
        assert len(differing) == len(settings) <= 1


def test_differences_are_taken_prompt_by_prompt():
    rows = table([result("whole", 0.2, 0.8), result("no line embedding", 0.1, 0.7)]).splitlines()
    assert rows[2].endswith("| 0.500 |  |")
    # The prompts are spread out, but their differences are not.
    assert rows[-1].endswith("| 0.400 | -0.100 (-0.100 to -0.100) |")


def test_a_gap_has_the_interval_of_its_batches():
    row = table([result("whole", 0.2)]).splitlines()[-1]
    assert "| 0.1000 (0.1000 to 0.1000) | 0.2000 (0.1000 to 0.3000) |" in row


def test_every_variant_trains_and_is_measured_on_the_same_prompts(tiny_proxy, tmp_path):
    for variant in VARIANTS_TRIED:
        train(variant, tmp_path, pictures=16)
    whole, plain = (measure(variant, tmp_path, Blind()) for variant in VARIANTS_TRIED)
    assert plain.parameters < whole.parameters
    assert len(whole.neds) == len(plain.neds) == 3
    assert [len(gaps) for gaps in whole.gaps] == [2, 2]


def test_a_run_that_is_there_is_kept_and_a_shorter_one_refused(tiny_proxy, tmp_path):
    train("whole", tmp_path, pictures=16)
    weights = folder_of("whole", tmp_path) / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    train("whole", tmp_path, pictures=16)
    assert weights.stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="shorter run"):
        train("whole", tmp_path, pictures=160)
