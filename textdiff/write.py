"""Write a text from the command line.

python -m textdiff.write --text $'Hello\\nworld' --candidates 4 --seed 7 --out DIR
"""

import argparse
import json
import sys
from dataclasses import asdict, fields
from pathlib import Path

from tqdm import tqdm

from textdiff import run_folder
from textdiff.checkpoints import SHIPPED, load_checkpoint
from textdiff.readers import READERS
from textdiff.samplers import STEP_RULES
from textdiff.trajectory import Generation, Request
from textdiff.writer import Progress, Writer


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    request = Request(**{field.name: getattr(options, field.name) for field in fields(Request)})
    try:
        writer = Writer(load_checkpoint(options.weights, options.device), options.allow_download)
        generation = _written(writer, request)
        if options.out:
            run_folder.save(generation, options.out)
    except ValueError as error:
        sys.exit(str(error))
    print(json.dumps(ranking(generation), indent=1) if options.json else table(generation))


def _written(writer: Writer, request: Request) -> Generation:
    with tqdm(total=request.steps, unit="step", file=sys.stderr) as bar:
        for event in writer.write(request):
            if isinstance(event, Progress):
                bar.update(event.step - bar.n)
    return event


def ranking(generation: Generation) -> dict:
    """The run's ranking as plain values, best candidate first."""
    return {
        "text": generation.request.text,
        "model": generation.model,
        "reader": generation.reader,
        "seconds": generation.seconds,
        "best": generation.best,
        "ranking": [
            {
                "candidate": candidate.index,
                "seed": candidate.seed,
                "read": candidate.reading.text,
                "confidence": round(candidate.reading.confidence, 4),
                **asdict(candidate.verdict),
            }
            for candidate in generation.ranking
        ],
    }


def table(generation: Generation) -> str:
    """The ranking for people."""
    lines = [
        f"{'rank':>4} {'candidate':>9} {'seed':>10} {'similarity':>10} {'edits':>5}  "
        f"read by {generation.reader}"
    ]
    for candidate in generation.ranking:
        verdict = candidate.verdict
        lines.append(
            f"{verdict.rank:>4} {candidate.index:>9} {candidate.seed:>10} {verdict.similarity:>10.3f} "
            f"{verdict.edit_distance:>5}  {candidate.reading.text!r}  {verdict.rule}"
        )
    return "\n".join(lines)


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
    parser.add_argument("--sampler", choices=STEP_RULES, default=default.sampler)
    parser.add_argument("--guidance", type=float, default=default.guidance, help="1 means no guidance")
    parser.add_argument("--reader", choices=READERS, default=default.reader)
    parser.add_argument("--keep-only-if-above", type=float, default=default.keep_only_if_above)
    parser.add_argument("--delete-under", type=float, default=default.delete_under)
    parser.add_argument(
        "--no-watch",
        dest="watch",
        action="store_false",
        help="do not keep the attention maps (smaller, faster)",
    )
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="the .safetensors file of the model")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--allow-download", action="store_true", help="let EasyOCR fetch its weights")
    parser.add_argument("--json", action="store_true", help="print the ranking as JSON")
    return parser


if __name__ == "__main__":
    main()
