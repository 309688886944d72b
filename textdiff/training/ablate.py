"""Which parts earn their place: the same small run, once whole and once without each part in turn.

python -m textdiff.training.ablate --out runs/ablation --pictures 40000 --jobs 2

Every variant sees the same pictures in the same order, at the same times, with the same noise; only the
network differs. The runs are small enough for a laptop (a network with 4 x 4 pixel patches, a fifth of
the weights), so they rank the parts of a young model; they do not say what a grown one could do without.

Measured on pictures and prompts drawn apart from training: the letter gap (training/letter_gap.py) at two
times, and the similarity of what a reader reads to the prompt (NED); the difference to the whole network is
taken prompt by prompt. Ranges are 95 % bootstrap intervals over batches and prompts. They do not know what
another seed would have given: the whole network runs with two, and no difference smaller than theirs means
anything.
"""

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from textdiff import alphabet
from textdiff.checkpoints import load_checkpoint
from textdiff.config import DataConfig, ModelConfig, Preset, TrainConfig, overridden
from textdiff.networks.unet import UNet
from textdiff.readers import Reader, open_reader
from textdiff.training.dataset import Batch, batches
from textdiff.training.film_strip import draw
from textdiff.training.fonts import find_faces
from textdiff.training.letter_gap import letter_gap
from textdiff.training.loss import diffusion_loss
from textdiff.training.scores import Reading
from textdiff.training.text_source import random_prompt
from textdiff.training.train import Budget, Trainer

PROXY = Preset(
    model=ModelConfig(
        stem=4,
        max_characters=20,
        max_lines=3,
        channels=(64, 96),
        down_blocks=(1, 1),
        text_at=(16, 8),
        text_once_at=(),
        text_width=96,
        text_layers=2,
        time_width=128,
    ),
    data=DataConfig(
        max_characters=20,
        max_lines=3,
        min_font_px=10,
        max_font_px=12,
        full_share=0.3,
        colours="paper",
        fonts="one",
    ),
    train=TrainConfig(batch=16),  # at this size many small steps learn more than few large ones
)
# The switches that turn off what the seed's author, or this project, added.
VARIANTS: dict[str, list[str]] = {
    "whole": [],
    "whole, another seed": ["train.seed=2"],
    "no taught attention": ["model.taught_attention=false"],
    "no image-to-text (plain cross-attention)": ["model.image_to_text=false"],
    "no T5 position bias": ["model.t5_bias=false"],
    "no line embedding": ["model.line_embedding=false"],
}
GAP_TIMES = (0.35, 0.65)
_WHOLE = next(iter(VARIANTS))
_PROMPTS, _STEPS, _GUIDANCE, _RESAMPLES = 200, 16, 3.0, 2000
_BATCHES, _BATCH = 16, 32
_UNSEEN = 10**12  # far behind the last picture that any run draws


@dataclass(frozen=True)
class Result:
    """One variant, measured."""

    variant: str
    parameters: int
    loss: float  # on unseen pictures, times spread evenly
    gaps: tuple[tuple[float, ...], ...]  # at GAP_TIMES, one per batch, the same ones for every variant
    neds: tuple[float, ...]  # one per prompt, in the same order for every variant


def train(variant: str, out: Path, pictures: int) -> None:
    """Run one variant on one thread; a variant that has already been run is left alone."""
    torch.set_num_threads(1)
    preset = overridden(PROXY, VARIANTS[variant])
    steps = pictures // preset.train.batch
    folder = folder_of(variant, out)
    if (folder / "weights.safetensors").exists():
        trained = load_checkpoint(folder / "weights.safetensors").info["step"]
        if trained < steps:
            raise ValueError(f"{folder} holds a shorter run; name another folder.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    Trainer(preset, folder, "cpu", workers=1, warm_start=None).run(Budget(None, steps))


def folder_of(variant: str, out: Path) -> Path:
    """Where a variant's run lies."""
    return out / "".join(letter if letter.isalnum() else "-" for letter in variant)


def measure(variant: str, out: Path, reader: Reader) -> Result:
    """Loss and letter gaps on batches of unseen pictures, and what the reader finds of unseen prompts."""
    folder = folder_of(variant, out)
    network = load_checkpoint(folder / "weights.safetensors").network
    faces = find_faces(PROXY.data.fonts)
    unseen = list(islice(batches(PROXY.data, faces, _BATCH, start_index=_UNSEEN), _BATCHES))
    length = PROXY.model.max_characters
    rng = np.random.default_rng(_UNSEEN)
    texts = [random_prompt(rng, length, PROXY.model.max_lines) for _ in range(_PROMPTS)]
    pictures = draw(network, texts, range(_PROMPTS), _STEPS, _GUIDANCE)
    return Result(
        variant=variant,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        loss=float(np.mean([unseen_loss(network, batch) for batch in unseen])),
        gaps=tuple(tuple(letter_gap(network, batch, length, t) for batch in unseen) for t in GAP_TIMES),
        neds=tuple(
            Reading(text, "", number, read.text).ned
            for number, (text, read) in enumerate(zip(texts, reader.read(list(pictures)), strict=True))
        ),
    )


@torch.no_grad()
def unseen_loss(network: UNet, batch: Batch) -> float:
    """Mean squared error of v on the batch, one picture for each of as many evenly spread times."""
    x0 = batch.pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
    t = (torch.arange(len(x0)) + 0.5) / len(x0)
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    ids = torch.from_numpy(alphabet.encode(batch.texts, network.config.max_characters))
    return diffusion_loss(network, x0, ids, None, t, eps)[0].item()


def table(results: Sequence[Result]) -> str:
    """Markdown: every variant beside the whole network, with the difference prompt by prompt."""
    whole = next(result for result in results if result.variant == _WHOLE)
    lines = [
        "| variant | parameters | loss | gap at "
        + " | gap at ".join(f"{t}, 95 %" for t in GAP_TIMES)
        + " | NED | NED minus whole, 95 % |",
        "|---|---|---|" + "---|" * len(GAP_TIMES) + "---|---|",
    ]
    for result in results:
        gaps = " | ".join(_mean(gaps, ".4f") for gaps in result.gaps)
        against = "" if result is whole else _mean(np.subtract(result.neds, whole.neds), "+.3f")
        lines.append(
            f"| {result.variant} | {result.parameters / 1e6:.2f} M | {result.loss:.4f} | {gaps} "
            f"| {np.mean(result.neds):.3f} | {against} |"
        )
    return "\n".join(lines)


def _mean(values: Sequence[float], form: str) -> str:
    """The mean and its 95 % bootstrap interval."""
    means = np.random.default_rng(0).choice(values, (_RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{np.mean(values):{form}} ({low:{form}} to {high:{form}})"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=40_000, help="seen by each variant")
    parser.add_argument("--jobs", type=int, default=1, help="variants at a time, one thread each")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args(arguments)
    variants = list(dict.fromkeys([_WHOLE, *options.only]))
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        runs = [pool.submit(train, variant, options.out, options.pictures) for variant in variants]
        try:
            for run in runs:
                run.result()
        except ValueError as error:
            parser.error(str(error))
    reader = open_reader("rapidocr")
    results = [measure(variant, options.out, reader) for variant in variants]
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


if __name__ == "__main__":
    main()
