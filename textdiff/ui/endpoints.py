"""Every action of the page for programs: named endpoints with plain arguments, for `gradio_client` and for
HTTP.

The docstrings are part of what is served: Gradio shows their first paragraphs and their lines "name: what it
is" to whoever asks for the description of an endpoint.

What takes time yields how far it has got, {"stage", "step", "steps"} or {"step", "steps"}, and last its
answer; `predict` of the client returns the answer alone. Pictures are data: addresses of PNGs.
"""

import base64
import binascii
import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from textdiff.picture_settings import read_settings
from textdiff.request_link import to_query
from textdiff.request_rules import checked, filled_in, index_problem
from textdiff.trajectory import Request
from textdiff.ui.experiments_panel import (
    branched,
    ddim_against_ddpm,
    guided,
    half_of_a_longer_run,
    muted,
    within,
)
from textdiff.ui.run_cache import RunCache
from textdiff.ui.run_store import address, run_at
from textdiff.ui.sharing import GONE, shared

if TYPE_CHECKING:  # the page answers before torch has been imported
    from textdiff.experiments.laboratory import Laboratory

OUR_FAULT = (
    "Something went wrong here, not with your text; whoever runs this page finds the reason in its log."
)
BRANCHED = "This run left another one on its way, and no request gives it again; ask about the other one."
STOPPED = "This run was stopped early, so it cannot be written again."
DEFAULTS = Request(text="")

log = logging.getLogger(__name__)


def _told(endpoint: Callable[..., Iterator[dict]]) -> Callable[..., Iterator[dict]]:
    """`endpoint`, whose caller is told in one sentence what went wrong."""

    @wraps(endpoint)
    def answer(*arguments, **named) -> Iterator[dict]:
        try:
            yield from endpoint(*arguments, **named)
        except ValueError as problem:
            raise gr.Error(str(problem), print_exception=False) from problem
        except Exception as problem:
            log.exception("An endpoint failed.")
            raise gr.Error(OUR_FAULT, print_exception=False) from problem

    return answer


