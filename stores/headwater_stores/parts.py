"""The log of a store and its content, each opened by itself, for reading: for commands that need no more."""

from collections.abc import Callable
from typing import TypeVar

from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.ownership import Owner
from headwater_blobs.port import BlobStore
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import EventLog

from headwater_stores.access import first_obstacle
from headwater_stores.config.settings import Settings
from headwater_stores.folder import check_store, databases_of
from headwater_stores.outages import ride_out

T = TypeVar("T")


def once_reachable(settings: Settings, open_it: Callable[[], T]) -> T:
    """What `open_it` opens; servers that are away are waited for. Raises: as `ride_out`."""
    return ride_out(open_it, name=settings.url, outage_s=settings.outage_s)


def open_log(settings: Settings) -> EventLog:
    """The log of a store. Raises: StoreMissing, StoreUnavailable, StoreNotOurs, FormatTooNew."""
    if settings.profile is not None:
        from headwater_stores.kafka_logs import open_kafka_log  # deferred: kafka

        return open_kafka_log(settings.profile, create=False, read_only=True)
    folder = settings.store
    check_store(folder)
    read_only = first_obstacle(folder, databases_of(folder)) is not None
    return EmbeddedEventLog.open(folder / "log", create=False, read_only=read_only)


def open_content(settings: Settings, *, owner: Owner | None = None) -> BlobStore:
    """The content of a store; with `owner` only if it is that log's. Raises: as `open_log`."""
    if settings.profile is None:
        return FolderBlobStore.open(settings.store / "blobs", create=False, read_only=True, owner=owner)
    from headwater_blobs.s3.store import S3BlobStore  # deferred: minio

    from headwater_stores.server_settings import s3_settings  # deferred: minio

    return S3BlobStore.open(s3_settings(settings.profile), create=False, read_only=True, owner=owner)
