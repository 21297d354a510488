"""What a fork finds closed, and what happens where something could not be."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_eventlog.port import NewRecord
from headwater_runtime import pools
from headwater_runtime.pools import Pool
from headwater_schemas.errors import StoreUnavailable

from tests.runtime.forks import in_a_fork

WAIT_S = 30.0


@pytest.fixture
def opened() -> list[str]:
    return []


@pytest.fixture
def pool(opened: list[str]) -> Iterator[Pool[int]]:
    def open_one() -> int:
        opened.append("open")
        return len(opened)

    pool = Pool("the thing", open_one, lambda _: opened.append("close"), unavailable=StoreUnavailable)
    yield pool
    pool.close()


def test_what_is_idle_is_lent_again(pool: Pool[int], opened: list[str]) -> None:
    for _ in range(3):
        with pool.borrowed():
            pass

    assert opened == ["open"]


def _closing_pool(opened: list[str], closed: threading.Event, idle_s: float) -> Pool[None]:
    return Pool(
        "the thing",
        lambda: opened.append("open"),
        lambda _: closed.set(),
        unavailable=StoreUnavailable,
        idle_s=idle_s,
    )


def test_what_nobody_uses_for_its_time_is_closed_and_opened_again_when_it_is_wanted(opened: list[str]) -> None:
    closed = threading.Event()
    pool = _closing_pool(opened, closed, idle_s=0)
    for _ in range(2):
        closed.clear()
        with pool.borrowed():
            assert not closed.is_set()

        assert closed.wait(WAIT_S)
    assert opened == ["open", "open"]


def test_what_is_used_again_in_its_time_is_not_closed(opened: list[str]) -> None:
    idle_s = 0.2
    pool = Pool(
        "the thing",
        lambda: opened.append("open"),
        lambda _: opened.append("close"),
        unavailable=StoreUnavailable,
        idle_s=idle_s,
    )
    end = time.monotonic() + 3 * idle_s
    while time.monotonic() < end:
        with pool.borrowed():
            pass

    assert opened == ["open"]
    pool.close()


def test_a_child_closes_what_it_does_not_use_by_itself(opened: list[str]) -> None:
    closed = threading.Event()
    pool = _closing_pool(opened, closed, idle_s=0.2)
    with pool.borrowed():
        pass

    def use_in_the_child() -> bool:
        closed.clear()
        with pool.borrowed():
            pass
        return closed.wait(WAIT_S)

    assert in_a_fork(use_in_the_child)


def test_what_is_idle_is_closed_before_a_fork(pool: Pool[int], opened: list[str]) -> None:
    with pool.borrowed():
        pass

    assert in_a_fork(lambda: opened == ["open", "close"])


def test_after_an_exception_it_is_closed(pool: Pool[int], opened: list[str]) -> None:
    with pytest.raises(KeyError), pool.borrowed():
        raise KeyError

    assert opened == ["open", "close"]


def test_a_fork_waits_for_what_is_in_use_also_when_it_borrows_once_more(pool: Pool[int], opened: list[str]) -> None:
    borrowed, go_on = threading.Event(), threading.Event()

    def use() -> None:
        with pool.borrowed():
            borrowed.set()
            go_on.wait(WAIT_S)
            with pool.borrowed():
                pass

    thread = threading.Thread(target=use)
    thread.start()
    borrowed.wait(WAIT_S)
    threading.Timer(0.2, go_on.set).start()

    assert in_a_fork(lambda: opened == ["open", "open", "close", "close"])
    thread.join(WAIT_S)


def test_a_child_of_a_fork_that_could_not_wait_refuses_to_use_what_it_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "FORK_WAIT_S_MAX", 0.1)
    with closing(EmbeddedEventLog.open(tmp_path)) as log:
        inside, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            with pools.no_fork():
                inside.set()
                go_on.wait(WAIT_S)

        def is_refused() -> bool:
            with pytest.raises(StoreUnavailable, match="forked"):
                log.append([NewRecord("k", b"")], timeout_s=1)
            return True

        thread = threading.Thread(target=hold)
        thread.start()
        inside.wait(WAIT_S)
        assert in_a_fork(is_refused)
        go_on.set()
        thread.join(WAIT_S)

        assert len(log.append([NewRecord("k", b"")], timeout_s=1)) == 1


def test_a_thread_may_fork_while_it_holds_forks_off_itself(pool: Pool[int]) -> None:
    with pools.no_fork():
        assert in_a_fork(lambda: True)

    with pool.borrowed():
        pass
