"""Which project a layer is of: asked for each query of entries, and for one layer always the same."""

from collections.abc import Iterable

from headwater_consumer.database import Database
from headwater_consumer.queries.layer_owners import owners_of_layers
from headwater_schemas.names import CollectionName

KNOWN_MAX = 65_536  # layers that are remembered; beyond that they are looked up once more


class LayerOwners:
    """Remembers the projects of layers. Safe to use from threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, str] = {}

    def projects_of(self, layers: Iterable[int]) -> dict[int, str]:
        """Layer → "entity/project"; layers that no version has are left out."""
        wanted, known = set(layers), self._known
        found = {layer: known[layer] for layer in wanted if layer in known}
        if unknown := wanted.difference(found):
            owners = owners_of_layers(self._database, unknown)
            found |= {layer: CollectionName.parse(collection).namespace for layer, collection in owners.items()}
            self._known = found.copy() if len(known) >= KNOWN_MAX else known | found
        return found
