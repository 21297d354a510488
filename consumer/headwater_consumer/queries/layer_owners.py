"""Whose layers are: a layer's number is no secret, so who asks for one by its number must be known to read it."""

from collections.abc import Iterable

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import bindparam, select
from headwater_consumer.database.tables import VERSION_LAYERS


def owners_of_layers(database: Database, layers: Iterable[int]) -> dict[int, str]:
    """Layer → a collection that has it in a version, deleted ones included. Layers of no version are left out.

    All versions with a layer are of one collection. Cost: an index look-up each.
    """
    found = {}
    with database.autocommit() as connection:
        for layer in layers:
            row = _owner_of().first(connection, layer=layer)
            if row is not None:
                found[layer] = row[0]
    return found


@compiled
def _owner_of() -> Statement:
    of_layer = VERSION_LAYERS.c.layer == bindparam("layer")
    return select(VERSION_LAYERS.c.collection).where(of_layer).limit(1)
