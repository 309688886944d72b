"""The run on screen as a file to take along, for a visitor who asks for one."""

from pathlib import Path

from textdiff.export import export, write_whole
from textdiff.ui.run_store import address

NAMES = {
    "replay": "textdiff-replay.html",
    "zip": "textdiff-run.zip",
    "gif": "textdiff-film.gif",
    "webp": "textdiff-film.webp",
    "png": "textdiff-picture.png",
}
GONE = "This run is no longer there. Runs are kept for a while only; write it again to share it."


def shared(asked, recorded_runs: Path, runs: Path) -> dict[str, str]:
    """The address and the name of the file that a visitor asked for; it is made when it is first asked for.

    `asked` is what came from the browser: {"kind": one of NAMES, "run": the address of a run}. It only ever
    chooses among the runs that there are, so it cannot lead elsewhere; and whoever knows the address of a
    fresh run may see that run. Raises ValueError with one sentence.
    """
    asked = asked if isinstance(asked, dict) else {}
    kind, folder = str(asked.get("kind")), _run_at(asked.get("run"), recorded_runs, runs)
    if kind not in NAMES or folder is None:
        raise ValueError(GONE)
    # Beside the run it goes when the run goes; recorded runs lie in a folder that is not ours to write to.
    place = folder / "shared" if folder.parent == runs else runs / "shared" / folder.name
    if not (file := place / NAMES[kind]).exists():
        write_whole(file, export(folder, kind))
    return {"address": address(place) + NAMES[kind], "name": NAMES[kind]}


def _run_at(wanted, recorded_runs: Path, runs: Path) -> Path | None:
    """The run folder with this address, if there is one."""
    folders = [folder for parent in (runs, recorded_runs) if parent.is_dir() for folder in parent.iterdir()]
    return next((f for f in folders if (f / "run.json").is_file() and address(f) == wanted), None)
