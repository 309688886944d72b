"""How the page is served: to this machine only unless asked otherwise, and without a word to any other."""

from pathlib import Path

from textdiff.ui.theme import CSS, theme
from textdiff.ui.viewer_files import FILM


def launch_settings(recorded_runs: Path, runs: Path) -> dict:
    """Arguments for `launch` of the page that `build_page` made with the same two folders."""
    return {
        "server_name": "127.0.0.1",
        "share": False,
        "allowed_paths": [str(folder.resolve()) for folder in (recorded_runs, runs, FILM)],
        "max_file_size": "1mb",  # a small picture with settings is all that there is to upload
        "strict_cors": True,
        "show_error": False,  # no traceback for visitors
        "enable_monitoring": False,
        "run_history": False,  # computers in a classroom are shared
        "ssr_mode": False,
        "state_session_capacity": 200,
        "footer_links": ["api"],
        "theme": theme(),
        "css": CSS,
    }
