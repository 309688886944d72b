"""What a container, a Space and a proxy are told is true of this repository. No image is built here."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from textdiff.bench.waiting import free_port

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
REQUIREMENTS = (ROOT / "requirements.txt").read_text("utf-8")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, in order: (name, the rest)."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in whole.splitlines() if line]


def only(name: str) -> str:
    (rest,) = [rest for found, rest in instructions() if found == name]
    return rest


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(only("ENV")))


def test_everything_that_is_copied_into_the_image_is_there_and_sent_to_the_builder():
    sent = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert sent[0] == "*"
    copied = [word for name, rest in instructions() if name == "COPY" for word in rest.split()[:-1]]
    assert {f"!{path}" for path in copied} == {line for line in sent if line.startswith("!")}
    assert all((ROOT / path).exists() for path in copied)
    left_out = [line for line in sent[1:] if line[0] not in "!*"]
    assert left_out and all((ROOT / path).is_dir() for path in left_out)


def test_the_image_has_the_torch_that_the_requirements_name():
    pattern = re.search(r'grep -E "(.+?)" ', dict(instructions()[:4])["RUN"]).group(1)
    pinned = [line for line in REQUIREMENTS.splitlines() if re.search(pattern, line)]
    assert [line.split("==")[0] for line in pinned] == ["torch", "torchvision"]


def test_the_app_does_not_run_as_root():
    names = [name for name, _ in instructions()]
    assert only("USER") != "root" and names.index("USER") < names.index("ENTRYPOINT")
    assert names.index("USER") > max(at for at, name in enumerate(names) if name in ("COPY", "RUN"))


def test_the_command_of_the_image_starts_a_page_that_its_health_check_finds(tmp_path):
    told = environment() | {"TEXTDIFF_PORT": str(free_port())}
    entrypoint, check = json.loads(only("ENTRYPOINT")), json.loads(only("HEALTHCHECK").split("CMD ")[1])
    assert entrypoint[0] == check[0] == "python" and environment()["TEXTDIFF_PORT"] == only("EXPOSE")
    surroundings = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | told
    surroundings |= {
        "HOME": str(tmp_path),
        "TEXTDIFF_HOST": "127.0.0.1",
    }  # a test listens to this machine alone
    with subprocess.Popen(
        [sys.executable, *entrypoint[1:]], cwd=ROOT, env=surroundings, stdout=subprocess.DEVNULL
    ) as app:
        try:
            healthy = [sys.executable, *check[1:]]
            for _ in range(300):
                if not subprocess.run(healthy, env=surroundings, stderr=subprocess.DEVNULL).returncode:
                    break
                assert app.poll() is None
                time.sleep(0.1)
            with urllib.request.urlopen(f"http://127.0.0.1:{told['TEXTDIFF_PORT']}/") as answer:
                assert b"textdiff" in answer.read()
        finally:
            app.terminate()
    assert app.returncode == 0
    assert subprocess.run(healthy, env=surroundings, stderr=subprocess.DEVNULL).returncode


@pytest.mark.parametrize("told", [["--port", "x"], ["--queue", "0"]])
def test_what_makes_no_sense_is_said_in_one_sentence(told):
    done = subprocess.run([sys.executable, "app.py", *told], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "error:" in done.stderr and "Traceback" not in done.stderr


def test_the_space_runs_the_image_at_the_port_that_it_opens():
    _, front, rest = (DEPLOY / "space" / "README.md").read_text("utf-8").split("---\n", 2)
    space = yaml.safe_load(front)
    assert space["sdk"] == "docker" and str(space["app_port"]) == only("EXPOSE")
    assert space["license"] == "mit" and len(space["short_description"]) <= 60
    assert "deploy/space/README.md README.md" in rest


def test_a_proxy_keeps_a_visitor_at_one_page_and_holds_nothing_back():
    lines = (DEPLOY / "nginx.conf").read_text("utf-8")
    assert re.search(r"hash \$textdiff_visitor consistent;", lines) and lines.count("    server 127") == 2
    for setting in ("proxy_buffering off;", "proxy_set_header X-Forwarded-Host $http_host;", "Set-Cookie"):
        assert setting in lines
    assert lines.count("{") - lines.count("http { }") == lines.count("}") - lines.count("http { }")
