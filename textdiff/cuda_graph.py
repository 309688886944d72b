"""A network call on a GPU as one recorded graph: the processor starts it once instead of every kernel.

Our networks are small, and a GPU works off a kernel faster than Python can send the next one. A CUDA graph is
the list of all kernels of a call, recorded once with the addresses that they read and write, and replayed as
one. So the question is copied to where the graph reads, and the answer away from where it writes.
PyTorch documentation, "CUDA semantics", section CUDA Graphs, has the rules: fixed shapes, fixed addresses, no
waiting for the GPU in between, some calls on a side stream before recording, and no cache of autocast.
"""

import logging
import threading
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn

MOST_GRAPHS = 8  # each keeps the memory of a whole call; the one that was used longest ago goes
_WARM_UP = 3  # calls before recording, in which libraries choose their kernels and take their memory

Work = Callable[[], Tensor]
Recording = tuple[Callable[[], None], Tensor]  # replays the work, and where its answer will be
log = logging.getLogger(__name__)


class Graphs:
    """Answers like `network`, from one graph per set of shapes, to whoever asks without gradients.

    Arguments are tensors or None, by place or by name. `record` makes a graph of some work; that is all here
    that needs a GPU. A graph knows nothing of hooks: while a module has one, because attention is watched or
    a character is muted, the network itself is asked.
    """

    def __init__(
        self, network: nn.Module, record: Callable[[Work], Recording] | None = None, most: int = MOST_GRAPHS
    ) -> None:
        self._network = network
        self._record = record or record_on_gpu
        self._most = most
        self._lock = threading.Lock()  # a graph has one place for questions and one for answers
        self._graphs: dict[tuple, _Graph | None] = {}  # None: cannot be recorded; last stands the last used

    @torch.inference_mode()
    def __call__(self, *question: Tensor | None, **named: Tensor | None) -> Tensor:
        """A fresh tensor. The first call with new shapes takes as long as several."""
        if _has_hooks(self._network):
            return self._network(*question, **named)
        arguments = {**dict(enumerate(question)), **named}
        with self._lock:
            graph = self._graph_for(arguments)
            if graph is not None:
                return graph.answer(arguments)
        return self._network(*question, **named)

    def _graph_for(self, arguments: dict[int | str, Tensor | None]) -> "_Graph | None":
        key = _described(arguments)
        if key in self._graphs:
            self._graphs[key] = self._graphs.pop(key)
            return self._graphs[key]
        try:
            graph = _Graph(self._network, arguments, self._record)
        except RuntimeError:
            log.exception("A network call could not be recorded as a CUDA graph; it is made without one.")
            graph = None
        self._graphs[key] = graph
        while len(self._graphs) > self._most:
            del self._graphs[next(iter(self._graphs))]
        return graph


class _Graph:
    """The recorded call for one set of shapes."""

    def __init__(
        self,
        network: nn.Module,
        arguments: dict[int | str, Tensor | None],
        record: Callable[[Work], Recording],
    ) -> None:
        self._read = {name: _copy(value) for name, value in arguments.items()}
        places = [value for name, value in self._read.items() if isinstance(name, int)]
        named = {name: value for name, value in self._read.items() if isinstance(name, str)}
        device = next(value.device.type for value in places if value is not None)
        dtype, enabled = torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)

        def work() -> Tensor:
            # What autocast keeps would be given back before the graph is replayed.
            with torch.autocast(device, dtype, enabled, cache_enabled=False):
                return network(*places, **named)

        self._replay, self._written = record(work)

    def answer(self, arguments: dict[int | str, Tensor | None]) -> Tensor:
        for name, place in self._read.items():
            if place is not None:
                place.copy_(arguments[name])
        self._replay()
        return self._written.clone()


@lru_cache(maxsize=4)
def graphs_of(network: nn.Module) -> Graphs:
    """The graphs of a network on a GPU, the same ones for all runs."""
    return Graphs(network)


def record_on_gpu(work: Work) -> Recording:
    """Raises RuntimeError if the work does what no graph can hold."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM_UP):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    # Other threads of the page may use the GPU meanwhile.
    with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
        written = work()
    return graph.replay, written


def _described(arguments: dict[int | str, Tensor | None]) -> tuple:
    """What a graph is for: shapes, types, places, and the type that autocast computes in."""
    shapes = tuple(
        (name, None if value is None else (value.shape, value.dtype, value.device))
        for name, value in arguments.items()
    )
    devices = {value.device.type for value in arguments.values() if value is not None}
    autocast = tuple((torch.is_autocast_enabled(one), torch.get_autocast_dtype(one)) for one in devices)
    return shapes, autocast


def _copy(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.detach().clone()


def _has_hooks(network: nn.Module) -> bool:
    return any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
