"""Where weights lie: those that come with textdiff, and NAME-upscaler.safetensors beside NAME.safetensors.

What the page has to know before the weights are loaded is known from here.
"""

import json
from pathlib import Path

SHIPPED = Path(__file__).parent.parent / "assets" / "weights" / "first-words.safetensors"


def upscaler_beside(weights: Path) -> Path | None:
    """The upscaler that goes with these weights, if it lies beside them."""
    path = weights.with_name(f"{weights.stem}-upscaler.safetensors")
    return path if path.exists() else None


def guided_in_one_call(weights: Path) -> bool:
    """Whether the .json beside the weights says so. What is wrong with it, loading the weights will tell."""
    try:
        description = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
        return description["model"].get("distilled_guidance", False) is True
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
