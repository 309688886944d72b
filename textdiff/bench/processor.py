"""How near does sampling on the CPU come to what this processor can multiply, and to what others make of it?

One network call as the writer makes it: four candidates with guidance, eight pictures, or four where the
network has learnt to guide in one call. The limits are the processor's own rates, the rivals are other
people's engines; everything is measured in turn in one run.
"""

import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F

from textdiff import alphabet
from textdiff.bench import rivals
from textdiff.bench.measure import Setting, Times, flops, interleaved
from textdiff.bench.tables import Table
from textdiff.denoiser import Denoiser
from textdiff.networks.unet import UNet
from textdiff.writer import compute_type, denoiser_for, device_of

CANDIDATES, GUIDANCE, T = 4, 3.0, 0.6
TEXT = "Good\nmorning"
SIDE = 1024  # of the square matrices
CHANNELS, CELLS = 128, 16  # of the convolution: the middle of our network
OURS, OURS_FLOAT, OURS_IN_ONE = "our sampling", "our sampling, float32", "our sampling, guided in one call"
TARGET = 0.6  # of the bf16 matrix rate


def table(setting: Setting, with_rivals: bool = True) -> Table:
    """Rates beside the processor's, and times beside the rivals'."""
    network = setting.checkpoint.network
    limits, limit_flops = machine_cases()
    cases, work = our_cases(network)
    engines, missing = rival_cases(network, work[OURS]) if with_rivals else ({}, {})
    rates = interleaved({**limits, **cases}, setting.repeats)
    contest = {OURS: cases[OURS], **{name: call for name, (call, _) in engines.items()}}
    ways = interleaved(contest, setting.repeats)

    rows = [_rate(name, rates, limit_flops[name], None) for name in limits]
    rows += [
        _rate(name, rates, work[name], "matmul, float32" if name == OURS_FLOAT else _limit(network))
        for name in cases
    ]
    rows += [
        (name, 1e3 * ways.seconds(name), done / 1e9, _per_second(done, ways.seconds(name)), None, None,
         ways.ratio(name, OURS) * work[OURS] / done)
        for name, (_, done) in engines.items()
    ]  # fmt: skip
    rows += [(f"{name}: {why}", None, None, None, None, None, None) for name, why in missing.items()]
    return Table(
        question="Processor: how near does sampling come to what it can multiply?",
        columns=("what", "ms", "GFLOP", "GFLOP/s", "limit", "of the limit", "times ours per FLOP"),
        rows=tuple(rows),
        notes=(
            f"{CANDIDATES} candidates, guided: {2 * CANDIDATES} pictures a call, {CANDIDATES} in one call. "
            f"Threads: {torch.get_num_threads()}. Aims: {TARGET:.0%} of the bf16 matmul, 3 times diffusers.",
        ),
    )


def machine_cases() -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    """What the processor is asked to multiply, and how much that is."""
    matrix = torch.randn(SIDE, SIDE)
    picture = torch.randn(2 * CANDIDATES, CHANNELS, CELLS, CELLS).to(memory_format=torch.channels_last)
    kernel = torch.randn(CHANNELS, CHANNELS, 3, 3).to(memory_format=torch.channels_last)
    calls = {}
    for dtype in (torch.bfloat16, torch.float32):
        name = "bf16" if dtype == torch.bfloat16 else "float32"
        a, x, w = matrix.to(dtype), picture.to(dtype), kernel.to(dtype)
        calls[f"matmul, {name}"] = lambda a=a: a @ a
        calls[f"convolution, {name}"] = lambda x=x, w=w: F.conv2d(x, w, padding=1)
    return calls, {name: flops(call) for name, call in calls.items()}


def our_cases(network: UNet) -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    """One call as the writer makes it, the same in float32 and, if learnt, in one call; their FLOPs."""
    size, text = network.config.image_size, _text_for(network)
    x = torch.randn(CANDIDATES, 3, size, size, device=device_of(network))
    ours = denoiser_for(network, text, CANDIDATES, GUIDANCE)
    asked = {OURS: ours, OURS_FLOAT: _plain(ours)}
    if network.config.distilled_guidance:
        asked[OURS_IN_ONE] = denoiser_for(network, text, CANDIDATES, GUIDANCE, one_call=True)
    # What asks oneDNN directly is not counted, so all are counted in float32.
    work = {name: flops(partial(_plain(one), x, T)) for name, one in asked.items()}
    return {name: partial(one, x, T) for name, one in asked.items()}, work


def _text_for(network: UNet) -> str:
    return TEXT if alphabet.problem_with(TEXT, network.config.max_characters, 2) is None else "Hi"


def _plain(denoiser: Denoiser) -> Denoiser:
    """The same question in float32, asked of the network itself."""
    return replace(denoiser, autocast=None, ask=None)


def rival_cases(
    network: UNet, work: int
) -> tuple[dict[str, tuple[Callable[[], object], int]], dict[str, str]]:
    """Name -> call and FLOPs of those that run here; name -> why not of the others.

    `work`: the FLOPs of our own network, which count for whoever answers the same question.
    """
    size, text, threads = network.config.image_size, _text_for(network), torch.get_num_threads()
    ids = torch.from_numpy(alphabet.encode([text] * 2 * CANDIDATES, len(text)))
    x, t = torch.randn(len(ids), 3, size, size), torch.full((len(ids),), T)
    theirs, ours = (x, t, ids), (x[:CANDIDATES], t[:CANDIDATES], ids)  # ours takes two texts for a picture
    makers = {
        "diffusers, float32": lambda: rivals.diffusers_unet(network, theirs, torch.float32),
        "diffusers, bf16": lambda: rivals.diffusers_unet(network, theirs, torch.bfloat16),
        "ONNX Runtime": lambda: (*rivals.onnx_runtime(network, ours, threads), work),
        "OpenVINO": lambda: (*rivals.openvino(network, ours, threads), work),
    }
    found, missing = {}, {}
    for name, make in makers.items():
        try:
            with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # exporters talk
                warnings.simplefilter("ignore")
                title, call, done = make()
            found[title] = call, done
        except rivals.Missing as why:
            missing[name] = str(why)
        except Exception as error:  # an exporter that cannot take our network says so in its own way
            missing[name] = f"failed ({type(error).__name__})"
    return found, missing


def _limit(network: UNet) -> str:
    return "matmul, bf16" if compute_type(device_of(network)) else "matmul, float32"


def _rate(name: str, times: Times, work: int, limit: str | None) -> tuple:
    rate = _per_second(work, times.seconds(name))
    share = None
    if limit:
        share = work / (2 * SIDE**3) / times.ratio(name, limit)
    return name, 1e3 * times.seconds(name), work / 1e9, rate, limit, share, None


def _per_second(work: int, seconds: float) -> float:
    return work / seconds / 1e9
