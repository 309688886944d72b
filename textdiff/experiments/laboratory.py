"""A Writer that also answers what-if questions about its runs: what a page with experiments is given."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from textdiff.experiments.branch import branched, ddim_against_ddpm, half_of_a_longer_run
from textdiff.experiments.guidance import guidance_at
from textdiff.experiments.records import Branch, Comparison, Guidance, SelfAttentionMaps
from textdiff.experiments.replay import Moment, replayed
from textdiff.experiments.self_attention import self_attention_at
from textdiff.readers import Reader
from textdiff.trajectory import Request
from textdiff.writer import Progress, Writer

Answer = TypeVar("Answer")


class Laboratory(Writer):
    """Holds no state of an experiment, as the Writer holds none of a run.

    Every experiment raises ValueError with one sentence when it cannot be.
    """

    @property
    def sha256(self) -> str:
        """Of the weights: an experiment can repeat the runs that were written with these, and no others."""
        return self._checkpoint.sha256

    def branched(self, branch: Branch) -> Iterator[Progress | Comparison]:
        """See experiments.branch."""
        yield from branched(self._checkpoint, branch, self._reader_of(branch.of))

    def ddim_against_ddpm(self, request: Request, candidate: int) -> Iterator[Progress | Comparison]:
        """See experiments.branch."""
        yield from ddim_against_ddpm(self._checkpoint, request, candidate, self._reader_of(request))

    def half_of_a_longer_run(self, request: Request, candidate: int) -> Iterator[Progress | Comparison]:
        """See experiments.branch."""
        yield from half_of_a_longer_run(self._checkpoint, request, candidate, self._reader_of(request))

    def guided(
        self, request: Request, candidate: int, step: int, scales: Sequence[float]
    ) -> Iterator[Progress | Guidance]:
        """What the network answers at `step` without and with the text; yields a Progress per step before."""
        return self._at(request, candidate, step, partial(guidance_at, scales=scales))

    def self_attention(
        self, request: Request, candidate: int, step: int
    ) -> Iterator[Progress | SelfAttentionMaps]:
        """Where each place of the picture looks in the picture; yields a Progress per step before `step`."""
        return self._at(request, candidate, step, self_attention_at)

    def _at(
        self, request: Request, candidate: int, step: int, answer: Callable[[Moment], Answer]
    ) -> Iterator[Progress | Answer]:
        self._reader_of(request)
        for event in replayed(self._checkpoint, request, candidate, step):
            yield answer(event) if isinstance(event, Moment) else event

    def _reader_of(self, request: Request) -> Reader:
        """The reader of a request that can be answered here."""
        if problem := self.problem_with(request):
            raise ValueError(problem)
        return self._reader(request.reader)
