"""Webhooks with real receivers and real servers: everything arrives, signed and in order, whatever receivers do."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import headwater
import pytest
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.positions import position_number
from headwater_schemas.version_events import VersionEvent
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores

from tests.cli.commands import ask, refused, run
from tests.cli.commands import headwater as command
from tests.support.receivers import Receiver, kind_of, receiving
from tests.support.serving import ServerProcess, serving, until

PROJECT = "team/vision"
LOCAL = ("--open", "--webhook-allow", "127.0.0.1")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on which commands of this process work, beside servers."""
    folder = tmp_path / "store"
    monkeypatch.setenv("HEADWATER_URL", str(folder))
    monkeypatch.setenv("HEADWATER_ENTITY", "team")
    monkeypatch.setenv("HEADWATER_PROJECT", "vision")
    monkeypatch.setenv("HEADWATER_QUIET", "true")
    return folder


@pytest.fixture
def server(store: Path) -> Iterator[ServerProcess]:
    with serving("--url", str(store), *LOCAL) as server:
        yield server


def log(name: str, text: str, aliases: tuple[str, ...] = ()) -> headwater.Artifact:
    """Log a version: run-started, version-committed, alias-moved for latest and each alias, run-finished."""
    with headwater.init(job_type="test") as run:
        artifact = headwater.Artifact(name, type="dataset")
        with artifact.new_file("a.txt") as file:
            file.write(text)
        return run.log_artifact(artifact, aliases=list(aliases)).wait()


def commits_of(receiver: Receiver) -> list[str]:
    """Each version that the receiver was told of, in the order in which it took it."""
    told = [event["data"] for event in receiver.taken if kind_of(event) == "version-committed"]
    return [f"{data['collection'].rpartition('/')[2]}:{data['version']}" for data in told]


def add(receiver: Receiver, *options: str, scope: str = PROJECT) -> str:
    made = ask("webhooks", "add", scope, receiver.url, *options)
    receiver.secrets = [made["secret"]]
    return str(made["id"])


DAYS_LATER = """
    UPDATE webhook_states
    SET failing_since_us = failing_since_us - 3 * 86400000000, next_us = 0, changes = changes + 1
"""
COMMITS = ("--kind", "version-committed")


# --- what arrives ---------------------------------------------------------------------------------------------------


def test_events_come_signed_as_cloud_events_in_the_order_of_their_collection(server: ServerProcess) -> None:
    with receiving() as receiver:
        add(receiver)
        for number in range(3):
            log("images", f"text {number}")
        until(lambda: receiver.kinds().count("run-finished") == 3)

    assert commits_of(receiver) == ["images:v0", "images:v1", "images:v2"]
    assert not receiver.unsigned
    assert len(set(receiver.ids())) == len(receiver.asked), "nothing came twice"
    assert [headers["webhook-id"] for headers in receiver.headers] == receiver.ids()
    assert {headers["content-type"] for headers in receiver.headers} == {"application/cloudevents+json"}
    told = [VersionEvent.from_json(event) for event in receiver.taken]
    assert {event.project for event in told} == {PROJECT}


def test_only_what_was_asked_for_is_told(server: ServerProcess) -> None:
    with receiving() as receiver, receiving() as other, receiving() as whole:
        add(receiver, "--kind", "alias-moved", "--alias", "prod")
        add(other, "--collection", f"{PROJECT}/labels", *COMMITS)
        add(whole, *COMMITS, scope="team")
        log("images", "a")
        log("images", "b", aliases=("prod",))
        log("labels", "c")
        until(lambda: len(commits_of(whole)) == 3)
        until(lambda: commits_of(other) and receiver.taken)

    (moved,) = receiver.taken
    assert (moved["data"]["alias"], moved["data"]["version"]) == ("prod", "v1")
    assert commits_of(other) == ["labels:v0"]


def test_what_happened_before_it_was_added_is_not_told_unless_it_is_replayed(server: ServerProcess) -> None:
    log("images", "a")
    with receiving() as receiver:
        hook = add(receiver, *COMMITS)
        log("images", "b")
        until(lambda: commits_of(receiver) == ["images:v1"])
        command("webhooks", "replay", hook, "--after", "start")
        until(lambda: len(receiver.taken) == 3)

    assert commits_of(receiver) == ["images:v1", "images:v0", "images:v1"]
    assert receiver.ids()[0] == receiver.ids()[2], "an event that is told again has the same id"


