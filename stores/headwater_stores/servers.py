"""Open the servers of a profile: the log in Kafka, the projection in PostgreSQL, the blobs in an S3 bucket."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from headwater_blobs.ownership import Owner
from headwater_blobs.port import BlobStore
from headwater_consumer.database import Database
from headwater_consumer.database.postgresql.naming import new_schema_name
from headwater_consumer.database.postgresql.schema import PostgresqlSchema
from headwater_consumer.database.projector_reports import ProjectorReports, projector_reports
from headwater_consumer.projection.remote import RemoteProjection
from headwater_consumer.queries.reads import DirectReads
from headwater_eventlog.kafka import KafkaEventLog
from headwater_eventlog.kafka import diagnostics as kafka
from headwater_eventlog.port import EventLog, identity_of
from headwater_schemas.diagnostics import Diagnostic
from headwater_schemas.errors import HeadwaterError, StoreMissing, StoreUnavailable
from headwater_schemas.positions import BEFORE_FIRST

from headwater_stores.archive_places import archives_of
from headwater_stores.bytes_on_use import opened_on_use
from headwater_stores.config.profile import Profile
from headwater_stores.kafka_logs import open_kafka_log
from headwater_stores.owners import owner_of
from headwater_stores.server_settings import kafka_settings, s3_settings
from headwater_stores.stores import Stores
from headwater_stores.telling.waiting import telling


def open_servers(profile: Profile, *, create: bool) -> Stores:
    """Connect to each server; create topic, tables and bucket if they are missing and `create` is set.

    Raises: InvalidSettings; StoreMissing; StoreUnavailable, also when the database is the projection of another topic;
    StoreNotOurs when the bucket has the content of another log.
    """
    with ExitStack() as opened, _missing_only_without_records(profile):
        database, log = open_log_and_database(profile, opened, create=create)
        # Without records, whether there is a store at all is asked of each server.
        at_once = create or not _has_any_record(log)
        open_bytes = partial(_open_bytes, profile, owner_of(log))
        blobs = open_bytes(create=create) if at_once else opened_on_use(partial(_open_to_read, profile, open_bytes))
        opened.pop_all()
        projection = RemoteProjection(log, database)
        reads, name = DirectReads(database), f"profile:{profile.name}"
        return Stores(name, log, blobs, database, reads, projection, read_only=False, is_remote=True)


def _open_bytes(profile: Profile, owner: Owner, *, create: bool) -> BlobStore:
    from headwater_blobs.s3.store import S3BlobStore  # deferred: minio

    return S3BlobStore.open(s3_settings(profile), create=create, owner=owner)


def _open_to_read(profile: Profile, open_bytes: Callable[..., BlobStore]) -> BlobStore:
    with _missing_only_without_records(profile):
        return open_bytes(create=False)


@contextmanager
def _missing_only_without_records(profile: Profile) -> Iterator[None]:
    """A server that lacks its part is a store that is not there yet, or one that has lost something: the log knows.

    Raises: StoreMissing for the first, StoreUnavailable for the second.
    """
    try:
        yield
    except StoreMissing as missing:
        if _has_records(profile):
            raise StoreUnavailable(str(missing)) from missing
        raise


def _has_records(profile: Profile) -> bool:
    try:
        log = open_kafka_log(profile, create=False)
    except StoreMissing:
        return False
    with closing(log):
        return _has_any_record(log)


def _has_any_record(log: EventLog) -> bool:
    return any(end > BEFORE_FIRST for end in log.ends().values())


def open_log_and_database(profile: Profile, opened: ExitStack, *, create: bool) -> tuple[Database, KafkaEventLog]:
    """Open what a projector needs, and register both with `opened` for closing. Raises: as `open_servers`."""
    database = open_database(profile, create=create)
    opened.callback(database.close)
    log = open_log(profile, database, create=create)
    opened.callback(log.close)
    return database, log


def open_database(profile: Profile, *, create: bool) -> Database:
    """Open the projection. Raises: as `open_servers`."""
    return Database.open_postgresql(profile.database_url, schema=profile.database_schema, create=create)


def open_log(profile: Profile, database: Database, *, create: bool) -> KafkaEventLog:
    """Open the log that `database` projects. The first time, the log's identity is recorded in the database."""
    known = database.source_log()
    # A lost topic is not created again under a projection that knows it: that would be another, empty history.
    log = open_kafka_log(profile, create=create and known is None, expect=known)
    if known is None:
        database.bind_to_log(identity_of(log))
    return log


