"""When the tokens of a store were last used, for who has the store itself. Through a server, the server tells it."""

from collections.abc import Collection, Mapping
from contextlib import closing

from headwater_consumer.operational.token_uses import last_uses
from headwater_schemas.errors import StoreMissing

from headwater_stores.config.settings import Settings
from headwater_stores.operational import open_operational


def recorded_uses(settings: Settings, token_ids: Collection[str]) -> Mapping[str, int]:
    """By id, in microseconds since 1970; nothing of tokens that no server was ever asked with. Raises: StoreError."""
    if settings.server is not None or not token_ids:
        return {}
    try:
        database = open_operational(settings, create=False)
    except StoreMissing:
        return {}
    with closing(database):
        return last_uses(database, token_ids)
