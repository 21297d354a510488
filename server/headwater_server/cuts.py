"""Cuts of what is on the log now, for who waits until the projection has it."""

from headwater_schemas.positions import Cut
from headwater_stores.stores import Stores


def now_about(stores: Stores, key: str) -> Cut:
    """All that is on the log now about one key. Asks the log."""
    now = stores.projection.now()
    partition = stores.log.partition_of(key)
    return Cut(now.generation, {partition: now.offsets[partition]} if partition in now.offsets else {})
