"""Where a cell of the picture looks in the picture, computed again from the queries and keys of one pass.

Unlike text attention, self-attention has no observation point: nobody needs it during a run, and it may use
a fused kernel. Its input and its weights say the same.

Legend: B pictures, C channels, N cells.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from textdiff.experiments.records import SelfAttentionLayer, SelfAttentionMaps
from textdiff.experiments.replay import Moment, denoiser_for
from textdiff.networks.blocks import SelfAttention, split_heads, to_cells, unit_rms
from textdiff.networks.unet import Block


def self_attention_at(moment: Moment) -> SelfAttentionMaps:
    """All heads and cells of all layers, of the guess with the text. Costs one network call."""
    denoise = denoiser_for(moment.checkpoint, moment.request.text, guidance=1.0)
    with watch_self_attention(moment.checkpoint.network) as seen:
        denoise(moment.x_t, moment.t)
    layers = self_attention_layers(moment.checkpoint.network)
    return SelfAttentionMaps(
        step=moment.step,
        layers=layers,
        weights=tuple(seen[layer.name][0].float().cpu().numpy() for layer in layers),
    )


def self_attention_layers(network: nn.Module) -> tuple[SelfAttentionLayer, ...]:
    """What can be watched, in the order in which it runs."""
    return tuple(
        SelfAttentionLayer(
            name=name,
            resolution=int(block.place.partition("x")[0]),
            heads=block.self_attention.heads,
        )
        for name, block in _attentive(network)
    )


@contextmanager
def watch_self_attention(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Yields a dict for this thread's forward pass to fill: name of a block -> weights (B, heads, N, N)."""
    seen: dict[str, Tensor] = {}
    hooks = []
    try:
        for name, block in _attentive(network):
            hooks.append(block.self_attention.register_forward_pre_hook(_note(seen, name)))
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def self_attention_weights(attention: SelfAttention, x: Tensor) -> Tensor:
    """The weights (B, heads, N, N), query before key, with which `attention` answers x (B, C, H, W)."""
    queries, keys, _ = attention.to_qkv(to_cells(attention.norm(x))).chunk(3, dim=-1)
    q, k = (split_heads(part, attention.heads) for part in (queries, keys))  # (B, heads, N, C / heads)
    q, k = unit_rms(q), unit_rms(k)
    return ((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)).softmax(-1)


def _attentive(network: nn.Module) -> list[tuple[str, Block]]:
    # named_modules goes in the order of construction, which here is also that of use.
    return [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, Block) and module.self_attention is not None
    ]


def _note(seen: dict[str, Tensor], name: str):
    watcher = threading.get_ident()

    # While the network runs, so that the products have the precision that it computes in.
    def hook(attention: SelfAttention, inputs: tuple[Tensor]) -> None:
        if threading.get_ident() == watcher:
            seen[name] = self_attention_weights(attention, *inputs).detach()

    return hook