def test_one_that_was_away_long_is_told_all_of_it_while_more_is_written(server: ServerProcess) -> None:
    """More than what is kept of the newest events, so that it reads older ones, and then joins those that come."""
    artifact = log("images", "a")
    total = 300  # each of which is two events
    with receiving() as receiver:
        hook = add(receiver, "--kind", "alias-moved", "--collection", f"{PROJECT}/images")
        command("webhooks", "disable", hook)

        def move(first: int, last: int) -> None:
            for number in range(first, last):
                artifact.aliases = [f"a{number}"]
                artifact.save()

        move(0, total // 2)
        command("webhooks", "enable", hook)
        with ThreadPoolExecutor(1) as thread:
            thread.submit(move, total // 2, total).result()
        until(lambda: len(_moved(receiver)) == total)

    assert _moved(receiver) == [f"a{number}" for number in range(total)]


def _moved(receiver: Receiver) -> list[str]:
    """Each once: what was taken comes again where the answer is late."""
    moved = {event["id"]: event["data"] for event in receiver.taken}
    return [data["alias"] for data in moved.values() if data["version"] is not None]


# --- receivers that fail --------------------------------------------------------------------------------------------


def test_an_event_that_failed_comes_again_with_the_same_id_and_a_signature_of_its_own(server: ServerProcess) -> None:
    answers = iter([500, 503, 200])
    with receiving(Receiver(answer=lambda event: next(answers, 200))) as receiver:
        hook = add(receiver, *COMMITS)
        log("images", "a")
        until(lambda: commits_of(receiver) == ["images:v0"])

    assert len({event["id"] for event in receiver.asked}) == 1
    times = [headers["webhook-timestamp"] for headers in receiver.headers]
    assert len(times) == 3
    assert times[0] < times[-1], "signed anew"
    assert not receiver.unsigned
    expected = [("taken", 200), ("away", 503), ("away", 500)]
    until(lambda: [(one["outcome"], one["status"]) for one in ask("webhooks", "log", hook)] == expected)


def test_a_receiver_that_was_down_gets_everything_in_order_and_nobody_else_waits(server: ServerProcess) -> None:
    receiver = Receiver()
    with receiving() as other:
        add(other, *COMMITS)
        with receiving(receiver):
            hook = add(receiver, *COMMITS)
            log("images", "a")
            until(lambda: len(receiver.taken) == 1)
        for text in "bcd":
            log("images", text)
        until(lambda: len(commits_of(other)) == 4)
        until(lambda: failures_of(hook) > 0)
        with receiving(receiver, port=urlsplit(receiver.url).port or 0):
            until(lambda: len(receiver.taken) == 4)

    assert commits_of(receiver) == [f"images:v{number}" for number in range(4)]


def failures_of(hook: str) -> int:
    return int(next(one["failures"] for one in ask("webhooks", "list", PROJECT) if one["id"] == hook))


def test_an_event_that_is_refused_holds_back_its_collection_alone(server: ServerProcess) -> None:
    refusing = True

    def answer(event: dict[str, dict[str, str]]) -> int:
        return 422 if refusing and event["data"]["collection"].endswith("/images") else 200

    with receiving(Receiver(answer=answer)) as receiver:
        hook = add(receiver, *COMMITS)
        for number in range(3):
            log("images", f"{number}")
            log("labels", f"{number}")
        until(lambda: len(receiver.taken) == 3)
        assert commits_of(receiver) == ["labels:v0", "labels:v1", "labels:v2"]
        (told,) = ask("webhooks", "list", PROJECT)
        assert [held["subject"] for held in told["held_back"]] == [f"{PROJECT}/images"]
        assert f"{PROJECT}/images is held back, refused" in command("webhooks", "list", PROJECT)

        refusing = False
        until(lambda: len(receiver.taken) == 6)
        until(lambda: not ask("webhooks", "list", PROJECT)[0]["held_back"])
        log("images", "3")
        until(lambda: len(receiver.taken) == 7)

    assert [one for one in commits_of(receiver) if one.startswith("images")] == [f"images:v{n}" for n in range(4)]
    assert len(set(receiver.ids())) == 7
    assert {"refused", "taken"} == {one["outcome"] for one in ask("webhooks", "log", hook)}


def test_a_receiver_that_is_gone_is_told_nothing_more_until_it_is_enabled(server: ServerProcess) -> None:
    status = 410
    with receiving(Receiver(answer=lambda event: status)) as receiver:
        hook = add(receiver, *COMMITS)
        log("images", "a")
        until(lambda: ask("webhooks", "list", PROJECT)[0]["status"] == "gone")
        log("images", "b")
        time.sleep(0.5)  # in which nothing may come
        assert len(receiver.asked) == 1
        assert "410" in command("webhooks", "list", PROJECT)
        status = 200
        command("webhooks", "enable", hook)
        until(lambda: commits_of(receiver) == ["images:v0", "images:v1"])


def test_slow_receivers_delay_nobody_else(server: ServerProcess) -> None:
    with receiving(Receiver(wait_s=10.0)) as slow, receiving() as quick:
        for _ in range(6):
            ask("webhooks", "add", PROJECT, slow.url)
        add(quick, *COMMITS)
        begun_s = time.monotonic()
        log("images", "a")
        log("images", "b")
        until(lambda: len(commits_of(quick)) == 2)

        assert not slow.taken, "all of them still wait"
        assert time.monotonic() - begun_s < 10.0


def test_one_that_could_not_be_reached_for_days_is_parked_and_says_so(server: ServerProcess, store: Path) -> None:
    with receiving(Receiver(answer=lambda event: 503)) as receiver:
        hook = add(receiver, *COMMITS)
        log("images", "a")
        until(lambda: failures_of(hook) > 0)
        with closing(sqlite3.connect(store / "operational" / "operational.db")) as database, database:
            database.execute(DAYS_LATER)
        until(lambda: ask("webhooks", "list", PROJECT)[0]["status"] == "parked")

        assert "could not be reached for days" in command("webhooks", "list", PROJECT)
        until(lambda: "headwater_server_webhooks_stopped 1.0" in server.ask("GET", "/metrics").body.decode())
        receiver.answer = lambda event: 200
        command("webhooks", "replay", hook)
        until(lambda: commits_of(receiver) == ["images:v0"])


# --- processes that deliver -----------------------------------------------------------------------------------------


def delivers(server: ServerProcess) -> bool:
    return "headwater_server_webhooks_delivering 1.0" in server.ask("GET", "/metrics").body.decode()


@pytest.mark.slow
def test_of_two_servers_one_delivers_and_the_other_goes_on_when_it_is_killed(store: Path) -> None:
    """Takes as long as a lease lasts: so long nobody can know that the other is dead."""
    with (
        receiving() as receiver,
        serving("--url", str(store), *LOCAL) as first,
        serving("--url", str(store), *LOCAL) as second,
    ):
        add(receiver, *COMMITS)
        log("images", "0")
        until(lambda: len(receiver.taken) == 1)
        assert delivers(first) + delivers(second) == 1
        holder, other = (first, second) if delivers(first) else (second, first)
        receiver.wait_s = 1.0  # so that it is killed while it sends
        log("images", "1")
        until(lambda: len(receiver.asked) == 2)
        holder.kill()
        receiver.wait_s = 0.0
        for number in range(2, 5):
            log("images", str(number))
        until(lambda: delivers(other))
        until(lambda: "images:v4" in commits_of(receiver))

    told = list(dict.fromkeys(commits_of(receiver)))
    assert told == [f"images:v{number}" for number in range(5)], "none is missing, and they are in order"
    assert len(receiver.taken) <= 6, "only the one that was being sent came twice"
    assert not receiver.unsigned


def test_a_server_that_was_stopped_goes_on_where_it_was(store: Path) -> None:
    with receiving() as receiver:
        with serving("--url", str(store), *LOCAL):
            add(receiver, *COMMITS)
            log("images", "0")
            until(lambda: len(receiver.taken) == 1)
        log("images", "1")
        with serving("--url", str(store), *LOCAL):
            until(lambda: len(receiver.taken) == 2)

    assert commits_of(receiver) == ["images:v0", "images:v1"]


def test_what_is_ahead_of_a_projection_that_is_rebuilt_waits(store: Path) -> None:
    with receiving() as receiver:
        with serving("--url", str(store), *LOCAL):
            add(receiver, *COMMITS)
            log("images", "0")
            until(lambda: len(receiver.taken) == 1)
        command("replay", "--replace")
        with serving("--url", str(store), *LOCAL):
            log("images", "1")
            until(lambda: len(receiver.taken) == 2)

    assert commits_of(receiver) == ["images:v0", "images:v1"]


def test_one_whose_place_is_not_in_this_log_stops_and_says_so_before_it_skips_anything(store: Path) -> None:
    with receiving() as receiver:
        with serving("--url", str(store), *LOCAL):
            hook = add(receiver, *COMMITS)
        beyond = EventCursor(_generation(store), {0: (position_number(0, 0, 1 << 30), 0)})
        with closing(sqlite3.connect(store / "operational" / "operational.db")) as database, database:
            database.execute("UPDATE webhook_states SET cursor = ?", [beyond.encode()])
        with serving("--url", str(store), *LOCAL):
            until(lambda: ask("webhooks", "list", PROJECT)[0]["status"] == "lost")
            assert "beyond the end" in command("webhooks", "list", PROJECT)
            log("images", "a")
            command("webhooks", "replay", hook, "--after", "start")
            until(lambda: commits_of(receiver) == ["images:v0"])


def _generation(store: Path) -> str:
    with closing(open_stores(read_settings(url=store), create=False)) as stores:
        return stores.log.generation


# --- secrets, tests and the log -------------------------------------------------------------------------------------


def test_after_a_rotation_both_secrets_sign(server: ServerProcess) -> None:
    with receiving() as receiver:
        hook = add(receiver, *COMMITS)
        rotated = ask("webhooks", "rotate", hook)
        receiver.secrets.append(rotated["secret"])
        log("images", "a")
        until(lambda: len(receiver.taken) == 1)

    assert len(set(receiver.secrets)) == 2
    assert not receiver.unsigned


def test_secrets_are_shown_once_and_are_nowhere_in_the_store(server: ServerProcess, store: Path) -> None:
    with receiving() as receiver:
        done = run("webhooks", "add", PROJECT, receiver.url)
        receiver.secrets = [done.out.strip()]
        log("images", "a")
        until(lambda: receiver.taken)

    secret = receiver.secrets[0]
    assert secret.startswith("whsec_")
    assert not receiver.unsigned
    shown = done.err + command("webhooks", "list", PROJECT) + command("webhooks", "list", PROJECT, "--json")
    assert secret not in shown
    for file in store.rglob("*"):
        assert not file.is_file() or secret.removeprefix("whsec_").encode() not in file.read_bytes(), file


def test_a_test_is_sent_and_what_the_receiver_says_is_logged_shortened(server: ServerProcess) -> None:
    with receiving(Receiver(words=b"y" * 5000)) as receiver:
        hook = add(receiver)
        tested = ask("webhooks", "test", hook)
        assert (tested["outcome"], tested["status"], tested["answer"]) == ("taken", 200, "y" * 1024)
        assert "taken: 200" in command("webhooks", "test", hook)
        receiver.answer = lambda event: 500
        assert "away: 500" in run("webhooks", "test", hook).out
        assert run("webhooks", "test", hook).code == 1

    assert [kind_of(event) for event in receiver.taken] == ["webhook-test"] * 2
    assert not receiver.unsigned
    assert [one["kind"] for one in ask("webhooks", "log", hook)] == ["webhook-test"] * 4


def test_one_that_was_removed_is_told_nothing_and_is_not_found(server: ServerProcess) -> None:
    with receiving() as receiver, receiving() as other:
        hook = add(receiver, *COMMITS)
        add(other, *COMMITS)
        command("webhooks", "remove", hook)
        log("images", "a")
        until(lambda: other.taken)

    assert not receiver.asked
    for name in ("test", "log", "replay", "rotate", "disable", "enable", "remove"):
        assert "there is no webhook" in refused("webhooks", name, hook, code=3)


def test_a_receiver_that_is_not_public_is_refused_where_the_operator_did_not_open_it(store: Path) -> None:
    with serving("--url", str(store), "--open"), receiving() as receiver:
        hook = add(receiver)
        done = run("webhooks", "test", hook)

    assert done.code == 1
    assert "--webhook-allow" in done.out
    assert not receiver.asked


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("team/vision", "https://user:secret@example.org/"), "not the URL of a receiver"),
        (("team/vision", "https://example.org/", "--collection", "team/other/x"), "is not in team/vision"),
        (("a/b/c", "https://example.org/"), "name"),
    ],
)
def test_what_would_never_be_told_anything_is_refused(store: Path, arguments: tuple[str, ...], says: str) -> None:
    log("images", "a")
    said = refused("webhooks", "add", *arguments)

    assert says in said
    assert "secret" not in said
    assert ask("webhooks", "list", "team/vision") == []
