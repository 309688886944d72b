"""The measuring command: how well a model spells, beside the reader's ceiling; and the curve of a run.

python -m textdiff.training.evaluate --prompts dev.jsonl --samples 1 --json report.json [--keep DIR]
python -m textdiff.training.evaluate --curve LOG.jsonl [MORE.jsonl ...] [--figure FILE.png]

What is measured stands in scores.py and errors.py. With several samples of each prompt, the best of them, as
the reader chooses it, is reported apart: read by that reader again, or by another one (--judge). With
--upscaler-weights, every sample is enlarged and read once more: see cascade.py. With several
--upscaler-steps or --upscaler-guidance, the same samples are enlarged with each pair of them, for a table;
the first pair is the one that the report is about.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from textdiff import alphabet
from textdiff.checkpoints import Checkpoint, load_checkpoint, mismatch
from textdiff.config import ModelConfig
from textdiff.denoiser import UPSCALER_GUIDANCE
from textdiff.guidance_options import add_guidance_options
from textdiff.model_rules import problem_with_one_call
from textdiff.noise_schedule import SHIFT
from textdiff.readers import READERS, Reader, open_reader
from textdiff.request_rules import filled_in
from textdiff.training import cascade, curve, errors, failures, scores
from textdiff.training.extrapolation import extrapolation
from textdiff.training.fonts import FONT_SETS, Face, find_faces
from textdiff.training.samples import (
    BATCH,
    Drawn,
    Prompt,
    clean_pictures,
    enlarged,
    keep_pictures,
    load_prompts,
    model_pictures,
)
from textdiff.training.scores import OVERALL, Reading
from textdiff.trajectory import Request
from textdiff.typed_text import with_short_lines
from textdiff.weight_files import SHIPPED

SETTINGS = ("samples", "seed", "steps", "guidance", "sampler", "shift", "one_call")


@dataclass(frozen=True, eq=False)
class Task:
    """What the options name, opened."""

    checkpoint: Checkpoint
    upscaler: Checkpoint | None
    prompts: list[Prompt]
    reader: Reader
    judge: Reader | None  # reads the winners instead of the reader that chose them
    faces: tuple[Face, ...]  # of the clean renders
    held_out: tuple[Face, ...]  # of more of them; no training has seen these, and some machines have none


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures, and what the reader saw in each."""

    pictures: list[Drawn]
    readings: list[Reading]