def diagnose_servers(profile: Profile) -> Iterator[tuple[str, bool, str]]:
    """(server, whether it is healthy, what was found and what to do) for each connection. Changes nothing."""
    yield from _diagnosed("kafka", lambda: kafka.describe(kafka_settings(profile)))
    yield from _diagnosed("archive", lambda: _diagnose_trimmed(profile))
    yield from _diagnosed("database", lambda: [_diagnose_database(profile)])
    from headwater_blobs.s3 import diagnostics as s3  # deferred: minio

    yield from _diagnosed("s3", lambda: s3.describe(s3_settings(profile)))


def _diagnosed(server: str, diagnose: Callable[[], Sequence[Diagnostic]]) -> Iterator[tuple[str, bool, str]]:
    try:
        with telling(lambda: f"{server} to answer"):
            findings = diagnose()
        yield from ((server, finding.is_good, finding.text) for finding in findings)
    except HeadwaterError as error:  # invalid settings, found before any connection was tried
        yield server, False, str(error)


def _diagnose_trimmed(profile: Profile) -> Sequence[Diagnostic]:
    """Whether an archive has what was deleted from the beginning of the log; nothing where all is there."""
    try:
        log = open_kafka_log(profile, create=False, read_only=True)
    except StoreUnavailable:  # the check of Kafka says why
        return []
    with closing(log):
        begins, generation = log.beginnings(), log.generation
    if not any(begins.values()):
        return []
    with closing(archives_of(profile, generation)) as archives:
        lacking = {archive.url: archive.lacks_before(generation, begins) for archive in archives.found}
        if whole := [url for url, gap in lacking.items() if gap is None]:
            return [Diagnostic(True, f"the topic was trimmed; all that was before is in {' and in '.join(whole)}.")]
        gaps = "; ".join(f"{url} lacks {gap}" for url, gap in lacking.items())
        return [Diagnostic(False, f"the topic was trimmed, and no archive has all that was before: {gaps}. {archives}")]


def _diagnose_database(profile: Profile) -> Diagnostic:
    database = open_database(profile, create=False)
    with closing(database):
        known = database.source_log()
    of = "of no log yet" if known is None else f"of log {known.generation} with {known.partitions} partitions"
    return Diagnostic(True, f"{database.name} responds and holds a projection {of}.")


def diagnose_projectors(profile: Profile) -> Diagnostic:
    """Whether any projector is running. Raises: StoreUnavailable when the database cannot be asked; InvalidSettings."""
    try:
        database = open_database(profile, create=False)
    except StoreMissing:  # the first projector creates it
        reports = ProjectorReports(0, None)
    else:
        with closing(database):
            reports = projector_reports(database)
    is_good = reports.running > 0
    return Diagnostic(is_good, f"{reports}." if is_good else f"{reports}: start `headwater projector`.")


class ServerProjectionSwap:
    """Replaces the projection in PostgreSQL: the current and the new one are schemas of one database."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._new = PostgresqlSchema(profile.database_url, new_schema_name(profile.database_schema))

    def open_log(self, opened: ExitStack) -> EventLog:
        """Open the log, whatever the old projection recorded of it."""
        log = open_kafka_log(self._profile, create=False)
        opened.callback(log.close)
        return log

    def open_old(self) -> Database:
        """Open the current projection. Raises: StoreUnavailable when there is none."""
        return open_database(self._profile, create=False)

    def open_new(self) -> Database:
        """Create an empty projection."""
        return Database.open_postgresql(self._profile.database_url, schema=self._new.schema)

    def replace(self) -> None:
        """Swap the schemas in one transaction, also for processes that have the old one open."""
        self._new.replace_schema(self._profile.database_schema)

    def remove_new(self) -> None:
        """Drop the new schema. Raises: StoreUnavailable."""
        self._new.drop_schema()
