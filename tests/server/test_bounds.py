"""The bounds that callers share, and the thread that serves all who wait."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request
from headwater_consumer import queries
from headwater_schemas import digests
from headwater_schemas.positions import Cut
from headwater_server import waits as waits_module
from headwater_server.access.caller import Anybody
from headwater_server.http.in_flight import BytesInFlight
from headwater_server.http.open_slots import OpenSlots
from headwater_server.http.problems import Problem
from headwater_server.opening import opened_service
from headwater_server.service import Service
from headwater_server.submitting import pieces
from headwater_server.submitting.content_routes import read_content
from headwater_server.waits import OVERDUE, CutWaits
from headwater_stores.config.settings import read_settings

from tests.server.recorded import record


def test_slow_bodies_of_one_caller_do_not_keep_others_out() -> None:
    in_flight = BytesInFlight(most=100, most_of_one=50)

    with in_flight.held_for(40, "headwater|mallory"):
        with pytest.raises(Problem, match="yours") as refused, in_flight.held_for(40, "headwater|mallory"):
            pass
        assert refused.value.status == 429
        with in_flight.held_for(40, "headwater|ana"):
            assert in_flight.held == 80
            with pytest.raises(Problem, match="other requests"), in_flight.held_for(40, "headwater|ben"):
                pass

    with in_flight.held_for(1000, "headwater|mallory"):
        assert in_flight.held == 1000, "whoever is alone is served"
    assert in_flight.held == 0


def test_open_transfers_of_one_caller_do_not_keep_others_out() -> None:
    downloads = OpenSlots("downloads", most=3, most_of_one=2)

    with downloads.counted("headwater|mallory"), downloads.counted("headwater|mallory"):
        with pytest.raises(Problem, match="yours"), downloads.counted("headwater|mallory"):
            pass
        with downloads.counted("headwater|ana"):
            assert len(downloads) == 3
            with pytest.raises(Problem, match="open already"), downloads.counted("headwater|ben"):
                pass
    assert len(downloads) == 0


def test_a_content_that_its_client_does_not_take_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_S_MAX", 0.1)
    content = b"a cat"
    record(tmp_path)

    async def download(service: Service) -> None:
        request = Request({"type": "http", "method": "GET", "headers": []})
        algorithm = queries.chosen_algorithm(service.database, "team/vision") or digests.BLAKE3
        digest = digests.to_text(digests.pack(algorithm, digests.one_shot(algorithm)(content)))
        answer = await read_content("team", "vision", digest, request, service, Anybody())
        taken: list[Any] = []

        async def send(message: Any) -> None:
            taken.append(message)
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        async def receive() -> Any:
            await asyncio.Event().wait()

        async with asyncio.timeout(25.0):
            await answer({"type": "http"}, receive, send)
        assert [message["type"] for message in taken] == ["http.response.start", "http.response.body"]
        assert len(service.downloads) == 0

    with opened_service(read_settings(url=tmp_path), with_projector=True) as service:
        asyncio.run(download(service))


class Failing:
    """A store whose projection fails once in a way that nobody foresaw, and then has everything."""

    is_remote = True

    def __init__(self, cut: Cut) -> None:
        self.log, self.projection = SimpleNamespace(generation=cut.generation), self
        self._cut, self.failed = cut, False

    def reached(self) -> Cut:
        if not self.failed:
            self.failed = True
            raise LookupError("nobody foresaw this")
        return self._cut


class Behind:
    """A store whose projection never has anything."""

    is_remote = True

    def __init__(self, cut: Cut) -> None:
        self.log = SimpleNamespace(generation=cut.generation)
        self.projection = SimpleNamespace(reached=lambda: Cut(cut.generation), now=lambda: cut)
        self.database = SimpleNamespace(hear=lambda _: None)


def test_waits_of_one_caller_do_not_keep_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits_module, "WAITS_OF_PRINCIPAL_MAX", 2)
    cut = Cut("0" * 32, {0: 1})
    stores: Any = Behind(cut)
    waits = CutWaits(stores)

    async def wait(principal: str) -> Problem:
        with pytest.raises(Problem) as refused:
            await waits.wait(cut, timeout_s=0.5, principal=principal)
        return refused.value

    async def all_at_once() -> list[Problem]:
        return await asyncio.gather(*[wait(f"headwater|{name}") for name in ("mallory", "mallory", "mallory", "ana")])

    *_, refused, served = asyncio.run(all_at_once())

    assert (refused.status, refused.reason, refused.headers) == (429, "too-many-waits", {"Retry-After": "1"})
    assert served.reason == OVERDUE, "it waited until its time was over"
    assert asyncio.run(wait("headwater|mallory")).reason == OVERDUE, "those that ended do not count"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_failure_that_nobody_foresaw_does_not_end_all_waits_to_come() -> None:
    cut = Cut("0" * 32, {0: 1})
    stores: Any = Failing(cut)
    waits = CutWaits(stores)

    async def wait() -> None:
        with pytest.raises(Problem):
            await waits.wait(cut, timeout_s=1.0, principal="headwater|ana")
        await waits.wait(cut, timeout_s=25.0, principal="headwater|ana")

    asyncio.run(wait())

    assert stores.failed
