import re
from dataclasses import replace

import pytest
import torch
from oracles import ids_of, lively_unet, null_ids

from textdiff.config import ModelConfig
from textdiff.networks.unet import UNet
from textdiff.networks.weave import CrossAttention
from textdiff.training.loss import taught_weights

# Small, and with text attention at 16x16, from where on a head is taught.
CONFIG = ModelConfig(
    image_size=32,
    max_characters=8,
    max_lines=2,
    channels=(16, 32),
    down_blocks=(1, 1),
    attention_at=(8,),
    text_at=(8,),
    text_once_at=(16,),
    head_channels=16,
    text_width=32,
    text_layers=1,
    time_width=32,
)
# What belongs to a switch, as a part of the names of weights.
SWITCHES = {
    "image_to_text": ".weave.image_to_text.",
    "t5_bias": "text_encoder.relative.",
    "line_embedding": "text_encoder.line.",
    "time_in_encoder": "text_encoder.time.",
    "time_in_queries": ".query_norm.norm.modulation.",
    "axial_positions": "positions.",
}
X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
T = torch.tensor([0.3, 0.8])
IDS = ids_of("Hi\nyo", "abc")


@pytest.fixture(scope="module")
def network():
    return lively_unet(CONFIG).requires_grad_(False)


def without(network, switch):
    """The same network, the same weights, and one switch off."""
    other = UNet(replace(CONFIG, **{switch: False})).eval().requires_grad_(False)
    other.load_state_dict(network.state_dict(), strict=False)
    return other


def test_the_answer_is_a_picture_and_starts_at_zero(network):
    assert network(X, T, IDS).shape == X.shape
    assert not UNet(CONFIG)(X, T, IDS).any()


@pytest.mark.parametrize("t", [T, T[:1]], ids=["a time for each", "one time"])
def test_several_texts_for_a_picture_are_answered_as_if_each_had_been_asked_alone(network, t, monkeypatch):
    stem, seen = network.stem.forward, []
    monkeypatch.setattr(network.stem, "forward", lambda x: seen.append(len(x)) or stem(x))
    texts = ids_of("Hi\nyo", "abc", "", "x")
    together = network(X, t, texts)
    alone = torch.cat([network(X, t, texts[:2]), network(X, t, texts[2:])])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    assert seen == [2, 2, 2]  # the way down is taken once for all texts


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_removes_its_weights_and_changes_the_answer(network, switch):
    other = without(network, switch)
    assert any(SWITCHES[switch] in name for name in network.state_dict())
    assert not any(SWITCHES[switch] in name for name in other.state_dict())
    answer = other(X, T, IDS)
    assert answer.shape == X.shape and answer.isfinite().all()
    assert not torch.allclose(answer, network(X, T, IDS), atol=1e-3)


def test_teaching_attention_changes_training_but_not_the_network(network):
    other = without(network, "taught_attention")
    assert torch.equal(other(X, T, IDS), network(X, T, IDS))
    with taught_weights(network) as seen:
        network(X, T, IDS)
    with taught_weights(other) as nothing:
        other(X, T, IDS)
    assert [(tuple(weights.shape), tokens_ask) for weights, tokens_ask in seen] == [
        ((2, 9, 16 * 16), True),
        ((2, 16 * 16, 9), False),
    ]
    assert nothing == []


def test_text_attention_sits_where_the_config_puts_it(network):
    places = [name for name, module in network.named_modules() if isinstance(module, CrossAttention)]
    assert places == [
        f"up.{block}.weave.{direction}"
        for block in ("8x8_block0", "8x8_block1", "16x16_block0")
        for direction in ("image_to_text", "text_to_image")
    ]


def test_the_names_of_weights_read_as_places(network):
    place = r"(down|up)\.\d+x\d+_(block\d|down|up)\.|middle\.block\d\.|positions\.\d+x\d+\.|text_encoder|time"
    names = list(network.state_dict())
    assert "up.16x16_block0.weave.text_to_image.out.weight" in names
    assert "down.8x8_block0.self_attention.to_qkv.weight" in names
    assert [name for name in names if not re.match(place, name)] == [
        f"{part}.{kind}" for part in ("stem", "out_norm", "out") for kind in ("weight", "bias")
    ]


def test_one_time_may_stand_for_all_and_a_shared_text_is_encoded_once(network):
    x, ids = torch.cat([X, -X]), ids_of("abc", "Hi\nyo", "Hi\nyo", "abc")
    encoded = []
    handle = network.text_encoder.register_forward_hook(
        lambda module, inputs, text: encoded.append(len(text))
    )
    try:
        together, apart = network(x, T[:1], ids), network(x, T[:1].expand(4), ids)
    finally:
        handle.remove()
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)
    assert encoded == [2, 4]


@pytest.mark.parametrize("t", [T, T[:1]], ids=["a time for each", "one time"])
def test_it_can_be_exported_as_it_is_sampled(network, t):
    with torch.no_grad():
        exported = torch.export.export(network, (X, t, IDS)).module()
        torch.testing.assert_close(exported(X, t, IDS), network(X, t, IDS), rtol=1e-4, atol=1e-5)


def test_padding_may_be_cut_off(network):
    torch.testing.assert_close(network(X, T, IDS[:, :6]), network(X, T, IDS), rtol=1e-4, atol=1e-5)


def test_the_text_the_time_and_the_picture_all_matter(network):
    answer = network(X, T, IDS)
    for x, t, ids in (
        (-X, T, IDS),
        (X, T.flip(0), IDS),
        (X, T, ids_of("Hj\nyo", "acb")),
        (X, T, ids_of("", "")),
        (X, T, null_ids(2)),
    ):
        other = network(x, t, ids)
        assert not torch.allclose(other[0], answer[0], atol=1e-3)
        assert not torch.allclose(other[1], answer[1], atol=1e-3)


def test_no_text_and_nothing_known_about_the_text_are_different_conditions(network):
    assert not torch.allclose(network(X, T, ids_of("", "")), network(X, T, null_ids(2)), atol=1e-3)


def test_pictures_of_a_batch_do_not_see_each_other(network):
    together = network(X, T, IDS)
    alone = network(X[1:], T[1:], IDS[1:])
    torch.testing.assert_close(alone, together[1:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("switch", [None, *SWITCHES, "taught_attention"])
def test_every_weight_is_trained(switch):
    network = lively_unet(CONFIG if switch is None else replace(CONFIG, **{switch: False}))
    network(X, T, IDS).square().mean().backward()
    untrained = [name for name, weight in network.named_parameters() if weight.grad is None]
    silent = [name for name, weight in network.named_parameters() if not weight.grad.any()]
    assert untrained == [] and silent == []
