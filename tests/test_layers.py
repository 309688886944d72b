"""Imports point one way, and importing does nothing else.

The list of layers is the architecture: a file may import what stands on a line above its own, and nothing
that stands on its own line or below. Whoever adds a file gives it a place.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

LAYERS = (
    "alphabet config trajectory similarity pixels noise_schedule prediction eight_bits weight_files",
    "figures ranking typed_text run_json experiments experiments.records",
    "run_loading request_rules animation cost",
    "run_folder request_link picture_settings guidance_options",
    # the network
    "networks networks.blocks",
    "networks.text_encoder networks.weave",
    "networks.unet",
    "networks.upscaler",
    "attention_capture attention_mute checkpoints cuda_graph",
    # asking it
    "denoiser",
    "samplers",
    "step_records model_rules",
    # reading the answer
    "readers.lines",
    "readers.rapidocr readers.easyocr readers.tesseract",
    "readers",
    # the parts together, and who uses them
    "writer",
    "notebook experiments.replay",
    "textdiff write",
    "experiments.branch experiments.guidance experiments.self_attention",
    "experiments.laboratory",
    "ui ui.quick_import ui.theme ui.run_store ui.lesson_path ui.live_training ui.write_panel",
    "ui.viewer_files",
    "ui.viewer_component ui.replay_page",
    "export",
    "ui.run_cache ui.experiments_panel ui.sharing",
    "ui.endpoints",
    "ui.answering ui.form_filling ui.writing",
    "ui.line",
    "ui.serving ui.page",
    "app",
    # how fast all that is
    "bench bench.tables bench.browser",
    "bench.measure",
    "bench.rivals bench.calls bench.watching bench.waiting bench.growth bench.redraw",
    "bench.processor bench.truth bench.gpu",
    "bench.__main__",
    # last, for nobody else may import it
    "training training.transfer",
    "training.chance training.distillation training.ema training.fonts training.optimizer",
    "training.text_source",
    "training.loss training.backgrounds training.long_text training.own_steps training.small_pictures",
    "training.render training.run_state training.film_strip training.scores",
    "training.dataset training.samples training.cascade",
    "training.letter_gap training.curve training.errors training.extrapolation training.failures",
    "training.contact_sheet training.evaluate training.film training.readme_tables training.train",
    "training.ablate",
)
LAYER = {module: number for number, line in enumerate(LAYERS) for module in line.split()}


class Import(NamedTuple):
    """One imported module, by its full name."""

    name: str
    at_import: bool  # False: inside a function, so that it happens when that is called
    for_types_only: bool = False


def files() -> dict[str, Path]:
    """Name as in LAYERS -> file."""
    found = {"app": ROOT / "app.py"}
    for path in (ROOT / "textdiff").rglob("*.py"):
        parts = path.relative_to(ROOT / "textdiff").with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__") or "textdiff"] = path
    return found


def imports(tree: ast.AST, at_import: bool = True, for_types_only: bool = False) -> Iterator[Import]:
    """Every import in the tree; `from a import b` counts as a.b, which may be a module or not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, at_import, for_types_only) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            yield from (
                Import(f"{node.module}.{alias.name}", at_import, for_types_only) for alias in node.names
            )
        else:
            a_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            a_guard = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
            yield from imports(node, at_import and not a_function, for_types_only or a_guard)


def ours(name: str) -> str | None:
    """The module of ours, as in LAYERS, that an imported name lies in; None for other people's."""
    if name.split(".")[0] != "textdiff":
        return None
    parts = name.split(".")[1:]
    for length in range(len(parts), 0, -1):
        if (module := ".".join(parts[:length])) in LAYER:
            return module
    return "textdiff"


@pytest.fixture(scope="module")
def graph() -> dict[str, list[Import]]:
    """Name as in LAYERS -> its imports."""
    return {name: list(imports(ast.parse(path.read_text("utf-8")))) for name, path in files().items()}


def reach(graph: dict[str, list[Import]], module: str) -> set[str]:
    """The packages of other people that come along when `module` is used, by way of ours."""
    seen, waiting, packages = set(), [module], set()
    while waiting:
        if (module := waiting.pop()) in seen:
            continue
        seen.add(module)
        for found in graph[module]:
            if found.for_types_only:
                continue
            if inner := ours(found.name):
                waiting.append(inner)
            else:
                packages.add(found.name.split(".")[0])
    return packages


