"""Options of the commands that draw: how a text is guided, which by default depends on the model."""

import argparse

from textdiff.request_rules import NAMES, untouched


def add_guidance_options(parser: argparse.ArgumentParser) -> None:
    """--one-call, --guidance and --sampler, None where nothing is said: see `request_rules.filled_in`."""
    in_one, in_two = (untouched(one_call=way) for way in (True, False))
    parser.add_argument(
        "--one-call",
        action=argparse.BooleanOptionalAction,
        help="guidance in one network call a step or in two; default: in one if the model has learnt that",
    )
    scales = f"{in_one.guidance:g} in one call, {in_two.guidance:g} in two"
    parser.add_argument("--guidance", type=float, help=f"1 means none; default: {scales}")
    samplers = f"{in_one.sampler} in one call, {in_two.sampler} in two"
    parser.add_argument("--sampler", choices=NAMES["sampler"], help=f"default: {samplers}")
