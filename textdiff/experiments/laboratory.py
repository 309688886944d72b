"""A Writer that also answers what-if questions about its runs: what a page with experiments is given."""

from collections.abc import Iterator, Sequence

from textdiff.experiments.branch import branched, ddim_against_ddpm, half_of_a_longer_run
from textdiff.experiments.guidance import guidance_at
from textdiff.experiments.records import Branch, Comparison, Guidance, SelfAttentionMaps
from textdiff.experiments.replay import Moment, replayed
from textdiff.experiments.self_attention import self_attention_at
from textdiff.trajectory import Request
from textdiff.writer import Progress, Writer


class Laboratory(Writer):
    """Holds no state of an experiment, as the Writer holds none of a run."""

    @property
    def sha256(self) -> str:
        """Of the weights: an experiment can repeat the runs that were written with these, and no others."""
        return self._checkpoint.sha256

    def branched(self, branch: Branch) -> Iterator[Progress | Comparison]:
        """See experiments.branch. Raises ValueError with one sentence."""
        if problem := self.problem_with(branch.of):
            raise ValueError(problem)
        yield from branched(self._checkpoint, branch, self._reader(branch.of.reader))

    def ddim_against_ddpm(self, request: Request, candidate: int) -> Iterator[Progress | Comparison]:
        """See experiments.branch. Raises ValueError with one sentence."""
        if problem := self.problem_with(request):
            raise ValueError(problem)
        yield from ddim_against_ddpm(self._checkpoint, request, candidate, self._reader(request.reader))

    def half_of_a_longer_run(self, request: Request, candidate: int) -> Iterator[Progress | Comparison]:
        """See experiments.branch. Raises ValueError with one sentence."""
        if problem := self.problem_with(request):
            raise ValueError(problem)
        yield from half_of_a_longer_run(self._checkpoint, request, candidate, self._reader(request.reader))

    def guided(
        self, request: Request, candidate: int, step: int, scales: Sequence[float]
    ) -> Iterator[Progress | Guidance]:
        """What the network answers at `step` without and with the text; yields a Progress per step before it.

        Raises ValueError with one sentence.
        """
        if problem := self.problem_with(request):
            raise ValueError(problem)
        for event in replayed(self._checkpoint, request, candidate, step):
            yield guidance_at(event, scales) if isinstance(event, Moment) else event

    def self_attention(
        self, request: Request, candidate: int, step: int
    ) -> Iterator[Progress | SelfAttentionMaps]:
        """Where each place of the picture looks in the picture; yields a Progress per step before `step`.

        Raises ValueError with one sentence.
        """
        if problem := self.problem_with(request):
            raise ValueError(problem)
        for event in replayed(self._checkpoint, request, candidate, step):
            yield self_attention_at(event) if isinstance(event, Moment) else event
