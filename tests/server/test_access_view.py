"""What a server remembers of access, and for how long it trusts that while its database does not answer."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from headwater_schemas.errors import StoreUnavailable
from headwater_server.access.view import FRESH_S, KEPT_MAX, STALE_S, View
from headwater_server.http.problems import Problem


class Database:
    """Answers when it can, and counts how often it was asked."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.answers: dict[str, str] = {}
        self.asked = 0
        self.is_away = False
        self.pause = 0.0

    def view(self) -> View[str]:
        return View(self.ask, clock=lambda: self.now_s)

    async def ask(self, name: str) -> str | None:
        self.asked += 1
        found = self.answers.get(name)
        await asyncio.sleep(self.pause)
        if self.is_away:
            raise StoreUnavailable("the database is away.")
        return found


def run(test: Callable[[Database, View[str]], Awaitable[None]]) -> None:
    async def within() -> None:
        database = Database()
        await test(database, database.view())

    asyncio.run(within())


def test_an_answer_counts_for_a_moment_and_is_then_asked_for_again() -> None:
    async def test(database: Database, view: View[str]) -> None:
        database.answers["a"] = "admin"
        assert await view.get("a") == "admin"
        del database.answers["a"]
        database.now_s += FRESH_S
        assert (await view.get("a"), database.asked) == ("admin", 1)

        database.now_s += 0.001
        assert (await view.get("a"), database.asked) == (None, 2)

    run(test)


def test_what_is_not_there_is_asked_for_each_time_so_that_it_counts_once_it_is() -> None:
    async def test(database: Database, view: View[str]) -> None:
        assert await view.get("a") is None
        database.answers["a"] = "reader"
        assert await view.get("a") == "reader"

    run(test)


def test_while_the_database_is_away_an_answer_counts_for_a_stated_time_and_then_nobody_is_let_in() -> None:
    async def test(database: Database, view: View[str]) -> None:
        database.answers["a"] = "admin"
        assert await view.get("a") == "admin"
        database.is_away = True
        database.now_s += STALE_S
        assert await view.get("a") == "admin"

        database.now_s += 0.001
        with pytest.raises(Problem) as refused:
            await view.get("a")
        assert (refused.value.status, refused.value.reason) == (503, "access-unknown")
        with pytest.raises(Problem):
            await view.get("never asked before")

    run(test)


def test_what_was_changed_here_counts_at_once_though_an_older_answer_is_on_its_way() -> None:
    async def test(database: Database, view: View[str]) -> None:
        database.answers["a"], database.pause = "admin", 0.02
        older = asyncio.create_task(view.get("a"))
        await asyncio.sleep(0.005)
        del database.answers["a"]
        view.forget()

        assert await view.get("a") is None
        assert await older == "admin"
        assert await view.get("a") is None

    run(test)


def test_many_requests_wait_for_one_answer_and_one_that_goes_away_takes_it_from_nobody() -> None:
    async def test(database: Database, view: View[str]) -> None:
        database.answers["a"], database.pause = "admin", 0.02
        waiting = [asyncio.create_task(view.get("a")) for _ in range(20)]
        await asyncio.sleep(0.005)
        waiting[0].cancel()

        assert [await task for task in waiting[1:]] == ["admin"] * 19
        assert database.asked == 1

    run(test)


def test_what_nobody_asked_for_lately_is_forgotten_first() -> None:
    async def test(database: Database, view: View[str]) -> None:
        database.answers = {str(number): "reader" for number in range(KEPT_MAX + 1)}
        for number in range(KEPT_MAX):
            await view.get(str(number))
        await view.get("0")
        await view.get(str(KEPT_MAX))
        asked = database.asked

        await view.get("0")
        assert database.asked == asked
        await view.get("1")
        assert database.asked == asked + 1

    run(test)
