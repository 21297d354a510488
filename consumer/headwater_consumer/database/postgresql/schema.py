"""The adapter for one schema of a PostgreSQL database."""

import select
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from headwater_schemas.errors import (
    InvalidSettings,
    StoreError,
    StoreMissing,
    StoreNotAnswering,
    StoreNotOurs,
    StoreReadOnly,
    StoreUnavailable,
)

from headwater_consumer.database.connection import POSTGRESQL, Connection, driver_connection
from headwater_consumer.database.port import PROJECTION, DataRefused, GaveWay, Holding, TableMissing, TookTooLong
from headwater_consumer.database.postgresql.announcements import PostgresqlAnnouncements
from headwater_consumer.database.postgresql.bulk import PostgresqlBulk
from headwater_consumer.database.postgresql.naming import check_schema_name, check_url, redacted, secrets_of
from headwater_consumer.database.row_mapping import TABLES, table_name

CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_S = 600  # a seal that merges a million entries takes seconds
IDLE_IN_TRANSACTION_S = 120  # of a transaction that writes; far more than it takes to apply a batch
LOCK_TIMEOUT_S = 60
IDLE_CONNECTION_S = 5.0  # a server allows 100 unless told otherwise; opening one takes some milliseconds
KEEPALIVES_IDLE_S = 30  # notices a server that vanished without closing its connections
KEEPALIVES_INTERVAL_S = 10
TCP_TIMEOUT_S = 30
# Uses of a statement on one connection before the server is to remember it. The client library's five cost a writer of
# twenty commits half of what the server did for its questions; at once would cost those asked once a round trip more.
PREPARE_AFTER = 1

_TABLE_NAMES = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('headwater'))"
_DURABLE = "SET LOCAL synchronous_commit = on"  # what is created once is there before anybody relies on it
# SQLSTATE classes of errors that repeat with the same data: its values, a constraint, a limit.
_ABOUT_DATA = ("22", "23", "54")
_TOO_MANY_CONNECTIONS = "53300"
_FULL = ("53100", "53200", _TOO_MANY_CONNECTIONS)  # disk full, out of memory: SQLSTATE class 53
_CANCELLED = "57014"  # by the time that a statement may take
_INTERRUPTED = ("08", "57")  # of connections, and by an operator
_REFUSED = ("28", "3D")  # this user, this database
_NO_TABLE = "42P01"
_ROLLED_BACK = "40"  # by the server, as in a deadlock: SQLSTATE class 40, where the transaction can be repeated


