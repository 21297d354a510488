"""Every operational table. To add one, define it here and write its functions in a module of its own.

The definitions are SQL for both databases, with `BYTES` for the type of binary values. Numbers are BIGINT, texts TEXT.
A new table or index needs no new format: what is missing is made when the tables are opened, and earlier releases leave
it alone. A change of what is there needs one, and code that brings tables of the format before up to it.
"""

from typing import NamedTuple

FORMAT = 1


class OperationalTable(NamedTuple):
    """A table, and the statement that creates it where it is missing."""

    name: str
    definition: str


META = OperationalTable(
    "operational_meta",
    """
    CREATE TABLE IF NOT EXISTS operational_meta (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    )
    """,
)

NAMED_CURSORS = OperationalTable(
    "named_cursors",
    """
    CREATE TABLE IF NOT EXISTS named_cursors (
        scope TEXT NOT NULL,
        name TEXT NOT NULL,
        cursor TEXT NOT NULL,
        holder TEXT NOT NULL,
        updated_us BIGINT NOT NULL,
        PRIMARY KEY (scope, name)
    )
    """,
)

LEASES = OperationalTable(
    "leases",
    """
    CREATE TABLE IF NOT EXISTS leases (
        name TEXT PRIMARY KEY,
        fence BIGINT NOT NULL,
        holder TEXT NOT NULL,
        until_us BIGINT NOT NULL
    )
    """,
)

RELAY_POSITIONS = OperationalTable(
    "relay_positions",
    """
    CREATE TABLE IF NOT EXISTS relay_positions (
        topic_id TEXT PRIMARY KEY,
        topic TEXT NOT NULL,
        cursor TEXT NOT NULL,
        updated_us BIGINT NOT NULL
    )
    """,
)

WEBHOOK_STATES = OperationalTable(
    "webhook_states",
    """
    CREATE TABLE IF NOT EXISTS webhook_states (
        subscription TEXT PRIMARY KEY,
        cursor TEXT NOT NULL,
        status TEXT NOT NULL,
        reason TEXT NOT NULL,
        failures BIGINT NOT NULL,
        failing_since_us BIGINT,
        next_us BIGINT NOT NULL,
        changes BIGINT NOT NULL,
        test_us BIGINT
    )
    """,
)

WEBHOOK_HOLDS = OperationalTable(
    "webhook_holds",
    """
    CREATE TABLE IF NOT EXISTS webhook_holds (
        subscription TEXT NOT NULL,
        subject TEXT NOT NULL,
        position BIGINT NOT NULL,
        record_index BIGINT NOT NULL,
        is_parked BIGINT NOT NULL,
        failures BIGINT NOT NULL,
        since_us BIGINT NOT NULL,
        next_us BIGINT NOT NULL,
        PRIMARY KEY (subscription, subject)
    )
    """,
)

WEBHOOK_ATTEMPTS = OperationalTable(
    "webhook_attempts",
    """
    CREATE TABLE IF NOT EXISTS webhook_attempts (
        subscription TEXT NOT NULL,
        number BIGINT NOT NULL,
        time_us BIGINT NOT NULL,
        event TEXT NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        outcome TEXT NOT NULL,
        status BIGINT,
        milliseconds BIGINT NOT NULL,
        answer TEXT NOT NULL,
        PRIMARY KEY (subscription, number)
    )
    """,
)

TOKEN_USES = OperationalTable(
    "token_uses",
    """
    CREATE TABLE IF NOT EXISTS token_uses (
        token TEXT PRIMARY KEY,
        used_us BIGINT NOT NULL
    )
    """,
)

PARTIAL_UPLOADS = OperationalTable(
    "partial_uploads",
    """
    CREATE TABLE IF NOT EXISTS partial_uploads (
        id TEXT PRIMARY KEY,
        principal TEXT NOT NULL,
        project TEXT NOT NULL,
        content TEXT NOT NULL,
        size BIGINT NOT NULL,
        algorithm TEXT NOT NULL,
        received BIGINT NOT NULL,
        kept TEXT NOT NULL,
        object_name TEXT NOT NULL,
        digest TEXT NOT NULL,
        fence BIGINT NOT NULL,
        held_until_us BIGINT NOT NULL,
        expires_us BIGINT NOT NULL,
        UNIQUE (principal, project, content, size)
    )
    """,
)

USAGE_SUMS = OperationalTable(
    "usage_sums",
    """
    CREATE TABLE IF NOT EXISTS usage_sums (
        project TEXT NOT NULL,
        collection TEXT NOT NULL,
        stored_bytes BIGINT NOT NULL,
        sums TEXT NOT NULL,
        objects BIGINT,
        object_bytes BIGINT,
        cut TEXT NOT NULL,
        computed_us BIGINT NOT NULL,
        PRIMARY KEY (project, collection)
    )
    """,
)

TABLES = (
    META,
    NAMED_CURSORS,
    LEASES,
    RELAY_POSITIONS,
    TOKEN_USES,
    WEBHOOK_STATES,
    WEBHOOK_HOLDS,
    WEBHOOK_ATTEMPTS,
    PARTIAL_UPLOADS,
    USAGE_SUMS,
)
