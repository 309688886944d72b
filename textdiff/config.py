"""Every number that defines a model or a training run, and the presets that name sets of them.

One dial for people: `--preset`. A model's config travels beside its weights as JSON, so weights never need
this file's presets to be loaded again.
"""

import json
import math
from dataclasses import asdict, dataclass, field, replace

BASE, UPSCALER = "base", "upscaler"
MAX_DISTILLED_GUIDANCE = 8.0  # what a network with guidance distilled into it has been taught, from 1 on


@dataclass(frozen=True)
class ModelConfig:
    """The network. The switches near the end turn off, one by one, what the seed's author added.

    Blocks are named after their resolution, so two configs that agree on `channels` from the lowest
    resolution up, and on the text path, share the names and shapes of these levels: see `--warm-start`.
    """

    kind: str = BASE  # or UPSCALER, which draws pictures of image_size from others half as large
    image_size: int = 64
    max_characters: int = 48  # line breaks included
    max_lines: int = 5
    stem: int = 2  # pixel-unshuffle factor: the top level works at image_size / stem
    channels: tuple[int, ...] = (48, 128, 160)  # per level, from the top level down
    down_blocks: tuple[int, ...] = (1, 2, 2)  # residual blocks per level going down; one more going up
    attention_at: tuple[int, ...] = (8,)  # resolutions with self-attention after each residual block
    text_at: tuple[int, ...] = (16, 8)  # resolutions with weave attention after each block of the up path
    text_once_at: tuple[int, ...] = (32,)  # resolutions with one weave attention, after the first block
    head_channels: int = 32
    text_width: int = 192
    text_layers: int = 3
    time_width: int = 256
    # Added to the log-SNR of the cosine schedule; 0 is cosine itself. It takes more noise to hide what is in
    # a larger picture: 2 log(64 / image_size) in Hoogeboom et al. 2023 (simple diffusion), section 3.1.
    log_snr_shift: float = 0.0

    image_to_text: bool = True  # the first half of the weave
    t5_bias: bool = True  # relative position bias in the text encoder
    line_embedding: bool = True
    time_in_encoder: bool = True
    time_in_queries: bool = True  # AdaGN(time) on the image side of the weave, else plain group norm
    axial_positions: bool = True
    taught_attention: bool = True  # head 0 of each text-to-image attention from 16x16 on learns the boxes
    # Base models only, and not the seed's: it can be told a guidance scale and answers in one call instead of
    # two. See training/distillation.py; training with `--teacher` or `--self-guided` switches it on.
    distilled_guidance: bool = False


@dataclass(frozen=True)
class DataConfig:
    """The synthetic pictures. Picture n depends on this config, the fonts and n alone."""

    image_size: int = 64
    seed: int = 1
    max_characters: int = 48
    max_lines: int = 5
    min_font_px: int = 8
    max_font_px: int = 28
    full_share: float = (
        0.0  # of the pictures that hold about as many characters as they can: more letters to learn from
    )
    colours: str = "any"  # or "paper": nearly black on nearly white
    fonts: str = "first"  # a font set of training/fonts.py: "first" (plain, widely legible faces) or "all"
    # Of the texts that fit the set's first face, the share set in it; 0 makes all families alike.
    first_face_share: float = 0.0
    # Of the texts, the share that is as large as fits, up to max_font_px; the sizes of the others are drawn.
    largest_share: float = 0.0
    # Of the texts, the share whose lines are centred on each other; the alignment of the others is drawn.
    centred_share: float = 0.0
    backgrounds: tuple[str, ...] = ("flat",)  # of training/backgrounds.py, each as often as any other
    max_inks: int = 1  # colours of the text; a picture has one to so many, a word has one
    longest_line: int = 13  # characters; more than text_source.py writes are put together from its lines
    # Of the texts, the share that has a line longer than text_source.py writes, up to `longest_line`.
    wide_share: float = 0.0
    # The curriculum: (pictures seen, longest text, most lines, fewest font pixels) reached by then, linear in
    # between. An empty tuple means the full distribution from the first picture on.
    curriculum: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True)
class TrainConfig:
    """The training run."""

    seed: int = 1
    batch: int = 32
    muon_lr: float = 1e-3  # hidden matrices and convolutions; updates scaled to AdamW's RMS
    adam_lr: float = 6e-4  # everything else
    weight_decay: float = 0.0
    warmup_steps: int = 100
    cooldown: float = 0.25  # last share of the minutes in which the learning rate falls linearly to zero
    clip: float = 1.0  # gradient norm
    ema_decay: float = 0.998
    null_share: float = 0.1  # prompts replaced by the null prompt, for classifier-free guidance
    teach_weight: float = 0.03  # of the taught attention's cross-entropy
    uniform_share: float = 0.25  # times drawn uniformly; the others are logit-normal
    logit_mean: float = 1.3
    logit_std: float = 0.9
    checkpoint_minutes: float = 10.0
    guided_share: float = 0.75  # of the pictures with a text, learn a guided answer instead
    # Base models only: of the noisy pictures, the share that the network came to by itself, by steps of the
    # sampler, see training/own_steps.py.
    own_share: float = 0.0

    # Upscalers only: how wrong the small pictures are that they learn from, see training/small_pictures.py.
    small_t: float = 0.4  # noise up to this time is added to every small picture (the original: 600 of 1000)
    wrong_share: float = 0.3  # of small pictures that have a flaw: a shift, a blur, other strokes, blots
    redrawn_share: float = 0.5  # of small pictures that a base model has drawn again; needs `--base`


