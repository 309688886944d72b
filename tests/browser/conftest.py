"""A page with a fake writer behind it and a real Chromium in front of it."""

import http.server
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from textdiff.bench.browser import FLAGS, find_chromium
from textdiff.ui.viewer_files import SCRIPTS, VIEWER, viewer_style

sys.path.insert(0, str(Path(__file__).parents[1]))


@dataclass
class Site:
    """The served page, its writer and the recorded run that it opens on."""

    url: str
    writer: object
    recorded: Path


@pytest.fixture(scope="session")
def chromium():
    executable = find_chromium()
    if executable is None and not os.environ.get("CI"):
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from fake_writer import FakeWriter
    from fakes import fake_generation

    from textdiff.run_folder import save
    from textdiff.ui.page import build_page
    from textdiff.ui.serving import launch_settings

    recorded_runs, runs = tmp_path_factory.mktemp("recorded"), tmp_path_factory.mktemp("runs")
    recorded = recorded_runs / "hello"
    save(fake_generation("Hello\nworld", candidates=4, steps=12, size=64), recorded)
    writer = FakeWriter()
    page = build_page(lambda: writer, recorded_runs, runs)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_settings(recorded_runs, runs))
    yield Site(url, writer, recorded)
    page.close()


@pytest.fixture
def site(served):
    served.writer.seconds_per_step = 0.0
    return served


@pytest.fixture
def visit(chromium, site):
    """Opens the page as a new visitor; in no test may a request leave this machine or a script fail."""
    contexts, strangers, errors = [], [], []

    def note(request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob", "file") and address.hostname != "127.0.0.1":
            strangers.append(request.url)

    def open_page(width: int = 1280, height: int = 900, url: str | None = None, **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("request", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url or site.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert strangers == []
    assert errors == []


@pytest.fixture(scope="session", autouse=True)
def patience(chromium):
    """Whatever is expected on a page may take its time on a busy machine."""
    from playwright.sync_api import expect

    expect.set_options(timeout=30_000)


@pytest.fixture
def serve(tmp_path):
    """Serves a folder of files and returns its address."""
    handler = partial(_QuietHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def bare(serve, tmp_path):
    """A page with nothing but the viewer in it, which plays a copy of a run folder; returns its address."""

    def make(recorded: Path, change: Callable[[dict], None] = lambda run: None) -> str:
        shutil.copytree(recorded, tmp_path / "run")
        run = json.loads((tmp_path / "run" / "run.json").read_text())
        change(run)
        (tmp_path / "run" / "run.json").write_text(json.dumps(run))
        shutil.copytree(VIEWER, tmp_path, dirs_exist_ok=True)
        scripts = "".join(f"<script src={name}></script>" for name in SCRIPTS)
        (tmp_path / "index.html").write_text(
            f"<!doctype html><meta charset=utf-8><style>{viewer_style()}</style>"
            f"<div id=textdiff></div>{scripts}<script>const element = document.getElementById('textdiff');"
            "viewer = textdiff.mountViewer(element, { runUrl: 'run/' })</script>"
        )
        return f"{serve}/index.html"

    return make


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()
