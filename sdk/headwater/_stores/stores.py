"""Everything that one `HEADWATER_URL` stands for, behind one face: a folder, or servers."""

from dataclasses import dataclass
from typing import Protocol

from headwater_blobs.port import BlobStore
from headwater_consumer.database import Database
from headwater_eventlog.port import EventLog
from headwater_schemas.positions import Cut

from headwater._config.settings import Settings


class Projection(Protocol):
    """How a client makes sure that what was written is in the database that it asks."""

    def covers(self, cut: Cut) -> bool: ...

    def catch_up(self, cut: Cut | None = None, *, timeout_s: float) -> None: ...

    def catch_up_on(self, key: str, *, timeout_s: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Stores:
    """The log, the bytes, the database, and how the one gets into the other."""

    name: str  # for messages
    log: EventLog
    blobs: BlobStore
    database: Database
    projection: Projection
    read_only: bool
    outage_s: float = 0.0  # for how long to wait for what does not answer: servers are restarted, folders are not

    def close(self) -> None:
        """Let go of all files and connections. Closing twice is fine."""
        self.database.close()
        self.blobs.close()
        self.log.close()


def open_stores(settings: Settings, *, create: bool) -> Stores:
    """Open what `settings` name, making it where it is missing and `create` is set.

    Raises: StoreUnavailable, StoreReadOnly, StoreNotOurs, FormatTooNew, InvalidSettings.
    """
    if settings.profile is not None:
        from headwater._stores.servers import open_servers

        return open_servers(settings.profile, create=create)
    from headwater._stores.folder import open_folder

    return open_folder(settings.store, create=create)
