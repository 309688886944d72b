"""Weights and their config, saved and loaded together, strictly: NAME.safetensors beside NAME.json."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from textdiff.config import ModelConfig, from_json, to_json
from textdiff.networks.unet import UNet

SHIPPED = Path(__file__).parent.parent / "assets" / "weights" / "first-words.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A network ready to be asked, and what is known about its weights."""

    network: UNet
    name: str
    sha256: str
    info: dict  # preset, pictures seen, ... as the training run wrote it


def save_checkpoint(network: UNet, path: Path, info: dict) -> None:
    """Write PATH (.safetensors, fp16) and its .json beside it, each in one move."""
    tensors = {name: value.detach().half().contiguous() for name, value in network.state_dict().items()}
    scratch = path.with_suffix(".writing")
    save_file(tensors, scratch)
    scratch.replace(path)
    scratch.write_text(json.dumps({"model": to_json(network.config), "info": info}, indent=1) + "\n")
    scratch.replace(path.with_suffix(".json"))


def load_checkpoint(path: Path, device: str = "cpu") -> Checkpoint:
    """The network in evaluation mode, float32, channels-last. Raises ValueError with one sentence."""
    if not path.exists() or not path.with_suffix(".json").exists():
        raise ValueError(
            f"There are no weights at {path}: a .safetensors file with its .json beside it is needed."
        )
    try:
        description = json.loads(path.with_suffix(".json").read_text())
        network = UNet(from_json(ModelConfig, description["model"]))
        network.load_state_dict({name: value.float() for name, value in load_file(path).items()}, strict=True)
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"The weights at {path} do not fit this version of textdiff.") from error
    network = network.to(device=device, memory_format=torch.channels_last).eval().requires_grad_(False)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Checkpoint(network, path.stem, sha256, description.get("info", {}))
