"""Who waits for what was logged is shown how much of it is over, of how much."""

import io
import re
import sys
from collections.abc import Callable

import headwater
import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import Staged
from headwater_schemas.errors import EventRejected
from headwater_stores.telling import progress

from tests.queue.artifacts import filled, many
from tests.support.stores import StoreUnderTest

pytestmark = pytest.mark.usefixtures("store", "no_thread")

Shown = list[tuple[int, int]]


class _Terminal(io.StringIO):
    """Notes how much is shown to be over, of how much, each time that it is shown."""

    def __init__(self, seen: Shown) -> None:
        super().__init__()
        self._seen = seen

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._seen += [(int(done), int(of)) for done, of in re.findall(r"headwater: logging: (\d+) of (\d+)", text)]
        return super().write(text)


@pytest.fixture
def begun(store: StoreUnderTest) -> None:
    """The project has a version, so that nothing waits for its digest algorithm."""
    filled({"a": "1"}, "earlier").save()


@pytest.fixture
def watch(begun: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Shown]:
    """From its call on: how much is shown to be over, of how much, each time that it is shown in a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "SHOW_AFTER_S", 0.0)
    monkeypatch.setattr(progress, "REFRESH_S", 0.0)
    monkeypatch.setattr(progress, "TICK_S", 60.0)

    def begin() -> Shown:
        seen: Shown = []
        monkeypatch.setattr(sys, "stderr", _Terminal(seen))
        return seen

    return begin


def test_progress_counts_what_is_over_of_what_was_put(watch: Callable[[], Shown]) -> None:
    shown = watch()
    with headwater.init() as run:
        for version in range(4):
            run.log_artifact(many(version))

    assert shown == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]  # the run's start, and each version after those before it


def test_progress_begins_anew_with_each_wait(watch: Callable[[], Shown]) -> None:
    shown = watch()
    with headwater.init() as run:
        run.log_artifact(many(0)).wait()
        assert shown == [], "who waits for one thing is shown nothing"
        run.log_artifact(many(1))
        run.log_artifact(many(2))

    assert shown == [(1, 2), (2, 2)]


def test_what_is_put_meanwhile_counts_too(watch: Callable[[], Shown], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = watch()
    stage, late = FolderBlobStore.stage_pack, [filled({"late": "too"}, "late")]
    put: list[Callable[[headwater.Artifact], headwater.Artifact]] = []

    def put_late(store: FolderBlobStore, *given: object, **more: object) -> Staged:
        if put and late:
            put[0](late.pop())
        return stage(store, *given, **more)  # type: ignore[arg-type] # as they were given

    monkeypatch.setattr(FolderBlobStore, "stage_pack", put_late)
    with headwater.init() as run:
        put.append(run.log_artifact)
        run.log_artifact(many(0))
        run.log_artifact(many(1))

    assert shown == [(1, 3), (2, 4), (4, 4)]


def test_what_ended_badly_is_over_too(watch: Callable[[], Shown]) -> None:
    shown = watch()
    run = headwater.init()
    run.log_artifact(filled({"a": "1"}))
    run.log_artifact(headwater.Artifact("pets", "model"))
    run.log_artifact(many(1))

    with pytest.raises(EventRejected):
        run.finish()

    assert shown[-1] == (4, 4)


def test_nothing_is_shown_where_nothing_waits(watch: Callable[[], Shown]) -> None:
    shown = watch()
    with headwater.init() as run:
        run.log_artifact(many(0)).wait()

    assert shown == []


def test_nothing_is_shown_to_those_who_want_quiet(watch: Callable[[], Shown], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = watch()
    monkeypatch.setenv("HEADWATER_QUIET", "true")

    with headwater.init() as run:
        run.log_artifact(many(0))

    assert shown == []
