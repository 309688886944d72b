"""Gradio is imported without the stubs that it writes for editors."""

import subprocess
import sys

COMPONENT = """
from gradio.components import HTML
from gradio.events import Events

class Mine(HTML):
    EVENTS = [Events.click]
"""
QUICKLY = "from textdiff.ui.quick_import import without_stubs\nwith without_stubs(): import mine"


def test_a_component_gets_a_stub_only_where_nobody_prevents_it(tmp_path):
    source, stub = tmp_path / "mine.py", tmp_path / "mine.pyi"
    source.write_text(COMPONENT)
    run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{QUICKLY}\nmine.Mine('text').click")
    assert not stub.exists()
    run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport mine")
    assert stub.exists()  # which shows that gradio still writes them


def test_afterwards_classes_say_again_where_they_are_from():
    run(
        "import inspect\nfrom textdiff.ui.quick_import import without_stubs\n"
        "with without_stubs(): import gradio\n"
        "assert inspect.getfile(gradio.HTML).endswith('html.py')"
    )


def run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)
