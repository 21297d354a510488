"""Objects that are nowhere: a store that lists and deletes them, and counts how long a bucket would have taken.

A bucket of a million objects takes an hour to fill. Nobody waits here: the seconds of each request are added up, as
those of a bucket nearby, and belong to whoever asked. A bucket that takes longer hides more of the work beside it.
"""

from collections.abc import Iterable, Iterator

from headwater_blobs.port import StoredObject

NAMES_PER_REQUEST = 1000  # of a listing, and of a deletion
LIST_S, DELETE_S = 0.05, 0.1  # a request
ASKED_S = 0.005 / 8  # for the size of one object: so many requests are made at once


class SimulatedStore:
    """The part of a `BlobStore` that a collection of whole objects needs."""

    def __init__(self, names: Iterable[str], size: int) -> None:
        """`size`: bytes of each of these objects."""
        self._sizes = dict.fromkeys(sorted(names), size)
        self.requests_s = 0.0  # what those so far would have taken

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """As the port says, of those that were there when it began."""
        for number, name in enumerate(list(self._sizes)):
            if number % NAMES_PER_REQUEST == 0:
                self.requests_s += LIST_S
            if name.startswith(prefix):
                yield StoredObject(name, self._sizes.get(name, 0), 0.0)

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """As the port says."""
        asked = set(names)
        self.requests_s += ASKED_S * len(asked)
        return {name: self._sizes[name] for name in asked if name in self._sizes}

    def delete(self, names: Iterable[str]) -> None:
        """As the port says."""
        given = list(names)
        self.requests_s += DELETE_S * -(-len(given) // NAMES_PER_REQUEST)
        for name in given:
            self._sizes.pop(name, None)
