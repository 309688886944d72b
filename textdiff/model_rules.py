"""Which requests one model can answer: its alphabet, the length of its texts, what it has learnt.

What makes a request at all, whatever the model, stands in request_rules.py.
"""

from textdiff import alphabet
from textdiff.config import MAX_DISTILLED_GUIDANCE, ModelConfig
from textdiff.request_rules import NUMBERS
from textdiff.samplers import STEP_RULES
from textdiff.trajectory import Request

MAX_GUIDANCE = NUMBERS["guidance"][1]
# As the person who asked is told of them.
_WHOLE_NUMBERS = {
    "seed": "The seed",
    "candidates": "The number of candidates",
    "steps": "The number of steps",
    "upscaled": "The number of large pictures",
    "upscaler_steps": "The number of the upscaler's steps",
}


def problem_with_request(request: Request, config: ModelConfig) -> str | None:
    """One sentence if no model of this config can answer the request, whatever else is there; else None."""
    if problem := alphabet.problem_with(request.text, config.max_characters, config.max_lines):
        return problem
    for field, name in _WHOLE_NUMBERS.items():
        low, high, _ = NUMBERS[field]
        if problem := problem_with_number(name, getattr(request, field), low, high):
            return problem
    if not 1 <= request.guidance <= MAX_GUIDANCE:
        return f"The guidance scale must be a number from 1 to {MAX_GUIDANCE:g}."
    if request.one_call and (problem := problem_with_one_call(request.guidance, config)):
        return problem
    if request.sampler not in STEP_RULES:
        return f"There is no sampler called {request.sampler!r}; choose one of {', '.join(STEP_RULES)}."
    return None


def problem_with_one_call(guidance: float, config: ModelConfig) -> str | None:
    """One sentence if a model of this config cannot be guided at this scale in one call, else None."""
    if not config.distilled_guidance:
        return "This model has not learnt guidance in one call; let it take two."
    if guidance > MAX_DISTILLED_GUIDANCE:
        return f"In one call the guidance scale can be at most {MAX_DISTILLED_GUIDANCE:g}, which was learnt."
    return None


def problem_with_number(name: str, value: int, low: int, high: int) -> str | None:
    """One sentence if `value` is not a whole number from `low` to `high`, else None."""
    if isinstance(value, int) and low <= value <= high:
        return None
    return f"{name} must be a whole number from {low} to {high}."
