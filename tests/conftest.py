"""What several files begin with."""

import pytest
from fakes import fake_generation

from textdiff import run_folder


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
