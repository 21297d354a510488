"""Who waits long is told what for, once; and who waits for a while gets an answer then, whatever it waits for."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import headwater
import pytest
from headwater.errors import StoreMissing, StoreNotAnswering, StoreUnavailable
from headwater_stores.outages import ride_out
from headwater_stores.telling import waiting
from headwater_stores.telling.waiting import telling, within

from tests.support.threads import threads_named

SOON_S, LONG_S = 0.05, 20.0

Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(waiting, "TELL_AFTER_S", SOON_S)
    monkeypatch.setattr(waiting, "LOOK_S", SOON_S / 5)
    monkeypatch.setattr(waiting, "DESCRIBE_S_MAX", SOON_S)
    monkeypatch.setattr(waiting, "THREAD_IDLE_S", 0.0)
    yield
    until(lambda: not threads_named("headwater-waiting"))


def until(is_so: object) -> None:
    deadline = time.monotonic() + LONG_S
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(SOON_S / 5)


class Told:
    """What was printed so far."""

    def __init__(self, printed: Printed) -> None:
        self._printed, self._text = printed, ""

    def lines(self) -> list[str]:
        self._text += self._printed.readouterr().err
        return self._text.splitlines()


def test_who_waits_long_is_told_once_what_for(capsys: Printed) -> None:
    told = Told(capsys)

    with telling(lambda: "the outer"):
        with telling(lambda: "a projector"):
            until(told.lines)
        time.sleep(3 * SOON_S)

    assert told.lines() == ["headwater: waiting for a projector"]


def test_who_waits_shortly_or_for_what_needs_no_words_is_told_nothing(capsys: Printed) -> None:
    with telling(lambda: "a moment"):
        pass
    with telling(lambda: None):
        time.sleep(3 * SOON_S)

    assert capsys.readouterr().err == ""


def test_what_is_waited_for_may_not_answer_when_it_is_asked_or_be_an_error(capsys: Printed) -> None:
    told, over = Told(capsys), threading.Event()

    def refuse() -> str:
        raise StoreUnavailable("the database is away.")

    with telling(lambda: str(over.wait())):
        until(told.lines)
    over.set()
    with telling(refuse):
        until(lambda: len(told.lines()) == 2)

    assert told.lines() == [
        "headwater: waiting for servers that do not answer",
        "headwater: waiting for servers: the database is away.",
    ]


def test_each_thread_that_waits_is_told(capsys: Printed) -> None:
    told = Told(capsys)

    def wait(what: str) -> None:
        with telling(lambda: what):
            until(lambda: len(told.lines()) >= 2)

    threads = [threading.Thread(target=wait, args=(what,)) for what in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told.lines()) == ["headwater: waiting for one", "headwater: waiting for other"]


def test_a_call_within_its_time_returns_or_raises_as_without() -> None:
    def refuse() -> None:
        raise ValueError("no")

    assert within(LONG_S, lambda: 7, overdue=StoreUnavailable) == 7
    with pytest.raises(ValueError, match="no"):
        within(LONG_S, refuse, overdue=StoreUnavailable)


def test_a_call_that_hangs_is_an_error_when_its_time_is_over() -> None:
    over = threading.Event()

    with pytest.raises(StoreUnavailable, match="overdue"):
        within(SOON_S, over.wait, overdue=lambda: StoreUnavailable("overdue"))

    over.set()


# --- opening ------------------------------------------------------------------------------------------------------


class Servers:
    """Servers that are away for some attempts."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.attempts = 0

    def open(self) -> str:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return "opened"


def away() -> StoreNotAnswering:
    return StoreNotAnswering("Kafka at k:9092 does not answer. Check that it runs.")


def test_servers_that_are_away_are_opened_when_they_are_back(capsys: Printed) -> None:
    told: list[str] = []

    def open_once_told() -> str:
        told.append(capsys.readouterr().err)
        if "waiting for profile:x: Kafka at k:9092 does not answer" not in "".join(told):
            raise away()
        return "opened"

    assert ride_out(open_once_told, name="profile:x", outage_s=LONG_S) == "opened"

    assert told[0] == ""


def test_servers_that_stay_away_are_an_error_that_says_what_was_tried_for_how_long_and_what_sets_that() -> None:
    servers = Servers(*[away() for _ in range(50)])

    with pytest.raises(StoreNotAnswering) as caught:
        ride_out(servers.open, name="profile:x", outage_s=0.15)

    assert servers.attempts < 50
    assert str(caught.value).startswith("cannot open profile:x, tried for ")
    assert "Kafka at k:9092 does not answer. Check that it runs. HEADWATER_OUTAGE_SECONDS sets" in str(caught.value)


@pytest.mark.parametrize(
    "error", [StoreMissing("none"), StoreUnavailable("wrong password")], ids=["missing", "refused"]
)
def test_what_does_not_come_back_by_itself_is_an_error_at_once(error: Exception) -> None:
    servers = Servers(error)

    with pytest.raises(type(error)):
        ride_out(servers.open, name="profile:x", outage_s=LONG_S)

    assert servers.attempts == 1


NOBODY = "postgresql://ada:secret@127.0.0.1:1/headwater"  # no server listens on port 1


def environment_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_URL", "profile:away")
    monkeypatch.setenv("HEADWATER_DATABASE_URL", NOBODY)
    monkeypatch.setenv("HEADWATER_KAFKA_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("HEADWATER_S3_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("HEADWATER_OUTAGE_SECONDS", "0.2")


@pytest.mark.parametrize("code", ["headwater.init()", "headwater.Api()"])
def test_a_script_whose_servers_are_away_ends_with_its_own_line_and_a_clear_message(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment_of_nobody(monkeypatch)

    ended = subprocess.run([sys.executable, "-c", f"import headwater\n{code}"], capture_output=True, text=True)

    *trace, message = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert message.startswith("headwater.errors.StoreNotAnswering: cannot open profile:away, tried for ")
    assert "127.0.0.1:1/headwater" in message
    assert "Check HEADWATER_DATABASE_URL" in message
    assert len(trace) < 12, ended.stderr
    for never in ("secret", "nothing was read", "atexit", "another exception"):
        assert never not in ended.stderr


def test_a_command_whose_servers_are_away_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    environment_of_nobody(monkeypatch)

    ended = subprocess.run([sys.executable, "-m", "headwater", "ls"], capture_output=True, text=True)

    *told, line = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert line.startswith("headwater: cannot open profile:away, tried for ")
    assert all("waiting for" in early for early in told), "on a machine that is very busy"


def artifact_of(text: str) -> headwater.Artifact:
    artifact = headwater.Artifact("data", "dataset")
    with artifact.new_file(text) as file:
        file.write(text)
    return artifact


def test_on_a_folder_a_wait_for_a_while_is_a_wait(tmp_path: Path) -> None:
    with headwater.init(url=tmp_path / "store") as run:
        assert run.log_artifact(artifact_of("a")).wait(timeout=LONG_S).version == "v0"


def test_who_waits_for_other_writers_is_told_how_many_are_done(tmp_path: Path, capsys: Printed) -> None:
    with headwater.init(url=tmp_path / "store", entity="team", project="p") as run:
        run.upsert_artifact(artifact_of("a"), distributed_id="job").wait()
        draft = run.finish_artifact(headwater.Artifact("data", "dataset"), distributed_id="job", writers=2)
        capsys.readouterr()

        with pytest.raises(StoreUnavailable, match=r"Gave up waiting after 0\.5 seconds"):
            draft.wait(timeout=0.5)

    assert "waiting for other writers: the draft 'job' of team/p/data is still open: writers done: 1 of 2" in (
        capsys.readouterr().err
    )
