"""Every action of the page has an endpoint for programs, which says what it is for and what went wrong."""

import base64
import inspect
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl
from urllib.request import urlopen

import numpy as np
import pytest
from fake_writer import FakeWriter
from fakes import fake_generation
from gradio.utils import get_function_description
from gradio_client import Client
from PIL import Image

from textdiff import run_loading
from textdiff.picture_settings import read_settings
from textdiff.request_link import from_query
from textdiff.request_rules import checked
from textdiff.trajectory import Request
from textdiff.ui.answering import EXPERIMENTS
from textdiff.ui.endpoints import OUR_FAULT, Endpoints
from textdiff.ui.page import build_page
from textdiff.ui.run_store import RunStore, address
from textdiff.ui.serving import launch_settings

# Gradio's own statistics use what pandas has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:::gradio.queueing")

ROOT = Path(__file__).parents[1]
NAMES = (*Endpoints.of_model, *Endpoints.of_files)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    recorded, runs = tmp_path_factory.mktemp("recorded"), tmp_path_factory.mktemp("runs")
    page = build_page(FakeWriter, recorded, runs)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_settings(recorded, runs))
    yield SimpleNamespace(url=url, client=Client(url, verbose=False))
    page.close()


@pytest.fixture(scope="module")
def client(served):
    return served.client


@pytest.fixture(scope="module")
def written(client):
    # The text is tidied.
    return client.predict(text="Hi\n\nyou ", candidates=2, steps=3, seed=9, api_name="/write")


@pytest.fixture
def run(written):
    return written["run"]


def file_at(address: str) -> Path:
    return Path("/" + address.removeprefix("gradio_api/file=").strip("/"))


def picture(address: str) -> np.ndarray:
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    return np.array(Image.open(io.BytesIO(base64.b64decode(data))))


def sentence(client, name: str, *arguments, **named) -> str:
    """What the caller is told who asks so."""
    with pytest.raises(Exception) as told:
        client.predict(*arguments, **named, api_name=name)
    return str(told.value)


def test_write_answers_with_the_ranking_and_the_run(client, written):
    assert [candidate["verdict"]["rank"] for candidate in written["ranking"]] == [1, 2]
    assert written["best"] == written["ranking"][0]["index"]
    values = json.loads((file_at(written["run"]) / "run.json").read_text())
    assert values["request"]["text"] == "Hi\nyou" and values["reader"] == written["reader"]


def test_write_says_how_far_it_has_got(client):
    *progress, last = client.submit(text="Ho", steps=2, candidates=1, api_name="/write")
    assert progress == [
        {"stage": stage, "step": step, "steps": 2}
        for stage, step in [("denoising", 1), ("denoising", 2), ("reading", 2)]
    ]
    assert last["ranking"][0]["seed"] == Request(text="").seed


def test_write_has_large_pictures_where_they_are_asked_for(client, written):
    assert written["upscaled"] == []
    large = client.predict(text="Ho", candidates=2, steps=1, upscaled=3, upscaler_steps=2, api_name="/write")
    assert [one["verdict"]["rank"] for one in large["upscaled"]] == [1, 2, 3]
    assert {one["source"] for one in large["upscaled"]} == {0, 1}
    values = json.loads((file_at(large["run"]) / "run.json").read_text())
    assert len(values["upscaling"]["steps"]) == values["request"]["upscaler_steps"] == 2


def test_a_muted_character_changes_what_is_read(client, run):
    answer = client.predict(run, character=2, api_name="/mute")
    assert (answer["before"]["text"], answer["after"]["text"]) == ("Hi\nyou", "Hx\nyou")
    assert picture(answer["change"]["picture"]).shape == (64, 64)


def test_self_attention_has_a_map_for_every_place(client, run):
    (layer,) = client.predict(run, step=1, api_name="/self_attention")["layers"]
    assert picture(layer["picture"]).shape == (layer["resolution"] ** 2,) * 2


def test_guidance_has_eleven_guesses(client, run):
    assert picture(client.predict(run, step=1, api_name="/guidance")["picture"]).shape == (64, 11 * 64, 3)


def test_a_branch_has_both_runs(client, run):
    answer = client.predict(run, step=1, text="Ho\nyou", api_name="/branch")
    assert (answer["old"]["text"], answer["new"]["text"]) == ("Hi\nyou", "Ho\nyou")
    assert {picture(answer[side]["picture"]).shape for side in ("old", "new")} == {(64, 3 * 64, 3)}


def test_a_branch_is_a_run_of_its_own_that_can_be_taken_along_but_not_asked_about(client, run):
    new = client.predict(run, step=1, text="Ho\nyou", api_name="/branch")["run"]
    branch = run_loading.load(file_at(new))
    assert branch.request.text == "Ho\nyou" and branch.origin.text == "Hi\nyou" and branch.origin.step == 1
    assert client.predict(new, api_name="/settings")["origin"]["text"] == "Hi\nyou"
    file = file_at(client.predict(new, "zip", api_name="/export")["address"])
    assert run_loading.load(file).origin == branch.origin
    assert "no request gives it again" in sentence(client, "/guidance", new, 1)
    assert "no settings give it again" in sentence(client, "/export", new, "png")


@pytest.mark.parametrize("name", ["/ddim_against_ddpm", "/half_of_a_longer_run"])
def test_a_probe_has_both_runs(client, run, name):
    answer = client.predict(run, api_name=name)
    assert {picture(answer[side]["picture"]).shape for side in ("old", "new")} == {(64, 3 * 64, 3)}


