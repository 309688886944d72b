"""An upscaler is found by its name."""

from textdiff.weight_files import SHIPPED, upscaler_beside


def test_an_upscaler_belongs_to_the_weights_whose_name_it_bears(tmp_path):
    weights = tmp_path / "words.safetensors"
    assert upscaler_beside(weights) is None
    (tmp_path / "other-upscaler.safetensors").touch()
    assert upscaler_beside(weights) is None
    (tmp_path / "words-upscaler.safetensors").touch()
    assert upscaler_beside(weights) == tmp_path / "words-upscaler.safetensors"


def test_the_weights_that_come_with_textdiff_are_there():
    assert SHIPPED.exists()
