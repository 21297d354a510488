"""Open the store that the settings name: a folder, the servers of a profile, or what is behind a headwater server."""

from headwater_runtime.closing import closed_on_failure
from headwater_schemas.errors import StoreMissing

from headwater_stores.config.settings import Settings
from headwater_stores.outages import ride_out
from headwater_stores.stores import Stores


def open_stores(settings: Settings, *, create: bool) -> Stores:
    """Open the store; create it if it is missing and `create` is set. Servers that are away are waited for.

    Raises: StoreMissing; StoreUnavailable, also when an older copy of the log was put back; StoreReadOnly,
    StoreNotOurs, FormatTooNew, InvalidSettings.
    """
    if settings.profile is None:  # a server is waited for by its connection
        return _checked(settings, create=create)
    return ride_out(lambda: _checked(settings, create=create), name=settings.url, outage_s=settings.outage_s)


def _checked(settings: Settings, *, create: bool) -> Stores:
    with closed_on_failure(_opened(settings, create=create)) as stores:
        stores.projection.check_log(records=settings.is_folder)  # of servers their projectors compare records
        return stores


def open_for_reading(settings: Settings) -> Stores:
    """As `open_stores`, and where nothing was ever logged: a store without content, which cannot be written."""
    try:
        return open_stores(settings, create=False)
    except StoreMissing as missing:
        if not settings.is_folder:
            from headwater_stores.nothing import nothing_in  # deferred: database

            # Whether it is there by now only the servers can say, so they are asked each time.
            return nothing_in(settings.url, missing, is_current=lambda: False)
        from headwater_stores.folder import nothing_yet  # deferred: database

        return nothing_yet(settings.store, missing)


def _opened(settings: Settings, *, create: bool) -> Stores:
    if settings.server is not None:
        from headwater_stores.http.opening import open_server  # deferred: http

        return open_server(settings.server, outage_s=settings.outage_s)
    if settings.profile is not None:
        from headwater_stores.servers import open_servers  # deferred: kafka, minio

        return open_servers(settings.profile, create=create)
    from headwater_stores.folder import open_folder  # deferred: database

    return open_folder(settings.store, create=create)
