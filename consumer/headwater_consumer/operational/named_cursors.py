"""How far subscribers have read, by their names: from there one goes on that is started again.

A name belongs to whoever took it last. Another process that goes on under it finds out when it next writes, so two that
were given one name by mistake do not share the events unnoticed.
"""

from dataclasses import dataclass

from headwater_schemas.errors import InvalidInput, NameTaken, NotFound
from headwater_schemas.names import check_name

from headwater_consumer.operational.database import OperationalDatabase

NAMES_MAX = 10_000  # of one scope
CURSOR_LENGTH_MAX = 1 << 20  # characters; a cursor has less than 40 for each partition
LISTED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class NamedCursor:
    """A subscriber, and how far it has read."""

    scope: str  # what it follows: a project, or an entity
    name: str
    cursor: str  # opaque; "" until it has read anything
    updated_us: int  # microseconds since 1970, by the database's clock


def take_name(database: OperationalDatabase, scope: str, name: str, *, holder: str) -> NamedCursor:
    """Where the subscriber `name` goes on. It is `holder` from now on; who held the name before may write no more.

    `holder` is a text that no other process uses. Raises: InvalidName; InvalidInput when there are NAMES_MAX of `scope`
    already; StoreError.
    """
    check_name(name, "subscription")
    with database.transaction() as statements:
        if not statements.run(_TAKE, holder, scope, name):
            ((count,),) = statements.rows(_COUNT, scope)
            if count >= NAMES_MAX:
                raise InvalidInput(
                    f"{scope} has {count:,} named subscriptions, which is the limit. Forget some that nobody uses: "
                    "`headwater events --forget NAME`."
                )
            statements.run(_ADD, scope, name, holder)
        ((cursor, updated_us),) = statements.rows(_READ, scope, name)
    return NamedCursor(scope, name, cursor, updated_us)


def move_cursor(database: OperationalDatabase, scope: str, name: str, cursor: str, *, holder: str) -> NamedCursor:
    """Remember how far `name` has read. Repeated, it changes nothing more.

    Raises: NameTaken when another than `holder` took the name meanwhile, or it was forgotten; StoreError.
    """
    assert len(cursor) <= CURSOR_LENGTH_MAX, len(cursor)
    with database.statement() as statements:
        moved = statements.first(_MOVE, cursor, scope, name, holder)
    if moved is None:
        raise NameTaken(
            f"the subscription {name!r} of {scope} was taken by another process, or forgotten. How far this one has "
            "read was not remembered. Give each subscriber a name of its own."
        )
    return NamedCursor(scope, name, cursor, moved[0])


def named_cursors(database: OperationalDatabase, scope: str | None = None, *, ending: str = "") -> list[NamedCursor]:
    """The subscribers of one scope, or of all whose scopes end so, by scope and name; LISTED_MAX at most."""
    with database.statement() as statements:
        if scope is None:
            found = statements.rows(_LIST, len(ending), ending, LISTED_MAX)
        else:
            found = statements.rows(_LIST_SCOPE, scope, LISTED_MAX)
    return [NamedCursor(*row) for row in found]


def forget_name(database: OperationalDatabase, scope: str, name: str) -> None:
    """Forget a subscriber; one that is running is told with its next event. Raises: NotFound, StoreError."""
    with database.statement() as statements:
        forgotten = statements.run(_FORGET, scope, name)
    if not forgotten:
        raise NotFound(f"{scope} has no subscription {name!r}.")


# --- statements -------------------------------------------------------------------------------------------------

_TAKE = "UPDATE named_cursors SET holder = ? WHERE scope = ? AND name = ?"
_COUNT = "SELECT count(*) FROM named_cursors WHERE scope = ?"
_ADD = """
    INSERT INTO named_cursors (scope, name, cursor, holder, updated_us) VALUES (?, ?, '', ?, NOW_US)
    ON CONFLICT (scope, name) DO UPDATE SET holder = excluded.holder
"""
_READ = "SELECT cursor, updated_us FROM named_cursors WHERE scope = ? AND name = ?"
_MOVE = """
    UPDATE named_cursors SET cursor = ?, updated_us = NOW_US WHERE scope = ? AND name = ? AND holder = ?
    RETURNING updated_us
"""
_LIST = """
    SELECT scope, name, cursor, updated_us FROM named_cursors
    WHERE substr(scope, length(scope) - ? + 1) = ? ORDER BY scope, name LIMIT ?
"""
_LIST_SCOPE = """
    SELECT scope, name, cursor, updated_us FROM named_cursors WHERE scope = ? ORDER BY name LIMIT ?
"""
_FORGET = "DELETE FROM named_cursors WHERE scope = ? AND name = ?"
