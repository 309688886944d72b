import pytest
import torch
from oracles import ids_of, lively_unet
from training_runs import TINY, DiesInStep3, Killed, quick, refusal, trainer  # noqa: F401

from textdiff.config import PRESETS, overridden
from textdiff.noise_schedule import SHIFT, T_MAX, Level, cosine, even_time, shifted_time
from textdiff.prediction import add_noise, eps_from_x0, velocity
from textdiff.samplers import posterior
from textdiff.training.own_steps import with_own_steps
from textdiff.training.train import Budget

SHAPE = (3, 16, 16)
COUNT = 64
X0 = torch.rand(COUNT, *SHAPE, generator=torch.Generator().manual_seed(1)).round() * 2 - 1
EPS = torch.randn(COUNT, *SHAPE, generator=torch.Generator().manual_seed(2))
IDS = ids_of("Hi").expand(COUNT, -1)
MIDDLE = torch.linspace(0.2, 0.6, COUNT)  # times with room for two steps above them


class Guesses(torch.nn.Module):
    """Believes whatever it is told to, and remembers the questions."""

    schedule = staticmethod(cosine)

    def __init__(self, guess):
        super().__init__()
        self.guess, self.questions = guess, []

    def forward(self, x, t, ids, *scales):
        self.questions.append((x, t, ids, *scales))
        alpha, sigma = levels(t)
        return velocity(self.guess, eps_from_x0(x, self.guess, alpha, sigma), alpha, sigma)


def levels(t):
    return Level(*(value[:, None, None, None] for value in cosine(t)))


def noise(network, t=MIDDLE, share=1.0, seed=3, scales=None):
    chance = torch.Generator().manual_seed(seed)
    return with_own_steps(network, X0, t, EPS, IDS, scales, share, chance)


def test_a_network_that_is_always_right_comes_to_the_pictures_that_adding_noise_makes():
    eps = noise(Guesses(X0))
    assert not torch.equal(eps, EPS)
    assert eps.mean().abs() < 0.01
    assert (eps.var() - 1).abs() < 0.02
    assert (eps * X0).mean().abs() < 0.01  # nothing of the picture is left in it


def test_a_wrong_guess_is_part_of_the_noise_and_so_to_be_removed():
    wrong = X0.roll(1, dims=0)
    eps = noise(Guesses(wrong))
    towards = ((eps - EPS.mean()) * (wrong - X0)).flatten(1).mean(1)
    assert (towards > 0.05).all()
    there = levels(MIDDLE)
    assert torch.isfinite(add_noise(X0, eps, *there)).all()


def test_one_step_is_a_step_of_the_sampler_from_further_into_the_noise():
    network = Guesses(torch.zeros(COUNT, *SHAPE))
    for seed in range(20):  # until one step is drawn and not two
        network.questions.clear()
        eps = noise(network, seed=seed)
        if len(network.questions) == 1:
            break
    ((x_before, before, _),) = network.questions
    step = even_time(before, T_MAX, SHIFT) - even_time(MIDDLE, T_MAX, SHIFT)
    assert 1 / 16 <= step.min() < step.max() <= 1 / 8
    here, there = levels(before), levels(MIDDLE)
    torch.testing.assert_close(x_before, add_noise(X0, EPS, *here))
    mean, deviation = posterior(x_before, network.guess, here, there)
    drawn = (add_noise(X0, eps, *there) - mean) / deviation
    assert drawn.mean().abs() < 0.01 and (drawn.var() - 1).abs() < 0.02


def test_it_is_asked_at_the_scales_that_it_is_told():
    network, scales = Guesses(X0), torch.arange(COUNT) / 8
    noise(network, scales=scales)
    assert all(torch.equal(question[3], scales) for question in network.questions)


@pytest.mark.parametrize("t", [0.05, 0.85])
def test_near_the_clean_picture_and_where_the_layout_is_open_the_noise_is_the_added_one(t):
    assert torch.equal(noise(Guesses(X0), torch.full((COUNT,), t)), EPS)


def test_about_the_share_takes_steps_and_the_others_keep_their_noise():
    changed = (noise(Guesses(X0), share=0.0) != EPS).flatten(1).any(1)
    assert not changed.any()
    half = (noise(lively_unet(), share=0.5) != EPS).flatten(1).any(1)
    assert 0.3 < half.float().mean() < 0.7


def test_the_same_chance_gives_the_same_noise():
    assert torch.equal(noise(lively_unet()), noise(lively_unet()))
    assert not torch.equal(noise(lively_unet()), noise(lively_unet(), seed=4))


def test_even_times_are_those_that_shifting_began_with():
    even = torch.linspace(0, 1, 11, dtype=torch.float64)
    torch.testing.assert_close(even_time(shifted_time(even, T_MAX, 2.5), T_MAX, 2.5), even)


def test_training_takes_them_and_a_resumed_run_ends_with_the_same_weights(tmp_path):
    middle = overridden(TINY, ["train.logit_mean=0.0"])  # times with room for such steps
    preset = overridden(middle, ["train.own_share=0.9"])
    whole, plain = trainer(tmp_path / "whole", preset), trainer(tmp_path / "plain", middle)
    for run in (whole, plain):
        run.run(Budget(minutes=None, steps=4))
    with pytest.raises(Killed):
        trainer(tmp_path / "resumed", preset, kind=DiesInStep3).run(Budget(minutes=None, steps=4))
    resumed = trainer(tmp_path / "resumed", preset)
    resumed.resume()
    resumed.run(Budget(minutes=None, steps=4))
    ours, theirs, others = (list(run.network.parameters()) for run in (whole, resumed, plain))
    assert all(map(torch.equal, ours, theirs))
    assert not all(map(torch.equal, ours, others))


def test_an_upscaler_takes_none(tmp_path, capsys):
    arguments = ("--out", tmp_path / "run", "--preset", "tiny-upscaler", "--set", "train.own_share=0.5")
    assert "leave out train.own_share" in refusal(capsys, *arguments)
    assert PRESETS["tiny"].train.own_share == 0
