"""Train a preset: python -m textdiff.training.train --preset first-words --minutes 150 --out DIR [--resume].

DIR receives log.jsonl, config.json, strip-NNNNNNNN.png (the same prompts and noise at every checkpoint),
weights.safetensors (the EMA in fp16, ready to be shipped) and state.safetensors (to resume). Every step's
randomness is a function of the seed and the step, so that a resumed run equals an uninterrupted one.

With `--warm-start WEIGHTS`, training begins from every tensor of these weights whose name and shape the
network has: from all of them where it is the same network, from the inside where it has one level more.

With `--teacher WEIGHTS` it learns to be guided in one call instead of two, with `--self-guided` without a
teacher: see training/distillation.py.
"""

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from textdiff import alphabet
from textdiff.checkpoints import build_network, load_checkpoint, save_checkpoint, take_over
from textdiff.config import PRESETS, UPSCALER, Preset, overridden, to_json
from textdiff.training.chance import noise_like
from textdiff.training.dataset import Batch, as_x0, batches
from textdiff.training.distillation import Lesson, draw_scales, guidance_missed, taught_by
from textdiff.training.ema import EMA
from textdiff.training.film_strip import PROMPTS, film_strip, upscaler_strip
from textdiff.training.fonts import find_faces
from textdiff.training.letter_gap import letter_gap
from textdiff.training.loss import diffusion_loss, draw_times
from textdiff.training.optimizer import make_optimizers
from textdiff.training.own_steps import with_own_steps
from textdiff.training.run_state import STATE, load_state, save_state
from textdiff.training.small_pictures import base_of, clean_small_pictures, redrawing, small_pictures
from textdiff.training.transfer import moved

GAP_TIMES = (0.35, 0.65)
MISSED_TIMES = (0.65, 0.9)  # where guidance changes most
_LOG_EVERY = 50  # steps
_COUNTERS = ("step", "pictures", "minutes")
_STRIP_PICTURES = 8  # of an upscaler's film
_SMALL, _GUIDED, _OWN = 1 << 31, 3 << 30, 1 << 30  # keep the chance in these apart from that of the same step


@dataclasses.dataclass(frozen=True)
class Budget:
    """When a run ends, and how far along it is: by minutes, or by steps where exact repetition matters."""

    minutes: float | None
    steps: int | None

    def progress(self, minutes: float, steps: int) -> float:
        """0 at the start, 1 or more at the end."""
        return minutes / self.minutes if self.steps is None else steps / self.steps


def learning_rate_share(step: int, progress: float, warmup_steps: int, cooldown: float) -> float:
    """Linear warm-up, constant, then linearly to zero over the last `cooldown` share of the budget."""
    return min(1.0, (step + 1) / warmup_steps, max(0.0, 1 - progress) / cooldown if cooldown else 1.0)


