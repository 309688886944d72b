"""Watches text attention from outside, for one forward pass.

Every CrossAttention passes its softmax through `weights`, a module that does nothing; a hook on it sees
exactly what the network uses, and the network computes the same bits whether somebody looks or not.

Legend: B pictures, Q queries, K keys; N cells of the picture, T tokens.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from torch import Tensor, nn

from textdiff.networks.weave import CrossAttention
from textdiff.trajectory import IMAGE_TO_TEXT, TEXT_TO_IMAGE, AttentionLayer


@contextmanager
def watch_attention(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Yields a dict for the forward pass to fill: name of a CrossAttention -> weights (B, heads, Q, K).

    Weights are in [0, 1], and those of a query add up to 1. The names come in the order in which the modules
    run. Open it around one forward pass: a second one would replace what the first one showed. Passes of
    other threads are not seen, so several may watch one network at the same time. Raises ValueError when the
    network has no text attention.
    """
    seen: dict[str, Tensor] = {}
    hooks = []
    try:
        for name, attention in _text_attentions(network):
            hooks.append(attention.weights.register_forward_hook(_note(seen, name)))
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def layers_of(network: nn.Module) -> tuple[AttentionLayer, ...]:
    """What can be watched, in the order in which it runs. Raises ValueError if there is no text attention."""
    layers = []
    for name, attention in _text_attentions(network):
        weave, _, direction = name.rpartition(".")
        assert direction in (TEXT_TO_IMAGE, IMAGE_TO_TEXT), f"{name} does not say who looks at whom"
        layer = AttentionLayer(
            name=weave.removesuffix(".weave"),
            direction=direction,
            resolution=network.get_submodule(weave).resolution,
            heads=attention.heads,
            taught_head=attention.taught_head,
        )
        layers.append(layer)
    return tuple(layers)


def as_arrays(seen: dict[str, Tensor], layers: Sequence[AttentionLayer]) -> list[np.ndarray]:
    """One float32 array (B, heads, N, T) per layer, whichever way the layer looks."""
    arrays = []
    for layer in layers:
        weights = seen[f"{layer.name}.weave.{layer.direction}"]  # (B, heads, Q, K)
        if layer.direction == IMAGE_TO_TEXT:  # here the tokens ask and the cells answer
            weights = weights.transpose(-1, -2)
        arrays.append(weights.float().cpu().contiguous().numpy())
    return arrays


def _text_attentions(network: nn.Module) -> list[tuple[str, CrossAttention]]:
    # By type, not by name. named_modules goes in the order of construction, which here is also that of use.
    found = [(name, module) for name, module in network.named_modules() if isinstance(module, CrossAttention)]
    if not found:
        raise ValueError("This network has no text attention to watch.")
    return found


def _note(seen: dict[str, Tensor], name: str):
    watcher = threading.get_ident()

    def hook(module: nn.Module, inputs: tuple[Tensor], weights: Tensor) -> None:
        if threading.get_ident() != watcher:
            return
        assert name not in seen, f"{name} ran twice: watch one forward pass at a time"
        seen[name] = weights.detach()

    return hook
