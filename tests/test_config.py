import json
from dataclasses import FrozenInstanceError

import pytest

from textdiff.config import (
    BASE,
    PRESETS,
    UPSCALER,
    DataConfig,
    ModelConfig,
    TrainConfig,
    from_json,
    to_json,
)
from textdiff.training.backgrounds import BACKGROUNDS
from textdiff.training.text_source import LONGEST_LINE

every_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


@every_preset
def test_a_config_survives_a_json_file(preset):
    for config in (preset.model, preset.data, preset.train):
        assert from_json(type(config), json.loads(json.dumps(to_json(config)))) == config


@pytest.mark.parametrize("kind", [ModelConfig, DataConfig, TrainConfig])
def test_a_config_with_an_unknown_field_is_refused(kind):
    with pytest.raises(TypeError):
        from_json(kind, to_json(kind()) | {"colour": "blue"})


@every_preset
def test_the_pictures_of_a_preset_are_those_that_its_model_takes(preset):
    for name in ("image_size", "max_characters", "max_lines"):
        assert getattr(preset.data, name) == getattr(preset.model, name)


@every_preset
def test_attention_is_asked_for_at_resolutions_that_the_model_has(preset):
    model = preset.model
    resolutions = {model.image_size // model.stem >> level for level in range(len(model.channels))}
    assert {*model.attention_at, *model.text_at, *model.text_once_at} <= resolutions
    assert len(model.down_blocks) == len(model.channels)


@every_preset
def test_a_curriculum_begins_at_once_gets_harder_and_ends_with_the_full_distribution(preset):
    if preset.data.curriculum:
        seen, longest, lines, font_px = zip(*preset.data.curriculum, strict=True)
        assert seen[0] == 0 and list(seen) == sorted(seen)
        assert list(longest) == sorted(longest) and longest[-1] == preset.data.max_characters
        assert list(lines) == sorted(lines) and lines[-1] == preset.data.max_lines
        assert list(font_px) == sorted(font_px, reverse=True) and font_px[-1] == preset.data.min_font_px


@every_preset
def test_the_background_of_a_preset_can_be_drawn_and_its_lines_fit_into_its_texts(preset):
    assert set(preset.data.backgrounds) <= set(BACKGROUNDS)
    assert preset.data.max_inks >= 1 and preset.data.longest_line >= LONGEST_LINE


def test_a_preset_that_begins_from_another_has_its_levels():
    for name, inner in (("upscaler", "first-words"), ("post", "first-words"), ("post-upscaler", "post")):
        model, base = PRESETS[name].model, PRESETS[inner].model
        assert model.image_size == 2 * base.image_size
        assert model.channels[1:] == base.channels and model.down_blocks[1:] == base.down_blocks


def test_an_upscaler_draws_the_texts_of_its_base_at_twice_the_size():
    for name, base in (("tiny-upscaler", "tiny"), ("upscaler", "first-words"), ("post-upscaler", "post")):
        large, small = PRESETS[name], PRESETS[base]
        assert (large.model.kind, small.model.kind) == (UPSCALER, BASE)
        assert large.data.min_font_px == 2 * small.data.min_font_px
        assert large.data.max_font_px == 2 * small.data.max_font_px
        for field in ("max_characters", "max_lines", "colours", "backgrounds", "max_inks"):
            assert getattr(large.data, field) == getattr(small.data, field), field
        assert large.data.longest_line >= small.data.longest_line
        assert (small.data.fonts, large.data.fonts) in (("one", "two"), (large.data.fonts, large.data.fonts))


def test_presets_cannot_be_changed_by_accident():
    with pytest.raises(FrozenInstanceError):
        PRESETS["tiny"].model.image_size = 8
