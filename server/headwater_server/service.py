"""What one server is to its handlers, which are asynchronous: its stores, which are not, its threads and its waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

from fastapi import Depends, Request
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.operational.database import OperationalDatabase
from headwater_producer.stored_content import StoredContent
from headwater_stores.contents import StoreContents
from headwater_stores.server_key import ServerKey
from headwater_stores.stores import Stores

from headwater_server.bounded_threads import BoundedThreads
from headwater_server.http.in_flight import BytesInFlight
from headwater_server.http.open_slots import OpenSlots
from headwater_server.layer_owners import LayerOwners
from headwater_server.limits import (
    BYTES_IN_FLIGHT_MAX,
    BYTES_IN_FLIGHT_OF_PRINCIPAL_MAX,
    BYTES_THREADS,
    DOWNLOADS_MAX,
    DOWNLOADS_OF_PRINCIPAL_MAX,
    PREVIEW_THREADS,
    PREVIEWS_MAX,
    QUERY_THREADS,
    SEARCH_THREADS,
    SEARCHES_MAX,
)
from headwater_server.metrics import Metrics
from headwater_server.waits import CutWaits

P = ParamSpec("P")
T = TypeVar("T")


class Service:
    """The stores behind one address."""

    def __init__(self, stores: Stores, key: ServerKey, operational: OperationalDatabase) -> None:
        """`key`: of all servers of these stores. `operational`: their operational tables, which stay open."""
        self.stores = stores
        self.operational = operational
        self.nothing = Database.in_memory(stores.database.name)  # answers about what the caller may not read
        self.layer_owners = LayerOwners(stores.database)
        self.key = key
        self.metrics = Metrics()
        self.in_flight = BytesInFlight(BYTES_IN_FLIGHT_MAX, BYTES_IN_FLIGHT_OF_PRINCIPAL_MAX)
        self.stored = StoredContent(
            stores.blobs, partial(queries.stored_locations, stores.database), objects=stores.reads
        )
        self.contents = StoreContents(stores)
        self.waits = CutWaits(stores)
        self.metrics.gauge("waiting_requests", "Requests that wait for a cut.", lambda: len(self.waits))
        self.metrics.gauge("bytes_in_flight", "Bytes of bodies that are held.", lambda: self.in_flight.held)
        self._queries = ThreadPoolExecutor(QUERY_THREADS, "headwater-query")
        self._transfers = ThreadPoolExecutor(BYTES_THREADS, "headwater-bytes")
        self._previews = BoundedThreads("previews", threads=PREVIEW_THREADS, calls=PREVIEWS_MAX)
        self._searches = BoundedThreads("searches", threads=SEARCH_THREADS, calls=SEARCHES_MAX)
        self.downloads = OpenSlots("downloads", DOWNLOADS_MAX, DOWNLOADS_OF_PRINCIPAL_MAX)
        self.metrics.gauge("open_downloads", "Downloads of large files.", lambda: len(self.downloads))
        self.is_stopping = False
        self.troubles: list[Callable[[], str | None]] = []  # each part's: what keeps the server from being ready
        self._stopping: set[asyncio.Event] = set()
        self._remembering_access: list[Callable[[], None]] = []

    @property
    def database(self) -> Database:
        """The projection."""
        return self.stores.database

    async def query(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call what asks the database, in one of QUERY_THREADS. It must not wait for anything else."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._queries, lambda: function(*arguments, **named))

    async def transfer(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call what reads or writes bytes, in one of BYTES_THREADS."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._transfers, lambda: function(*arguments, **named))

    async def preview(self, principal: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call what reads a file to show it, in one of PREVIEW_THREADS. Raises: Problem when too many wait."""
        return await self._previews.run(principal, function, *arguments, **named)

    async def search(self, principal: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call what asks the database for seconds, in one of SEARCH_THREADS. Raises: Problem when too many wait."""
        return await self._searches.run(principal, function, *arguments, **named)

    def when_access_changes(self, forget: Callable[[], None]) -> None:
        """Have `forget` called once a role, a token or a setting was changed through this server."""
        self._remembering_access.append(forget)

    def access_changed(self) -> None:
        """A role, a token or a setting was changed, and that is projected: here it counts at once."""
        for forget in self._remembering_access:
            forget()

    def stopping(self) -> asyncio.Event:
        """An event of the running loop that is set when the server begins to stop: streams end then."""
        event = asyncio.Event()
        if self.is_stopping:
            event.set()
        self._stopping.add(event)
        return event

    def forget(self, event: asyncio.Event) -> None:
        """Nobody waits for it any more."""
        self._stopping.discard(event)

    def stop(self) -> None:
        """End all streams and take no new ones. Call it in the loop's thread."""
        self.is_stopping = True
        for event in list(self._stopping):
            event.set()

    def close(self) -> None:
        """Close the stores."""
        self._queries.shutdown(wait=True, cancel_futures=True)
        self._previews.close()
        self._searches.close()
        self._transfers.shutdown(wait=True, cancel_futures=True)
        self.nothing.close()
        self.stores.close()


async def service_of(request: Request) -> Service:
    """The service that a request came to. Asynchronous: what is not is called in a thread, which costs 0.3 ms."""
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(service_of)]
