"""Gradio, imported in half the time: without the stubs that it writes for editors."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_stubs() -> Iterator[None]:
    """Put it around the first import of gradio, while no other thread asks where classes are from.

    With every import, Gradio parses the source of each of its components and renders a stub to lie beside it.
    A component that comes from no file gets none, so that is what they say they are meanwhile.
    """
    file_of = inspect.getfile

    def no_file_of(thing: object) -> str:
        if type(thing).__name__ == "ComponentMeta":
            raise OSError(f"{thing} says that it comes from no file")
        return file_of(thing)

    inspect.getfile = no_file_of
    try:
        yield
    finally:
        inspect.getfile = file_of
