"""Who asks for what was written before gets it at once, and a run of their own."""

from dataclasses import replace

import numpy as np
import pytest
from fake_writer import FakeWriter

from textdiff import run_loading
from textdiff.trajectory import Request
from textdiff.ui.run_cache import RunCache
from textdiff.ui.run_store import RunStore

REQUEST = Request(text="Hi", candidates=2, steps=3)


@pytest.fixture
def store(tmp_path):
    return RunStore(folder=tmp_path)


def files(folder) -> dict:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_run_comes_back_with_its_previews_in_a_folder_of_its_own(store):
    cache, writer = RunCache(store), FakeWriter()
    *before, folder = cache.write(writer, REQUEST)
    (folder / "shared").mkdir()
    (folder / "shared" / "film.gif").write_bytes(b"of the first visitor")
    writer.write = None  # nobody may ask the model
    *after, again = cache.write(writer, REQUEST)
    assert [(event.stage, event.step) for event in after] == [(event.stage, event.step) for event in before]
    assert all(np.array_equal(one.x0, other.x0) for one, other in zip(before, after, strict=True))
    assert again != folder and len(again.name) >= 32
    assert files(again).items() < files(folder).items() and run_loading.load(again).request == REQUEST
    assert not (again / "shared").exists()


def test_a_run_outlives_the_one_that_it_is_a_copy_of(store):
    cache = RunCache(replace(store, keep_runs=2))
    *_, folder = cache.write(FakeWriter(), REQUEST)
    for _ in range(3):
        folder = cache.recalled(FakeWriter(), REQUEST)[-1]
    assert len(list(store.folder.iterdir())) == 2
    assert run_loading.load(folder).request == REQUEST


@pytest.mark.parametrize("change", [{"text": "hi"}, {"seed": 8}, {"watch": False}, {"delete_under": 0.2}])
def test_another_request_is_written(store, change):
    cache = RunCache(store)
    list(cache.write(FakeWriter(), REQUEST))
    assert cache.recalled(FakeWriter(), REQUEST) is not None
    assert cache.recalled(FakeWriter(), replace(REQUEST, **change)) is None


def test_other_weights_write_for_themselves(store):
    cache = RunCache(store)
    list(cache.write(FakeWriter(), REQUEST))
    assert cache.recalled(FakeWriter(sha256="1" * 64), REQUEST) is None


def test_a_run_that_was_stopped_or_left_is_not_remembered(store):
    cache = RunCache(store)
    *_, folder = cache.write(FakeWriter(), REQUEST, should_stop=lambda: True)
    assert run_loading.load(folder).stopped
    next(left := cache.write(FakeWriter(), REQUEST))
    left.close()
    assert cache.recalled(FakeWriter(), REQUEST) is None


def test_when_its_folder_has_gone_a_run_is_written_again(store):
    cache = RunCache(replace(store, keep_runs=1))
    list(cache.write(FakeWriter(), REQUEST))
    *_, other = cache.write(FakeWriter(), replace(REQUEST, seed=8))
    assert cache.recalled(FakeWriter(), REQUEST) is None
    assert [entry.name for entry in store.folder.iterdir()] == [other.name]  # nothing half done stays
    *_, folder = cache.write(FakeWriter(), REQUEST)
    assert run_loading.load(folder).request == REQUEST


def test_previews_have_a_bound_and_what_was_not_asked_for_longest_goes_first(store):
    events = [*FakeWriter().write(REQUEST)][:-1]
    cache = RunCache(store, max_bytes=2 * sum(event.x0.nbytes for event in events))
    first, second, third = (replace(REQUEST, seed=seed) for seed in (1, 2, 3))
    for request in (first, second, first, third):
        list(cache.write(FakeWriter(), request))
    assert cache.recalled(FakeWriter(), second) is None
    assert all(cache.recalled(FakeWriter(), request) for request in (first, third))