def test_every_way_to_import_is_seen():
    source = """
import textdiff.writer as w, os
from textdiff import alphabet, figures
from textdiff.readers import READERS, lines
if typing.TYPE_CHECKING:
    from textdiff.ui.page import build_page
class A:
    def b(self):
        try:
            import gradio.themes
        except ImportError: pass
"""
    found = list(imports(ast.parse(source)))
    assert [ours(one.name) for one in found] == [
        *["writer", None, "alphabet", "figures", "readers", "readers.lines", "ui.page", None]
    ]
    assert [one.name for one in found if not one.at_import] == ["gradio.themes"]
    assert [one.name for one in found if one.for_types_only] == ["textdiff.ui.page.build_page"]


def test_every_file_has_one_place():
    assert sorted(files()) == sorted(name for line in LAYERS for name in line.split())


def test_imports_go_up_the_list_only(graph):
    for module, found in graph.items():
        for target in {ours(one.name) for one in found} - {None}:
            assert LAYER[target] < LAYER[module], f"{module} may not import {target}"


def test_only_training_imports_training(graph):
    users = {
        module
        for module, found in graph.items()
        for one in found
        if (ours(one.name) or "").startswith("training")
    }
    assert users and all(module.startswith("training.") for module in users)


def test_only_the_page_knows_gradio(graph):
    users = {module for module, found in graph.items() for one in found if one.name.split(".")[0] == "gradio"}
    assert users and all(module == "app" or module.startswith("ui.") for module in users)


@pytest.mark.parametrize("engine", ["easyocr", "rapidocr", "pytesseract", "onnxruntime"])
def test_an_engine_is_imported_by_its_reader_when_that_is_opened(graph, engine):
    users = {
        (module, one.at_import)
        for module, found in graph.items()
        for one in found
        if one.name.split(".")[0] == engine and module != "bench.rivals"  # which runs our network with it
    }
    assert len(users) == 1
    ((module, at_import),) = users
    assert module.startswith("readers.") and not at_import


TORCH_FREE = {
    "alphabet",
    "config",
    "trajectory",
    "run_folder",
    "run_loading",
    "run_json",
    "pixels",
    "figures",
    "similarity",
    "ranking",
    "experiments.records",
    "request_rules",
    "request_link",
    "picture_settings",
    "animation",
    "export",
}


def test_the_record_of_a_run_and_the_page_do_without_torch(graph):
    assert "torch" in reach(graph, "writer")
    for module in TORCH_FREE | {module for module in graph if module.split(".")[0] == "ui"}:
        assert "torch" not in reach(graph, module), f"{module} may not need torch"


def test_nobody_waits_for_matplotlib_before_the_page_answers(graph):
    assert "matplotlib" in reach(graph, "figures")
    for module in ("app", *(module for module in graph if module.split(".")[0] == "ui")):
        at_start = {name: [one for one in found if one.at_import] for name, found in graph.items()}
        assert "matplotlib" not in reach(at_start, module), module


def test_whatever_is_imported_is_required(graph):
    names = "requirements.txt", "requirements-dev.txt", "requirements-bench.txt"
    required, *others = (_required(ROOT / name) for name in names)
    optional = set.union(*others)
    distributions = packages_distributions()
    for module, found in graph.items():
        for one in found:
            package = one.name.split(".")[0]
            if ours(one.name) or package in sys.stdlib_module_names:
                continue
            names = {canonicalize_name(name) for name in distributions.get(package, [package])}
            allowed = required if one.at_import else required | optional
            assert names & allowed, f"{module} imports {package}, which no requirements file names"


def _required(path: Path) -> set[str]:
    lines = [line.split("#")[0].strip() for line in path.read_text("utf-8").splitlines()]
    return {canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("-")}


# Runs in a fresh interpreter. An audit hook sees every file that is opened and every folder, process and
# connection that is made, wherever it may lie.
_IMPORT_ALL = """
import importlib, os, sys

for known in ("torch.utils.data", "torch.nn.parallel", "matplotlib.figure", "cv2"):
    importlib.import_module(known)  # matplotlib lists the typefaces of a new machine in a file of its own

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
MAKES = ("os.mkdir", "subprocess.Popen", "socket.connect")
done = []

def notice(event, arguments):
    if event == "open" and arguments[2] & WRITES or event in MAKES:
        done.append((event, str(arguments[0])))

sys.addaudithook(notice)
for name in sys.argv[1:]:
    importlib.import_module(name)
print("done:", done)
heavy = {"gradio", "easyocr", "rapidocr", "onnxruntime", "pytesseract", "matplotlib.pyplot"}
print("imported:", sorted(heavy & set(sys.modules)))
"""


def test_importing_writes_nothing_and_loads_no_engine_and_no_page(tmp_path):
    names = ["app" if name == "app" else f"textdiff.{name}".removesuffix(".textdiff") for name in files()]
    names = [name for name in names if not name.startswith("textdiff.ui")]
    done = subprocess.run(
        [sys.executable, "-B", "-c", _IMPORT_ALL, *names],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["done: []", "imported: []"]
