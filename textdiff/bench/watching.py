"""What does watching cost? The same run unwatched, watched, and watched and saved as a run folder."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from textdiff import run_folder
from textdiff.bench.measure import Setting, interleaved, peak_memory
from textdiff.bench.tables import Table
from textdiff.trajectory import Generation, Request
from textdiff.writer import Writer

TEXT = "Good\nmorning"
TIME_LIMIT, MEMORY_LIMIT = 1.15, 300  # times an unwatched run; MB more than it


def table(setting: Setting, writer: Writer | None = None) -> Table:
    """Time and memory of a run with the default number of candidates."""
    writer = writer or Writer(setting.checkpoint)
    text = TEXT if writer.limits.max_characters >= len(TEXT) else "Hi"
    request = replace(setting.request(text), readability=False)
    with tempfile.TemporaryDirectory() as folder:
        run(writer, replace(request, watch=False))  # what only a first run needs is not what watching costs
        cases = _cases(writer, request, Path(folder))
        memory = {name: peak_memory(case) for name, case in cases.items()}
        times = interleaved(cases, setting.repeats, warm=False)
    least = memory["unwatched"]
    return Table(
        question="Watching: what does it cost to keep what the viewer shows?",
        columns=("run", "seconds", "times unwatched", "limit", "MB", "MB more", "limit of that"),
        rows=tuple(
            (
                name,
                times.seconds(name),
                times.ratio(name, "unwatched"),
                None if name == "unwatched" else f"{TIME_LIMIT:.2f}",
                memory[name],
                None if least is None or name == "unwatched" else memory[name] - least,
                None if name == "unwatched" else str(MEMORY_LIMIT),
            )
            for name in cases
        ),
        notes=(f"{request.candidates} candidates, {request.steps} steps, drawn and read.",),
    )


def _cases(writer: Writer, watched: Request, folder: Path) -> dict[str, Callable[[], object]]:
    return {
        "unwatched": lambda: run(writer, replace(watched, watch=False)),
        "every attention map kept": lambda: run(writer, watched),
        "the same, saved as a run folder": lambda: run_folder.save(
            run(writer, watched), tempfile.mkdtemp(dir=folder)
        ),
    }


def run(writer: Writer, request: Request) -> Generation:
    """The whole run."""
    *_, generation = writer.write(request)
    return generation
