"""The upscaler is the base model inside two slices of bread, and draws what the small picture leaves open."""

import pytest
import torch
import torch.nn.functional as F
from oracles import ids_of, lively_unet, lively_upscaler

from textdiff.checkpoints import build_network, take_over
from textdiff.config import PRESETS
from textdiff.networks.upscaler import RESIDUAL_STD, TwoTimes, error_weight, residual_std
from textdiff.noise_schedule import cosine
from textdiff.prediction import add_noise, velocity, x0_from_velocity

X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
SMALL = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
T, SMALL_T = torch.tensor([0.3, 0.8]), torch.tensor([0.0, 0.5])
IDS = ids_of("Hi\nyo", "abc")


@pytest.fixture(scope="module")
def network():
    return lively_upscaler().requires_grad_(False)


def levels(network, t):
    return tuple(value[:, None, None, None] for value in network.schedule(t))


def test_untrained_it_draws_the_best_guess_from_both_pictures_that_blends_them_alone(network):
    """The mean of x0 = u + a Gaussian residual of the right size, given x_t = alpha x0 + sigma eps."""
    alpha, sigma = levels(network, T)
    u = F.interpolate(SMALL, scale_factor=2, mode="bilinear")
    power = residual_std(SMALL_T)[:, None, None, None] ** 2
    guess = u + alpha * power / (alpha**2 * power + sigma**2) * (X - alpha * u)
    v = build_network(network.config)(X, T, IDS, SMALL, SMALL_T)
    assert v.shape == X.shape
    torch.testing.assert_close(x0_from_velocity(X, v, alpha, sigma), guess, rtol=0, atol=1e-4)


def test_what_it_is_asked_is_the_residual_noised_by_a_cosine_schedule(network, monkeypatch):
    """Told the residual's true velocity, it says the large picture's; and the errors of the two agree."""
    t, small_t = torch.tensor([0.2, 0.7]), torch.zeros(2)
    (alpha, sigma), (alpha_y, sigma_y) = levels(network, t), (one[:, None, None, None] for one in cosine(t))
    residual, eps = torch.randn(2, 2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    u = F.interpolate(SMALL, scale_factor=2, mode="bilinear")
    x0 = u + RESIDUAL_STD * residual
    x_t, seen = add_noise(x0, eps, alpha, sigma), []

    def told(wrong_by):
        def predict(given, time, ids):
            seen.append(given)
            return velocity(residual, eps, alpha_y, sigma_y) + wrong_by

        return predict

    monkeypatch.setattr(network, "predict", told(0))
    v = velocity(x0, eps, alpha, sigma)
    torch.testing.assert_close(network(x_t, t, IDS, SMALL, small_t), v, rtol=0, atol=1e-4)
    y = add_noise(residual, eps, alpha_y, sigma_y)
    torch.testing.assert_close(seen[0], torch.cat([y, u], dim=1), rtol=0, atol=1e-4)
    monkeypatch.setattr(network, "predict", told(0.1))
    error = (network(x_t, t, IDS, SMALL, small_t) - v).square()
    weight = error_weight(alpha, sigma, small_t[:, None, None, None])
    torch.testing.assert_close(weight * error, torch.full_like(error, 0.01), rtol=0.01, atol=0)


def test_everything_that_it_is_given_matters(network):
    question = {"x": X, "t": T, "ids": IDS, "small": SMALL, "small_t": SMALL_T}
    answer = network(**question)
    for change in (
        {"x": -X},
        {"t": T.flip(0)},
        {"ids": ids_of("Hj\nyo", "acb")},
        {"small": -SMALL},
        {"small_t": SMALL_T.flip(0)},
    ):
        other = network(**question | change)
        assert not torch.allclose(other[0], answer[0], atol=1e-3), change.keys()
        assert not torch.allclose(other[1], answer[1], atol=1e-3), change.keys()


def test_several_texts_for_a_picture_are_answered_as_if_each_had_been_asked_alone(network):
    texts = ids_of("Hi\nyo", "abc", "", "x")
    together = network(X, T[:1], texts, SMALL, SMALL_T[:1])
    alone = torch.cat([network(X, T[:1], part, SMALL, SMALL_T[:1]) for part in texts.chunk(2)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_a_pixel_of_the_small_picture_reaches_the_stem_at_its_place(network):
    seen = []
    handle = network.stem.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    spot = torch.zeros(1, 3, 16, 16)
    spot[:, :, 4, 9] = 1.0
    try:
        network(torch.zeros(1, 3, 32, 32), T[:1], IDS[:1], spot, SMALL_T[:1])
    finally:
        handle.remove()
    rows, columns = seen[0][0].abs().sum(0).nonzero().T  # cells of two by two pixels
    assert (rows.float().mean(), columns.float().mean()) == (4, 9)


def test_the_small_picture_s_time_has_no_say_at_first():
    torch.manual_seed(0)
    times = TwoTimes(32)
    base = PRESETS["tiny"].model
    assert torch.equal(times(T, SMALL_T), times(T, SMALL_T.flip(0)))
    sandwich, inside = build_network(PRESETS["tiny-upscaler"].model), lively_unet(base)
    take_over(sandwich, inside)
    assert torch.equal(sandwich.time(T, SMALL_T), inside.time(T))


def test_a_sandwich_starts_with_the_very_features_of_the_base_inside():
    """Given what the base hands in at its top, the inside computes what the base computes."""
    inside = lively_unet().requires_grad_(False)
    sandwich = build_network(PRESETS["tiny-upscaler"].model).eval().requires_grad_(False)
    take_over(sandwich, inside)
    features = {}

    def note(network, name, place):
        def hook(module, inputs, output):
            features[name] = output

        return network.get_submodule(place).register_forward_hook(hook)

    top = "up.8x8_block1"  # the last block that both have
    note(inside, "stem", "stem")
    note(inside, "base", top)
    note(sandwich, "sandwich", top)
    sandwich.get_submodule("down.8x8_down").register_forward_hook(lambda *_: features["stem"])
    inside(torch.randn(2, 3, 16, 16), T, IDS)
    sandwich(X, T, IDS, SMALL, SMALL_T)
    assert torch.equal(features["sandwich"], features["base"])


def test_every_weight_is_trained():
    network = lively_upscaler()
    network(X, T, IDS, SMALL, SMALL_T).square().mean().backward()
    assert [name for name, weight in network.named_parameters() if not weight.grad.any()] == []
