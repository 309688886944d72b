"""An upscaler is trained as a base model is, and besides learns from slightly wrong small pictures."""

from dataclasses import replace

import pytest
import torch
from oracles import lively_unet, lively_upscaler
from training_runs import TINY, TINY_UPSCALER, Killed, log_of, quick, refusal, trainer

from textdiff import alphabet
from textdiff.checkpoints import load_checkpoint, save_checkpoint
from textdiff.config import overridden
from textdiff.training import train
from textdiff.training.dataset import as_x0
from textdiff.training.loss import diffusion_loss
from textdiff.training.small_pictures import clean_small_pictures
from textdiff.training.train import Budget

__all__ = ["quick"]  # a fixture, for every test of this file


@torch.no_grad()
def loss_far_into_the_noise(run):
    """An upscaler's loss on the validation pictures, where it knows hardly more than the small pictures."""
    x0 = as_x0(run.validation, "cpu")
    ids = torch.from_numpy(alphabet.encode(run.validation.texts, run.preset.model.max_characters))
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    t = torch.full((len(x0),), 0.8)
    return diffusion_loss(run.network, x0, ids, None, t, eps, clean_small_pictures(x0))[0].item()


def test_an_upscaler_learns_more_from_the_small_picture_than_to_enlarge_it(tmp_path):
    train = replace(TINY_UPSCALER.train, small_t=0.0, wrong_share=0.0, muon_lr=3e-3, checkpoint_minutes=60)
    run = trainer(tmp_path, replace(TINY_UPSCALER, train=train))
    enlarging = loss_far_into_the_noise(run)
    run.run(Budget(minutes=None, steps=40))
    assert loss_far_into_the_noise(run) < 0.95 * enlarging


def test_an_upscaler_s_run_leaves_what_a_base_model_s_does(tmp_path):
    weights = tmp_path / "base.safetensors"
    save_checkpoint(lively_unet(), weights, {})
    run = trainer(tmp_path / "run", TINY_UPSCALER, base=weights)
    run.run(Budget(minutes=None, steps=2))
    lines = log_of(run.out)
    assert {"letter_gap_0.35", "letter_gap_0.65"} <= lines[-1].keys()
    loaded = load_checkpoint(run.out / "weights.safetensors").network
    assert loaded.config == TINY_UPSCALER.model
    assert (run.out / "strip-00000008.png").exists()
    assert torch.equal(
        loaded.time.small.mlp[2].weight, run.ema.network.time.small.mlp[2].weight.half().float()
    )


def questions_of(run):
    """What the network is asked in the run's next step: everything but the small pictures, and these."""
    asked = []

    def note(network, x0, ids, boxes, t, eps, given, lesson):
        asked.append((x0, ids, boxes, t, eps, given))
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "diffusion_loss", note)
        with pytest.raises(Killed):
            run.run(Budget(minutes=None, steps=9))
    return asked[0][:-1], asked[0][-1]


def test_corrupting_small_pictures_changes_nothing_else_in_training(tmp_path):
    weights = tmp_path / "base.safetensors"
    save_checkpoint(lively_unet(), weights, {})
    clean = overridden(TINY_UPSCALER, ["train.wrong_share=0", "train.small_t=0"])
    ours, (clean_small, _) = questions_of(trainer(tmp_path / "clean", clean))
    theirs, (wrong_small, small_t) = questions_of(trainer(tmp_path / "wrong", TINY_UPSCALER, base=weights))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(clean_small, wrong_small) and small_t.all()
    # The noise of the large pictures is that of a base model's training, too: the small ones come on top.
    x0, ids, _, t, eps = ours
    assert torch.equal(clean_small, torch.nn.functional.avg_pool2d(x0, 2))
    base = overridden(TINY, ["data.image_size=32", "model.image_size=32", "model.kind=base"])
    base = replace(base, data=TINY_UPSCALER.data, train=TINY_UPSCALER.train)
    (_, _, _, base_t, base_eps), nothing = questions_of(trainer(tmp_path / "base", base))
    assert torch.equal(t, base_t) and torch.equal(eps, base_eps) and nothing == ()


def test_a_resumed_upscaler_meets_the_same_small_pictures(tmp_path):
    once, again = (questions_of(trainer(tmp_path / name, TINY_UPSCALER)) for name in ("one", "two"))
    assert all(torch.equal(one, same) for one, same in zip(once[1], again[1], strict=True))
    later = trainer(tmp_path / "later", TINY_UPSCALER)
    later.step = 1  # another step on the same pictures
    _, (small, _) = questions_of(later)
    assert not torch.equal(small, once[1][0])


@pytest.mark.parametrize(
    ("preset", "kind", "words"),
    [
        ("tiny", lively_unet, "Only an upscaler"),
        ("tiny-upscaler", lively_upscaler, "base model that draws pictures of 16 pixels"),
    ],
)
def test_a_base_that_is_none_is_refused(tmp_path, capsys, preset, kind, words):
    weights = tmp_path / "base.safetensors"
    save_checkpoint(kind(), weights, {})
    arguments = ("--preset", preset, "--out", tmp_path / "run", "--base", weights)
    assert words in refusal(capsys, *arguments)
