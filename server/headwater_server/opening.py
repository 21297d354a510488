"""Open what a server serves: its stores, its operational tables and its key, with a projector where it has one."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from headwater_stores.config.settings import Settings
from headwater_stores.opening import open_stores
from headwater_stores.operational import open_operational
from headwater_stores.server_key import KEY_BYTES, ServerKey, key_file, read_key

from headwater_server.key_agreement import trouble_with_key
from headwater_server.projecting import projecting
from headwater_server.service import Service


@contextmanager
def opened_service(settings: Settings, *, with_projector: bool) -> Iterator[Service]:
    """A block with the service of a store, which is created if missing. A folder is always projected.

    Raises: as `open_stores`; InvalidSettings without a key.
    """
    with _opened(
        settings, lambda: read_key(*key_file(settings)), create=True, with_projector=with_projector
    ) as service:
        service.troubles.append(lambda: trouble_with_key(service.operational, service.key))
        yield service


@contextmanager
def opened_for_looking(settings: Settings) -> Iterator[Service]:
    """The same for who only looks, and signs nothing that others would have to believe. Only a folder is created."""
    with _opened(settings, lambda: ServerKey(os.urandom(KEY_BYTES)), create=settings.is_folder) as service:
        yield service


@contextmanager
def _opened(
    settings: Settings, key: Callable[[], ServerKey], *, create: bool, with_projector: bool = False
) -> Iterator[Service]:
    with ExitStack() as opened:
        stores = opened.enter_context(closing(open_stores(settings, create=create)))
        operational = opened.enter_context(closing(open_operational(settings)))
        service = opened.enter_context(closing(Service(stores, key(), operational)))
        if with_projector or settings.is_folder:
            opened.enter_context(projecting(stores))
        yield service
