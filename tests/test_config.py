import json
from dataclasses import FrozenInstanceError

import pytest

from textdiff.config import PRESETS, DataConfig, ModelConfig, TrainConfig, from_json, to_json

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


def test_presets_cannot_be_changed_by_accident():
    with pytest.raises(FrozenInstanceError):
        PRESETS["tiny"].model.image_size = 8
