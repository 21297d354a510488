"""The streams that are open on this server: how many there may be, and the feed that they share."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request

from headwater_server.events.feed import Feed
from headwater_server.http.open_slots import OpenSlots
from headwater_server.limits import STREAMS_MAX, STREAMS_OF_PRINCIPAL_MAX
from headwater_server.service import Service


class Streams:
    """Of one server. For its event loop."""

    def __init__(self, service: Service) -> None:
        self.feed = Feed(service)
        self._service = service
        self._open = OpenSlots("streams", STREAMS_MAX, STREAMS_OF_PRINCIPAL_MAX)
        self._ending: asyncio.Task[None] | None = None
        service.metrics.gauge("event_streams", "Open streams of version events, and waiting pages.", self._open.__len__)
        self.sent = service.metrics.counter("events_streamed", "Version events that were sent on streams.")
        self.fallbacks = service.metrics.counter(
            "event_streams_behind", "How often a stream was too slow and read from the database again."
        )

    @contextmanager
    def counted(self, principal: str) -> Iterator[None]:
        """A block in which a stream is open. Raises: Problem when there are too many."""
        with self._open.counted(principal):
            if self._ending is None:
                self._ending = asyncio.create_task(self._end_all())
            yield

    async def _end_all(self) -> None:
        """When the server stops, wake every stream: it ends then."""
        stopping = self._service.stopping()
        await stopping.wait()
        self.feed.wake_all()


def streams_of(request: Request) -> Streams:
    """The streams of the server that a request came to."""
    streams: Streams = request.app.state.streams
    return streams


StreamsOf = Annotated[Streams, Depends(streams_of)]
