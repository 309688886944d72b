"""Weights and their config, saved and loaded together, strictly: NAME.safetensors beside NAME.json.

python -m textdiff.checkpoints IN.safetensors [MORE.safetensors ...] OUT.safetensors stores weights in 8 bits,
as they are shipped; of several, which must be stages of one training, their mean.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from textdiff.config import BASE, UPSCALER, ModelConfig, from_json, to_json
from textdiff.eight_bits import packed, unpacked
from textdiff.networks.unet import UNet
from textdiff.networks.upscaler import Upscaler

NETWORKS: dict[str, type[UNet]] = {BASE: UNet, UPSCALER: Upscaler}


@dataclass(frozen=True)
class Checkpoint:
    """A network ready to be asked, and what is known about its weights."""

    network: UNet
    name: str
    sha256: str
    info: dict  # preset, pictures seen, ... as the training run wrote it


def build_network(config: ModelConfig) -> UNet:
    """The untrained network of a config. Raises ValueError on one that there is not."""
    if config.kind not in NETWORKS:
        raise ValueError(f"There is no network {config.kind!r}; choose one of {', '.join(NETWORKS)}.")
    if config.distilled_guidance and config.kind != BASE:
        raise ValueError("An upscaler draws without guidance, so there is none to distil into it.")
    return NETWORKS[config.kind](config)


def save_checkpoint(network: UNet, path: Path, info: dict, eight_bits: bool = False) -> None:
    """Write PATH (.safetensors, in fp16 or in 8 bits) and its .json beside it, each in one move."""
    weights = {name: value.detach() for name, value in network.state_dict().items()}
    tensors = packed(weights) if eight_bits else {n: v.half().contiguous() for n, v in weights.items()}
    scratch = path.with_suffix(".writing")
    save_file(tensors, scratch)
    scratch.replace(path)
    scratch.write_text(json.dumps({"model": to_json(network.config), "info": info}, indent=1) + "\n")
    scratch.replace(path.with_suffix(".json"))


def load_checkpoint(path: Path, device: str = "cpu") -> Checkpoint:
    """The network in evaluation mode, float32, channels-last; of the kind that the .json beside it names.

    Raises ValueError with one sentence.
    """
    if not path.exists() or not path.with_suffix(".json").exists():
        raise ValueError(
            f"There are no weights at {path}: a .safetensors file with its .json beside it is needed."
        )
    try:
        description = json.loads(path.with_suffix(".json").read_text())
        network = build_network(from_json(ModelConfig, description["model"]))
        network.load_state_dict(unpacked(load_file(path)), strict=True)
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"The weights at {path} do not fit this version of textdiff.") from error
    network = network.to(device=device, memory_format=torch.channels_last).eval().requires_grad_(False)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Checkpoint(network, path.stem, sha256, description.get("info", {}))


def mismatch(checkpoint: Checkpoint, upscaler: Checkpoint | None) -> str | None:
    """One sentence if these cannot work together, else None."""
    base = checkpoint.network.config
    if base.kind != BASE:
        return f"The weights {checkpoint.name} are an upscaler's, and cannot begin a picture."
    if upscaler is None:
        return None
    above = upscaler.network.config
    if above.kind != UPSCALER or above.image_size != 2 * base.image_size:
        return f"The weights {upscaler.name} are not an upscaler for pictures of {base.image_size} pixels."
    if above.max_characters < base.max_characters or above.max_lines < base.max_lines:
        return f"The upscaler {upscaler.name} takes shorter texts than the model."
    return None


@torch.no_grad()
def take_over(network: nn.Module, source: nn.Module) -> tuple[int, int]:
    """Copy every tensor of `source` whose name and shape `network` has; (parameters taken over, new ones).

    The seed's sandwich: between two resolutions, all levels that both have. Raises ValueError if not a single
    matrix fits.
    """
    ours, theirs = network.state_dict(), source.state_dict()
    fitting = [name for name in ours if name in theirs and ours[name].shape == theirs[name].shape]
    if not any(ours[name].ndim > 1 for name in fitting):
        raise ValueError("The weights to begin from have nothing in common with the network of this preset.")
    for name in fitting:
        ours[name].copy_(theirs[name])
    taken = sum(ours[name].numel() for name in fitting)
    return taken, sum(value.numel() for value in ours.values()) - taken


@torch.no_grad()
def average(network: nn.Module, others: Sequence[nn.Module]) -> None:
    """Give `network` the mean of its weights and those of the others; what only it has stays its own.

    The mean of several stages of one training may draw better than each of them: Wortsman et al. 2022, Model
    soups. Raises ValueError if another has weights that the network has not.
    """
    mine = dict(network.named_parameters())
    theirs = [dict(other.named_parameters()) for other in others]
    for other in theirs:
        if any(name not in mine or mine[name].shape != value.shape for name, value in other.items()):
            raise ValueError("Only stages of one training have a mean; name the largest network first.")
    for name, value in mine.items():
        same = [value, *(other[name] for other in theirs if name in other)]
        value.copy_(torch.stack(same).mean(0))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Store weights in 8 bits, as they are shipped.")
    parser.add_argument("weights", type=Path, help="a .safetensors file with its .json beside it")
    parser.add_argument("more", type=Path, nargs="*", help="store the mean of all of them")
    parser.add_argument("out", type=Path, help="the .safetensors file to write; its .json goes beside it")
    options = parser.parse_args(arguments)
    try:
        if options.out.suffix != ".safetensors" or not options.out.parent.is_dir():
            raise ValueError(f"{options.out} must be a .safetensors file in a folder that is there.")
        checkpoint = load_checkpoint(options.weights)
        average(checkpoint.network, [load_checkpoint(path).network for path in options.more])
    except ValueError as error:
        sys.exit(str(error))
    save_checkpoint(checkpoint.network, options.out, checkpoint.info, eight_bits=True)
    before, after = (path.stat().st_size / 1e6 for path in (options.weights, options.out))
    print(f"{options.weights} has {before:.1f} MB, {options.out} has {after:.1f} MB.")


if __name__ == "__main__":
    main()
