"""Version events over HTTP, in pages and as streams: none is missed, and each is read only by who may."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import headwater
import pytest
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_producer.producer import Producer
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.events import VersionRecalled
from headwater_server.limits import SEND_S_MAX

from tests.server.granted import GrantedServer, granting
from tests.server.recorded import ENTITY, IMAGES, VISION
from tests.support.serving import ServerProcess, until

AUDIO = "team/audio"


@pytest.fixture
def granted(tmp_path: Path) -> Iterator[GrantedServer]:
    with granting(tmp_path / "store") as server:
        yield server


def log(folder: Path, name: str, content: str, *, project: str = "vision", aliases: tuple[str, ...] = ()) -> None:
    """Log a version, as the owner of the folder does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWATER_URL", str(folder))
        patch.setenv("HEADWATER_ENTITY", ENTITY)
        with headwater.init(project=project) as run:
            artifact = headwater.Artifact(name, type="dataset")
            with artifact.new_file("a.txt") as file:
                file.write(content)
            run.log_artifact(artifact, aliases=list(aliases)).wait()


@dataclass
class Message:
    """What comes between two empty lines of a stream."""

    id: str | None
    data: Any
    name: str | None = None


class Stream:
    """A client of a stream, by a socket alone."""

    def __init__(
        self, server: ServerProcess, query: str = "", *, path: str = "/v1/events/stream", **headers: str
    ) -> None:
        at = urlsplit(server.url)
        self.socket = socket.create_connection((at.hostname, at.port), timeout=60)
        lines = [f"GET {path}?{query} HTTP/1.1", f"Host: {at.netloc}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._file = self.socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while (line := self._file.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()

    def messages(self) -> Iterator[Message]:
        """Until the stream ends."""
        text = b""
        while size := int(self._file.readline() or b"0", 16):
            text += self._file.read(size)
            self._file.readline()
            while b"\n\n" in text:
                message, _, text = text.partition(b"\n\n")
                fields = dict(re.findall(r"(?m)^(id|data|event): (.*)$", message.decode()))
                data = json.loads(fields["data"]) if "data" in fields else None
                yield Message(fields.get("id"), data, fields.get("event"))

    def events(self) -> Iterator[dict[str, Any]]:
        return (message.data for message in self.messages() if message.data is not None)

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@contextmanager
def streaming(server: ServerProcess, query: str = "", **how: str) -> Iterator[Stream]:
    stream = Stream(server, query, **how)
    try:
        yield stream
    finally:
        stream.close()


def all_pages(server: ServerProcess, token: str | None = None, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = server.get(f"/v1/events?{urlencode(query, doseq=True)}", token=token)
        found += page["items"]
        if not page["more"]:
            return found
        query["after"] = page["cursor"]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- pages


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_pages_have_every_event_once_whatever_their_size(recorded_server: ServerProcess, limit: int) -> None:
    found = all_pages(recorded_server, limit=limit)

    assert len({event["id"] for event in found}) == len(found) > 30
    assert [event["id"] for event in found] == [event["id"] for event in all_pages(recorded_server, limit=500)]


def test_a_page_goes_on_after_any_event_and_has_only_what_is_asked_for(recorded_server: ServerProcess) -> None:
    everything = all_pages(recorded_server)
    middle = everything[len(everything) // 2]

    rest = all_pages(recorded_server, after=middle["cursor"])
    assert [one["id"] for one in rest] == [one["id"] for one in everything[len(everything) // 2 + 1 :]]
    of_audio = all_pages(recorded_server, project=AUDIO)
    assert {one["data"]["project"] for one in of_audio} == {AUDIO}
    assert {one["data"]["alias"] for one in all_pages(recorded_server, alias="good")} == {"good"}
    kinds = ["run-started", "artifact-used"]
    assert {one["type"] for one in all_pages(recorded_server, kind=kinds)} == {f"headwater.{kind}.v1" for kind in kinds}
    assert {one["data"]["artifact_type"] for one in all_pages(recorded_server, type="model")} == {"model"}
    assert len(all_pages(recorded_server, entity=ENTITY)) == len(everything)
    assert all_pages(recorded_server, after="now") == []
    assert len(all_pages(recorded_server, after="2020-01-01T00:00:00Z")) == len(everything)


def test_a_read_waits_for_what_an_event_was_read_after(recorded_server: ServerProcess) -> None:
    last = all_pages(recorded_server)[-1]["cursor"]
    at = EventCursor.decode(last)
    beyond = EventCursor(at.generation, {0: (at.reached[0][0] + 1000, 0)}).encode()

    assert recorded_server.get(f"/v1/projects?not_before={last}")["items"]
    for cursor, says in ((beyond, "beyond the end of the log"), (EventCursor("another").encode(), "of log 'another'")):
        refused = recorded_server.ask("GET", f"/v1/projects?not_before={cursor}")
        assert (refused.status, says in refused.json["detail"]) == (400, True), refused.json


def test_a_page_waits_for_events_where_it_is_asked_to(tmp_path: Path) -> None:
    with granting(tmp_path / "store") as granted:
        token = granted.token("ana", VISION, "reader")
        after = granted.server.get("/v1/events?after=now", token=token)["cursor"]
        threading.Timer(0.3, lambda: log(granted.folder, "images", "new")).start()

        page = granted.server.get(f"/v1/events?after={after}&wait=20&kind=version-committed", token=token)

    assert [one["data"]["version"] for one in page["items"]] == ["v2"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("after=soon", "no place among version events"),
        (f"after={EventCursor('another').encode()}", "of log 'another'"),
        ("kind=moved", "'moved' is no kind"),
        ("project=a", "project"),
        ("limit=-1", "limit"),
        ("wait=1000", "wait"),
        ("after=2020-01-01T00:00:00", "zone"),
    ],
)
def test_what_cannot_be_served_is_refused_before_a_stream_begins(
    recorded_server: ServerProcess, query: str, says: str
) -> None:
    answer = recorded_server.ask("GET", f"/v1/events?{query}")
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert says in answer.json["detail"]
    if "limit" not in query and "wait" not in query:
        with streaming(recorded_server, query) as stream:
            assert (stream.status, stream.headers["content-type"]) == (400, "application/problem+json")


# --- streams


def test_a_stream_begins_with_an_id_and_is_neither_kept_nor_changed_on_its_way(recorded_server: ServerProcess) -> None:
    with streaming(recorded_server, "after=start", Accept_Encoding="gzip, deflate, br") as stream:
        first = next(stream.messages())

    assert stream.status == 200
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store, no-transform"
    assert stream.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in stream.headers
    assert first.id is not None
    assert first.data is None
    assert EventCursor.decode(first.id).reached == {}


def test_a_stream_has_what_was_and_then_what_comes(granted: GrantedServer) -> None:
    token = granted.token("ana", VISION, "reader")
    query = f"after=start&project={VISION}&kind=version-committed"
    before = all_pages(granted.server, token, project=VISION, kind="version-committed")

    with streaming(granted.server, query, **bearer(token)) as stream:
        events = stream.events()
        read = [next(events) for _ in before]
        for n in range(3):
            log(granted.folder, "images", f"new {n}")
        read += [next(events) for _ in range(3)]

    assert [one["id"] for one in read] == [
        one["id"] for one in all_pages(granted.server, token, project=VISION, kind="version-committed")
    ]


def test_a_client_that_connects_again_with_its_last_id_misses_nothing(granted: GrantedServer) -> None:
    token = granted.token("ana", ENTITY, "reader")
    read: list[str] = []
    last = ""
    stop = threading.Event()

    def write() -> None:
        for n in range(25):
            log(granted.folder, f"c{n % 3}", f"new {n}", project=("vision", "audio")[n % 2])
        stop.set()

    writer = threading.Thread(target=write)
    begin = granted.server.get("/v1/events?after=now", token=token)["cursor"]
    writer.start()
    rounds = 0
    while not (stop.is_set() and rounds > 5):
        headers = {**bearer(token), **({"Last_Event_ID": last} if last else {})}
        with streaming(granted.server, f"after={begin}", **headers) as stream:
            stream.socket.settimeout(1.5)
            try:
                for number, message in enumerate(stream.messages()):
                    last = message.id or last
                    if message.data is not None:
                        read.append(message.data["id"])
                    if number == 4 + rounds:
                        break
            except TimeoutError:
                pass  # nothing comes any more
        rounds += 1
    writer.join()
    told = [one["id"] for one in all_pages(granted.server, token, after=begin)]
    rest = [one["id"] for one in all_pages(granted.server, token, after=last)]  # and what came since

    assert (read + rest)[: len(told)] == told
    assert rounds > 5


def test_many_streams_each_get_what_they_asked_for(granted: GrantedServer) -> None:
    token = granted.token("ana", ENTITY, "reader")
    queries = [f"project={VISION}&alias=prod", f"project={AUDIO}", f"entity={ENTITY}&kind=version-committed", ""] * 10
    streams = [Stream(granted.server, query, **bearer(token)) for query in queries]
    events = [stream.events() for stream in streams]
    begin = granted.server.get("/v1/events?after=now", token=token)["cursor"]

    log(granted.folder, "images", "new", aliases=("prod",))
    log(granted.folder, "sounds", "new", project="audio")

    for of_stream, query in zip(events, queries, strict=True):
        named = dict(part.split("=") for part in query.split("&") if part)
        expected = all_pages(granted.server, token, after=begin, **named)
        assert [next(of_stream)["id"] for _ in expected] == [one["id"] for one in expected] != []
    for stream in streams:
        stream.close()
    until(lambda: streams_open(granted.server) == 0)


def test_a_server_that_stops_ends_its_streams_at_once(tmp_path: Path) -> None:
    with granting(tmp_path / "store") as granted:
        token = granted.token("ana", VISION, "reader")
        with streaming(granted.server, **bearer(token)) as stream:
            messages = stream.messages()
            next(messages)
            begun_s = time.monotonic()
            granted.server.process.terminate()

            assert list(messages) == []
            assert granted.server.process.wait(30) == 0
            assert time.monotonic() - begun_s < 9  # less than what is cut off takes


def test_a_client_that_takes_nothing_is_closed_and_holds_up_nobody(granted: GrantedServer) -> None:
    """Takes as long as such a client is given."""
    token = granted.token("ana", VISION, "reader")
    at = urlsplit(granted.server.url)
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect((at.hostname, at.port))
    request = f"GET /v1/events/stream HTTP/1.1\r\nHost: {at.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
    stuck.sendall(request.encode())
    until(lambda: streams_open(granted.server) == 1)

    with streaming(granted.server, "kind=version-recalled", **bearer(token)) as reader:
        events = reader.events()
        recall_often(granted.folder, times=200)
        assert [next(events)["data"]["reason"][:3] for _ in range(200)] == [f"{n:03}" for n in range(200)]
        assert streams_open(granted.server) == 2
        until(lambda: streams_open(granted.server) == 1, timeout_s=SEND_S_MAX + 30)
    stuck.close()


def test_a_slow_client_reads_from_the_database_what_it_could_not_take(granted: GrantedServer) -> None:
    token = granted.token("ana", VISION, "reader")
    with streaming(granted.server, "kind=version-recalled", **bearer(token)) as stream:
        messages = stream.messages()
        next(messages)
        recall_often(granted.folder, times=700)
        until(lambda: len(all_pages(granted.server, token, kind="version-recalled", limit=10)) == 700)
        time.sleep(1)  # it takes nothing yet

        read = [next(messages).data["data"]["reason"][:3] for _ in range(700)]

    assert read == [f"{n:03}" for n in range(700)]
    assert "headwater_server_event_streams_behind_total 0.0" not in figures(granted.server)


def test_an_idle_stream_says_how_far_it_is_also_past_what_it_does_not_want(granted: GrantedServer) -> None:
    """Takes as long as a stream waits until it gives a sign of life."""
    token = granted.token("ana", ENTITY, "reader")
    with streaming(granted.server, "alias=prod", **bearer(token)) as stream:
        messages = stream.messages()
        first = next(messages)
        log(granted.folder, "images", "new")

        sign = next(messages)

    assert sign.data is None
    assert first.id != sign.id
    assert sign.id is not None
    assert all_pages(granted.server, token, after=first.id) != []
    assert all_pages(granted.server, token, after=sign.id) == []


def recall_often(folder: Path, *, times: int) -> None:
    """Events of 60 kB each, in all more than the buffers on the way to a client hold."""
    with closing(EmbeddedEventLog.open(folder / "log")) as log:
        producer = Producer(log, author="operator")
        for n in range(times):
            producer.send([VersionRecalled(collection=IMAGES, version=0, reason=f"{n:03}" + "x" * 60_000)])
        producer.confirm()


def figures(server: ServerProcess) -> str:
    return server.ask("GET", "/metrics").body.decode()


def streams_open(server: ServerProcess) -> int:
    found = re.search(r"(?m)^headwater_server_event_streams (\d+)", figures(server))
    assert found is not None
    return int(found[1])


# --- rights


def test_nobody_reads_events_of_what_it_may_not_read(granted: GrantedServer) -> None:
    token = granted.token("ana", AUDIO, "reader")

    assert granted.status("/v1/events", None) == granted.status("/v1/events/stream", None) == 401
    for path in ("/v1/events", "/v1/events/stream"):
        hidden = granted.server.ask("GET", f"{path}?project={VISION}", token=token)
        nothing = granted.server.ask("GET", f"{path}?project=team/nothing", token=token)
        assert (hidden.status, nothing.status) == (404, 404)
        assert hidden.body.replace(b"vision", b"nothing") == nothing.body
    assert {one["data"]["project"] for one in all_pages(granted.server, token)} == {AUDIO}
    assert all_pages(granted.server, token, entity="others") == []


def test_streams_have_only_what_their_reader_may_read(granted: GrantedServer) -> None:
    token = granted.token("ana", AUDIO, "reader")
    with streaming(granted.server, **bearer(token)) as stream:
        events = stream.events()
        log(granted.folder, "images", "secret")
        log(granted.folder, "sounds", "open", project="audio")

        assert next(events)["data"]["project"] == AUDIO


def test_a_use_shows_only_to_who_may_read_both_ends(granted: GrantedServer) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWATER_URL", str(granted.folder))
        patch.setenv("HEADWATER_ENTITY", ENTITY)
        with headwater.init(project="audio", id="foreign") as run:
            run.use_artifact(f"{IMAGES}:v0")
    of_both, of_one = granted.token("ben", ENTITY, "reader"), granted.token("ana", VISION, "reader")

    uses = all_pages(granted.server, of_both, kind="artifact-used", project=VISION)
    seen = all_pages(granted.server, of_one, kind="artifact-used", project=VISION)

    assert "team/audio/foreign" in {one["data"]["run"] for one in uses}
    assert "team/audio/foreign" not in {one["data"]["run"] for one in seen}
    assert len(seen) == len(uses) - 1


@pytest.mark.parametrize("query", ["", f"project={VISION}"])
def test_a_stream_ends_when_the_right_to_read_is_revoked(granted: GrantedServer, query: str) -> None:
    token = granted.token("ana", VISION, "reader")
    with streaming(granted.server, query, **bearer(token)) as stream:
        messages = stream.messages()
        next(messages)
        (made,) = granted.operator.tokens(VISION)
        granted.operator.revoke_token(made.id)
        time.sleep(1.5)  # a server may know of it so late
        log(granted.folder, "images", "after it was revoked")

        assert [message for message in messages if message.data is not None] == []
    assert granted.status("/v1/events", token) == 401


@pytest.mark.parametrize("query", ["", f"entity={ENTITY}", f"project={VISION}"])
def test_a_stream_on_which_nothing_comes_ends_soon_after_the_role_is_revoked(
    granted: GrantedServer, query: str
) -> None:
    token = granted.token("ana", VISION, "reader")
    with streaming(granted.server, query, **bearer(token)) as stream:
        messages = stream.messages()
        next(messages)
        granted.operator.revoke("ana", VISION)

        assert list(messages) == []  # not even a sign of life, which an idle stream gets after a while
    assert granted.status("/v1/events", token) == 200