class Trainer:
    """One training run in one process (of several, under torchrun)."""

    def __init__(
        self,
        preset: Preset,
        out: Path,
        device: str,
        workers: int,
        warm_start: Path | None,
        base: Path | None = None,
        film: Sequence[str] = PROMPTS,
        teacher: Path | None = None,
        self_guided: bool = False,
    ) -> None:
        self.teacher = load_checkpoint(teacher, device).network if teacher else None
        preset = taught_by(self.teacher, preset, self_guided)
        self.preset, self.out, self.device, self.workers = preset, out, device, workers
        self.film = film
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.world = dist.get_world_size() if dist.is_initialized() else 1
        if preset.train.batch % self.world:
            raise ValueError(f"{self.world} processes cannot share a batch of {preset.train.batch} evenly.")
        if preset.train.own_share and preset.model.kind == UPSCALER:
            raise ValueError(
                "An upscaler takes no steps of its own while it learns: leave out train.own_share."
            )
        torch.manual_seed(preset.train.seed)
        network = build_network(preset.model)
        self.before = dict.fromkeys(_COUNTERS, 0)  # what the weights had seen before this run
        if warm_start:
            checkpoint = load_checkpoint(warm_start)
            self.before = {name: checkpoint.info.get(name, 0) for name in _COUNTERS}
            taken, new = take_over(network, checkpoint.network)
            if self.rank == 0:
                print(f"From {warm_start}: {taken:,} parameters taken over, {new:,} are new.", flush=True)
        self.base = base_of(preset.model, load_checkpoint(base, device).network) if base else None
        self.network = network.requires_grad_(True).train().to(device, memory_format=torch.channels_last)
        self.ema = EMA(self.network, preset.train.ema_decay)
        if self_guided:
            self.teacher = self.ema.network
        self.optimizers = make_optimizers(self.network, preset.train)
        self.base_rates = [group["lr"] for optimizer in self.optimizers for group in optimizer.param_groups]
        self.step, self.pictures, self.minutes = 0, 0, 0.0
        self.faces = find_faces(preset.data.fonts)
        # Validation pictures lie beyond any number that training reaches, at the end of the curriculum.
        self.validation = next(batches(preset.data, self.faces, 64, start_index=10**12))

    def resume(self) -> None:
        """Go on from the state in `out`."""
        counters = load_state(self.out, self.network, self.ema, self.optimizers)
        self.step, self.pictures, self.minutes = (counters[name] for name in _COUNTERS)
        self.before = counters["before"]

    @property
    def counters(self) -> dict[str, float]:
        """How far the run is: optimiser steps, pictures seen by all processes, minutes."""
        return {name: getattr(self, name) for name in _COUNTERS}

    @property
    def seen(self) -> dict[str, float]:
        """The same for the weights, runs before this one included: what is logged and shipped."""
        return {name: self.before[name] + count for name, count in self.counters.items()}

    def run(self, budget: Budget) -> None:
        """Train until the budget is spent, saving every `checkpoint_minutes` and at the end."""
        self._rewind_log()
        asked = self.network
        if self.device == "cuda":
            asked = torch.compile(asked)
        if self.world > 1:
            asked = DistributedDataParallel(asked)
            asked.schedule = self.network.schedule
        bar = tqdm(
            total=100,
            initial=min(100, 100 * budget.progress(self.minutes, self.step)),
            disable=self.rank > 0,
            bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
        )
        began, minutes_before, saved_at = time.monotonic(), self.minutes, self.minutes
        sums, marked = torch.zeros(3, device=self.device), self.counters
        for batch in self._data():
            progress = budget.progress(self.minutes, self.step)
            if progress >= 1:
                break
            sums += self._one_step(asked, batch, progress)
            self.step, self.pictures = self.step + 1, batch.index_end
            self.minutes = self._agreed(minutes_before + (time.monotonic() - began) / 60)
            if self.step % _LOG_EVERY == 0:
                loss, teaching, norm = (sums / (self.step - marked["step"])).tolist()
                seconds = 60 * (self.minutes - marked["minutes"])
                rate = (self.pictures - marked["pictures"]) / seconds
                self._log(loss=loss, teaching=teaching, gradient_norm=norm, pictures_per_second=rate)
                bar.set_postfix_str(f"{rate:.0f} pictures/s, loss {loss:.4f}, teaching {teaching:.3f}")
                sums, marked = torch.zeros(3, device=self.device), self.counters
            bar.update(min(100, 100 * budget.progress(self.minutes, self.step)) - bar.n)
            if self.minutes - saved_at >= self.preset.train.checkpoint_minutes:
                self.save()
                saved_at = self.minutes
        if self.minutes > saved_at:
            self.save()
        bar.close()

    def _data(self) -> Iterator[Batch]:
        share = self.preset.train.batch // self.world
        shard = (self.rank, self.world)
        return batches(self.preset.data, self.faces, share, self.pictures, self.workers, shard)

    def _one_step(self, network: torch.nn.Module, batch: Batch, progress: float) -> Tensor:
        """One update; returns (loss, teaching, gradient norm), on the device: nobody has to wait for them."""
        config = self.preset.train
        share = learning_rate_share(self.step, progress, config.warmup_steps, config.cooldown)
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        for group, rate in zip(groups, self.base_rates, strict=True):
            group["lr"] = rate * share

        seed = (config.seed << 32) + self.step * self.world + self.rank
        generator = torch.Generator().manual_seed(seed)
        x0 = as_x0(batch, self.device).contiguous(memory_format=torch.channels_last)
        given = self._small_pictures(batch, x0, torch.Generator().manual_seed(seed + _SMALL))
        ids = alphabet.encode(batch.texts, self.preset.model.max_characters)
        nulled = (torch.rand(len(ids), generator=generator) < config.null_share).numpy()
        ids[nulled] = alphabet.null_prompt(int(nulled.sum()), self.preset.model.max_characters)
        longest = int((ids != alphabet.PAD).sum(1).max()) if self.device == "cpu" else ids.shape[1]
        named = moved(torch.from_numpy(~nulled), self.device)  # a null prompt has no letters to look at
        boxes = moved(batch.boxes, self.device) * named[:, None, None]
        times = draw_times(len(ids), config, generator)
        eps = noise_like(x0, generator)

        with torch.autocast(self.device, torch.bfloat16):
            ids = moved(torch.from_numpy(ids[:, :longest]), self.device)
            lesson = self._lesson(nulled, longest, torch.Generator().manual_seed(seed + _GUIDED))
            if config.own_share:
                scales = None if lesson is None else lesson.scales
                chance = torch.Generator().manual_seed(seed + _OWN)
                eps = with_own_steps(self.ema.network, x0, times, eps, ids, scales, config.own_share, chance)
            t = moved(times, self.device)
            loss, teaching = diffusion_loss(network, x0, ids, boxes, t, eps, given, lesson)
        (loss + config.teach_weight * teaching).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.network, self.step + 1)
        return torch.stack([loss.detach(), teaching.detach(), norm])

    def _small_pictures(self, batch: Batch, x0: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """What an upscaler is given beside the noisy picture; nothing for a base model."""
        if self.preset.model.kind != UPSCALER:
            return ()
        base = None
        if self.base is not None:
            length = max(map(len, batch.texts))
            base = redrawing(
                self.base,
                moved(torch.from_numpy(alphabet.encode(batch.texts, length)), self.device),
                moved(torch.from_numpy(alphabet.null_prompt(1, length)), self.device),
                torch.bfloat16,
            )
        return small_pictures(x0, self.preset.train, generator, base)

    def _lesson(self, nulled: np.ndarray, length: int, generator: torch.Generator) -> Lesson | None:
        """What a teacher has to say; a picture whose prompt is the null prompt (B,) is learnt as ever."""
        if self.teacher is None:
            return None
        scales = draw_scales(len(nulled), self.preset.train.guided_share, generator)
        scales[torch.from_numpy(nulled)] = 0
        self_guided = self.teacher is self.ema.network
        return Lesson(self.teacher, scales, self._null_ids(length), self_guided)

    def _null_ids(self, length: int) -> Tensor:
        null_ids = alphabet.null_prompt(1, self.preset.model.max_characters)[:, :length]
        return moved(torch.from_numpy(null_ids), self.device)

    def _missed(self) -> dict[str, float]:
        """How much of the guidance in two calls the average of the weights does not know in one yet."""
        if self.teacher is None:
            return {}
        x0 = as_x0(self.validation, self.device)
        ids = alphabet.encode(self.validation.texts, self.preset.model.max_characters)
        ids, null_ids = torch.from_numpy(ids).to(self.device), self._null_ids(ids.shape[1])
        with torch.autocast(self.device, torch.bfloat16):
            return {
                f"guidance_missed_{t}": guidance_missed(self.ema.network, self.teacher, x0, ids, null_ids, t)
                for t in MISSED_TIMES
            }

    def _agreed(self, minutes: float) -> float:
        """The first process's clock, so that all processes stop and save at the same step."""
        if self.world == 1:
            return minutes
        clock = torch.tensor(minutes, dtype=torch.float64, device=self.device)
        dist.broadcast(clock, 0)
        return clock.item()

    def save(self) -> None:
        """Checkpoint: state, EMA weights, film strip, letter gap."""
        if self.rank > 0:
            return
        counters = self.counters | {"before": self.before}
        save_state(self.out, self.network, self.ema, self.optimizers, counters)
        info = self.seen | {"config": to_json(self.preset)}
        save_checkpoint(self.ema.network, self.out / "weights.safetensors", info)
        network, length, given = self.ema.network, self.preset.model.max_characters, ()
        if self.preset.model.kind == UPSCALER:
            given = clean_small_pictures(as_x0(self.validation, self.device))
        gaps = [letter_gap(network, self.validation, length, t, given) for t in GAP_TIMES]
        named = {f"letter_gap_{t}": gap for t, gap in zip(GAP_TIMES, gaps, strict=True)}
        self._log(**named, **self._missed())
        shown = slice(_STRIP_PICTURES)
        strip = (
            upscaler_strip(network, given[0][shown], self.validation.texts[shown])
            if given
            else film_strip(network, self.film)
        )
        Image.fromarray(strip).save(self.out / f"strip-{self.seen['pictures']:08d}.png")

    def _log(self, **values: float) -> None:
        if self.rank == 0:
            line = self.seen | {"minutes": round(self.seen["minutes"], 3)}
            line |= {name: float(f"{value:.5g}") for name, value in values.items()}
            with (self.out / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")

    def _rewind_log(self) -> None:
        """Drop what a killed run wrote after its last checkpoint: those steps are taken again."""
        log = self.out / "log.jsonl"
        if self.rank == 0 and log.exists():
            lines = log.read_text().splitlines(keepends=True)
            log.write_text("".join(line for line in lines if json.loads(line)["step"] <= self.seen["step"]))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="first-words")
    parser.add_argument("--minutes", type=float, default=150.0, help="training time, resumed time included")
    parser.add_argument("--steps", type=int, help="end after this many steps instead")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true", help="go on from the state in --out")
    parser.add_argument("--warm-start", type=Path, help="begin from what fits of these .safetensors weights")
    parser.add_argument(
        "--base", type=Path, help="redraw some of an upscaler's small pictures with these weights"
    )
    parser.add_argument("--teacher", type=Path, help="learn the guidance of these weights, in one call")
    parser.add_argument(
        "--self-guided", action="store_true", help="learn to be guided in one call, without a teacher"
    )
    parser.add_argument("--film", nargs="+", default=PROMPTS, metavar="TEXT", help="what the strips show")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw pictures")
    parser.add_argument(
        "--set", action="append", default=[], metavar="PART.FIELD=JSON", help="change the preset"
    )
    options = parser.parse_args(arguments)
    if "RANK" in os.environ:
        dist.init_process_group("nccl" if options.device == "cuda" else "gloo")
        if options.device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    try:
        if options.minutes <= 0 or (options.steps is not None and options.steps <= 0):
            raise ValueError("The minutes and steps of a run must be more than none.")
        if not options.resume and (options.out / STATE).exists():
            raise ValueError(f"There is a run in {options.out}: go on with --resume, or name another folder.")
        preset = overridden(PRESETS[options.preset], options.set)
        options.out.mkdir(parents=True, exist_ok=True)
        trainer = Trainer(
            preset,
            options.out,
            options.device,
            options.workers,
            options.warm_start,
            options.base,
            options.film,
            options.teacher,
            options.self_guided,
        )
        if options.resume:
            trainer.resume()
    except ValueError as error:
        parser.error(str(error))
    if trainer.rank == 0:
        (options.out / "config.json").write_text(json.dumps(to_json(trainer.preset), indent=1) + "\n")
    trainer.run(Budget(options.minutes, options.steps))
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
