"""Calls that may take seconds: how many are let in, of whom, and that those who wait get their turn."""

import asyncio
import threading

import pytest
from headwater_server.bounded_threads import SHARE_OF_ONE, BoundedThreads
from headwater_server.http.problems import Problem

CALLS = 2 * SHARE_OF_ONE


def test_what_one_caller_asks_for_beyond_its_share_is_refused_and_others_are_served() -> None:
    asyncio.run(_one_caller_too_much())


async def _one_caller_too_much() -> None:
    threads, end = BoundedThreads("searches", threads=1, calls=CALLS), threading.Event()
    running = [asyncio.create_task(threads.run("ana", end.wait)) for _ in range(CALLS // SHARE_OF_ONE)]
    await asyncio.sleep(0)

    with pytest.raises(Problem) as refused:
        await threads.run("ana", end.wait)
    other = asyncio.create_task(threads.run("ben", lambda: "found"))
    await asyncio.sleep(0)
    end.set()

    assert (refused.value.status, refused.value.reason) == (429, "too-many-searches")
    assert await asyncio.gather(*running) == [True] * len(running)
    assert await other == "found"
    assert await threads.run("ana", lambda: "again") == "again"
    threads.close()


def test_more_than_are_let_in_from_all_callers_together_are_refused() -> None:
    asyncio.run(_all_callers_too_much())


async def _all_callers_too_much() -> None:
    threads, end = BoundedThreads("webhook calls", threads=1, calls=CALLS), threading.Event()
    running = [asyncio.create_task(threads.run(f"caller {n}", end.wait)) for n in range(CALLS)]
    await asyncio.sleep(0)

    with pytest.raises(Problem) as refused:
        await threads.run("one more", end.wait)
    end.set()
    await asyncio.gather(*running)

    assert (refused.value.status, refused.value.reason) == (503, "too-many-webhook-calls")
    threads.close()
