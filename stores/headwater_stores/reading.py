"""Read the projection alone, as it is: for a glance at it. Neither the log nor the bytes are opened."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from headwater_consumer.database import Database
from headwater_consumer.queries.reads import DirectReads, Reads

from headwater_stores.config.settings import Settings
from headwater_stores.projection_files import projection_file


@contextmanager
def reads_of_projection(settings: Settings) -> Iterator[Reads]:
    """What is projected by now. Raises: StoreUnavailable where there is none, or it does not respond."""
    if settings.server is not None:
        from headwater_stores.http.connection import ServerConnection  # deferred: http
        from headwater_stores.http.reads import ServerReads  # deferred: http

        with closing(ServerConnection(settings.server, outage_s=0.0)) as server:
            yield ServerReads(server)
        return
    with closing(open_projection(settings)) as database:
        yield DirectReads(database)


def open_projection(settings: Settings) -> Database:
    """The database itself, for who looks at what is no query of `Reads`. Raises: as `reads_of_projection`."""
    if settings.profile is not None:
        profile = settings.profile
        return Database.open_postgresql(profile.database_url, schema=profile.database_schema, create=False)
    return Database.open_sqlite(projection_file(settings.store), create=False, read_only=True)
