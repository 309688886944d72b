"""The line in front of the model: who waits in it, how many stand before whom, and when it is full.

Gradio keeps the line, first come, first served, for the form, the views and programs alike, and strikes out
whoever closes the page; but it tells nobody but its own progress bar, so this looks into its queue.
"""

import gradio as gr

from textdiff.ui.viewer_component import show_live
from textdiff.ui.writing import Turn

WAITING = 40  # a class of thirty, and some
# What does without the model passes through the same queue at once, and must not be turned away with it.
ROOM_BESIDE = 60
TELL_SECONDS = 2.0  # between two looks at one's place


class Line:
    """The line of the events of `page` that share the concurrency id `name`; `waiting` may stand in it."""

    def __init__(self, page: gr.Blocks, name: str, waiting: int = WAITING) -> None:
        self._page, self._name, self._waiting = page, name, waiting

    @property
    def is_full(self) -> bool:
        """Whether the next one is turned away."""
        queue = self._queue
        return queue is not None and len(queue.queue) >= self._waiting

    def before(self, visitor: str) -> int | None:
        """How many are served before the visitor with this session hash; None for who does not wait."""
        queue = self._queue
        waiting = [] if queue is None else [event.session_hash for event in queue.queue]
        return queue.current_concurrency + waiting.index(visitor) if visitor in waiting else None

    def tell(self, turn: Turn, visitor: gr.Request) -> dict:
        """For who waits, what the viewer shows: how many stand before. Nothing for others."""
        before = self.before(visitor.session_hash)
        if before is None or turn.request is None:
            return gr.skip()
        return show_live(turn.request, "waiting", before=before)

    @property
    def _queue(self):
        """Gradio's EventQueue; None before its first event."""
        return self._page._queue.event_queue_per_concurrency_id.get(self._name)
