"""How near does sampling on a GPU come to what it can multiply and move?

The 128-pixel preset, 64 candidates, 10 network evaluations in bf16. The limit of a call is what its
convolutions and matrix products would take if each were as fast as a large product of matrices, or as a copy
of what it must read and write, whichever is slower (the roofline of Williams et al. 2009); everything else
could be done on the way. Both rates are measured in the same run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from textdiff.bench.measure import Setting
from textdiff.bench.tables import Table
from textdiff.checkpoints import build_network
from textdiff.config import PRESETS
from textdiff.trajectory import Request
from textdiff.writer import candidate_moves, denoiser_for

PRESET, CANDIDATES, EVALUATIONS = "post", 64, 10
TEXT, T = "Good\nmorning", 0.6
SIDE, MEGABYTES = 8192, 1024  # of the square matrices; of what is copied
CALL_LIMIT, RUN_LIMIT = 1.5, 1.0  # times what is possible; seconds
OPERATORS = 6  # that take longest are shown
QUESTION = "GPU: how near does sampling come to what it can multiply and move?"
COLUMNS = ("what", "ms", "GFLOP", "GB", "TFLOP/s", "GB/s", "limit in ms", "times the limit")

Act = Callable[[], object]


@dataclass(frozen=True)
class Gpu:
    """A device, and how to measure on it."""

    name: str
    device: torch.device
    seconds: Callable[[Act], float]
    operators: Callable[[Act], Sequence[tuple[str, float]]]  # name and seconds, the longest first


def table(
    setting: Setting,
    gpu: Gpu | None = None,
    preset: str = PRESET,
    candidates: int = CANDIDATES,
    side: int = SIDE,
    megabytes: int = MEGABYTES,
) -> Table:
    """Rates, calls beside their limit, and where a call's time goes; one row where there is no GPU."""
    gpu = gpu or first_gpu()
    aims = (
        f"Preset {preset}, fresh, {candidates} candidates in bf16. Aims: a call at {CALL_LIMIT} times its "
        "limit, which is what its products take at the rates of the first two rows; a run in "
        f"{RUN_LIMIT:g} s."
    )
    if gpu is None:
        return Table(QUESTION, COLUMNS, (("no GPU", *[None] * 7),), (aims,))
    product, copy = _rates(gpu, side, megabytes)
    network = build_network(PRESETS[preset].model).to(gpu.device, memory_format=torch.channels_last)
    network.eval().requires_grad_(False)
    size = network.config.image_size
    noise = torch.randn(candidates, 3, size, size, device=gpu.device)
    text = TEXT if len(TEXT) <= network.config.max_characters else "Hi"
    recorded = denoiser_for(network, text, candidates, guidance=1.0)
    plain = replace(recorded, ask=None)
    request = Request(text=text, candidates=candidates, steps=EVALUATIONS, guidance=1.0, watch=False)

    def run() -> None:
        *_, last = candidate_moves(network, request, range(candidates))
        last.x_next.cpu()

    done = work_of(lambda: plain(noise, T))
    calls = {"a network call": plain, "the same as one CUDA graph": recorded}
    spent = gpu.seconds(run)
    rows = (
        product.row("matmul, bf16"),
        copy.row("copy"),
        *(
            _beside_limit(name, gpu.seconds(partial(call, noise, T)), done, product, copy)
            for name, call in calls.items()
        ),
        (
            *(f"a run of {EVALUATIONS} evaluations", 1e3 * spent, *[None] * 4),
            *(1e3 * RUN_LIMIT, spent / RUN_LIMIT),
        ),
        *(
            (f"of a call: {name}", 1e3 * spent, *[None] * 6)
            for name, spent in gpu.operators(lambda: plain(noise, T))[:OPERATORS]
        ),
    )
    return Table(QUESTION, COLUMNS, rows, (f"{gpu.name}. {aims}",))


@dataclass(frozen=True)
class Rate:
    """What was done in so many seconds."""

    seconds: float
    flops: int = 0
    moved: int = 0  # bytes, read and written

    def row(self, name: str) -> tuple:
        """Without a limit."""
        multiplied = (self.flops / 1e9, self.flops / self.seconds / 1e12) if self.flops else (None, None)
        carried = (self.moved / 1e9, self.moved / self.seconds / 1e9) if self.moved else (None, None)
        return (
            *(name, 1e3 * self.seconds, multiplied[0], carried[0]),
            *(multiplied[1], carried[1], None, None),
        )


def _rates(gpu: Gpu, side: int, megabytes: int) -> tuple[Rate, Rate]:
    """Of a large product of matrices and of a large copy."""
    matrix = torch.randn(side, side, device=gpu.device).bfloat16()
    block = torch.empty(megabytes * 10**6, dtype=torch.uint8, device=gpu.device)
    return (
        Rate(gpu.seconds(partial(torch.mm, matrix, matrix)), flops=2 * side**3),
        Rate(gpu.seconds(block.clone), moved=2 * block.nbytes),
    )


def _beside_limit(name: str, seconds: float, done: list[tuple[int, int]], product: Rate, copy: Rate) -> tuple:
    flops, moved = map(sum, zip(*done, strict=True))
    limit = least_seconds(done, product.flops / product.seconds, copy.moved / copy.seconds)
    *row, _, _ = Rate(seconds, flops, moved).row(name)
    return (*row, 1e3 * limit, seconds / limit)


def least_seconds(done: list[tuple[int, int]], flops_per_second: float, bytes_per_second: float) -> float:
    """What the products of `work_of` take at best, one after another."""
    return sum(max(flops / flops_per_second, moved / bytes_per_second) for flops, moved in done)


def work_of(act: Act) -> list[tuple[int, int]]:
    """FLOPs, and bytes read and written, of every convolution and matrix product."""
    with _Products() as products:
        act()
    return products.done


class _Products(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[int, int]] = []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        count = flop_registry.get(operator._overloadpacket)
        if count is None:  # in inference mode, products may come as a part of something larger
            with self:
                answer = operator.decompose(*args, **kwargs)
            return operator(*args, **kwargs) if answer is NotImplemented else answer
        answer = operator(*args, **kwargs)
        tensors = [value for value in tree_leaves((args, kwargs, answer)) if isinstance(value, Tensor)]
        flops = count(*args, **kwargs, out_val=answer)
        self.done.append((flops, sum(tensor.nbytes for tensor in tensors)))
        return answer


def first_gpu() -> Gpu | None:
    """The GPU of this machine, if it has one."""
    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    name = (
        f"{properties.name}: {properties.multi_processor_count} multiprocessors, "
        f"{properties.total_memory / 2**30:.0f} GiB"
    )
    return Gpu(name, torch.device("cuda", 0), _seconds, _operators)


def _seconds(act: Act, repeats: int = 9) -> float:
    """The median by the GPU's own clock, after two calls to warm up."""
    act(), act()
    times = []
    for _ in range(repeats):
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record()
        act()
        ended.record()
        torch.cuda.synchronize()
        times.append(began.elapsed_time(ended) / 1e3)
    return median(times)


def _operators(act: Act) -> list[tuple[str, float]]:
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        act()
        torch.cuda.synchronize()
    found = [(one.key, one.self_device_time_total / 1e6) for one in seen.key_averages()]
    # Kernels stand beside the operators that started them; these have names with "::".
    named = [(name, spent) for name, spent in found if name.startswith("aten::") and spent > 0]
    return sorted(named, key=lambda one: one[1], reverse=True)
