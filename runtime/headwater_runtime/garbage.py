"""Collect garbage seldom, in processes that work for long: what they make is in no cycles, and looking for some takes
a quarter of their time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OF_A_COMMAND = 1_000_000  # objects: more than one has in use at once that passes over many records


@contextmanager
def rare_collections(every: int) -> Iterator[None]:
    """A block in which a collection comes with `every` so many more objects. Those of now are not looked at again."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(every, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
