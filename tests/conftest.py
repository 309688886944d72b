"""What several files begin with."""

import os

import pytest
from fakes import fake_generation

from textdiff import run_folder

# Before torch is imported: two processes with two threads each would wait for each other on two cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
    # Nor may both serve a page at the first port that is free, which is the same one if they look at once.
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    os.environ["GRADIO_SERVER_PORT"] = str(7860 + 100 * number)


@pytest.fixture
def folder(tmp_path):
    """A saved run."""
    run_folder.save(fake_generation(), tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def large_folder(tmp_path):
    """Three candidates, the worst of them pruned; two large pictures, of candidates 1 and 0."""
    run_folder.save(fake_generation(candidates=3, readability=True, upscaled=2), tmp_path / "large")
    return tmp_path / "large"
