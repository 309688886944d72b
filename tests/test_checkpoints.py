import hashlib
import json
from dataclasses import replace

import pytest
import torch
from oracles import ids_of, lively_unet

from textdiff import checkpoints
from textdiff.checkpoints import load_checkpoint, save_checkpoint
from textdiff.config import PRESETS


@pytest.fixture(scope="module")
def network():
    return lively_unet()


@pytest.fixture
def path(network, tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(network, path, {"pictures": 800})
    return path


def test_what_was_saved_comes_back_but_for_the_rounding_to_half_precision(network, path):
    checkpoint = load_checkpoint(path)
    assert (checkpoint.name, checkpoint.info) == ("tiny", {"pictures": 800})
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert checkpoint.network.config == network.config
    loaded = checkpoint.network.state_dict()
    assert list(loaded) == list(network.state_dict())
    for name, value in network.state_dict().items():
        assert torch.equal(loaded[name], value.half().float()), name
    x, t, ids = torch.randn(1, 3, 16, 16), torch.tensor([0.5]), ids_of("Hi")
    torch.testing.assert_close(checkpoint.network(x, t, ids), network(x, t, ids), rtol=0.05, atol=0.05)


def test_a_loaded_network_is_ready_to_be_asked(path):
    network = load_checkpoint(path).network
    assert not network.training
    for parameter in network.parameters():
        assert not parameter.requires_grad and parameter.dtype == torch.float32
    assert network.stem.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_checkpoint_is_two_files_and_saving_again_replaces_both(network, path):
    save_checkpoint(network, path, {"pictures": 1600})
    assert sorted(file.name for file in path.parent.iterdir()) == ["tiny.json", "tiny.safetensors"]
    assert load_checkpoint(path).info == {"pictures": 1600}


def test_a_save_that_dies_halfway_leaves_the_old_weights(network, path, monkeypatch):
    def dies_halfway(tensors, file):
        file.write_bytes(b"half of the weigh")
        raise KeyboardInterrupt

    before = path.read_bytes()
    monkeypatch.setattr(checkpoints, "save_file", dies_halfway)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(network, path, {})
    assert path.read_bytes() == before and load_checkpoint(path).info == {"pictures": 800}


def described(path, **model):
    description = json.loads(path.with_suffix(".json").read_text())
    description["model"] |= model
    path.with_suffix(".json").write_text(json.dumps(description))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: described(path, time_width=64),  # other shapes
        lambda path: described(path, line_embedding=False),  # weights left over
        lambda path: described(path, down_blocks=[2, 1]),  # weights missing
        lambda path: described(path, hat_size=7),  # a field of another version
        lambda path: path.with_suffix(".json").write_text("{}"),
        lambda path: path.with_suffix(".json").write_text("not JSON"),
        lambda path: path.write_bytes(path.read_bytes()[:1000]),
        lambda path: torch.save({"stem.weight": torch.zeros(1)}, path),  # a pickle is never opened
    ],
)
def test_weights_that_do_not_fit_are_refused_in_one_sentence(path, spoil):
    spoil(path)
    with pytest.raises(ValueError, match=r"tiny.safetensors do not fit this version of textdiff\.$"):
        load_checkpoint(path)


@pytest.mark.parametrize("missing", [".safetensors", ".json"])
def test_missing_files_are_named_in_one_sentence(path, missing):
    path.with_suffix(missing).unlink()
    with pytest.raises(ValueError, match=r"There are no weights at .*tiny.safetensors: .* is needed\.$"):
        load_checkpoint(path)


def test_the_config_beside_the_weights_decides_not_the_presets(tmp_path):
    config = replace(PRESETS["tiny"].model, text_width=48, t5_bias=False)
    save_checkpoint(lively_unet(config), tmp_path / "other.safetensors", {})
    assert load_checkpoint(tmp_path / "other.safetensors").network.config == config
