"""What a reader needs of a store: what it holds, once everything that was written is projected."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from headwater_schemas.keys import collection_key

from headwater_stores.config.settings import Settings
from headwater_stores.opening import open_for_reading
from headwater_stores.stores import Stores
from headwater_stores.telling.waiting import telling


class ReadableStore(Protocol):
    """A store to read from: a `StoreReader`, or the `Client` of a process that may also write."""

    @property
    def stores(self) -> Stores: ...

    def catch_up(self) -> None: ...

    def catch_up_on(self, collection: str) -> None: ...


class StoreReader:
    """A store that is only read, opened without what writing needs. Nothing is found in one that does not exist."""

    def __init__(self, settings: Settings) -> None:
        """Raises: StoreUnavailable, StoreNotOurs, FormatTooNew, InvalidSettings."""
        self.stores = open_for_reading(settings)
        self._wait_s = settings.wait_s

    def catch_up(self) -> None:
        """Make everything that anybody has written by now visible to queries."""
        catch_up(self.stores, wait_s=self._wait_s)

    def catch_up_on(self, collection: str) -> None:
        """Make everything that has been written about one collection visible to queries."""
        catch_up_on(self.stores, collection, wait_s=self._wait_s)

    def close(self) -> None:
        """Close the store."""
        self.stores.close()


def catch_up(stores: Stores, *, wait_s: float) -> None:
    """Wait until everything that anybody has written by now is projected."""
    if not stores.read_only:
        with telling_of_projection(stores):
            stores.projection.catch_up(timeout_s=wait_s)


def catch_up_on(stores: Stores, collection: str, *, wait_s: float) -> None:
    """Wait until everything that has been written about one collection is projected."""
    if not stores.read_only:
        with telling_of_projection(stores):
            stores.projection.catch_up_on(collection_key(collection), timeout_s=wait_s)


def telling_of_projection(stores: Stores) -> AbstractContextManager[None]:
    """A block in which who waits long for the projection is told so."""
    return telling(stores.projection.awaited) if stores.is_remote else nullcontext()
