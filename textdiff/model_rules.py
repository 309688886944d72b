"""Which requests one model can answer: its alphabet, the length of its texts, what it has learnt.

What makes a request at all, whatever the model, stands in request_rules.py.
"""

from textdiff import alphabet
from textdiff.config import MAX_DISTILLED_GUIDANCE, ModelConfig
from textdiff.request_rules import NUMBERS, number_problem
from textdiff.samplers import STEP_RULES
from textdiff.trajectory import Request


def problem_with_request(request: Request, config: ModelConfig) -> str | None:
    """One sentence if no model of this config can answer the request, whatever else is there; else None."""
    if problem := alphabet.problem_with(request.text, config.max_characters, config.max_lines):
        return problem
    for name, (_, _, whole) in NUMBERS.items():
        value = getattr(request, name)
        if whole and not isinstance(value, int):
            value = None  # 4.0 will do in a form, but a request counts with it
        if problem := number_problem(name, value):
            return problem
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
