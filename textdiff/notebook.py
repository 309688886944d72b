"""The whole of textdiff as one function, for notebooks; the package has it as `textdiff.write`."""

from functools import lru_cache

from textdiff.checkpoints import load_checkpoint
from textdiff.trajectory import Generation, Request
from textdiff.weight_files import SHIPPED, upscaler_beside
from textdiff.writer import Writer


def write(text: str, **settings) -> Generation:
    """What `textdiff.write` says. The model is loaded once."""
    request = Request(text=text, **settings)
    *_, generation = _writer(upscaling=request.upscaled > 0).write(request)
    return generation


@lru_cache
def _writer(upscaling: bool) -> Writer:
    upscaler = upscaler_beside(SHIPPED) if upscaling else None
    return Writer(load_checkpoint(SHIPPED), load_checkpoint(upscaler) if upscaler else None)
