"""Mutes characters from outside: what does the network draw when it cannot see one of its tokens?

Where attention looks is not yet what it uses. This asks for the cause: a token's key is hidden from every
cell of the picture, and whatever then goes wrong was drawn from that key. It is less than taking the
character out of the text. The text encoder has already told the other tokens about it: where they stand, and
a little of what stands beside them.

Legend: B pictures of a forward pass, of which the first C are muted; T tokens.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from textdiff.networks.weave import WeaveAttention


@contextmanager
def mute(network: nn.Module, hidden: Tensor) -> Iterator[None]:
    """Within it, no text-to-image attention sees the keys where `hidden` (C, T) bool is true.

    It holds for the first C pictures of a forward pass. The later ones are as ever: in a guided pass they are
    the half without the text, which comes second. Watched attention shows a weight of 0 there. Some key must
    be left to look at. Passes of other threads stay as they are. Raises ValueError when the network has no
    text attention.
    """
    assert not hidden.all(1).any(), "a cell must have some token to look at"
    weaves = [module for module in network.modules() if isinstance(module, WeaveAttention)]
    if not weaves:
        raise ValueError("This network has no text attention to mute.")
    hooks = []
    try:
        for weave in weaves:
            hooks.append(weave.text_to_image.register_forward_pre_hook(_hide(hidden)))
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _hide(hidden: Tensor):
    muter = threading.get_ident()

    def hook(
        module: nn.Module, inputs: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        if threading.get_ident() != muter:
            return None
        queries, keys, hidden_keys = inputs
        hidden_keys = hidden_keys.clone()  # (B, T), all weaves share it
        hidden_keys[: len(hidden)] |= hidden
        return queries, keys, hidden_keys

    return hook
