"""The feed that all streams of a server share goes on after failures, and nobody misses an event by them."""

import asyncio
from pathlib import Path
from typing import Any

import headwater
import pytest
from headwater_consumer.queries.results import EventFilter, VersionEventPage
from headwater_consumer.subscriptions.following import EventReader
from headwater_server.access.caller import Anybody
from headwater_server.events.asked import Asked, start_of
from headwater_server.events.stream import EventStream
from headwater_server.events.streams import Streams
from headwater_server.opening import opened_service
from headwater_server.service import Service
from headwater_stores.config.settings import read_settings

ENOUGH_S = 60.0


@pytest.fixture(autouse=True)
def _fails_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first page with events is read, and then lost by an error that nobody foresaw."""
    read, failed = EventReader.next_page, list[bool]()

    def next_page(self: EventReader, limit: int) -> VersionEventPage:
        page = read(self, limit)
        if page.events and not failed:
            failed.append(True)
            raise LookupError("nobody foresaw this")
        return page

    monkeypatch.setattr(EventReader, "next_page", next_page)


class Client:
    """Takes what a stream sends."""

    def __init__(self) -> None:
        self.text = ""
        self.came = asyncio.Event()

    async def receive(self) -> Any:
        await asyncio.Event().wait()  # it does not go

    async def send(self, message: Any) -> None:
        self.text += message.get("body", b"").decode()
        self.came.set()

    async def has(self, text: str) -> None:
        async with asyncio.timeout(ENOUGH_S):
            while text not in self.text:
                self.came.clear()
                await self.came.wait()


def log_run(folder: Path, name: str) -> None:
    headwater.init(entity="team", project="vision", id=name, url=folder).finish()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_that_nobody_foresaw_costs_no_stream_an_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def follow(service: Service) -> None:
        streams, client = Streams(service), Client()
        stream = EventStream(service, streams, Asked(Anybody(), EventFilter()), await start_of(service, "now"))
        following = asyncio.create_task(stream({}, client.receive, client.send))
        await client.has("retry")
        for name in ("first", "second"):
            await asyncio.to_thread(log_run, tmp_path, name)
            await client.has(f"vision/{name}")
        service.stop()
        await following

    with opened_service(read_settings(url=tmp_path), with_projector=True) as service:
        asyncio.run(follow(service))

    assert "nobody foresaw this" in caplog.text
