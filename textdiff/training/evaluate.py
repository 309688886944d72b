"""How well a model spells: exact match, edit distance and character errors, beside the reader's ceiling.

python -m textdiff.training.evaluate --prompts dev.jsonl --samples 1 --json report.json [--keep DIR]

EM is the share of pictures whose reading equals the prompt (case counts, line breaks count, runs of spaces
are one). NED is 1 - edit distance / longer length, a similarity. CER is edit distance / length of the prompt.
The ceiling is the same figure for clean renders of the same prompts at the same size; a model's EM over its
ceiling is the honest figure.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from textdiff import alphabet
from textdiff.checkpoints import SHIPPED, Checkpoint, load_checkpoint
from textdiff.config import DataConfig
from textdiff.noise_schedule import SHIFT
from textdiff.readers import READERS, Reader, open_reader
from textdiff.samplers import STEP_RULES, candidate_seed
from textdiff.similarity import edit_distance, trigram_similarity
from textdiff.training.film_strip import draw
from textdiff.training.fonts import find_faces
from textdiff.training.render import Renderer
from textdiff.writer import compute_type

OVERALL = "overall"
_BATCH = 32
_RESAMPLES = 2000


@dataclass(frozen=True)
class Prompt:
    """One line of a prompt file."""

    text: str
    bucket: str


@dataclass(frozen=True)
class Reading:
    """One picture, read."""

    text: str
    bucket: str
    seed: int
    read: str

    @property
    def exact(self) -> float:
        return float(folded(self.text) == folded(self.read))

    @property
    def ned(self) -> float:
        text, read = folded(self.text), folded(self.read)
        return 1 - edit_distance(text, read) / max(len(text), len(read), 1)

    @property
    def cer(self) -> float:
        return edit_distance(folded(self.text), folded(self.read)) / max(len(self.text), 1)


def folded(text: str) -> str:
    """Lines without spaces at their ends, runs of spaces as one."""
    return "\n".join(re.sub(" +", " ", line).strip(" ") for line in text.split("\n"))


def load_prompts(path: Path) -> list[Prompt]:
    """The prompts of a JSON-lines file with "text" and "bucket". Raises ValueError with one sentence."""
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        return [Prompt(line["text"], line["bucket"]) for line in lines]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is not a file of prompts, one JSON object with text and bucket a line."
        ) from error


def model_pictures(
    checkpoint: Checkpoint,
    prompts: Sequence[Prompt],
    samples: int,
    seed: int,
    steps: int,
    guidance: float,
    sampler: str,
    shift: float,
) -> Iterator[tuple[Prompt, int, np.ndarray]]:
    """(prompt, seed, picture) for every prompt and sample; picture n of the whole list has seed + n."""
    jobs = [
        (prompt, candidate_seed(seed, number * len(prompts) + index))
        for number in range(samples)
        for index, prompt in enumerate(prompts)
    ]
    jobs.sort(key=lambda job: len(job[0].text))  # neighbours in a batch have similar lengths: less padding
    network = checkpoint.network
    autocast = compute_type(next(network.parameters()).device)
    for start in tqdm(range(0, len(jobs), _BATCH), unit="batch", desc="drawing"):
        batch = jobs[start : start + _BATCH]
        texts, seeds = [prompt.text for prompt, _ in batch], [number for _, number in batch]
        pictures = draw(network, texts, seeds, steps, guidance, sampler, autocast, shift)
        yield from (
            (prompt, number, picture) for (prompt, number), picture in zip(batch, pictures, strict=True)
        )


def clean_pictures(
    size: int, prompts: Sequence[Prompt], samples: int, seed: int, font_set: str
) -> Iterator[tuple[Prompt, int, np.ndarray]]:
    """The same as `model_pictures`, drawn by the renderer; prompts that fit in no face are left out."""
    renderer = Renderer(DataConfig(image_size=size), find_faces(font_set))
    for number in range(samples):
        for index, prompt in enumerate(prompts):
            try:
                sample = renderer.render(prompt.text, np.random.default_rng((seed, number, index)))
            except ValueError:
                continue
            yield prompt, seed + number * len(prompts) + index, sample.picture


def read_all(reader: Reader, pictures: Sequence[tuple[Prompt, int, np.ndarray]]) -> list[Reading]:
    """What the reader sees in each picture."""
    readings: list[Reading] = []
    for start in tqdm(range(0, len(pictures), _BATCH), unit="batch", desc=f"reading with {reader.name}"):
        batch = pictures[start : start + _BATCH]
        read = reader.read([picture for _, _, picture in batch])
        readings += [
            Reading(prompt.text, prompt.bucket, number, result.text)
            for (prompt, number, _), result in zip(batch, read, strict=True)
        ]
    return readings


def best_of(readings: Sequence[Reading]) -> list[Reading]:
    """Of each prompt's readings the most similar one: what selection by this very reader would choose."""
    by_prompt: dict[tuple[str, str], list[Reading]] = {}
    for reading in readings:
        by_prompt.setdefault((reading.bucket, reading.text), []).append(reading)
    return [
        max(group, key=lambda one: trigram_similarity(one.text, one.read)) for group in by_prompt.values()
    ]