class Endpoints:
    """What the page does, one method per endpoint, which bears its name."""

    # These need the model, and the others do without.
    of_model = (
        *("write", "mute", "self_attention", "guidance", "branch"),
        *("ddim_against_ddpm", "half_of_a_longer_run"),
    )
    of_files = ("settings", "settings_of_picture", "export")

    def __init__(
        self,
        get_writer: Callable[[], "Laboratory"],
        cache: RunCache,
        recorded_runs: Path,
        runs: Path,
        one_call: bool = False,
    ) -> None:
        """`one_call`: the model has learnt guidance in one call. The rest is the page's own."""
        self._get_writer = get_writer
        self._cache = cache
        self._folders = recorded_runs, runs
        self._one_call = one_call

    @_told
    def write(
        self,
        text: str,
        candidates: int = DEFAULTS.candidates,
        steps: int = DEFAULTS.steps,
        seed: int = DEFAULTS.seed,
        guidance: float | None = None,
        sampler: str | None = None,
        reader: str = DEFAULTS.reader,
        keep_only_if_above: float = DEFAULTS.keep_only_if_above,
        delete_under: float = DEFAULTS.delete_under,
        watch: bool = DEFAULTS.watch,
        upscaled: int = DEFAULTS.upscaled,
        upscaler_steps: int = DEFAULTS.upscaler_steps,
        one_call: bool | None = None,
    ) -> Iterator[dict]:
        """Write a short text as pictures, read them back, and rank them by how well the text can be read.

        Args:
            text: what to write; a few words of English letters, digits and punctuation, "\\n" between lines
            candidates: how many pictures to choose from, 1 to 16
            steps: denoising steps, 1 to 250; more is slower
            seed: 0 to 2147483647; candidate k draws its noise from seed + k
            guidance: how strongly the text pulls, 1 (not at all) to 20; left out, 3
            sampler: how steps follow each other: "unipc", "dpm++2m", "ddim" or "ddpm"; left out, "ddpm" in
                one call and "unipc" in two
            reader: the OCR engine that reads the pictures: "rapidocr", "easyocr" or "tesseract"
            keep_only_if_above: if one picture is at least so similar to the text, 0 to 2, the others go
            delete_under: pictures that are less similar to the text, 0 to 1, go
            watch: whether the attention of every step is kept in the run
            upscaled: how many large pictures to make of those that stay, 0 to 16, where there is an upscaler
            upscaler_steps: denoising steps of the large pictures, 1 to 50
            one_call: guidance in one network call a step instead of two, which the model must have learnt;
                left out, in one if it has
        Returns:
            "run", the address of the run folder on this server, by which the other endpoints know the run;
            "ranking", the candidates, best first, with what was read and why each was kept or not; "best",
            the index of the best one; "reader", the engine and its version; "upscaled", the large pictures,
            best first, likewise, each with the candidate that is its "source"; the best of them is the
            answer, unless the best candidate was read better
        """
        said = {
            "text": text,
            "candidates": candidates,
            "steps": steps,
            "seed": seed,
            "guidance": guidance,
            "sampler": sampler,
            "reader": reader,
            "keep_only_if_above": keep_only_if_above,
            "delete_under": delete_under,
            "watch": watch,
            "upscaled": upscaled,
            "upscaler_steps": upscaler_steps,
            "one_call": one_call,
        }
        request = checked(filled_in(said, self._one_call))
        for event in self._cache.write(self._get_writer(), request):
            if isinstance(event, Path):
                yield _summary(event)
            else:
                yield {"stage": event.stage, "step": event.step, "steps": event.steps}

    @_told
    def mute(self, run: str, character: int, candidate: int | None = None) -> Iterator[dict]:
        """Write one candidate of a run again, once as it was and once while the picture cannot see one
        character of the text: does what attention shows also matter?

        Args:
            run: the address of the run, as /write returned it
            character: 1 for the first character of the text; 0 for the start token
            candidate: its index in the run, from 0; left out, the best one
        Returns:
            "before" and "after", each with its picture, the text that was read in it and the similarity to
            the text, 0 to 1; "change", the picture of where they differ, whose level 255 means a difference
            of "top"
        """
        yield from self._experiment(muted, run, candidate, token=character)

    @_told
    def self_attention(self, run: str, step: int, candidate: int | None = None) -> Iterator[dict]:
        """Where each place of the picture looks in the picture at one step of a run: self-attention, the mean
        over the heads.

        Args:
            run: the address of the run, as /write returned it
            step: 0 for the first one, up to one less than the run has
            candidate: its index in the run, from 0; left out, the best one
        Returns:
            "layers", each with its name, its resolution n, and a picture with n * n rows and as many columns:
            row r is where place r looks, places counted row by row, and level 255 means a weight of "top"
        """
        yield from self._experiment(within, run, candidate, step=step)

    @_told
    def guidance(self, run: str, step: int, candidate: int | None = None) -> Iterator[dict]:
        """What the model believes the picture will be at one step of a run: without the text, with it, with
        an empty text, and guided at the scales 1 to 8.

        Args:
            run: the address of the run, as /write returned it
            step: 0 for the first one, up to one less than the run has
            candidate: its index in the run, from 0; left out, the best one
        Returns:
            "picture", with these eleven guesses side by side, in this order
        """
        yield from self._experiment(guided, run, candidate, step=step)

    @_told
    def branch(
        self,
        run: str,
        step: int,
        candidate: int | None = None,
        text: str | None = None,
        seed: int | None = None,
        guidance: float | None = None,
        sampler: str | None = None,
        eta: float | None = None,
    ) -> Iterator[dict]:
        """Write one candidate of a run again, and once more with something changed from a step on. What is
        left out stays as it was.

        Args:
            run: the address of the run, as /write returned it
            step: the first step that may differ, 0 for the first one, up to one less than the run has
            candidate: its index in the run, from 0; left out, the best one
            text: another text from here on
            seed: another seed for the noise drawn from here on, 0 to 2147483647; the first noise stays
            guidance: how strongly the text pulls from here on, 1 to 20
            sampler: the rule of the steps from here on: "unipc", "dpm++2m", "ddim" or "ddpm"
            eta: how much of DDPM's noise DDIM draws, 0 to 1; only where the branch goes on with "ddim"
        Returns:
            "old" and "new", each with the guesses at the picture step by step, side by side, the text that
            was read in the last one and the similarity to the text, 0 to 1; "note", why a change cannot
            matter, or ""; "run", the address of the branch as a run of its own
        """
        changes = {"text": text, "seed": seed, "guidance": guidance, "sampler": sampler, "eta": eta}
        changes = {name: value for name, value in changes.items() if value is not None}
        kept = []
        branching = partial(branched, keep=lambda new: kept.append(self._cache.store.save(new)))
        for answer in self._experiment(branching, run, candidate, step=step, changes=changes):
            yield answer | {"run": address(kept[0])} if kept else answer

    @_told
    def ddim_against_ddpm(self, run: str, candidate: int | None = None) -> Iterator[dict]:
        """Write one candidate of a run twice from its first noise: by DDIM, which draws no more noise, and by
        DDPM, which does.

        Args:
            run: the address of the run, as /write returned it
            candidate: its index in the run, from 0; left out, the best one
        Returns:
            "old", by DDIM, and "new", by DDPM, as /branch has them
        """
        yield from self._experiment(ddim_against_ddpm, run, candidate)

    @_told
    def half_of_a_longer_run(self, run: str, candidate: int | None = None) -> Iterator[dict]:
        """Write one candidate of a run of n steps, and the first half of a run of 2n steps from the same
        noise: half of a longer run is not a shorter run.

        Args:
            run: the address of the run, as /write returned it; it has at most 125 steps
            candidate: its index in the run, from 0; left out, the best one
        Returns:
            "old", the first n of 2n steps, and "new", all of n steps, as /branch has them
        """
        yield from self._experiment(half_of_a_longer_run, run, candidate)

    @_told
    def settings(self, run: str) -> Iterator[dict]:
        """The settings of a run: everything that was asked for.

        Args:
            run: the address of the run, as /write returned it
        Returns:
            "request", every setting by its name; "link", the part of the page's address behind "?" that fills
            in its form so; "model" and "sha256" of the weights that wrote the run; "origin", null unless the
            run is a branch: the step at which it left another run, and what held there until then
        """
        values = json.loads((self._folder(run) / "run.json").read_text(encoding="utf-8"))
        yield {
            "request": values["request"],
            "link": to_query(checked(values["request"])),
            "model": values["model"]["name"],
            "sha256": values["model"]["sha256"],
            "origin": values.get("origin"),
        }

    @_told
    def settings_of_picture(self, picture: str) -> Iterator[dict]:
        """The settings that a picture carries which was exported as PNG.

        Args:
            picture: the file in base64, at most 1 MB
        Returns:
            "request", every setting by its name; "link", the part of the page's address behind "?" that fills
            in its form so
        """
        try:
            content = base64.b64decode(picture.rpartition(",")[2], validate=True)
        except (AttributeError, binascii.Error, ValueError) as error:
            raise ValueError("The picture must be a PNG file in base64.") from error
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, "picture.png")
            file.write_bytes(content)
            request = read_settings(file)
        yield {"request": asdict(request), "link": to_query(request)}

    @_told
    def export(self, run: str, kind: str) -> Iterator[dict]:
        """Make a file of a run, to take along.

        Args:
            run: the address of the run, as /write returned it
            kind: "replay" (HTML, plays anywhere), "zip", "gif" or "webp" (films), "png" (knows its settings)
        Returns:
            "address", where this server has the file, relative to the page; "name", what to call it
        """
        yield shared({"run": run, "kind": kind}, *self._folders)

    # ---- from the address of a run to a question about it

    def _experiment(self, experiment: Callable, run: str, candidate: int | None, **details) -> Iterator[dict]:
        yield from experiment(self._get_writer(), self._described(run, candidate) | details)

    def _described(self, run: str, candidate: int | None) -> dict:
        """One candidate of a run, as a view describes it that asks for an experiment."""
        values = json.loads((self._folder(run) / "run.json").read_text(encoding="utf-8"))
        if values["stopped"]:
            raise ValueError(STOPPED)
        if "origin" in values:
            raise ValueError(BRANCHED)
        index = values["best"] if candidate is None else candidate
        if problem := index_problem("candidate", index, len(values["candidates"])):
            raise ValueError(problem)
        request = values["request"] | {"seed": values["candidates"][index]["seed"]}
        return {"model": values["model"]["sha256"], "request": request}

    def _folder(self, run: str) -> Path:
        if folder := run_at(run, *self._folders):
            return folder
        raise ValueError(GONE)


def _summary(folder: Path) -> dict:
    """What /write says of the run in `folder`."""
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    large = run["upscaling"]["pictures"] if run["upscaling"] else []
    ranking, upscaled = (sorted(found, key=_rank) for found in (run["candidates"], large))
    said = {"run": address(folder), "reader": run["reader"], "best": run["best"]}
    return said | {"ranking": ranking, "upscaled": upscaled}


def _rank(picture: dict) -> int:
    return picture["verdict"]["rank"]
