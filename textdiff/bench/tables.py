"""The answer to one question of the bench as a table, for people, for Markdown and for JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | float | int | bool | None


@dataclass(frozen=True)
class Table:
    """Every row has a cell for each column; None is what could not be measured here."""

    question: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.question


def as_text(table: Table) -> str:
    """The columns under each other; the first one to the left, the others to the right."""
    lines = [list(table.columns), *([shown(cell) for cell in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    ]
    return "\n".join([table.question, "-" * len(table.question), *padded, *table.notes])


def as_markdown(tables: Sequence[Table]) -> str:
    """All tables, as they stand in the README."""
    return "\n\n".join(map(_one_as_markdown, tables))


def as_json(table: Table) -> dict:
    """Rows as objects with the columns' names."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {"question": table.question, "rows": rows, "notes": list(table.notes)}


def _one_as_markdown(table: Table) -> str:
    lines = [
        _line(table.columns),
        _line(["---", *["---:"] * (len(table.columns) - 1)]),
        *(_line([shown(cell) for cell in row]) for row in table.rows),
    ]
    notes = [f"\n{note}" for note in table.notes]
    return "\n".join([f"**{table.question}**", "", *lines, *notes])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def shown(cell: Cell) -> str:
    """Three digits are what a measurement has; a whole number is shown whole."""
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return str(cell)
