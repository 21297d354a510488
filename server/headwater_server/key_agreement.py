"""Whether this server has the key of the others: else it would not believe what they signed."""

from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.server_keys import agree_on_key
from headwater_stores.server_key import VARIABLE, ServerKey


def trouble_with_key(operational: OperationalDatabase, key: ServerKey) -> str | None:
    """What keeps a server with this key from being ready; None if it has that of all. Raises: StoreError."""
    agreed = agree_on_key(operational, key.fingerprint)
    if agreed == key.fingerprint:
        return None
    return (
        f"this server's key is {key.fingerprint}, and that of the servers of this store is {agreed}. Set {VARIABLE} to "
        "the file with their key; or give all of them this one, and run `headwater setup --replace-key`."
    )
