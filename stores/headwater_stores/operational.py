"""Open the operational tables of the store that the settings name: they are beside its projection."""

from headwater_consumer.operational.database import OperationalDatabase

from headwater_stores.config.settings import Settings


def open_operational(settings: Settings, *, create: bool = True) -> OperationalDatabase:
    """Open them; `create` makes them where they are missing. The store must exist.

    Raises: StoreMissing, StoreUnavailable, StoreReadOnly, StoreNotOurs, FormatTooNew.
    """
    profile = settings.profile
    if profile is None:
        return OperationalDatabase.open_in_folder(settings.store, create=create)
    return OperationalDatabase.open_postgresql(profile.database_url, beside=profile.database_schema, create=create)