def main(arguments: list[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    if not (options.prompts or options.curve):
        parser.error("--prompts says what to draw, --curve which logs to show: one of them is needed.")
    try:
        _check_folders(options)
        if options.curve:
            _show_curve(options.curve, options.figure)
            return
        task = _prepare(options)
        settings = _settings(options, task.checkpoint.network.config)
    except ValueError as error:
        sys.exit(str(error))
    model = _read(task.reader, model_pictures(task.checkpoint, task.prompts, **settings))
    sweep = _sweep(task, model, settings["sampler"], options)
    large = next(iter(sweep.values()), None)
    clean, held_out = (_clean(task, faces, options) for faces in (task.faces, task.held_out))
    result = _report(task, {**settings, "fonts": options.fonts}, model, clean, held_out)
    if large:
        result["upscaled"] = _report_upscaled(task, model, large, *next(iter(sweep)))
    if len(sweep) > 1:
        read = {settings: gallery.readings for settings, gallery in sweep.items()}
        result["upscaler_sweep"] = cascade.sweep(model.readings, read)
    if "best_of" in result:
        result["best_of"] |= _ways(task, model, large)
    _show(result, options.errors)
    _write(result, task, model, large, options)


def _check_folders(options: argparse.Namespace) -> None:
    """Hours of drawing must not end at a folder that is not there."""
    for path in (options.json, options.log, options.failures, options.figure):
        if path and not path.parent.is_dir():
            raise ValueError(f"There is no folder {path.parent} to put {path.name} into.")


def _show_curve(logs: Sequence[Path], picture: Path | None) -> None:
    run = curve.load_curve(logs)
    print(curve.table(run))
    print(f"\n{extrapolation(run.evaluations)}")
    if picture:
        Image.fromarray(curve.figure(run)).save(picture, "PNG")


def _prepare(options: argparse.Namespace) -> Task:
    """Raises ValueError with one sentence, before anything is drawn."""
    if options.judge == options.reader:
        raise ValueError(f"{options.reader} chooses the best samples, so another reader must judge them.")
    checkpoint, prompts = load_checkpoint(options.weights, options.device), load_prompts(options.prompts)
    large_weights = options.upscaler_weights
    upscaler = load_checkpoint(large_weights, options.device) if large_weights else None
    if problem := mismatch(checkpoint, upscaler):
        raise ValueError(problem)
    if options.log:
        curve.place_in_training(checkpoint.info)
    config = checkpoint.network.config
    if options.short_lines:
        prompts = [
            replace(one, text=with_short_lines(one.text, config.max_lines) or one.text) for one in prompts
        ]
    for prompt in prompts:
        if problem := alphabet.problem_with(prompt.text, config.max_characters, config.max_lines):
            raise ValueError(f"{prompt.text!r}: {problem}")
    try:
        held_out = find_faces("held-out")
    except ValueError:
        held_out = ()
    return Task(
        checkpoint=checkpoint,
        upscaler=upscaler,
        prompts=prompts,
        reader=open_reader(options.reader),
        judge=open_reader(options.judge) if options.judge else None,
        faces=find_faces(options.fonts),
        held_out=held_out,
    )


def _settings(options: argparse.Namespace, config: ModelConfig) -> dict:
    """How the samples are drawn. Raises ValueError if this model cannot be asked so."""
    settings = filled_in({name: getattr(options, name) for name in SETTINGS}, config.distilled_guidance)
    if settings["one_call"] and (problem := problem_with_one_call(settings["guidance"], config)):
        raise ValueError(problem)
    return settings


def _sweep(
    task: Task, model: Gallery, sampler: str, options: argparse.Namespace
) -> dict[tuple[int, float], Gallery]:
    """(steps, guidance) of the upscaler -> the samples as it enlarges them."""
    if task.upscaler is None:
        return {}
    sampler = Request(text="", sampler=sampler).upscaler_sampler
    return {
        (steps, scale): _read(task.reader, enlarged(task.upscaler, model.pictures, steps, sampler, scale))
        for steps, scale in product(options.upscaler_steps, options.upscaler_guidance)
    }


def _clean(task: Task, faces: Sequence[Face], options: argparse.Namespace) -> Gallery:
    if not faces:
        return Gallery([], [])
    size = task.checkpoint.network.config.image_size
    return _read(task.reader, clean_pictures(size, task.prompts, options.samples, options.seed, faces))


def _read(reader: Reader, pictures: Iterable[Drawn]) -> Gallery:
    pictures, readings = list(pictures), []
    for start in tqdm(range(0, len(pictures), BATCH), unit="batch", desc=f"reading with {reader.name}"):
        batch = pictures[start : start + BATCH]
        read = reader.read([one.picture for one in batch])
        readings += [
            Reading(one.prompt.text, one.prompt.bucket, one.seed, result.text)
            for one, result in zip(batch, read, strict=True)
        ]
    return Gallery(pictures, readings)


def _report(task: Task, settings: dict, model: Gallery, clean: Gallery, held_out: Gallery) -> dict:
    """Everything that was found, as JSON."""
    rows = scores.report(model.readings, clean.readings)
    held_out_ceiling = scores.scores(held_out.readings)
    for bucket, row in rows.items():
        row["held_out_ceiling"] = held_out_ceiling.get(bucket)
    result = {
        "weights": {
            "name": task.checkpoint.name,
            "sha256": task.checkpoint.sha256,
            "pictures": task.checkpoint.info.get("pictures"),
        },
        "reader": task.reader.name,
        "settings": settings,
        "faces": {"ceiling": len(task.faces), "held_out_ceiling": len(task.held_out)},
        "buckets": rows,
    }
    if settings["samples"] > 1 or task.judge:
        judge = task.judge or task.reader
        result["best_of"] = {
            "samples": settings["samples"],
            "chosen_by": task.reader.name,
            "read_by": judge.name,
            "buckets": scores.report(_winners(model, task.judge), _winners(clean, task.judge)),
        }
    result["errors"] = errors.errors(model.readings, clean.readings)
    result["readings"] = [asdict(reading) for reading in model.readings]
    return result


def _report_upscaled(task: Task, model: Gallery, large: Gallery, steps: int, guidance: float) -> dict:
    """The same pictures before and after."""
    return {
        "weights": {"name": task.upscaler.name, "sha256": task.upscaler.sha256},
        "sizes": [task.checkpoint.network.config.image_size, task.upscaler.network.config.image_size],
        "steps": steps,
        "guidance": guidance,
        "buckets": cascade.side_by_side(model.readings, large.readings),
        "readings": [asdict(reading) for reading in large.readings],
    }


def _ways(task: Task, model: Gallery, large: Gallery | None) -> dict[str, dict]:
    """One sample of each prompt, the large picture that wins and the answer, read by whoever reads the best
    sample."""
    single = _as_judged(model, cascade.singles(model.readings), task.judge)
    ways = {"single": scores.scores(single)}
    if large:
        chosen = cascade.through_the_funnel(model.readings, large.readings)
        ways["large"] = scores.scores(_as_judged(large, chosen, task.judge))
        answers = _answers(model, large)
        ways["answer"] = scores.scores(_as_judged(answers, range(len(answers.readings)), task.judge))
    return ways


def _answers(model: Gallery, large: Gallery) -> Gallery:
    """The answer to each prompt, small or large."""
    chosen = cascade.answers(model.readings, large.readings)
    places = [(large if enlarged else model, index) for index, enlarged in chosen]
    return Gallery(
        [one.pictures[index] for one, index in places], [one.readings[index] for one, index in places]
    )


def _winners(gallery: Gallery, judge: Reader | None) -> list[Reading]:
    """The best sample of each prompt, chosen by the reader, as the judge reads it."""
    return _as_judged(gallery, scores.best_of(gallery.readings), judge)


def _as_judged(gallery: Gallery, chosen: Sequence[int], judge: Reader | None) -> list[Reading]:
    """These pictures as the judge reads them; without one, as they have been read."""
    if judge is None:
        return [gallery.readings[index] for index in chosen]
    return _read(judge, [gallery.pictures[index] for index in chosen]).readings


def _show(result: dict, with_errors: bool) -> None:
    print(scores.table(result["buckets"]))
    faces, ceiling = result["faces"]["held_out_ceiling"], result["buckets"][OVERALL]["held_out_ceiling"]
    if ceiling is None:
        print("\nThe ceiling in held-out faces is not known: this machine has none that the prompts fit in.")
    else:
        print(f"\nThe ceiling in {faces} held-out faces: EM {ceiling['em']:.3f}, NED {ceiling['ned']:.3f}.")
    if large := result.get("upscaled"):
        print(f"\nThe same pictures enlarged by {large['weights']['name']}, {large['steps']} steps:\n")
        print(cascade.side_by_side_table(large["buckets"], *large["sizes"]))
    if rows := result.get("upscaler_sweep"):
        print(f"\nThe same with other steps:\n\n{cascade.sweep_table(rows)}")
    if best := result.get("best_of"):
        print(f"\nBest of {best['samples']}, chosen by {best['chosen_by']}, read by {best['read_by']}:\n")
        print(scores.table(best["buckets"]))
        print(f"\nThe best against one sample, both read by {best['read_by']}:\n")
        print(cascade.comparison_table(best))
    if with_errors:
        print(f"\n{errors.tables(result['errors'])}")


def _write(
    result: dict, task: Task, model: Gallery, large: Gallery | None, options: argparse.Namespace
) -> None:
    if options.keep:
        keep_pictures(options.keep, model.pictures)
    if options.keep and large:
        keep_pictures(options.keep / "enlarged", large.pictures)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.log:
        with options.log.open("a") as log:
            log.write(json.dumps(curve.log_line(task.checkpoint.info, result["buckets"])) + "\n")
    if options.failures:
        pictures = [one.picture for one in model.pictures]
        sheet = failures.contact_sheet(pictures, model.readings, options.seed)
        if sheet is None:
            print(f"\nNo sample failed: there is nothing to show in {options.failures}.")
        else:
            Image.fromarray(sheet).save(options.failures, "PNG")


def _parser() -> argparse.ArgumentParser:
    default = Request(text="")
    parser = argparse.ArgumentParser(description="How well a model spells, beside the reader's ceiling.")
    parser.add_argument("--prompts", type=Path, help="JSON lines with text and bucket")
    parser.add_argument(
        "--short-lines", action="store_true", help="break the prompts' long lines, as the page offers to do"
    )
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--upscaler-weights", type=Path, help="enlarge every picture, and read it once more")
    parser.add_argument("--upscaler-steps", type=int, nargs="+", default=[default.upscaler_steps])
    parser.add_argument("--upscaler-guidance", type=float, nargs="+", default=[UPSCALER_GUIDANCE])
    parser.add_argument("--samples", type=int, default=1, help="pictures per prompt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=default.steps)
    add_guidance_options(parser)
    parser.add_argument("--shift", type=float, default=SHIFT, help="how far the steps lean towards the noise")
    parser.add_argument("--reader", choices=READERS, default="rapidocr")
    parser.add_argument("--judge", choices=READERS, help="reads the best samples, which --reader chooses")
    parser.add_argument("--fonts", choices=FONT_SETS, default="first", help="of the clean renders")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write the whole report here")
    parser.add_argument("--errors", action="store_true", help="print what goes wrong where, too")
    parser.add_argument("--keep", type=Path, help="write every picture here, with an index")
    parser.add_argument("--failures", type=Path, help="write a contact sheet of failures here, as PNG")
    parser.add_argument("--log", type=Path, help="add the scores to this log.jsonl of the training run")
    parser.add_argument(
        "--curve",
        type=Path,
        nargs="+",
        metavar="LOG",
        help="show one run's logs, earliest first; draw no samples",
    )
    parser.add_argument("--figure", type=Path, help="write the curve here, as PNG")
    return parser


if __name__ == "__main__":
    main()
