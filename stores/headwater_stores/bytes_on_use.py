"""A store of bytes that is opened when it is used: who only lists versions needs neither its client nor its bucket."""

import threading
from collections.abc import Callable
from typing import Any, cast

from headwater_blobs.port import BlobStore
from headwater_runtime.pools import no_fork


def opened_on_use(open_store: Callable[[], BlobStore]) -> BlobStore:
    """A store that is opened by its first use, which raises what opening it raises."""
    return cast(BlobStore, _OpenedOnUse(open_store))


class _OpenedOnUse:
    """Safe to use from threads and after a fork."""

    def __init__(self, open_store: Callable[[], BlobStore]) -> None:
        self._open_store = open_store
        self._lock = threading.Lock()
        self._store: BlobStore | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._store is None:
            with no_fork(), self._lock:  # a child could not take a lock that is held while it is forked
                if self._store is None:
                    self._store = self._open_store()
        return getattr(self._store, name)

    def close(self) -> None:
        """Close it, if it was opened. Closing twice is fine."""
        if self._store is not None:
            self._store.close()
