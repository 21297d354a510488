"""What happens to what was put while the base goes away, the thread falls asleep, or its files are gone."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import headwater
import pytest
from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_schemas import codec
from headwater_schemas.errors import EventRejected, FileChanged, Reason
from headwater_schemas.events import DraftOpened, EntryAdded, Event, VersionDeleted

from tests.queue.artifacts import MANY, filled, many
from tests.queue.conftest import BeforeAppend
from tests.support.history import Writer
from tests.support.stores import StoreUnderTest
from tests.support.threads import threads_named

PETS = "team/animals/pets"
LOGGING = "headwater-logging"  # the name of the threads that log what was put
IDLE_S_MIN = 10.0  # who waits for longer has nothing to do
DONE_WITHIN_S = 20.0  # less than the thread is idle for

# --- a base that goes away ----------------------------------------------------------------------------------------


@pytest.fixture
def deleting_bases(before_append: BeforeAppend) -> Callable[[], None]:
    """From its call on, somebody else deletes the base of each draft just before the draft is on the log."""

    def arrange() -> None:
        before_append(delete_base)

    def delete_base(log: EmbeddedEventLog, events: list[Event]) -> None:
        for base in [event.base for event in events if isinstance(event, DraftOpened) and event.base is not None]:
            writer = Writer(log, f"deletes v{base}")  # a session of its own
            writer.write(VersionDeleted(collection=PETS, version=base, delete_aliases=True))

    return arrange


def on_log(store: StoreUnderTest) -> list[Event]:
    log = EmbeddedEventLog.open(store.folder / "log")
    try:
        return [codec.decode(record.payload).event for record in log.read(0, after=-1)]
    finally:
        log.close()


def test_a_version_whose_base_vanished_meanwhile_is_sent_whole_and_once(
    store: StoreUnderTest, deleting_bases: Callable[[], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with headwater.init() as run:
        for number in range(2):
            run.log_artifact(many(number)).wait()
        deleting_bases()
        capsys.readouterr()
        version = run.log_artifact(many(2)).wait()

    events = on_log(store)
    opened = [event.base for event in events if isinstance(event, DraftOpened)]
    sizes = [len(event.files) for event in events if isinstance(event, EntryAdded)]
    assert opened == [None, 0, 1, None], "not over v0 either, which is the latest by now"
    assert sizes == [MANY, 1, 1, MANY]
    assert (version.version, version.file_count) == ("v2", MANY)
    version.download(tmp_path / "out")
    assert (tmp_path / "out" / "000").read_text() == "version 2"
    assert f"pets:v2, 1 of {MANY} files new" in capsys.readouterr().err


def test_a_base_that_was_asked_for_and_vanished_is_an_error_and_nothing_is_sent_again(
    store: StoreUnderTest, deleting_bases: Callable[[], None]
) -> None:
    with headwater.init() as run:
        draft = run.log_artifact(many(0)).wait().new_draft()
        with draft.new_file("more") as file:
            file.write("more")
        deleting_bases()

        with pytest.raises(EventRejected, match=f"{PETS}:v0 was deleted") as refused:
            run.log_artifact(draft).wait()

    assert refused.value.reason is Reason.BASE_UNKNOWN
    assert [event.base for event in on_log(store) if isinstance(event, DraftOpened)] == [None, 0]


def test_another_refusal_is_raised_and_nothing_is_sent_again(store: StoreUnderTest) -> None:
    with headwater.init() as run:
        run.log_artifact(many(0)).wait()
        another_type = headwater.Artifact("pets", "model")

        with pytest.raises(EventRejected) as refused:
            run.log_artifact(another_type).wait()

    assert refused.value.reason is Reason.TYPE_MISMATCH
    assert len([event for event in on_log(store) if isinstance(event, DraftOpened)]) == 2


# --- the thread that logs in the background -----------------------------------------------------------------------


class Sleep:
    """How the logging threads of one test wait for their next task: when the time is over, something may happen."""

    as_it_ends: Callable[[], None] | None = None


class _Sleepy(threading.Condition):
    def __init__(self, sleep: Sleep) -> None:
        super().__init__()
        self._sleep = sleep

    def wait(self, timeout: float | None = None) -> bool:
        is_idle = threading.current_thread().name == LOGGING and (timeout or 0.0) > IDLE_S_MIN
        if not is_idle or self._sleep.as_it_ends is None:
            return super().wait(timeout)
        notified = super().wait(0.05)
        if not notified:
            act, self._sleep.as_it_ends = self._sleep.as_it_ends, None
            self.release()  # as it is between the end of the time and the moment in which the thread has the lock again
            act()
            self.acquire()
        return notified


@pytest.fixture
def sleep(monkeypatch: pytest.MonkeyPatch) -> Sleep:
    sleep, real = Sleep(), threading.Condition

    def condition(lock: object = None) -> threading.Condition:
        return _Sleepy(sleep) if lock is None else real(lock)  # type: ignore[arg-type] # as it was given

    monkeypatch.setattr(threading, "Condition", condition)
    return sleep


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DONE_WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "nobody did it"
        time.sleep(0.01)


def test_a_task_that_is_put_just_as_the_idle_wait_ends_is_done(store: StoreUnderTest, sleep: Sleep) -> None:
    put: list[headwater.Artifact] = []
    with headwater.init() as run:
        sleep.as_it_ends = lambda: put.append(run.log_artifact(filled({"a": "1"})))
        run.log_artifact(filled({"b": "1"}, "waker")).wait()

        _wait_for(lambda: bool(put) and put[0].state != "pending")
    assert put[0].version == "v0"


def test_the_next_task_starts_another_thread_once_the_idle_one_ended(store: StoreUnderTest, sleep: Sleep) -> None:
    of_other_tests = threads_named(LOGGING)
    with headwater.init() as run:
        sleep.as_it_ends = lambda: None
        run.log_artifact(filled({"a": "1"})).wait()
        _wait_for(lambda: threads_named(LOGGING) <= of_other_tests)

        later = run.log_artifact(filled({"a": "2"}))
        _wait_for(lambda: later.state != "pending")


def test_what_is_put_is_logged_although_nobody_waits(store: StoreUnderTest) -> None:
    with headwater.init() as run:
        artifact = run.log_artifact(filled({"a": "1"}))

        _wait_for(lambda: artifact.state != "pending")
        assert artifact.version == "v0"


# --- immutable files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [7, PACKED_FILE_BYTES_MAX + 1], ids=["small", "large"])
def test_an_immutable_file_whose_content_is_stored_is_not_read_again(
    store: StoreUnderTest, tmp_path: Path, size: int
) -> None:
    (path := tmp_path / "model.bin").write_bytes(b"x" * size)
    with headwater.init() as run:
        first = headwater.Artifact("first", "model")
        first.add_file(path)
        run.log_artifact(first).wait()
        again = headwater.Artifact("again", "model")
        again.add_file(path, policy="immutable")
        path.unlink()

        version = run.log_artifact(again).wait()

    assert (version.version, version.size) == ("v0", size)


def test_an_immutable_file_whose_content_is_stored_nowhere_is_read(store: StoreUnderTest, tmp_path: Path) -> None:
    (path := tmp_path / "model.bin").write_bytes(b"x" * (PACKED_FILE_BYTES_MAX + 1))
    with headwater.init() as run:
        artifact = headwater.Artifact("first", "model")
        artifact.add_file(path, policy="immutable")
        path.unlink()

        with pytest.raises(FileChanged, match="can no longer be read"):
            run.log_artifact(artifact).wait()
