"""The README tells the truth: its map, its links and its commands."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
MAPPED = {".py", ".js", ".css", ".md", ".txt", ".toml"}


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def places(block: str) -> list[str]:
    """The paths of a map, one per line; two more spaces of indentation mean "inside the folder above"."""
    above, found = [], []
    for line in block.splitlines():
        indentation, name = re.fullmatch(r"( *)(\S+)(?: {2,}\S.*)?", line).groups()
        above = above[: len(indentation) // 2]
        found.append("".join([*above, name]))
        above.append(name)
    return found


COMMANDS = [line for block in fenced("sh") for line in block.splitlines()]
(MAP,) = map(places, fenced("text"))


def test_a_map_is_read_by_its_indentation():
    block = "a.py   one\nb/\n  c/     two\n    d.py   three\n  e/f.js  four\ng/   five\n"
    assert places(block) == ["a.py", "b/", "b/c/", "b/c/d.py", "b/e/f.js", "g/"]


def test_every_file_and_folder_is_on_the_map():
    files = [path for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".")]
    files += [path for path in (ROOT / "textdiff").rglob("*") if path.name != "__init__.py"]
    names = {path.relative_to(ROOT).as_posix() for path in files if path.suffix in MAPPED}
    assert names - {"README.md"} - set(MAP) == set()

    folders = [*(ROOT / "assets").iterdir(), *(ROOT / "textdiff").rglob("*")]
    for folder in filter(holds_files, folders):
        name = f"{folder.relative_to(ROOT).as_posix()}/"
        assert any(place.startswith(name) for place in MAP), name


def holds_files(folder: Path) -> bool:
    return any(path.is_file() and path.parent.name != "__pycache__" for path in folder.rglob("*"))


def test_every_place_on_the_map_exists_once():
    assert len(MAP) == len(set(MAP))
    for place in MAP:
        assert (ROOT / place).is_dir() if place.endswith("/") else (ROOT / place).is_file(), place


def test_every_file_that_the_prose_names_exists():
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`([\w./-]+\.(?:py|js|css|txt|LICENSE|md))`", prose)) | {".ci/run", "LICENSE"}
    for name in named:
        assert (ROOT / name).is_file() or (ROOT / "textdiff" / name).is_file(), name


def test_every_link_within_the_repository_leads_somewhere():
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert targets
    for target in targets:
        assert (ROOT / target).is_file(), target


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("python -m")])
def test_a_command_names_a_module_and_options_that_it_has(command):
    _, _, module, *words = shlex.split(command.replace("$'", "'"))
    source = Path(importlib.util.find_spec(module).origin)
    if source.name == "__init__.py":
        source = source.with_name("__main__.py")
    source = source.read_text("utf-8")
    assert '__name__ == "__main__"' in source
    options = [word for word in words if word.startswith("--")]
    assert options
    for option in options:
        assert f'"{option}"' in source, option


def test_the_other_options_that_the_prose_names_exist():
    sources = "".join(
        path.read_text("utf-8") for path in [ROOT / "app.py", *(ROOT / "textdiff").rglob("*.py")]
    )
    options = set(re.findall(r"`(--[\w-]+)", README))
    assert options
    for option in options:
        either = f'"{option.replace("--no-", "--")}",\n        action=argparse.BooleanOptionalAction'
        assert f'"{option}"' in sources or either in sources, option


def test_install_and_open_and_install_and_test_are_one_line_each():
    install = [line for line in COMMANDS if "pip install" in line]
    assert [line.split(" && ")[0] for line in install] == ["python3 -m venv .venv"] * 2
    assert [line.split(" && ")[2] for line in install] == [
        ".venv/bin/python app.py",
        ".venv/bin/python -m pytest",
    ]


def test_the_check_runs_the_readme_line_and_the_linter():
    (line,) = [line for line in COMMANDS if line.endswith("pytest")]
    script = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert f"{line} || exit" in script
    for check in ("ruff check", "ruff format --check"):
        assert f"`{check}`" in README and f".venv/bin/{check} ." in script
