"""The run on screen as a file to take along, for a visitor who asks for one."""

from pathlib import Path

from textdiff.export import export, write_whole
from textdiff.ui.run_store import address, run_at

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

    `asked` is what came from outside: {"kind": one of NAMES, "run": the address of a run}.
    Raises ValueError with one sentence.
    """
    asked = asked if isinstance(asked, dict) else {}
    kind, folder = str(asked.get("kind")), run_at(asked.get("run"), runs, recorded_runs)
    if kind not in NAMES or folder is None:
        raise ValueError(GONE)
    # Beside the run it goes when the run goes; recorded runs lie in a folder that is not ours to write to.
    place = folder / "shared" if folder.parent == runs else runs / "shared" / folder.name
    if not (file := place / NAMES[kind]).exists():
        write_whole(file, export(folder, kind))
    return {"address": address(place) + NAMES[kind], "name": NAMES[kind]}
