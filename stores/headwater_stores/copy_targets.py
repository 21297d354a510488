"""Where a store is copied to: a folder, or the servers of a profile. One process at a time copies there."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.ownership import Owner
from headwater_blobs.port import BlobStore
from headwater_consumer.writing.restore import ancestors_after
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.log_file import LOG_FILE, PARTITIONS
from headwater_eventlog.port import EventLog
from headwater_runtime.closing import closed_on_failure
from headwater_runtime.files import make_folders
from headwater_schemas.errors import InvalidInput, StoreMissing, StoreNotOurs

from headwater_stores.config.profile import Profile
from headwater_stores.config.settings import Settings
from headwater_stores.exclusive_jobs import exclusive_job
from headwater_stores.folder import check_store
from headwater_stores.projection_files import projection_file, projection_folder

if TYPE_CHECKING:  # deferred: kafka
    from headwater_eventlog.kafka import KafkaEventLog, KafkaSettings

COPYING = "copying"


@dataclass(frozen=True, slots=True)
class CopyTarget:
    """What a copy is written to."""

    log: EventLog
    blobs: BlobStore


@contextmanager
def opened_target(settings: Settings, source: EventLog) -> Iterator[CopyTarget]:
    """Open the copy of a store with the log `source`, or begin one where there is no store.

    Raises: StoreNotOurs where there is another store; InvalidInput where it cannot have the log's partitions;
    StoreUnavailable, StoreReadOnly, StoreFull; InvalidSettings.
    """
    profile = settings.profile
    with _in_folder(settings, source) if profile is None else _on_servers(settings, profile, source) as target:
        yield target


@contextmanager
def _in_folder(settings: Settings, source: EventLog) -> Iterator[CopyTarget]:
    folder = settings.store
    if source.partitions != PARTITIONS:
        raise InvalidInput(
            f"the log {source.generation} has {source.partitions} partitions, and that of a folder has one: keys would "
            "lose their order. Copy it to a profile, or its projects one by one with `headwater copy --project`."
        )
    check_store(folder, create=True)
    with exclusive_job(settings, COPYING), ExitStack() as opened:
        if (folder / "log" / LOG_FILE).exists():
            log = EmbeddedEventLog.open(folder / "log", create=False)
        elif projection_file(folder).exists():
            raise StoreNotOurs(
                f"{folder} has the projection of a log that is gone. Nothing was copied; choose another folder."
            )
        else:
            log = EmbeddedEventLog.create(folder / "log", ancestors=ancestors_after(source))
        opened.callback(log.close)
        _check_copy(log, source, str(folder))
        blobs = FolderBlobStore.open(folder / "blobs", owner=Owner(log.generation))
        opened.callback(blobs.close)
        make_folders(projection_folder(folder))  # readers make the projection in it
        yield CopyTarget(log, blobs)


@contextmanager
def _on_servers(settings: Settings, profile: Profile, source: EventLog) -> Iterator[CopyTarget]:
    from headwater_blobs.s3.store import S3BlobStore  # deferred: minio
    from headwater_eventlog.kafka import KafkaEventLog  # deferred: kafka

    from headwater_stores.server_settings import kafka_settings, s3_settings  # deferred: kafka, minio

    topic, ancestors = replace(kafka_settings(profile), partitions=source.partitions), ancestors_after(source)
    with exclusive_job(settings, COPYING), ExitStack() as opened:
        log = _log_so_far(profile, topic, ancestors)
        if log is None:
            _check_projection(profile, None)
            log = KafkaEventLog.create(topic, ancestors=ancestors, timeout_s=settings.wait_s)
        opened.callback(log.close)
        _check_copy(log, source, f"topic {topic.topic!r} of Kafka at {topic.servers}")
        _check_projection(profile, log.generation)
        # Without its ancestors: the content of the source stays the source's, which goes on.
        blobs = S3BlobStore.open(s3_settings(profile), create=True, owner=Owner(log.generation))
        opened.callback(blobs.close)
        yield CopyTarget(log, blobs)


def _log_so_far(profile: Profile, topic: "KafkaSettings", ancestors: Sequence[str]) -> "KafkaEventLog | None":
    """The log of a copy, or of another store; None where there is none, or one whose creation was interrupted."""
    from headwater_eventlog.kafka import KafkaEventLog  # deferred: kafka

    from headwater_stores.kafka_logs import open_kafka_log  # deferred: kafka

    try:
        log = open_kafka_log(profile, create=False)
    except StoreMissing:
        return None
    with closed_on_failure(log):
        if log.ancestors:
            return log
        try:
            KafkaEventLog.check_can_create(topic, ancestors=ancestors)
        except StoreNotOurs:
            return log
    log.close()
    return None


def _check_copy(log: EventLog, source: EventLog, where: str) -> None:
    """Raises: StoreNotOurs."""
    if log.generation == source.generation:
        raise StoreNotOurs(f"{where} is the source itself: there is nothing to copy. Give another store.")
    if log.ancestors != ancestors_after(source):
        raise StoreNotOurs(
            f"{where} has a log that is no copy of {source.generation}, and a whole store is copied into a new one "
            "only. Nothing was changed; give another store, or copy project by project with `headwater copy "
            "--project`."
        )


def _check_projection(profile: Profile, generation: str | None) -> None:
    """Raises: StoreNotOurs where the database has the projection of another log than the copy's."""
    from headwater_stores.servers import open_database  # deferred: kafka

    with suppress(StoreMissing), closing(open_database(profile, create=False)) as database:
        known = database.source_log()
        if known is not None and known.generation != generation:
            raise StoreNotOurs(
                f"{database.name} has the projection of another log, {known}. Nothing was copied; name another with "
                "database_schema."
            )