def scores(readings: Sequence[Reading]) -> dict[str, dict[str, float | int | list[float]]]:
    """EM with its 95 % bootstrap interval, NED, CER and number of pictures, per bucket and overall."""
    buckets = {
        bucket: [r for r in readings if r.bucket == bucket] for bucket in sorted({r.bucket for r in readings})
    }
    return {name: _score(group) for name, group in {**buckets, OVERALL: list(readings)}.items()}


def _score(readings: list[Reading]) -> dict[str, float | int | list[float]]:
    exact = np.array([reading.exact for reading in readings])
    means = np.random.default_rng(0).choice(exact, (_RESAMPLES, len(exact))).mean(axis=1)
    return {
        "pictures": len(readings),
        "em": round(float(exact.mean()), 4),
        "em_interval": [round(float(edge), 4) for edge in np.quantile(means, [0.025, 0.975])],
        "ned": round(float(np.mean([reading.ned for reading in readings])), 4),
        "cer": round(float(np.mean([reading.cer for reading in readings])), 4),
    }


def report(model: dict, ceiling: dict) -> dict:
    """Model and ceiling side by side, with their EM ratio (None where the ceiling is 0)."""
    return {
        bucket: {
            "model": model[bucket],
            "ceiling": ceiling.get(bucket),
            "em_over_ceiling": round(model[bucket]["em"] / ceiling[bucket]["em"], 4)
            if bucket in ceiling and ceiling[bucket]["em"]
            else None,
        }
        for bucket in model
    }


def table(rows: dict) -> str:
    """The report for people, as a Markdown table."""
    lines = [
        "| bucket | pictures | EM | 95 % | NED | CER | ceiling EM | ceiling NED | EM / ceiling |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for bucket, row in rows.items():
        model, ceiling, ratio = row["model"], row["ceiling"] or {}, row["em_over_ceiling"]
        low, high = model["em_interval"]
        lines.append(
            f"| {bucket} | {model['pictures']} | {model['em']:.3f} | {low:.2f} to {high:.2f} "
            f"| {model['ned']:.3f} | {model['cer']:.3f} "
            f"| {ceiling.get('em', float('nan')):.3f} | {ceiling.get('ned', float('nan')):.3f} "
            f"| {'-' if ratio is None else f'{ratio:.3f}'} |"
        )
    return "\n".join(lines)


def keep_pictures(folder: Path, pictures: Sequence[tuple[Prompt, int, np.ndarray]]) -> None:
    """Every picture as PNG, with index.jsonl (file, text, bucket, seed), for another judge to read."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "index.jsonl").open("w") as index:
        for number, (prompt, seed, picture) in enumerate(pictures):
            name = f"{number:05d}.png"
            Image.fromarray(picture).save(folder / name)
            line = {"file": name, "text": prompt.text, "bucket": prompt.bucket, "seed": seed}
            index.write(json.dumps(line) + "\n")


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    try:
        checkpoint = load_checkpoint(options.weights, options.device)
        prompts = load_prompts(options.prompts)
        config = checkpoint.network.config
        for prompt in prompts:
            if problem := alphabet.problem_with(prompt.text, config.max_characters, config.max_lines):
                raise ValueError(f"{prompt.text!r}: {problem}")
        reader = open_reader(options.reader)
    except ValueError as error:
        sys.exit(str(error))
    clean = list(clean_pictures(config.image_size, prompts, options.samples, options.seed, options.fonts))
    settings = {
        name: getattr(options, name) for name in ("samples", "seed", "steps", "guidance", "sampler", "shift")
    }
    drawn = list(model_pictures(checkpoint, prompts, **settings))
    if options.keep:
        keep_pictures(options.keep, drawn)
    readings = read_all(reader, drawn)
    rows = report(scores(readings), scores(read_all(reader, clean)))
    print(table(rows))
    if options.samples > 1:
        print(f"\nbest of {options.samples}, chosen by {reader.name} itself:")
        print(table(report(scores(best_of(readings)), scores(best_of(read_all(reader, clean))))))
    if options.json:
        result = {
            "weights": {
                "name": checkpoint.name,
                "sha256": checkpoint.sha256,
                "pictures": checkpoint.info.get("pictures"),
            },
            "reader": reader.name,
            "settings": {**settings, "fonts": options.fonts},
            "buckets": rows,
            "readings": [asdict(reading) for reading in readings],
        }
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="How well a model spells, beside the reader's ceiling.")
    parser.add_argument("--prompts", type=Path, required=True, help="JSON lines with text and bucket")
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--samples", type=int, default=1, help="pictures per prompt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--sampler", choices=STEP_RULES, default="dpm++2m")
    parser.add_argument("--shift", type=float, default=SHIFT, help="how far the steps lean towards the noise")
    parser.add_argument("--reader", choices=READERS, default="rapidocr")
    parser.add_argument(
        "--fonts", default="first", help="font set of the clean renders: first, all or held-out"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write the whole report here")
    parser.add_argument("--keep", type=Path, help="write every picture here, with an index")
    return parser


if __name__ == "__main__":
    main()