def test_an_experiment_is_about_the_candidate_that_is_asked_for(written, tmp_path):
    asked = []

    class Curious(FakeWriter):
        def guided(self, request, candidate, step, scales):
            asked.append((request, candidate, step))
            yield from super().guided(request, candidate, step, scales)

    endpoints = Endpoints(Curious, None, tmp_path, file_at(written["run"]).parent)
    seeds = [candidate["seed"] for candidate in sorted(written["ranking"], key=lambda one: one["index"])]
    for candidate, seed in [(0, seeds[0]), (1, seeds[1]), (None, seeds[written["best"]])]:
        list(endpoints.guidance(written["run"], 2, candidate))
        request, *rest = asked.pop()
        assert (request.seed, request.candidates, request.text) == (seed, 1, "Hi\nyou") and rest == [0, 2]


def test_the_settings_of_a_run_and_of_its_picture_are_those_that_were_asked_for(client, run):
    wanted = Request(text="Hi\nyou", candidates=2, steps=3, seed=9)
    of_run = client.predict(run, api_name="/settings")
    file = file_at(client.predict(run, "png", api_name="/export")["address"])
    assert read_settings(file) == wanted
    encoded = base64.b64encode(file.read_bytes()).decode()
    for answer in (of_run, client.predict(encoded, api_name="/settings_of_picture")):
        assert checked(answer["request"]) == wanted
        assert Request(**from_query(dict(parse_qsl(answer["link"]))).fields) == wanted
    assert of_run["sha256"] == "0" * 64 and of_run["origin"] is None


@pytest.mark.parametrize("kind", ["replay", "zip", "gif", "webp", "png"])
def test_a_run_is_exported_as_a_file_that_the_page_serves(client, served, run, kind):
    answer = client.predict(run, kind, api_name="/export")
    content = urlopen(served.url + answer["address"]).read()
    assert content == file_at(answer["address"]).read_bytes() and len(content) > 100


def test_whoever_asks_wrongly_is_told_in_one_sentence(client, run):
    assert "never seen these characters: 'é'" in sentence(client, "/write", "é")
    assert "Seed must be a whole number" in sentence(client, "/write", "e", seed=-1)
    assert "Candidates must be a whole number" in sentence(client, "/write", "e", candidates="4")
    assert "Sampler must be one of" in sentence(client, "/write", "e", sampler="euler")
    assert "A request needs a text" in sentence(client, "/write", None)
    assert "no longer there" in sentence(client, "/mute", "gradio_api/file=/etc/", 1)
    assert "no longer there" in sentence(client, "/settings", None)
    assert "no longer there" in sentence(client, "/export", run, "../zip")
    assert "from 0 to 1" in sentence(client, "/mute", run, 1, candidate=2)
    assert "from 0 to 1" in sentence(client, "/half_of_a_longer_run", run, candidate=True)
    assert "did not say its step" in sentence(client, "/guidance", run, "1")
    assert "did not say its token" in sentence(client, "/mute", run, None)
    assert "did not say its eta" in sentence(client, "/branch", run, 1, eta="much")
    assert "base64" in sentence(client, "/settings_of_picture", "%%")
    assert "no picture of textdiff" in sentence(client, "/settings_of_picture", "aGFsbG8=")


def test_what_is_our_fault_is_told_without_details(client, caplog):
    told = sentence(client, "/write", "fail", steps=2)
    assert OUR_FAULT in told and "secret" not in told and "secret detail" in caplog.text


def test_a_run_that_was_stopped_is_not_asked_about(tmp_path):
    stopped = replace(fake_generation(steps=2), stopped=True)
    folder = RunStore(folder=tmp_path).save(stopped)
    endpoints = Endpoints(FakeWriter, None, tmp_path / "recorded", tmp_path)
    with pytest.raises(Exception, match="stopped early"):
        list(endpoints.mute(address(folder), 1))


def test_nothing_else_is_public(client):
    api = client.view_api(return_format="dict", print_info=False)
    assert sorted(api["named_endpoints"]) == sorted(f"/{name}" for name in NAMES)
    assert not api["unnamed_endpoints"]
    assert len(NAMES) == 1 + len(EXPERIMENTS) + 3


@pytest.mark.parametrize("name", NAMES)
def test_an_endpoint_says_what_it_does_what_it_takes_and_what_comes_back(client, name):
    function = getattr(Endpoints, name)
    description, parameters, returns = get_function_description(function)
    served = client.view_api(return_format="dict", print_info=False)["named_endpoints"][f"/{name}"]
    assert served["description"].startswith(description) and description.endswith((".", "?"))
    assert returns and all(said for name, said in parameters.items() if name != "self")
    hints = [one.annotation for one in inspect.signature(function).parameters.values() if one.name != "self"]
    assert hints and inspect.Parameter.empty not in hints
    assert [one["parameter_name"] for one in served["parameters"]] == list(parameters)[1:]


def test_the_example_of_the_readme_runs_and_its_table_is_whole(served, monkeypatch, tmp_path):
    readme = (ROOT / "README.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(from urllib.*?)```", readme, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example.replace("http://127.0.0.1:7860/", served.url), {})
    assert read_settings(tmp_path / "textdiff-picture.png") == Request(text="Hello", candidates=2, seed=7)
    assert set(re.findall(r"^\| `/(\w+)` \|", readme, re.MULTILINE)) == set(NAMES)
