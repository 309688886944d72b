"""Two training processes with half of the batch each take the step of one process with all of it."""

import multiprocessing
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import torch
from torch import distributed as dist
from torch import nn

from textdiff.config import PRESETS, overridden
from textdiff.training import train

BATCH, SIDE = 8, 16


def take_a_step(out: Path) -> None:
    """One step of the tiny preset, whose chance hangs on the picture, and not on the process that has it."""
    # Taught attention is a mean over letters, of which two halves have different numbers.
    settings = [f"train.batch={BATCH}", "train.null_share=0", "train.teach_weight=0", "train.warmup_steps=1"]
    preset = overridden(PRESETS["tiny"], settings)
    run = train.Trainer(preset, out, "cpu", 0, None)
    mine = slice(run.rank, None, run.world)
    chance = torch.Generator().manual_seed(3)
    for (
        parameter
    ) in run.network.parameters():  # where a layer begins with zeros, nothing below it would learn
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1, generator=chance)
    times, noise = torch.rand(BATCH, generator=chance), torch.randn(BATCH, 3, SIDE, SIDE, generator=chance)
    seen, before = {}, {name: value.clone() for name, value in run.network.state_dict().items()}

    def noted(parameters, most):
        gradients = [parameter.grad for parameter in parameters]
        seen.update({f"gradient {at}": gradient.clone() for at, gradient in enumerate(gradients)})

    with (
        mock.patch.object(train, "draw_times", lambda *_: times[mine]),
        mock.patch.object(torch, "randn", lambda *_, **__: noise[mine]),
        mock.patch.object(torch, "autocast", lambda *_, **__: nullcontext()),  # bfloat16 would round more
        mock.patch.object(torch.nn.utils, "clip_grad_norm_", lambda *told: noted(*told) or torch.zeros(())),
        mock.patch.object(run, "save", lambda: None),
    ):
        run.run(train.Budget(minutes=None, steps=1))
    if run.rank == 0:
        moved = {name: value - before[name] for name, value in run.network.state_dict().items()}
        torch.save((seen, moved), out / "step.pt")


def take_a_step_as(rank: int, meeting: Path, out: Path) -> None:
    """The same as one process of two."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=2)
    take_a_step(out)
    dist.destroy_process_group()


def test_two_processes_with_half_a_batch_each_take_the_step_of_one(tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    for folder in (alone, together):
        folder.mkdir()
    take_a_step(alone)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    processes = [
        context.Process(target=take_a_step_as, args=(rank, tmp_path / "meeting", together))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    (one, moved), (two, moved_together) = (torch.load(folder / "step.pt") for folder in (alone, together))
    assert all(gradient.any() for gradient in one.values())
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, rtol=1e-3, atol=1e-5, msg=name)
    for name, move in moved.items():  # Muon computes in bfloat16, where the last bits of a gradient tell
        assert (moved_together[name] - move).norm() <= 0.1 * move.norm(), name
