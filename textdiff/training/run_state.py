"""A training run on disk, so that it can go on: raw weights, EMA, optimiser state and counters. No pickles.

One file, `state.safetensors`, holds every tensor and, in its header, the counters. It is replaced in one
move.
"""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from textdiff.training.ema import EMA

STATE = "state.safetensors"


def save_state(
    folder: Path, network: nn.Module, ema: EMA, optimizers: tuple[Optimizer, ...], counters: dict
) -> None:
    """Replace the state in `folder`; a run killed at any moment leaves a whole one."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in ema.network.state_dict().items()}
    for index, optimizer in enumerate(optimizers):
        for number, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optimizer{index}.{number}.{name}"] = torch.as_tensor(value)
    scratch = folder / "state.writing"
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    save_file(contiguous, scratch, metadata={"counters": json.dumps(counters)})
    scratch.replace(folder / STATE)


def load_state(folder: Path, network: nn.Module, ema: EMA, optimizers: tuple[Optimizer, ...]) -> dict:
    """Fill network, EMA and optimisers from `folder`; returns the counters.

    Raises ValueError if there is no run, or one of another network.
    """
    path = folder / STATE
    if not path.exists():
        raise ValueError(f"There is no run to resume in {folder}.")
    try:
        tensors = load_file(path)
        network.load_state_dict(_below(tensors, "network."))
        ema.network.load_state_dict(_below(tensors, "ema."))
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f"The run in {folder} does not fit the network of this preset.") from error
    for index, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _below(tensors, f"optimizer{index}.").items():
            number, name = key.split(".", 1)
            state.setdefault(int(number), {})[name] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["counters"])


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
