import random

import pytest
import torch
from oracles import ids_of
from torch import nn

from textdiff.noise_schedule import cosine
from textdiff.prediction import eps_from_x0, velocity
from textdiff.training.dataset import Batch
from textdiff.training.letter_gap import KINDS, letter_gap, other_letters

TEXTS = ["Hi 5!", "a\nb"]
PICTURES = torch.arange(2 * 16 * 16 * 3).reshape(2, 16, 16, 3).to(torch.uint8)
BATCH = Batch(PICTURES, TEXTS, torch.zeros(2, 8, 4), 2)


class Reads(nn.Module):
    """Nearly right about the pictures whose prompts are true, `blind` to the prompts, or else clueless."""

    schedule = staticmethod(cosine)

    def __init__(self, blind):
        super().__init__()
        self.blind = blind
        self.place = nn.Parameter(torch.zeros(()))  # parameters tell where a network runs

    def forward(self, x, t, ids, *given):
        assert not torch.is_grad_enabled()
        self.given = given
        x0 = PICTURES.permute(0, 3, 1, 2).float() / 127.5 - 1
        alpha, sigma = (value[:, None, None, None] for value in cosine(t))
        v = velocity(x0, eps_from_x0(x, x0, alpha, sigma), alpha, sigma)
        knows = self.blind | (ids == ids_of(*TEXTS)).all(1)[:, None, None, None]
        return torch.where(knows, v + 0.1, torch.zeros(()))


@pytest.mark.parametrize("text", ["Hello, World 2024!", "a\nB\n7", "", "?!"])
def test_every_letter_is_replaced_by_another_of_its_kind_and_the_rest_stays(text):
    other = other_letters(text, random.Random(0))
    assert len(other) == len(text)
    for character, replaced in zip(text, other, strict=True):
        kind = next((kind for kind in KINDS if character in kind), None)
        assert (replaced == character) == (kind is None)
        assert kind is None or replaced in kind


def test_a_network_that_ignores_the_letters_has_no_gap():
    assert letter_gap(Reads(blind=True), BATCH, 8, 0.5) == 0


def test_a_network_that_minds_the_letters_has_a_gap():
    gap = letter_gap(Reads(blind=False), BATCH, 8, 0.5)
    assert gap > 10  # from an error of 0.1 to that of saying nothing
    assert gap == letter_gap(Reads(blind=False), BATCH, 8, 0.5)


def test_an_upscaler_sees_the_true_small_pictures_with_right_and_wrong_letters():
    network, given = Reads(blind=False), (torch.zeros(2, 3, 8, 8), torch.zeros(2))
    gap = letter_gap(Reads(blind=False), BATCH, 8, 0.5)  # the same, for the times are all alike
    assert letter_gap(network, BATCH, 8, 0.5, given) == pytest.approx(gap)
    assert network.given == given


def test_measuring_the_gap_leaves_all_other_random_numbers_alone():
    torch.manual_seed(5)
    random.seed(5)
    expected = torch.rand(1), random.random()
    torch.manual_seed(5)
    random.seed(5)
    letter_gap(Reads(blind=False), BATCH, 8, 0.5)
    assert (torch.rand(1), random.random()) == expected
