import torch

from textdiff.training.chance import noise_like


def generator(seed=3):
    return torch.Generator().manual_seed(seed)


def test_noise_is_normal_shaped_like_the_picture_and_another_at_every_call():
    chance, picture = generator(), torch.zeros(20, 3, 32, 32, dtype=torch.float32)
    first, second = noise_like(picture, chance), noise_like(picture, chance)
    assert first.shape == picture.shape
    assert first.mean().abs() < 0.02 and abs(first.std() - 1) < 0.02
    assert (first * second).mean().abs() < 0.02


def test_the_generator_alone_decides_and_is_asked_for_one_number_whatever_the_size():
    ours, theirs = generator(), generator()
    small, large = torch.zeros(1, 3, 4, 4), torch.zeros(8, 3, 64, 64)
    assert torch.equal(noise_like(small, generator()), noise_like(small, ours))
    noise_like(large, theirs)
    assert torch.equal(noise_like(small, ours), noise_like(small, theirs))
