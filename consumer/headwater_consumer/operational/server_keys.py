"""Which key the servers of a store have, by its fingerprint: they must have one, and the first of them says which."""

from headwater_consumer.operational.database import OperationalDatabase

_NAME = "server_key"  # in `operational_meta`


def key_agreed(database: OperationalDatabase) -> str | None:
    """The fingerprint of the servers' key; None where none was said. Raises: StoreError."""
    with database.statement() as statements:
        found = statements.first(_READ, _NAME)
    return None if found is None else str(found[0])


def agree_on_key(database: OperationalDatabase, fingerprint: str) -> str:
    """The fingerprint of the servers' key, which is this one where none was said before. Raises: StoreError."""
    if (known := key_agreed(database)) is not None:
        return known
    with database.statement() as statements:
        statements.run(_WRITE, _NAME, fingerprint)
        ((known,),) = statements.rows(_READ, _NAME)
    return str(known)


def replace_key(database: OperationalDatabase, fingerprint: str) -> None:
    """It is this one from now on. Raises: StoreError."""
    with database.statement() as statements:
        statements.run(_REPLACE, _NAME, fingerprint)


# --- statements -------------------------------------------------------------------------------------------------

_READ = "SELECT value FROM operational_meta WHERE name = ?"
_WRITE = "INSERT INTO operational_meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
_REPLACE = """
    INSERT INTO operational_meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
