"""Where weights lie: those that come with textdiff, and NAME-upscaler.safetensors beside NAME.safetensors."""

from pathlib import Path

SHIPPED = Path(__file__).parent.parent / "assets" / "weights" / "first-words.safetensors"


def upscaler_beside(weights: Path) -> Path | None:
    """The upscaler that goes with these weights, if it lies beside them."""
    path = weights.with_name(f"{weights.stem}-upscaler.safetensors")
    return path if path.exists() else None
