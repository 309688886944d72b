"""The whole of textdiff as one function, for notebooks; the package has it as `textdiff.write`."""

from functools import lru_cache

from textdiff.checkpoints import load_checkpoint
from textdiff.request_rules import ONE_CALL, filled_in
from textdiff.trajectory import Generation, Request
from textdiff.weight_files import SHIPPED, guided_in_one_call, upscaler_beside
from textdiff.writer import Writer


def write(text: str, **settings) -> Generation:
    """What `textdiff.write` says. The model is loaded once."""
    said = {"text": text, "one_call": None} | dict.fromkeys(ONE_CALL) | settings
    request = Request(**filled_in(said, guided_in_one_call(SHIPPED)))
    *_, generation = _writer(upscaling=request.upscaled > 0).write(request)
    return generation


@lru_cache
def _writer(upscaling: bool) -> Writer:
    upscaler = upscaler_beside(SHIPPED) if upscaling else None
    return Writer(load_checkpoint(SHIPPED), load_checkpoint(upscaler) if upscaler else None)
