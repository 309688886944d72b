"""The measuring command for speed: one table per question.

python -m textdiff.bench [--quick | --full] [--only QUESTION ...] [--json FILE] [--markdown FILE]
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from textdiff import alphabet
from textdiff.bench import calls, gpu, growth, processor, redraw, truth, waiting, watching
from textdiff.bench.measure import TEXTS, Setting, machine
from textdiff.bench.tables import Table, as_json, as_markdown, as_text
from textdiff.checkpoints import load_checkpoint
from textdiff.experiments.laboratory import Laboratory
from textdiff.weight_files import SHIPPED, upscaler_beside

QUICK_REPEATS, FULL_REPEATS = 3, 9


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    try:
        setting = _setting(options)
    except ValueError as error:
        sys.exit(str(error))
    tables = []
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    for name, ask in questions(setting, options.weights).items():
        if options.only and name not in options.only:
            continue
        tables.append(ask())
        print(f"\n{as_text(tables[-1])}", flush=True)
    if options.json:
        report = {"machine": machine(), "full": options.full, "questions": [as_json(one) for one in tables]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(as_markdown(tables) + "\n")


def questions(setting: Setting, weights: Path) -> dict[str, Callable[[], Table]]:
    """Name -> what answers it, in the order in which they are asked."""
    large = upscaler_beside(weights)
    laboratory = Laboratory(setting.checkpoint, load_checkpoint(large) if large else None)
    return {
        "calls": lambda: calls.table(setting),
        "processor": lambda: processor.table(setting),
        "gpu": lambda: gpu.table(setting),
        "watching": lambda: watching.table(setting, laboratory),
        "waiting": lambda: waiting.table(setting, laboratory, weights),
        "growth": lambda: growth.table(setting),
        "truth": lambda: truth.table(setting),
        "redraw": lambda: redraw.table(setting, laboratory),
    }


def _setting(options: argparse.Namespace) -> Setting:
    """Raises ValueError with one sentence."""
    if options.threads:
        torch.set_num_threads(options.threads)
    for path in (options.json, options.markdown):
        if path and not path.parent.is_dir():
            raise ValueError(f"There is no folder {path.parent} to put {path.name} into.")
    checkpoint = load_checkpoint(options.weights)
    config = checkpoint.network.config
    texts = load_texts(options.prompts) if options.prompts else TEXTS
    texts = tuple(
        text for text in texts if alphabet.problem_with(text, config.max_characters, config.max_lines) is None
    )
    if not texts:
        raise ValueError("The model can write none of the prompts.")
    quick = Setting(checkpoint=checkpoint, texts=texts, repeats=QUICK_REPEATS)
    return replace(quick, repeats=FULL_REPEATS, full=True) if options.full else quick


def load_texts(path: Path) -> tuple[str, ...]:
    """The "text" of every line of a JSON-lines file. Raises ValueError with one sentence."""
    try:
        return tuple(json.loads(line)["text"] for line in path.read_text().splitlines() if line.strip())
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a file of prompts, one JSON object with text a line.") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="How fast textdiff is, each figure beside its rival or limit."
    )
    much = parser.add_mutually_exclusive_group()
    much.add_argument("--quick", action="store_true", help="under two minutes on two cores; the default")
    much.add_argument("--full", action="store_true", help="more settings, larger sizes, more repeats")
    names = ["calls", "processor", "gpu", "watching", "waiting", "growth", "truth", "redraw"]
    parser.add_argument("--only", nargs="+", choices=names, metavar="QUESTION", help=", ".join(names))
    parser.add_argument("--prompts", type=Path, help="JSON lines with text, for calls and truth")
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--threads", type=int, help="default: torch's own choice")
    parser.add_argument("--json", type=Path, help="write everything here")
    parser.add_argument("--markdown", type=Path, help="write the tables here, as they stand in the README")
    return parser


if __name__ == "__main__":
    main()
