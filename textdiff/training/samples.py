"""The pictures that an evaluation reads: of every prompt the model's samples, and the same set in type."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from textdiff.checkpoints import Checkpoint
from textdiff.config import DataConfig
from textdiff.denoiser import UPSCALER_GUIDANCE
from textdiff.noise_schedule import UPSCALER_SHIFT
from textdiff.samplers import candidate_seed
from textdiff.training.film_strip import draw
from textdiff.training.fonts import Face
from textdiff.training.render import Renderer
from textdiff.writer import compute_type

BATCH = 32


@dataclass(frozen=True)
class Prompt:
    """One line of a prompt file."""

    text: str
    bucket: str


class Drawn(NamedTuple):
    """A picture, (H, W, 3) uint8, and what it was to say."""

    prompt: Prompt
    seed: int
    picture: np.ndarray


def load_prompts(path: Path) -> list[Prompt]:
    """The prompts of a JSON-lines file with "text" and "bucket". Raises ValueError with one sentence."""
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        prompts = [Prompt(line["text"], line["bucket"]) for line in lines]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is not a file of prompts, one JSON object with text and bucket a line."
        ) from error
    if not prompts:
        raise ValueError(f"There are no prompts in {path}.")
    return prompts


def model_pictures(
    checkpoint: Checkpoint,
    prompts: Sequence[Prompt],
    samples: int,
    seed: int,
    steps: int,
    guidance: float,
    sampler: str,
    shift: float,
    one_call: bool = False,
) -> Iterator[Drawn]:
    """Every prompt, `samples` times; picture n of the whole list has seed + n."""
    jobs = [
        (prompt, candidate_seed(seed, number * len(prompts) + index))
        for number in range(samples)
        for index, prompt in enumerate(prompts)
    ]
    jobs.sort(key=lambda job: len(job[0].text))  # neighbours in a batch have similar lengths: less padding
    network = checkpoint.network
    autocast = compute_type(next(network.parameters()).device)
    for start in tqdm(range(0, len(jobs), BATCH), unit="batch", desc="drawing"):
        batch = jobs[start : start + BATCH]
        texts, seeds = [prompt.text for prompt, _ in batch], [number for _, number in batch]
        pictures = draw(network, texts, seeds, steps, guidance, sampler, autocast, shift, one_call=one_call)
        for (prompt, number), picture in zip(batch, pictures, strict=True):
            yield Drawn(prompt, number, picture)


def enlarged(
    upscaler: Checkpoint,
    drawn: Sequence[Drawn],
    steps: int,
    sampler: str = "unipc",
    guidance: float = UPSCALER_GUIDANCE,
) -> Iterator[Drawn]:
    """Each picture as the upscaler draws it, in the order given; it keeps the seed of the small one."""
    network = upscaler.network
    autocast = compute_type(next(network.parameters()).device)
    for start in tqdm(range(0, len(drawn), BATCH), unit="batch", desc="enlarging"):
        batch = drawn[start : start + BATCH]
        small = torch.from_numpy(np.stack([one.picture for one in batch])).permute(0, 3, 1, 2)
        pictures = draw(
            network,
            [one.prompt.text for one in batch],
            # Beyond the seeds of all small pictures, so that no two draw their noise from the same one.
            [candidate_seed(one.seed, len(drawn)) for one in batch],
            steps,
            guidance,
            sampler,
            autocast,
            UPSCALER_SHIFT,
            small.float() / 127.5 - 1,
        )
        for one, picture in zip(batch, pictures, strict=True):
            yield one._replace(picture=picture)


def clean_pictures(
    size: int, prompts: Sequence[Prompt], samples: int, seed: int, faces: Sequence[Face]
) -> Iterator[Drawn]:
    """The same prompts drawn by the renderer in the given faces; those that fit in no face are left out."""
    renderer = Renderer(DataConfig(image_size=size), faces)
    for number in range(samples):
        for index, prompt in enumerate(prompts):
            try:
                sample = renderer.render(prompt.text, np.random.default_rng((seed, number, index)))
            except ValueError:
                continue
            yield Drawn(prompt, seed + number * len(prompts) + index, sample.picture)


def keep_pictures(folder: Path, pictures: Sequence[Drawn]) -> None:
    """Every picture as PNG, with index.jsonl (file, text, bucket, seed), for another judge to read."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "index.jsonl").open("w") as index:
        for number, (prompt, seed, picture) in enumerate(pictures):
            name = f"{number:05d}.png"
            Image.fromarray(picture).save(folder / name)
            line = {"file": name, "text": prompt.text, "bucket": prompt.bucket, "seed": seed}
            index.write(json.dumps(line) + "\n")
