"""Write a text from the command line.

python -m textdiff.write --text $'Hello\\nworld' --candidates 4 --seed 7 --out DIR
"""

import argparse
import json
import sys
from dataclasses import asdict, fields
from pathlib import Path
from types import ModuleType

from tqdm import tqdm

from textdiff import notebook, run_folder
from textdiff.checkpoints import load_checkpoint
from textdiff.guidance_options import add_guidance_options
from textdiff.readers import READERS
from textdiff.request_rules import filled_in
from textdiff.trajectory import Candidate, Generation, Request, Upscaled
from textdiff.weight_files import SHIPPED, upscaler_beside
from textdiff.writer import Progress, Writer


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    try:
        checkpoint, upscaler = load_checkpoint(options.weights, options.device), None
        large_weights = options.upscaler_weights or upscaler_beside(options.weights)
        if options.upscaled and large_weights:
            upscaler = load_checkpoint(large_weights, options.device)
        said = {field.name: getattr(options, field.name) for field in fields(Request)}
        request = Request(**filled_in(said, checkpoint.network.config.distilled_guidance))
        writer = Writer(checkpoint, upscaler, options.allow_download)
        generation = _written(writer, request)
        if options.out:
            run_folder.save(generation, options.out)
    except ValueError as error:
        sys.exit(str(error))
    print(json.dumps(ranking(generation), indent=1) if options.json else table(generation))


def _written(writer: Writer, request: Request) -> Generation:
    total = request.steps + (request.upscaler_steps if request.upscaled else 0)
    with tqdm(total=total, unit="step", file=sys.stderr) as bar:
        for event in writer.write(request):
            if isinstance(event, Progress) and event.stage != "reading":
                before = request.steps if event.stage == "upscaling" else 0
                bar.update(before + event.step - bar.n)
    return event


def ranking(generation: Generation) -> dict:
    """The run's rankings as plain values, best candidate and best large picture first."""
    return {
        "text": generation.request.text,
        "model": generation.model,
        "reader": generation.reader,
        "seconds": generation.seconds,
        "best": generation.best,
        "ranking": [{"candidate": one.index} | _judged(one) for one in generation.ranking],
        "upscaler": generation.upscaler,
        "best_upscaled": generation.best_upscaled,
        "winner": "candidate" if isinstance(generation.winner, Candidate) else "upscaled",
        "upscaled": [
            {"upscaled": one.index, "candidate": one.source} | _judged(one)
            for one in generation.upscaled_ranking
        ],
    }


def _judged(picture: Candidate | Upscaled) -> dict:
    return {
        "seed": picture.seed,
        "read": picture.reading.text,
        "confidence": round(picture.reading.confidence, 4),
        **asdict(picture.verdict),
    }


def table(generation: Generation) -> str:
    """The rankings for people."""
    heading = f"{'seed':>10} {'similarity':>10} {'edits':>5}  read by {generation.reader}"
    lines = [f"{'rank':>4} {'candidate':>9} {heading}"]
    lines += [f"{one.verdict.rank:>4} {one.index:>9} {_row(one)}" for one in generation.ranking]
    if generation.upscaled:
        lines += ["", f"{'rank':>4} {'enlarges':>9} {heading}"]
        lines += [f"{one.verdict.rank:>4} {one.source:>9} {_row(one)}" for one in generation.upscaled_ranking]
    return "\n".join(lines)


def _row(picture: Candidate | Upscaled) -> str:
    verdict = picture.verdict
    return (
        f"{picture.seed:>10} {verdict.similarity:>10.3f} {verdict.edit_distance:>5}  "
        f"{picture.reading.text!r}  {verdict.rule}"
    )


def _parser() -> argparse.ArgumentParser:
    default = Request(text="")
    parser = argparse.ArgumentParser(description="Write a text into pictures, read them back, and rank them.")
    parser.add_argument(
        "--text", required=True, help="what the picture should say, lines separated by line breaks"
    )
    parser.add_argument("--out", type=Path, help="run folder to write")
    parser.add_argument("--candidates", type=int, default=default.candidates)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--steps", type=int, default=default.steps)
    add_guidance_options(parser)
    parser.add_argument("--reader", choices=READERS, default=default.reader)
    parser.add_argument("--keep-only-if-above", type=float, default=default.keep_only_if_above)
    parser.add_argument("--delete-under", type=float, default=default.delete_under)
    parser.add_argument(
        "--no-watch",
        dest="watch",
        action="store_false",
        help="do not keep the attention maps (smaller, faster)",
    )
    parser.add_argument(
        "--no-readability",
        dest="readability",
        action="store_false",
        help="do not read the best candidate's guess at every step (faster)",
    )
    parser.add_argument(
        "--upscaled", type=int, default=default.upscaled, help="large pictures to draw from those kept"
    )
    parser.add_argument("--upscaler-steps", type=int, default=default.upscaler_steps)
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="the .safetensors file of the model")
    parser.add_argument(
        "--upscaler-weights",
        type=Path,
        help="of the upscaler; without it NAME-upscaler.safetensors beside the model's NAME.safetensors",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--allow-download", action="store_true", help="let EasyOCR fetch its weights")
    parser.add_argument("--json", action="store_true", help="print the ranking as JSON")
    return parser


class _CallableModule(ModuleType):
    """Whoever imports this module puts it where the package has its function `write`; so it does the same."""

    __call__ = staticmethod(notebook.write)


sys.modules[__name__].__class__ = _CallableModule

if __name__ == "__main__":
    main()
