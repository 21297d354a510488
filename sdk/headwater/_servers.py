"""The stores that a profile names: the log on Kafka, the projection in PostgreSQL, the bytes in a bucket."""

from contextlib import ExitStack

from headwater_blobs.s3.store import S3BlobStore
from headwater_consumer.database import Database
from headwater_consumer.postgresql import SCHEMA_NAME, PostgresqlSchema, new_schema_name
from headwater_consumer.waiting import WaitingProjection
from headwater_eventlog.kafka import KafkaEventLog
from headwater_eventlog.port import EventLog

from headwater._profile import Profile
from headwater._stores import Stores


def open_servers(profile: Profile, *, create: bool) -> Stores:
    """Connect to each, making topic, tables and bucket where they are missing and `create` is set.

    Raises: InvalidSettings; StoreUnavailable, also when the topic is not the one that the database is a projection of.
    """
    with ExitStack() as opened:
        database, log = open_log_and_database(profile, opened, create=create)
        blobs = S3BlobStore.open(profile.s3(), create=create)
        opened.pop_all()
        return Stores(f"profile:{profile.name}", log, blobs, database, WaitingProjection(log, database), False)


def open_log_and_database(profile: Profile, opened: ExitStack, *, create: bool) -> tuple[Database, KafkaEventLog]:
    """What a projector needs; `opened` closes them. Raises: as `open_servers`."""
    database = Database.open_postgresql(profile.database_url, create=create)
    opened.callback(database.close)
    log = open_log(profile, database, create=create)
    opened.callback(log.close)
    return database, log


def open_log(profile: Profile, database: Database, *, create: bool) -> KafkaEventLog:
    """The log that `database` is the projection of, which remembers it from the first time on."""
    known = database.known_log()
    # A topic that is gone is not made again under a projection that knows it: that would be another, empty history.
    log = KafkaEventLog.open(profile.kafka(), create=create and known is None, expect=known)
    if known is None:
        database.remember_log(log.generation, log.partitions)
    return log


class ProjectionOnServers:
    """Where the projection is, and another one can be built beside it: each is a schema of the database."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._new = PostgresqlSchema(profile.database_url, new_schema_name())

    def open_log(self, opened: ExitStack) -> EventLog:
        """The log, whatever the old projection says."""
        log = KafkaEventLog.open(self._profile.kafka(), create=False)
        opened.callback(log.close)
        return log

    def open_old(self) -> Database:
        """Raises: StoreUnavailable when there is none."""
        return Database.open_postgresql(self._profile.database_url, create=False)

    def open_new(self) -> Database:
        """An empty one."""
        return Database.open_postgresql(self._profile.database_url, schema=self._new.schema)

    def replace(self) -> None:
        """In one transaction, under those who have the old one open."""
        self._new.take_place_of(SCHEMA_NAME)

    def remove_new(self) -> None:
        """Raises: StoreUnavailable."""
        self._new.drop_schema()
