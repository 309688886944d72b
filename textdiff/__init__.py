"""textdiff: a small diffusion model that writes the text of its prompt into the picture, in a glass box."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textdiff.trajectory import Generation


def write(text: str, **settings) -> "Generation":
    """Write `text` with the weights that come with textdiff, read the pictures back, and rank them:

        from textdiff import write

        generation = write("Hello", candidates=2, seed=7)
        generation.candidates[generation.best].final  # (64, 64, 3) uint8

    `settings` are fields of trajectory.Request; left out, `guidance`, `sampler` and `one_call` are those of
    the untouched page. Everything that happened is in the trajectory.Generation. The first call imports torch
    and loads the model. Raises ValueError with one sentence if the text or a setting is not one that the
    model takes.
    """
    from textdiff import notebook

    return notebook.write(text, **settings)
