"""Every number that defines a model or a training run, and the presets that name sets of them.

One dial for people: `--preset`. A model's config travels beside its weights as JSON, so weights never need
this file's presets to be loaded again.
"""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class ModelConfig:
    """The network. The switches at the end turn off, one by one, what the seed's author added."""

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

    image_to_text: bool = True  # the first half of the weave
    t5_bias: bool = True  # relative position bias in the text encoder
    line_embedding: bool = True
    time_in_encoder: bool = True
    time_in_queries: bool = True  # AdaGN(time) on the image side of the weave, else plain group norm
    axial_positions: bool = True
    taught_attention: bool = True  # head 0 of each text-to-image attention from 16x16 on learns the boxes


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

PRESETS: dict[str, Preset] = {
    # Seconds on a CPU: for tests, and for proving a command before it gets expensive hardware.
    "tiny": Preset(
        model=_TINY,
        data=DataConfig(image_size=16, max_characters=8, max_lines=2, min_font_px=8, max_font_px=12),
        train=TrainConfig(batch=8, warmup_steps=10, checkpoint_minutes=0.2),
    ),
    # 64 px, the seed's "baby's first words". What a few hours of two CPU cores can learn to spell: one bold
    # monospaced face, nearly black on nearly white, many letters a picture. training/NOTES.md: what failed.
    "first-words": Preset(
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
}


def to_json(config) -> dict:
    """A config as plain JSON values."""
    return asdict(config)


def from_json(kind: type, values: dict):
    """The inverse of `to_json`. Raises TypeError when a field is unknown: weights and code do not match."""
    return kind(**{key: _tuples(value) for key, value in values.items()})


def _tuples(value):
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
