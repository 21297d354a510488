"""`headwater.subscribe`: every version event, in order, also those that one was away for."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import headwater
import pytest
from headwater._subscriptions.subscription import Subscription
from headwater_consumer.operational.named_cursors import named_cursors
from headwater_schemas.errors import InvalidInput, InvalidName, NameTaken, StoreMissing
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.positions import Cut
from headwater_schemas.version_events import VersionEvent
from headwater_stores.operational import open_operational

from tests.support.forked import ForkedProcess
from tests.support.stores import StoreUnderTest

SCOPE = "team/animals"


@pytest.fixture(autouse=True)
def _in_a_store(store: StoreUnderTest) -> None:
    """Each test has one of its own."""


def log(name: str, content: str, *, project: str = "animals", aliases: tuple[str, ...] = ()) -> None:
    """Log a version, and wait for it."""
    with headwater.init(project=project, job_type="test") as run:
        artifact = headwater.Artifact(name, type="dataset")
        with artifact.new_file("a.txt") as file:
            file.write(content)
        run.log_artifact(artifact, aliases=list(aliases)).wait()


def kinds_of(events: Iterator[VersionEvent]) -> list[str]:
    return [event.kind for event in events]


def all_now(**options: object) -> list[VersionEvent]:
    return list(headwater.subscribe(SCOPE, **{"after": "start", "timeout_s": 0, **options}))  # type: ignore[arg-type]


def test_everything_that_happened_is_read_from_the_start() -> None:
    log("pets", "cat")
    log("pets", "dog", aliases=("prod",))

    about_pets = [(event.kind, event.version, event.alias) for event in all_now() if event.collection]

    assert about_pets == [
        ("version-committed", "v0", None),
        ("alias-moved", "v0", "latest"),
        ("version-committed", "v1", None),
        ("alias-moved", "v1", "latest"),
        ("alias-moved", "v1", "prod"),
    ]
    assert {event.kind for event in all_now() if event.collection is None} == {"run-started", "run-finished"}


def test_who_begins_now_gets_what_follows_while_it_waits() -> None:
    log("pets", "cat")
    with headwater.subscribe(SCOPE, kinds=["version-committed"], timeout_s=60) as events:
        threading.Thread(target=lambda: [log("pets", "dog"), log("pets", "cow")]).start()

        first, second = next(events), next(events)

    assert (first.artifact, second.artifact) == ("team/animals/pets:v1", "team/animals/pets:v2")


def test_only_what_is_asked_for_comes() -> None:
    log("pets", "cat", aliases=("prod",))
    log("trees", "oak", project="plants")

    assert [event.artifact for event in all_now(alias="prod")] == ["team/animals/pets:v0"]
    assert kinds_of(iter(all_now(kinds="version-committed"))) == ["version-committed"]
    assert all_now(type="model") == []
    committed = headwater.subscribe(entity="team", kinds=["version-committed"], after="start", timeout_s=0)
    assert sorted(str(event.collection) for event in committed) == ["team/animals/pets", "team/plants/trees"]
    assert [one.id for one in headwater.subscribe("plants", after="start", timeout_s=0)][:1] != []
    assert list(headwater.subscribe(entity="others", after="start", timeout_s=0)) == []


def test_one_goes_on_after_any_event_by_its_cursor() -> None:
    log("pets", "cat")
    log("pets", "dog")
    everything = all_now()

    for number, event in enumerate(everything, 1):
        assert [one.id for one in all_now(after=event.cursor)] == [one.id for one in everything[number:]]


def test_a_time_is_where_one_can_begin() -> None:
    log("pets", "cat")
    log("pets", "dog")
    everything = all_now()
    middle = everything[len(everything) // 2].time

    assert {event.id for event in all_now(after=middle)} == {one.id for one in everything if one.time >= middle}
    assert len(all_now(after=datetime.now(UTC) - timedelta(days=30))) == len(everything)


def test_a_cut_of_the_log_is_where_one_can_begin() -> None:
    log("pets", "cat")
    everything = all_now()
    with closing(headwater.subscribe(SCOPE)) as events:
        generation = EventCursor.decode(events.cursor).generation

    assert [one.id for one in all_now(after=Cut(generation).encode())] == [one.id for one in everything]
    with closing(headwater.subscribe(SCOPE, after="now")) as events:
        assert all_now(after=events.cursor) == []


def test_what_is_remembered_under_a_name_is_what_was_done_with() -> None:
    log("pets", "cat")
    log("pets", "dog")
    everything = all_now()

    with headwater.subscribe(SCOPE, after="start", name="trainer", timeout_s=0) as events:
        first, second = next(events), next(events)  # who asks for the second is done with the first
    rest = all_now(name="trainer")
    nothing = all_now(name="trainer")

    assert [first.id, second.id] == [one.id for one in everything[:2]]
    assert [one.id for one in rest] == [one.id for one in everything[1:]]
    assert nothing == []
    log("pets", "cow")
    assert {event.version for event in all_now(name="trainer", kinds="version-committed")} == {"v2"}


def test_a_new_name_that_begins_now_misses_nothing_though_nothing_came_the_first_time() -> None:
    log("pets", "cat")
    assert list(headwater.subscribe(SCOPE, name="trainer", timeout_s=0)) == []

    log("pets", "dog")

    found = list(headwater.subscribe(SCOPE, name="trainer", timeout_s=0, kinds=["version-committed"]))
    assert [event.version for event in found] == ["v1"]


def test_a_filter_that_matches_nothing_moves_on_and_that_is_remembered(store: StoreUnderTest) -> None:
    log("pets", "bird")
    assert all_now(name="none", alias="prod") == []
    log("pets", "cat")
    assert all_now(name="none", alias="prod") == []

    with closing(open_operational(store.settings())) as database:
        (found,) = named_cursors(database)
    assert all_now(after=found.cursor) == []
    assert (found.scope.partition(" for ")[0], found.name) == (SCOPE, "none"), "a server keeps it for each principal"


def test_of_two_that_subscribe_under_one_name_the_first_is_told() -> None:
    log("pets", "cat")
    with (
        headwater.subscribe(SCOPE, after="start", name="trainer", timeout_s=0) as first,
        headwater.subscribe(SCOPE, after="start", name="trainer", timeout_s=0) as second,
    ):
        next(first)
        assert next(second) is not None

        with pytest.raises(NameTaken, match=r"'trainer' of team/animals.* was taken by another process"):
            next(first)
        assert next(second) is not None


def test_it_ends_when_it_is_told_to_or_nothing_came_for_so_long() -> None:
    log("pets", "cat")
    events = headwater.subscribe(SCOPE)
    threading.Timer(0.2, events.stop).start()

    assert list(events) == []
    assert list(events) == []
    assert list(headwater.subscribe(SCOPE, timeout_s=0.1)) == []


def test_before_anything_was_logged_one_can_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "another"))
    with headwater.subscribe(SCOPE, kinds=["version-committed"], timeout_s=60) as events:
        threading.Timer(0.1, lambda: log("pets", "cat")).start()

        assert next(events).artifact == "team/animals/pets:v0"


def test_a_name_needs_a_store_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_URL", str(tmp_path / "another"))

    with pytest.raises(StoreMissing):
        headwater.subscribe(SCOPE, name="trainer")
    assert not (tmp_path / "another").exists()


def test_what_can_never_work_is_refused_at_once() -> None:
    log("pets", "cat")
    with closing(headwater.subscribe(SCOPE)) as events:
        cursor = EventCursor.decode(events.cursor)
    beyond = EventCursor(cursor.generation, {0: (max(at for at, _ in cursor.reached.values()) + 10**6, 0)})
    if 0 not in cursor.reached:
        beyond = EventCursor(cursor.generation, {0: (10**6, 0)})

    for options, says in (
        ({"after": "yesterday"}, "'yesterday' is no place among version events"),
        ({"after": datetime(2025, 1, 1)}, "has no zone"),
        ({"after": EventCursor("another").encode()}, "is of log 'another'"),
        ({"after": Cut("another").encode()}, "is of log 'another'"),
        ({"after": beyond.encode()}, "beyond the end of partition 0"),
        ({"after": Cut(cursor.generation, {0: 10**6}).encode()}, "beyond the end of partition 0"),
        ({"kinds": ["committed"]}, "'committed' is no kind of version event"),
        ({"timeout_s": -1}, "timeout_s is -1"),
        ({"entity": "team"}, "Follow one of them"),
    ):
        with pytest.raises(InvalidInput, match=says):
            headwater.subscribe(SCOPE, **options)  # type: ignore[arg-type]
    with pytest.raises(InvalidName):
        headwater.subscribe("a/b/c")
    with pytest.raises(InvalidName, match="subscription name"):
        headwater.subscribe(SCOPE, name="not a name")


def test_a_subscriber_that_is_killed_and_started_again_reads_each_event_at_least_once(tmp_path: Path) -> None:
    log("pets", "0")
    script = (
        "import headwater, os, sys\n"
        f"with headwater.subscribe({SCOPE!r}, after='start', name='killed', timeout_s=0) as events:\n"
        "    for number, event in enumerate(events):\n"
        "        print(event.id, flush=True)\n"
        "        if number == 3:\n"
        "            os._exit(9)\n"
    )
    for n in range(1, 4):
        log("pets", str(n))

    read: list[str] = []
    for _ in range(50):
        with open(tmp_path / "read.txt", "w+b") as file:
            code = ForkedProcess(["-c", script], stdout=file).wait()
            file.seek(0)
            read += file.read().decode().split()
        if code == 0:
            break

    everything = [event.id for event in all_now()]
    assert code == 0
    assert list(dict.fromkeys(read)) == everything
    assert len(read) > len(everything)


def test_an_idle_subscriber_costs_little() -> None:
    log("pets", "cat")
    with headwater.subscribe(SCOPE, timeout_s=3) as events:
        assert isinstance(events, Subscription)
        begun_s, begun_cpu_s = time.monotonic(), time.process_time()
        assert list(events) == []
        elapsed_s, used_s = time.monotonic() - begun_s, time.process_time() - begun_cpu_s

    assert used_s < elapsed_s / 5  # a loop that does not wait uses all of it
