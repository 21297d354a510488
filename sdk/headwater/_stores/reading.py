"""Open the projection alone, as it is: for a glance at it. Neither the log nor the bytes are opened."""

from headwater_consumer.database import Database

from headwater._config.settings import Settings
from headwater._stores.projection_files import projection_file


def open_projection(settings: Settings) -> Database:
    """What is projected by now. Raises: StoreUnavailable where there is none, or it does not respond."""
    if settings.profile is not None:
        profile = settings.profile
        return Database.open_postgresql(profile.database_url, schema=profile.database_schema, create=False)
    return Database.open_sqlite(projection_file(settings.store), create=False, read_only=True)
