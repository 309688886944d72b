"""Five lines in a notebook: `from textdiff import write`."""

import subprocess
import sys
from pathlib import Path

import pytest
from oracles import lively_unet

from textdiff import notebook
from textdiff.checkpoints import save_checkpoint

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def tiny_weights(tmp_path, monkeypatch):
    """A tiny model in the place of the one that comes with textdiff."""
    save_checkpoint(lively_unet(), tmp_path / "tiny.safetensors", {"pictures": 0})
    monkeypatch.setattr(notebook, "SHIPPED", tmp_path / "tiny.safetensors")
    notebook._writer.cache_clear()
    yield
    notebook._writer.cache_clear()


@pytest.mark.parametrize("before", ["", "import textdiff.write"])
def test_write_answers_with_what_happened(before):
    names = {}
    exec(f"{before}\nfrom textdiff import write", names)
    generation = names["write"]("Hi", candidates=2, steps=2, seed=5)
    assert (generation.model, generation.request.seed, generation.request.watch) == ("tiny", 5, True)
    assert len(generation.candidates) == 2 and len(generation.candidates[0].steps) == 2
    final = generation.candidates[generation.best].final
    assert final.shape[2] == 3 and final.dtype == "uint8"


def test_what_the_model_does_not_take_is_one_sentence():
    with pytest.raises(ValueError, match="characters: 'é'"):
        notebook.write("é")


def test_torch_is_imported_when_the_first_text_is_written():
    script = "import sys; from textdiff import write; print({'torch', 'gradio', 'numpy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