class PostgresqlSchema(PostgresqlBulk, PostgresqlAnnouncements):
    """A `DatabaseAdapter` for one schema of a database."""

    # A projector that hangs must not keep what it locked. A reader may pause between two queries for any time.
    # The log is the truth: what a crash of the server undoes is projected again, so that no commit waits for the disk.
    begin_writing = (
        f"BEGIN; SET LOCAL idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_S}s'; "
        "SET LOCAL synchronous_commit = off"
    )
    begin_durably = f"BEGIN; SET LOCAL idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_S}s'"
    begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    idle_s: float | None = IDLE_CONNECTION_S
    walks_nearest_first = False
    clock_us = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"

    def __init__(self, url: str, schema: str, *, holding: Holding = PROJECTION) -> None:
        """Raises: InvalidSettings, also when the client library is missing."""
        super().__init__()
        self._holding = holding
        psycopg = _psycopg()
        check_url(url)
        check_schema_name(schema)
        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)
        self.name = f"{redacted(url)} (schema {schema})"
        self.schema = schema
        self.location = f"{urlsplit(url).path.strip('/')}.{schema}"
        self._url = url

    def missing(self) -> StoreUnavailable:
        """See `DatabaseAdapter`."""
        return StoreMissing(f"there is no projection in {self.name}. Start `headwater projector`, which creates it.")

    def connect(self) -> Connection:
        """A new connection."""
        return Connection(self._connect(), POSTGRESQL)

    def limit_time(self, connection: Connection, seconds: float | None) -> None:
        """See `DatabaseAdapter`."""
        limit_ms = STATEMENT_TIMEOUT_S * 1000 if seconds is None else max(1, round(seconds * 1000))  # 0 would be: none
        connection.driver.execute(f"SET statement_timeout = {limit_ms}")

    def table_names(self, connection: Connection, schema: str | None = None) -> list[str]:
        """See `DatabaseAdapter`. `schema`: another one than this."""
        return [name for (name,) in connection.driver.execute(_TABLE_NAMES, [schema or self.schema])]

    def is_reusable(self, connection: Connection) -> bool:
        """Whether an idle connection can be used again: a server sends nothing unasked, unless it hangs up."""
        driver: Any = driver_connection(connection)
        if driver is None or driver.closed:
            return False
        poll = select.poll()
        poll.register(driver.fileno(), select.POLLIN)
        return not poll.poll(0) or self._reads_announcements(driver)

    def serialize_creation(self, connection: Connection) -> None:
        """Exclude all others from here to the end of this transaction: for what is created once."""
        driver_connection(connection).execute(f"{_DURABLE}; {_LOCK}")

    def to_store_error(self, error: BaseException) -> StoreError:
        """The driver's error as one of ours."""
        state = getattr(error, "sqlstate", None) or ""
        text = self._message_of(error)
        # The client library refuses some values by itself, and then there is no SQLSTATE.
        if state.startswith(_ABOUT_DATA) or (not state and isinstance(error, _psycopg().DataError)):
            return DataRefused(self.name, text)
        if state == _CANCELLED:
            return TookTooLong(self.name)
        if state.startswith(_ROLLED_BACK):
            return GaveWay(f"a transaction in {self.name} gave way to another one: {text}. Try again.")
        if state == "25006":  # read-only transaction
            return StoreReadOnly(f"{self._holding.noun} {self.name} cannot be written: {text}. Use the primary server.")
        if state in _FULL:
            kind = StoreNotAnswering if state == _TOO_MANY_CONNECTIONS else StoreUnavailable
            return kind(
                f"{self.name} is out of space or connections: {text}. Free some; nothing that was recorded is lost."
            )
        if state == "42501":
            return StoreUnavailable(f"{self.name}: {text}. Grant this user the schema, or use another user.")
        if not state or state.startswith((*_INTERRUPTED, *_REFUSED)):
            kind = StoreUnavailable if state.startswith(_REFUSED) else StoreNotAnswering
            return kind(
                f"{self.name} cannot be reached or was interrupted: {text}. Check HEADWATER_DATABASE_URL and the "
                "server; nothing that was recorded is lost."
            )
        kind = TableMissing if state == _NO_TABLE else StoreUnavailable
        return kind(f"{self._holding.noun} {self.name} failed: {text}. {self._holding.mending}")

    def create_schema(self) -> None:
        """Create the schema where it is missing. Raises: StoreUnavailable."""
        from psycopg import sql

        statement = sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.schema))
        self._run_alone(statement)

    def drop_schema(self) -> None:
        """Remove the schema with everything in it."""
        from psycopg import sql

        self._run_alone(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self.schema)))

    def replace_schema(self, other: str) -> None:
        """Become the schema `other`, which is dropped; connections that use it continue with this one.

        Raises: StoreNotOurs when something else is in that schema; StoreUnavailable.
        """
        from psycopg import sql

        try:
            with closing(self.connect()) as connection:
                foreign = set(self.table_names(connection, other)) - set(map(table_name, TABLES))
        except self.errors as error:
            raise self.to_store_error(error) from error
        if foreign:
            raise StoreNotOurs(f"schema {other} holds {min(foreign)!r}, which is not ours. It was left as it is.")
        self._run_alone(
            sql.SQL("DROP SCHEMA IF EXISTS {other} CASCADE; ALTER SCHEMA {mine} RENAME TO {other}").format(
                other=sql.Identifier(other), mine=sql.Identifier(self.schema)
            )
        )

    def _message_of(self, error: BaseException) -> str:
        """The first line of the server's or the client library's message, without the password, should it be there."""
        text = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        for secret in secrets_of(self._url):
            text = text.replace(secret, "…")
        return text

    def _run_alone(self, statements: Any) -> None:
        """In one transaction, one process at a time: two that create one schema at once would collide."""
        try:
            with self._connect() as connection, connection.transaction():
                connection.execute(_LOCK)
                connection.execute(statements)
        except self.errors as error:
            raise self.to_store_error(error) from error

    def _connect(self) -> Any:
        psycopg = _psycopg()
        settings = {
            "search_path": self.schema,
            "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
            "lock_timeout": f"{LOCK_TIMEOUT_S}s",
            "client_min_messages": "warning",
            "jit": "off",  # statements here are many and small
        }
        try:
            return psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
                application_name="headwater",
                prepare_threshold=PREPARE_AFTER,
                keepalives_idle=KEEPALIVES_IDLE_S,
                keepalives_interval=KEEPALIVES_INTERVAL_S,
                tcp_user_timeout=TCP_TIMEOUT_S * 1000,
            )
        except psycopg.OperationalError as error:
            # Such an error has no SQLSTATE. A server that asked for the password works, and has refused.
            if error.pgconn is not None and error.pgconn.used_password:
                raise psycopg.errors.InvalidAuthorizationSpecification(str(error)) from error
            raise


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError:
        raise InvalidSettings(
            "the PostgreSQL client is not installed. Install it with: pip install 'headwater[service]'"
        ) from None
    return psycopg
