"""`headwater.subscribe` and `headwater events` through a server."""

import json
import signal
import threading
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import headwater
import pytest
from headwater._commit.client import forget_store
from headwater_schemas.errors import HeadwaterError, InvalidInput, NameTaken, NotFound
from headwater_schemas.version_events import VersionEvent

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import ENTITY, IMAGES, VISION
from tests.server.test_events import all_pages, log, streaming
from tests.support.forked import PIPE, ForkedProcess
from tests.support.modes import SERVICE, stores_recycled
from tests.support.serving import serving
from tests.support.stores import new_store

AUDIO = "team/audio"


@pytest.fixture
def granted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GrantedServer]:
    """A server that this process is a client of, as a reader of its entity."""
    with granting(tmp_path / "store") as granted:
        monkeypatch.setenv("HEADWATER_URL", granted.server.url)
        become(granted, "ana", ENTITY, monkeypatch)
        yield granted


def become(granted: GrantedServer, name: str, scope: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_TOKEN", granted.token(name, scope, "reader"))


def ids(events: Iterator[VersionEvent]) -> list[str]:
    return [event.id for event in events]


def test_a_subscriber_reads_what_a_page_has(granted: GrantedServer) -> None:
    token = granted.token("ben", ENTITY, "reader")
    everything = [event["id"] for event in all_pages(granted.server, token, entity=ENTITY)]

    found = list(headwater.subscribe(entity=ENTITY, after="start", timeout_s=0))

    assert [event.id for event in found] == everything
    middle = found[len(found) // 2]
    rest = ids(headwater.subscribe(entity=ENTITY, after=middle.cursor, timeout_s=0))
    assert rest == everything[len(found) // 2 + 1 :]
    assert ids(headwater.subscribe(entity=ENTITY, after=middle.time, timeout_s=0)) == [
        event.id for event in found if event.time >= middle.time
    ]
    assert {event.alias for event in headwater.subscribe(VISION, alias="good", after="start", timeout_s=0)} == {"good"}


def test_it_waits_for_what_comes(granted: GrantedServer) -> None:
    with headwater.subscribe(VISION, kinds=["version-committed"], timeout_s=60) as events:
        threading.Timer(0.3, lambda: log(granted.folder, "images", "new")).start()

        assert next(events).artifact == f"{IMAGES}:v2"


def test_a_name_is_its_owners_and_goes_on_where_it_was(granted: GrantedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with headwater.subscribe(VISION, after="start", name="trainer", timeout_s=0) as events:
        first, second = next(events), next(events)
    assert ids(headwater.subscribe(VISION, name="trainer", timeout_s=0))[0] == second.id

    with (
        headwater.subscribe(VISION, after=first.cursor, name="two", timeout_s=0) as one,
        headwater.subscribe(VISION, name="two", timeout_s=0) as two,
    ):
        next(one)
        assert next(two).id == second.id
        with pytest.raises(NameTaken, match="taken by another process"):
            next(one)

    become(granted, "ben", ENTITY, monkeypatch)
    assert ids(headwater.subscribe(VISION, after="start", name="trainer", timeout_s=0))[0] == first.id


def test_what_may_not_be_read_is_not_there(granted: GrantedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    become(granted, "eve", AUDIO, monkeypatch)

    assert {event.project for event in headwater.subscribe(entity=ENTITY, after="start", timeout_s=0)} == {AUDIO}
    for options in ({}, {"name": "trainer"}):
        with pytest.raises(NotFound, match="project team/vision"):
            headwater.subscribe(VISION, **options)  # type: ignore[arg-type]


def test_what_can_never_work_is_refused_at_once(granted: GrantedServer) -> None:
    with pytest.raises(InvalidInput, match="'yesterday' is no place among version events"):
        headwater.subscribe(VISION, after="yesterday")


def test_a_server_that_is_away_for_a_while_is_waited_for(granted: GrantedServer, tmp_path: Path) -> None:
    port = granted.server.url.rpartition(":")[2]
    with headwater.subscribe(VISION, kinds=["version-committed"], after="start", timeout_s=60) as events:
        read = [next(events).id for _ in range(2)]
        granted.server.kill()
        log(granted.folder, "images", "while it was away")
        again = ForkedProcess(["-m", "headwater", "server", "--port", port, "--url", str(granted.folder)], stdout=PIPE)
        try:
            assert again.stdout is not None
            again.stdout.readline()
            token = granted.token("ben", ENTITY, "reader")
            granted.server.process = again
            expected = [e["id"] for e in all_pages(granted.server, token, project=VISION, kind="version-committed")]
            read += [next(events).id for _ in range(len(expected) - 2)]
        finally:
            again.terminate()
            again.wait(30)

    assert read == expected


def test_a_right_that_is_revoked_ends_a_subscription_with_an_error(granted: GrantedServer) -> None:
    with headwater.subscribe(VISION) as events:
        (made,) = granted.operator.tokens(ENTITY)
        granted.operator.revoke_token(made.id)

        with pytest.raises(HeadwaterError, match="token"):
            next(events)


def test_the_command_line_follows_through_a_server(granted: GrantedServer) -> None:
    command = ["-m", "headwater", "events", VISION, "--follow", "--after", "start", "--kind", "version-committed"]
    process = ForkedProcess(command, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())

    process.send_signal(signal.SIGINT)

    assert first["specversion"] == "1.0"
    assert process.wait(30) == 130


@pytest.mark.parametrize("mode", [SERVICE], ids=["servers"])
def test_a_server_on_a_profile_hears_what_projectors_announce(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "server.key"
    key.write_text("ab" * 32)
    key.chmod(0o600)
    with stores_recycled(), new_store(mode, tmp_path / "store") as place:
        for name, value in {**place.environment, "HEADWATER_ENTITY": ENTITY, "HEADWATER_SERVER_KEY_FILE": key}.items():
            monkeypatch.setenv(name, str(value))
        with headwater.init(project="vision") as run:
            run.config["n"] = 1  # there is a store
        with serving("--open") as server:
            read: list[str] = []
            wanted: dict[str, Any] = {"kinds": ["run-started"], "url": server.url}
            with (
                streaming(server, f"project={VISION}&kind=run-started") as stream,
                headwater.subscribe(
                    VISION, kinds=["run-started"], name="direct", url=server.url, timeout_s=60
                ) as events,
            ):
                messages = stream.events()
                for n in range(3):
                    headwater.init(project="vision", id=f"r{n}").finish()
                    read.append(next(messages)["data"]["run"])
                    assert next(events).run == read[-1]

            found = headwater.subscribe(VISION, after="start", timeout_s=0, **wanted)
            assert [event.run for event in found][-3:] == read == [f"{VISION}/r{n}" for n in range(3)]
            direct = headwater.subscribe(VISION, kinds=["run-started"], after="start", timeout_s=0)
            assert [event.run for event in direct][-3:] == read
        forget_store(place.environment["HEADWATER_URL"])


def test_a_token_of_another_project_reaches_no_names_that_it_may_not_read(tmp_path: Path) -> None:
    with granting(tmp_path / "store") as granted:
        of_vision, of_audio = (granted.token("trainer", project, "reader") for project in (VISION, AUDIO))
        secret = f"/v1/events/names/mine?{urlencode({'scope': VISION, 'holder': 'a'})}"
        assert granted.server.ask("PUT", secret, token=of_vision).status == 200

        for (method, more), scope in product((("PUT", "&holder=b"), ("DELETE", "")), (VISION, "others")):
            path = f"/v1/events/names/mine?{urlencode({'scope': scope})}{more}"
            assert granted.server.ask(method, path, token=of_audio).status == 404
        assert granted.server.get("/v1/events/names", token=of_audio)["items"] == []
        assert [one["name"] for one in granted.server.get("/v1/events/names", token=of_vision)["items"]] == ["mine"]
        of_entity = f"/v1/events/names/all?{urlencode({'scope': ENTITY, 'holder': 'a'})}"
        assert granted.server.ask("PUT", of_entity, token=of_audio).status == 200
