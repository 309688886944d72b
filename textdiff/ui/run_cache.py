"""What was written before is not written again: the same previews, and the same run in a folder of its own.

A run follows from its request and the weights, so whoever asks the same gets the same, only sooner. The
folder is new, with an address that nobody else knows; that it was quick is all that one visitor learns of
another.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textdiff.trajectory import Generation, Request
from textdiff.ui.run_store import RunStore

if TYPE_CHECKING:
    from textdiff.experiments.laboratory import Laboratory
    from textdiff.writer import Progress

MAX_BYTES = 2**26  # of all previews together; the store has bounds of its own


@dataclass(frozen=True)
class _Written:
    """A run that was written: its progress, and a folder that has it as long as the store keeps that."""

    progress: tuple["Progress", ...]
    folder: Path

    @property
    def size(self) -> int:
        return sum(event.x0.nbytes for event in self.progress)


class RunCache:
    """Writes runs, and remembers those that were asked for last while their folders are in `store`."""

    def __init__(self, store: RunStore, max_bytes: int = MAX_BYTES) -> None:
        self.store = store
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._written: dict[tuple[str, Request], _Written] = {}  # the one that was used last stands last

    def write(
        self, writer: "Laboratory", request: Request, should_stop: Callable[[], bool] = lambda: False
    ) -> Iterator["Progress | Path"]:
        """As Writer.write, but the last that it yields is the folder of the run.

        Raises ValueError on a bad request. A run that was stopped is not remembered.
        """
        known = self.recalled(writer, request)
        if known is not None:
            yield from known
            return
        progress = []
        for event in writer.write(request, should_stop):
            if isinstance(event, Generation):
                folder = self.store.save(event)
                if not event.stopped:
                    self._remember(writer, request, _Written(tuple(progress), folder))
                yield folder
            else:
                progress.append(event)
                yield event

    def recalled(self, writer: "Laboratory", request: Request) -> list["Progress | Path"] | None:
        """All that `write` would yield, at once and without the model; None when it would have to write."""
        with self._lock:
            written = self._written.get((writer.sha256, request))
        folder = self.store.again(written.folder) if written else None
        if folder is None:
            return None
        self._remember(writer, request, _Written(written.progress, folder))  # the newest folder stays longest
        return [*written.progress, folder]

    def _remember(self, writer: "Laboratory", request: Request, written: _Written) -> None:
        with self._lock:
            self._written.pop((writer.sha256, request), None)
            self._written[writer.sha256, request] = written
            while sum(one.size for one in self._written.values()) > self._max_bytes:
                del self._written[next(iter(self._written))]
