"""Puts the figures of the shipped weights into the README, from the reports that lie beside them.

python -m textdiff.training.readme_tables [--readme README.md]

A table stands between <!-- NAME --> and <!-- /NAME -->, with words of ours below it, which stay. One whose
report is not there stays, too.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from textdiff.training import cascade, scores
from textdiff.weight_files import SHIPPED

README = SHIPPED.parents[2] / "README.md"
# What fills the block of this name: a report of evaluate.py beside the weights, and the table made of it.
BLOCKS = {
    "report": ("first-words-report.json", lambda report: scores.table(report["buckets"])),
    # With --upscaler-weights.
    "large": (
        "first-words-report.json",
        lambda report: cascade.side_by_side_table(
            report["upscaled"]["buckets"], *report["upscaled"]["sizes"]
        ),
    ),
    # With several samples, and a judge.
    "funnel": (
        "first-words-funnel-report.json",
        lambda report: cascade.comparison_table(report["best_of"]),
    ),
}


def filled(readme: str, reports: Path) -> str:
    """The README with the tables of the reports in this folder. Raises ValueError with one sentence."""
    for name, (report, table) in BLOCKS.items():
        if (file := reports / report).exists():
            readme = with_table(readme, name, table(json.loads(file.read_text(encoding="utf-8"))))
    return readme


def with_table(readme: str, name: str, table: str) -> str:
    """The README with this table in the block `name`, in the place of the one that it has."""
    block = re.compile(rf"(<!-- {name} -->\n)(?:\|[^\n]*\n)*(.*?<!-- /{name} -->)", re.DOTALL)
    if len(block.findall(readme)) != 1:
        raise ValueError(f"The README has no place, or several, for the table {name!r}.")
    return block.sub(lambda match: f"{match[1]}{table}\n{match[2]}", readme)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Put the figures of the shipped weights into the README.")
    parser.add_argument("--readme", type=Path, default=README)
    options = parser.parse_args(arguments)
    try:
        text = filled(options.readme.read_text(encoding="utf-8"), SHIPPED.parent)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    options.readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
