"""The projection in PostgreSQL: for many readers and several projectors.

A projection is one schema of a database, so that a replay can build another beside it and take its place in one
transaction, under connections that are open. Nothing is written outside that schema.
"""

import re
import select
import uuid
from typing import Any
from urllib.parse import unquote, urlsplit

from headwater_schemas.errors import InvalidSettings, StoreError, StoreReadOnly, StoreUnavailable
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

SCHEMA_NAME = "headwater"
NAME_LENGTH_MAX = 63  # PostgreSQL cuts longer ones
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_S = 600  # a seal that merges a million entries takes seconds
IDLE_IN_TRANSACTION_S = 120  # of a transaction that writes; far more than a batch takes to judge
LOCK_TIMEOUT_S = 60
KEEPALIVES_IDLE_S = 30  # a server that vanished without a word is noticed
TCP_TIMEOUT_S = 30

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('headwater'))"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SCHEMES = ("postgresql", "postgres")
_FULL = ("53100", "53200", "53300")  # disk full, out of memory, too many connections: SQLSTATE class 53
_SERIALISATION = ("40001", "40P01")  # serialization failure, deadlock: the transaction can be tried again


class PostgresqlSchema:
    """A `Driver` for one schema of a database."""

    # A projector that hangs must not keep what it locked. Who reads may take long between two looks.
    begin_writing = f"BEGIN; SET LOCAL idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_S}s'"
    begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, url: str, schema: str) -> None:
        """Raises: InvalidSettings, also when the client library is missing."""
        psycopg = _psycopg()
        check_url(url)
        check_schema_name(schema)
        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)
        self.name = f"{shown(url)} (schema {schema})"
        self.schema = schema
        self.place = f"{urlsplit(url).path.strip('/')}.{schema}"
        self._url = url
        # SQLAlchemy's own transactions are off; `Database` begins them with the words above.
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            poolclass=NullPool,
            pool_reset_on_return=None,
            isolation_level="AUTOCOMMIT",
        )

    def connect(self) -> Connection:
        """A new connection."""
        return self._engine.connect()

    def still_good(self, connection: Connection) -> bool:
        """Whether an idle connection can be used again: a server says nothing unasked, unless it hangs up."""
        driver: Any = connection.connection.driver_connection
        if driver is None or driver.closed:
            return False
        poll = select.poll()
        poll.register(driver.fileno(), select.POLLIN)
        return not poll.poll(0)

    def lock(self, connection: Connection) -> None:
        """Until the end of this transaction nobody else gets past here: for what is made once."""
        driver: Any = connection.connection.driver_connection
        driver.execute(_LOCK)

    def store_error(self, error: BaseException) -> StoreError:
        """What went wrong, in our words."""
        state = getattr(error, "sqlstate", None) or ""
        text = self._said(error)
        if state in _SERIALISATION:
            return StoreUnavailable(f"{self.name} gave way to another transaction: {text}. Try again.")
        if state == "25006":  # read-only transaction
            return StoreReadOnly(f"the projection {self.name} cannot be written: {text}. Use the primary server.")
        if state in _FULL:
            return StoreUnavailable(f"{self.name} has no room: {text}. Free some; nothing that was recorded is lost.")
        if state == "42501":
            return StoreUnavailable(f"{self.name}: {text}. Grant this user the schema, or use another user.")
        if not state or state.startswith(("08", "57", "28", "3D")):
            return StoreUnavailable(
                f"{self.name} cannot be reached or was interrupted: {text}. Check HEADWATER_DATABASE_URL and the "
                "server; nothing that was recorded is lost."
            )
        return StoreUnavailable(
            f"the projection {self.name} failed: {text}. `headwater replay --replace` builds it anew."
        )

    def make_schema(self) -> None:
        """Make the schema where it is missing. Raises: StoreUnavailable."""
        from psycopg import sql

        statement = sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.schema))
        self._run_alone(statement)

    def drop_schema(self) -> None:
        """Remove the schema with everything in it."""
        from psycopg import sql

        self._run_alone(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self.schema)))

    def take_place_of(self, other: str) -> None:
        """Become the schema `other`, which is dropped: for those who read and write, between two transactions."""
        from psycopg import sql

        self._run_alone(
            sql.SQL("DROP SCHEMA IF EXISTS {other} CASCADE; ALTER SCHEMA {mine} RENAME TO {other}").format(
                other=sql.Identifier(other), mine=sql.Identifier(self.schema)
            )
        )

    def _said(self, error: BaseException) -> str:
        """The first line of what the server or the client library said, without the password, should it be there."""
        text = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        for secret in _secrets_of(self._url):
            text = text.replace(secret, "…")
        return text

    def _run_alone(self, statements: Any) -> None:
        """In one transaction, one process at a time: two that make one schema at once would collide."""
        try:
            with self._connect() as connection, connection.transaction():
                connection.execute(_LOCK)
                connection.execute(statements)
        except self.errors as error:
            raise self.store_error(error) from error

    def _connect(self) -> Any:
        psycopg = _psycopg()
        settings = {
            "search_path": self.schema,
            "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
            "lock_timeout": f"{LOCK_TIMEOUT_S}s",
            "client_min_messages": "warning",
            "jit": "off",  # statements here are many and small
        }
        return psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
            application_name="headwater",
            keepalives_idle=KEEPALIVES_IDLE_S,
            tcp_user_timeout=TCP_TIMEOUT_S * 1000,
        )


def new_schema_name(beside: str) -> str:
    """The name for a projection that is being built beside another."""
    return f"{beside[: NAME_LENGTH_MAX - 33]}_{uuid.uuid4().hex}"


def check_schema_name(name: str) -> str:
    """Return `name` if a schema can be called so without quotes. Raises: InvalidSettings."""
    if not _NAME.fullmatch(name):
        raise InvalidSettings(
            f"{name[:100]!r} is not the name of a schema: 1 to {NAME_LENGTH_MAX} of a-z, 0-9 and '_', not beginning "
            "with a digit."
        )
    return name


def check_url(url: str) -> str:
    """Return `url` if it names a PostgreSQL database. Raises: InvalidSettings, without the password."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.path.strip("/"):
        raise InvalidSettings(
            f"{shown(url)!r} is not the URL of a PostgreSQL database. Write postgresql://user:password@host:port/database."
        )
    return url


def shown(url: str) -> str:
    """`url` for people: without user, password and options."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the database"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def _secrets_of(url: str) -> set[str]:
    user_info = url.partition("://")[2].rpartition("@")[0]
    password = user_info.partition(":")[2]
    return {password, unquote(password)} - {""}


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError:
        raise InvalidSettings(
            "the PostgreSQL client is not installed. Install it with: pip install 'headwater[service]'"
        ) from None
    return psycopg