@dataclass(frozen=True)
class Preset:
    """A model with the data and the training run that make it."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


_TINY = ModelConfig(
    image_size=16,
    max_characters=8,
    max_lines=2,
    channels=(16, 32),
    down_blocks=(1, 1),
    attention_at=(4,),
    text_at=(4,),
    text_once_at=(8,),
    head_channels=16,
    text_width=32,
    text_layers=1,
    time_width=32,
)

_FIRST_WORDS = ModelConfig()

# Letters have as many pixels as in first-words, so that text attention moves up one resolution with them.
_POST = replace(
    _FIRST_WORDS,
    image_size=128,
    max_characters=128,
    max_lines=8,
    channels=(64, *_FIRST_WORDS.channels),
    down_blocks=(1, *_FIRST_WORDS.down_blocks),
    text_at=(32, 16, 8),
    text_once_at=(64,),
    log_snr_shift=2 * math.log(64 / 128),
)
_POST_DATA = DataConfig(
    image_size=128,
    max_characters=128,
    max_lines=8,
    min_font_px=9,
    full_share=0.3,
    backgrounds=("flat", "gradient", "noise", "shapes"),
    max_inks=3,
    longest_line=24,
    curriculum=((0, 48, 5, 14), (2_000_000, 128, 8, 9)),
)

# The small picture has settled the layout: there is no reason to lean towards the noise.
_UPSCALER_TRAIN = TrainConfig(batch=16, uniform_share=0.5, logit_mean=0.0, logit_std=1.0)

PRESETS: dict[str, Preset] = {
    # Seconds on a CPU: for tests, and for proving a command before it gets expensive hardware.
    "tiny": Preset(
        model=_TINY,
        data=DataConfig(image_size=16, max_characters=8, max_lines=2, min_font_px=8, max_font_px=12),
        train=TrainConfig(batch=8, warmup_steps=10, checkpoint_minutes=0.2),
    ),
    # 16 -> 32 px, the same for upscalers: begin from the weights of tiny.
    "tiny-upscaler": Preset(
        model=replace(
            _TINY,
            kind=UPSCALER,
            image_size=32,
            channels=(24, *_TINY.channels),
            down_blocks=(1, *_TINY.down_blocks),
        ),
        data=DataConfig(image_size=32, max_characters=8, max_lines=2, min_font_px=16, max_font_px=24),
        train=replace(_UPSCALER_TRAIN, batch=8, warmup_steps=10, checkpoint_minutes=0.2),
    ),
    # 64 px, the seed's "baby's first words". What a few hours of two CPU cores can learn to spell: one bold
    # monospaced face, nearly black on nearly white, many letters a picture. training/NOTES.md: what failed.
    "first-words": Preset(
        model=_FIRST_WORDS,
        data=DataConfig(
            min_font_px=8,
            max_font_px=12,
            fonts="one",
            colours="paper",
            full_share=0.3,
            curriculum=((0, 20, 3, 10), (200_000, 20, 3, 10), (400_000, 48, 5, 8)),
        ),
    ),
    # The same with every colour and four plain faces: begin from the weights of first-words (--warm-start).
    "more-words": Preset(data=DataConfig(max_font_px=14, full_share=0.3)),
    # 64 -> 128 px, on what first-words writes: begin from its weights. One level more, and a cheap one. Here
    # are the second, narrow face and its longer lines, whether the base below has learnt them or not.
    "upscaler": Preset(
        model=replace(
            _FIRST_WORDS,
            kind=UPSCALER,
            image_size=128,
            channels=(32, *_FIRST_WORDS.channels),
            down_blocks=(1, *_FIRST_WORDS.down_blocks),
        ),
        data=DataConfig(
            image_size=128,
            min_font_px=16,
            max_font_px=24,
            fonts="two",
            first_face_share=0.6,
            longest_line=16,
            colours="paper",
            full_share=0.3,
        ),
        train=_UPSCALER_TRAIN,
    ),
    # 128 px, the seed's base model: begin from the weights of first-words or more-words. For a GPU.
    "post": Preset(
        model=_POST,
        data=_POST_DATA,
        train=TrainConfig(batch=128, warmup_steps=500, ema_decay=0.999),
    ),
    # 128 -> 256 px, the seed's upscaler: begin from the weights of post. For a GPU.
    "post-upscaler": Preset(
        model=replace(
            _POST,
            kind=UPSCALER,
            image_size=256,
            channels=(32, *_POST.channels),
            down_blocks=(1, *_POST.down_blocks),
            log_snr_shift=0.0,
        ),
        data=replace(_POST_DATA, image_size=256, min_font_px=18, max_font_px=56, curriculum=()),
        train=replace(_UPSCALER_TRAIN, batch=64, warmup_steps=500, ema_decay=0.999),
    ),
}


def to_json(config) -> dict:
    """A config as plain JSON values."""
    return asdict(config)


def from_json(kind: type, values: dict):
    """The inverse of `to_json`. Raises TypeError when a field is unknown: weights and code do not match."""
    return kind(**{key: _tuples(value) for key, value in values.items()})


def overridden(preset: Preset, settings: list[str]) -> Preset:
    """The preset with "part.field=value" settings applied, the value as JSON (text needs no quotes).

    Raises ValueError on an unknown field or a value of another kind.
    """
    for setting in settings:
        name, _, text = setting.partition("=")
        part, _, key = name.partition(".")
        try:
            old = getattr(preset, part)
            value = text if isinstance(getattr(old, key), str) else json.loads(text)
            new = from_json(type(old), to_json(old) | {key: value})
            kinds = type(getattr(old, key)), type(getattr(new, key))
            if kinds[0] is not kinds[1] and kinds != (float, int):
                raise TypeError(f"{kinds[0].__name__} expected")
            preset = replace(preset, **{part: new})
        except (AttributeError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{setting!r} is not a setting; write it like train.batch=64.") from error
    return preset


def _tuples(value):
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
