import hashlib
import json
from dataclasses import replace

import pytest
import torch
from oracles import ids_of, lively_unet, lively_upscaler
from safetensors.torch import load_file, save_file

from textdiff import checkpoints, eight_bits
from textdiff.checkpoints import build_network, load_checkpoint, save_checkpoint, take_over
from textdiff.config import PRESETS
from textdiff.eight_bits import packed
from textdiff.networks.upscaler import Upscaler
from textdiff.weight_files import SHIPPED


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
        lambda path: described(path, kind="upscaler"),  # weights missing
        lambda path: described(path, kind="hat"),
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


def test_an_upscaler_comes_back_as_one_and_weights_that_name_no_kind_are_a_base_model_s(
    network, path, tmp_path
):
    save_checkpoint(lively_upscaler(), tmp_path / "upscaler.safetensors", {})
    assert type(load_checkpoint(tmp_path / "upscaler.safetensors").network) is Upscaler
    description = json.loads(path.with_suffix(".json").read_text())
    for field in ("kind", "log_snr_shift"):  # which older weights do not have
        del description["model"][field]
    path.with_suffix(".json").write_text(json.dumps(description))
    loaded = load_checkpoint(path).network
    assert type(loaded) is type(network) and loaded.config == network.config


def test_the_weights_that_come_with_textdiff_can_be_loaded():
    model = PRESETS["first-words"].model
    assert load_checkpoint(SHIPPED).network.config == replace(model, distilled_guidance=True)


@pytest.fixture
def shipped(path, monkeypatch):
    """The same weights in 8 bits; in a network as small as this one every matrix counts as large."""
    monkeypatch.setattr(eight_bits, "_LARGE", 0)
    monkeypatch.setattr(eight_bits, "_MANY", 0)
    checkpoints.main([str(path), str(path.with_name("shipped.safetensors"))])
    return path.with_name("shipped.safetensors")


def test_weights_in_8_bits_are_the_same_network_in_little_more_than_half_the_space(network, path, shipped):
    before, after = load_checkpoint(path), load_checkpoint(shipped)
    assert shipped.stat().st_size < 0.75 * path.stat().st_size
    assert (after.name, after.info) == ("shipped", before.info)
    assert after.network.config == before.network.config
    assert after.sha256 == hashlib.sha256(shipped.read_bytes()).hexdigest() != before.sha256
    assert all(value.dtype == torch.float32 for value in after.network.state_dict().values())
    x, t, ids = torch.randn(1, 3, 16, 16), torch.tensor([0.5]), ids_of("Hi")
    torch.testing.assert_close(after.network(x, t, ids), network(x, t, ids), rtol=0.1, atol=0.1)


def test_of_several_stages_the_mean_is_stored_and_what_only_the_first_knows_stays(tmp_path):
    first, second, mean = (tmp_path / f"{name}.safetensors" for name in ("taught", "before", "mean"))
    taught = lively_unet(replace(PRESETS["tiny"].model, distilled_guidance=True))
    before = lively_unet()
    save_checkpoint(taught, first, {"pictures": 9})
    save_checkpoint(before, second, {"pictures": 8})
    checkpoints.main([str(first), str(second), str(mean)])
    assert load_checkpoint(mean).info == {"pictures": 9}
    one, other, both = (network.state_dict() for network in (taught, before, load_checkpoint(mean).network))
    assert set(one) > set(other)
    for name, value in both.items():
        expected = (one[name] + other[name]) / 2 if name in other else one[name]
        torch.testing.assert_close(value, expected, rtol=0, atol=0.01 * expected.abs().max().item())
    with pytest.raises(SystemExit, match="Only stages of one training"):
        checkpoints.main([str(second), str(first), str(mean)])


@pytest.mark.parametrize("change", [{"stem.weight.peak": None}, {"hat.peak": 8}, {"stem.weight.peak": 3}])
def test_weights_in_8_bits_with_peaks_that_do_not_fit_are_refused(shipped, change):
    tensors = load_file(shipped)
    for name, count in change.items():
        tensors.pop(name, None)
        tensors |= {name: torch.ones(count).half()} if count else {}
    save_file(tensors, shipped)
    with pytest.raises(ValueError, match="do not fit this version"):
        load_checkpoint(shipped)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["no.safetensors", "a.safetensors"], "no weights"), (["x", "a.json"], "must be")],
)
def test_what_cannot_be_stored_in_8_bits_is_one_sentence(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=words):
        checkpoints.main(arguments)


@pytest.mark.parametrize("name", ["first-words", "upscaler"])
def test_weights_that_are_shipped_take_at_most_14_megabytes_in_8_bits(name):
    stored = packed(build_network(PRESETS[name].model).state_dict())
    assert sum(value.nbytes for value in stored.values()) < 14e6


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_network_stays_within_30_megabytes(name):
    network = build_network(PRESETS[name].model)
    assert sum(2 * value.numel() for value in network.state_dict().values()) < 30e6


def test_a_sandwich_takes_over_exactly_the_tensors_whose_name_and_shape_match(network):
    upscaler = build_network(PRESETS["tiny-upscaler"].model)
    before = {name: value.clone() for name, value in upscaler.state_dict().items()}
    taken, new = take_over(upscaler, network)
    given = network.state_dict()
    fresh = set()
    for name, value in upscaler.state_dict().items():
        if name in given and given[name].shape == value.shape:
            assert torch.equal(value, given[name]), name
        else:
            assert torch.equal(value, before[name]), name
            fresh.add(name)
    bread = ("stem.weight", "stem.bias", "out.weight", "out_norm.weight", "down.16x16_block0.", "up.16x16_")
    assert all(any(name.startswith(part) for name in fresh) for part in bread)
    assert all(name.startswith((*bread, "time.small.", "out_norm.bias", "down.8x8_down.")) for name in fresh)
    assert taken == sum(value.numel() for name, value in before.items() if name not in fresh)
    assert new == sum(before[name].numel() for name in fresh)


def test_the_same_network_is_taken_over_as_a_whole(network):
    other = build_network(network.config)
    assert take_over(other, network) == (sum(value.numel() for value in network.state_dict().values()), 0)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in other.state_dict().items())


def test_where_no_matrix_fits_nothing_is_taken_over(network):
    stranger = build_network(
        replace(network.config, channels=(24, 48), head_channels=24, text_width=128, time_width=64, stem=4)
    )
    before = {name: value.clone() for name, value in stranger.state_dict().items()}
    with pytest.raises(ValueError, match="nothing in common"):
        take_over(stranger, network)
    assert all(torch.equal(value, before[name]) for name, value in stranger.state_dict().items())
