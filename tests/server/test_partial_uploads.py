"""Contents that arrive in several requests: they go on where they broke off, at any server, and are whole or absent."""

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_blobs.s3 import uploads
from headwater_blobs.s3.client import BucketClient
from headwater_blobs.s3.store import S3BlobStore
from headwater_consumer.operational.partial_uploads import EXPIRES_S, RESTS_S
from headwater_producer.producer import Producer
from headwater_schemas.events import BlobsCondemned
from headwater_schemas.submissions import Submission
from headwater_server.limits import PARTIAL_UPLOADS_OF_PRINCIPAL_MAX

from tests.cli.commands import ask
from tests.server.submitting import Writer, claim
from tests.server.uploads import (
    CONTENT,
    CONTENTS,
    FIRST,
    PROJECT,
    Store,
    begin,
    begin_to_send,
    begun,
    break_off,
    bytes_arrived,
    send,
    send_chunked,
    state,
    store_of,
    text_of,
)
from tests.support.serving import Answer, ServerProcess, until


@pytest.fixture
def store(mode: str, tmp_path: Path) -> Iterator[Store]:
    with store_of(mode, tmp_path) as store:
        yield store


@pytest.fixture
def server(store: Store) -> Iterator[ServerProcess]:
    with store.serving() as server:
        yield server


def assert_is_whole(server: ServerProcess, answer: Answer, content: bytes = CONTENT) -> None:
    """Whether a version can be committed with what an upload answered, and has the content."""
    assert answer.status == 201, answer.body
    assert (answer.json["digest"], answer.json["size"]) == (text_of(content), len(content))
    writer = Writer()
    events = writer.encoded(claim(PROJECT), *writer.commit("big", {"b": content}))
    receipt = base64.b64decode(answer.json["receipt"])
    committed = server.ask("POST", "/v1/submit", Submission(events=events, receipts=[receipt], wait_s=20).encode())
    assert committed.status == 200, committed.body
    assert server.ask("GET", f"{CONTENTS}/{text_of(content)}").body == content


def test_an_upload_goes_on_where_the_connection_broke(server: ServerProcess, store: Store) -> None:
    path = begun(server)
    kept = break_off(server, path, 0, CONTENT[:FIRST], len(CONTENT))
    assert 0 < kept <= FIRST
    assert kept % store.step == 0

    answer = send(server, path, kept, CONTENT[kept:])

    assert answer.headers["upload-complete"] == "?1"
    assert_is_whole(server, answer)
    assert store.left()[1] == []
    assert bytes_arrived(server) < 2 * len(CONTENT)


def test_each_answer_says_how_far_it_is_and_head_says_it_without_a_body(server: ServerProcess, store: Store) -> None:
    path = begun(server)
    sent = send_chunked(server, path, 0, CONTENT[:FIRST])
    kept = FIRST // store.step * store.step
    assert (sent.status, sent.json["offset"], sent.json["busy"]) == (200, kept, False)

    for method in ("GET", "HEAD"):
        answer = server.ask(method, path)
        assert (answer.status, answer.headers["upload-offset"]) == (200, str(kept))
        assert (answer.headers["upload-complete"], answer.headers["upload-length"]) == ("?0", str(len(CONTENT)))
        assert "min-append-size=67108864" in answer.headers["upload-limit"]
        assert answer.headers["cache-control"] == "no-store"
    assert server.ask("HEAD", path).body == b""


def test_a_wrong_offset_is_refused_with_the_present_one(server: ServerProcess) -> None:
    path = begun(server)
    for offset in (1, len(CONTENT), len(CONTENT) + 1):
        answer = send(server, path, offset, CONTENT[offset:])
        assert (answer.status, answer.json["reason"]) == (409, "offset-mismatch")
        assert answer.headers["upload-offset"] == "0"
        assert (answer.json["expected-offset"], answer.json["provided-offset"]) == (0, offset)
    assert_is_whole(server, send(server, path, 0, CONTENT))


def test_who_says_the_same_content_again_goes_on_with_it(server: ServerProcess, store: Store) -> None:
    path = begun(server)
    kept = break_off(server, path, 0, CONTENT[:FIRST], len(CONTENT))

    again = begin(server)
    other = begin(server, digest=text_of(b"other"))
    unsaid = begin(server, digest=None)

    assert (again.status, again.headers["location"], again.json["offset"]) == (200, path, kept)
    assert (other.status, unsaid.status) == (201, 201)
    assert len({answer.headers["location"] for answer in (again, other, unsaid, begin(server, digest=None))}) == 4


def test_a_lost_answer_is_asked_for_again_for_as_long_as_the_upload_is_known(server: ServerProcess) -> None:
    path = begun(server)
    first = send(server, path, 0, CONTENT)

    assert server.ask("GET", path).json == first.json
    assert send(server, path, len(CONTENT), b"").json == first.json
    assert begin(server).json == first.json
    assert send(server, path, 0, CONTENT).status == 409
    assert_is_whole(server, send(server, path, len(CONTENT), b""))


def test_an_upload_without_a_digest_is_hashed_as_its_project_has_contents(server: ServerProcess) -> None:
    path = begun(server, digest=None)
    kept = break_off(server, path, 0, CONTENT[:FIRST], len(CONTENT))

    assert_is_whole(server, send(server, path, kept, CONTENT[kept:]))


@pytest.mark.parametrize("size", [0, 1])
def test_a_tiny_upload_is_complete_with_its_last_byte(server: ServerProcess, size: int) -> None:
    content = CONTENT[:size]
    answer = send(server, begun(server, content), 0, content)

    assert (answer.status, answer.json["digest"], answer.json["size"]) == (201, text_of(content), size)


def test_what_was_begun_on_one_server_is_finished_on_another(store: Store) -> None:
    with store.serving() as first, store.serving() as second:
        path = begun(first)
        kept = break_off(first, path, 0, CONTENT[:FIRST], len(CONTENT))

        assert_is_whole(second, send(second, path, kept, CONTENT[kept:]))
        assert server_answers_the_same(first, second, path)


def server_answers_the_same(first: ServerProcess, second: ServerProcess, path: str) -> bool:
    return bool(first.get(path) == second.get(path))


def test_a_server_that_is_killed_in_the_middle_loses_what_was_not_kept_and_nothing_else(store: Store) -> None:
    with store.serving() as first:
        path = begun(first)
        kept = break_off(first, path, 0, CONTENT[:FIRST], len(CONTENT))
        with begin_to_send(first, path, kept, CONTENT[kept:-1000], len(CONTENT) - kept):
            until(lambda: state(first, path)["busy"])
            first.kill()
    with store.serving() as second:
        until(lambda: not state(second, path)["busy"])
        assert state(second, path)["offset"] == kept

        assert_is_whole(second, send(second, path, kept, CONTENT[kept:]))
        assert bytes_arrived(second) == len(CONTENT) - kept
    assert store.left()[1] == []


def test_a_server_that_is_told_to_stop_keeps_what_arrived(store: Store) -> None:
    with store.serving() as first:
        path = begun(first)
        with begin_to_send(first, path, 0, CONTENT[:FIRST], len(CONTENT)):
            until(lambda: state(first, path)["busy"])
            first.process.terminate()
            first.process.wait(30)
    with store.serving() as second:
        assert 0 < state(second, path)["offset"] <= FIRST


def test_a_second_request_is_told_to_wait_for_the_first(server: ServerProcess) -> None:
    path = begun(server)
    with begin_to_send(server, path, 0, CONTENT[:FIRST], len(CONTENT)) as first:
        until(lambda: state(server, path)["busy"])
        second = send(server, path, 0, CONTENT)
        given_up = server.ask("DELETE", path)
        first.sendall(CONTENT[FIRST:])
        assert first.recv(20).startswith(b"HTTP/1.1 201")

    for answer in (second, given_up):
        assert (answer.status, answer.json["reason"]) == (503, "upload-busy")
        assert answer.headers["retry-after"] == "1"


def test_of_many_who_send_at_once_one_is_taken_and_the_content_is_whole(store: Store) -> None:
    with store.serving() as first, store.serving() as second:
        path = begun(first)
        answers: list[Answer] = []
        threads = [
            threading.Thread(target=lambda server=server: answers.append(send(server, path, 0, CONTENT)))
            for server in (first, second) * 3
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        statuses = sorted(answer.status for answer in answers)
        assert statuses[0] == 201
        assert set(statuses[1:]) <= {409, 503}
        assert_is_whole(second, send(second, path, len(CONTENT), b""))
    assert len(store.left()[0]) == 1


def test_what_is_given_up_leaves_nothing(server: ServerProcess, store: Store) -> None:
    path = begun(server)
    break_off(server, path, 0, CONTENT[:FIRST], len(CONTENT))

    assert server.ask("DELETE", path).status == 204

    for method in ("GET", "DELETE"):
        answer = server.ask(method, path)
        assert (answer.status, answer.json["reason"]) == (404, "not-found")
    assert send(server, path, 0, CONTENT).status == 404
    assert store.left() == ([], [])
    assert begin(server).status == 201


@pytest.mark.parametrize("restarts", [False, True], ids=["same server", "another server"])
def test_another_content_than_was_said_is_refused_and_leaves_nothing(store: Store, restarts: bool) -> None:
    wrong = b"!" + CONTENT[1:]
    with store.serving() as first, store.serving() as second:
        path = begun(first)
        kept = break_off(first, path, 0, wrong[:FIRST], len(wrong))
        server = second if restarts else first
        answer = send(server, path, kept, wrong[kept:])

        assert (answer.status, answer.json["reason"]) == (400, "invalid")
        assert "changed on its way" in answer.json["detail"]
        assert server.ask("GET", path).status == 404
    assert store.left() == ([], [])


def test_what_was_damaged_in_between_is_not_taken_for_the_content(store: Store) -> None:
    with store.serving() as first:
        path = begun(first)
        kept = break_off(first, path, 0, CONTENT[:FIRST], len(CONTENT))
    damage_staged(store)
    with store.serving() as second:
        answer = send(second, path, kept, CONTENT[kept:])

        told = (answer.status, answer.json["reason"])
        assert told == ((400, "invalid") if store.environment is None else (410, "upload-lost"))
        assert second.ask("GET", path).status == 404
        assert_is_whole(second, send(second, begun(second), 0, CONTENT))


def test_an_upload_whose_object_was_condemned_begins_anew(store: Store, server: ServerProcess) -> None:
    path = begun(server)
    assert send(server, path, 0, CONTENT).status == 201
    assert "receipt" in begin(server, CONTENT).json, "it is there already"
    with store.opened() as (stores, _):
        (found,) = stores.blobs.list_objects()
        producer = Producer(stores.log, author="collector", watch_append=stores.projection.watch_append)
        producer.send([BlobsCondemned(broadcast="c" * 32, project=PROJECT, objects=(found.name,))])
        stores.projection.catch_up(producer.confirm(), timeout_s=60)

    again = begun(server)

    assert again != path
    assert_is_whole(server, send(server, again, 0, CONTENT))


def damage_staged(store: Store) -> None:
    """Other bytes instead of the first that are staged."""
    with store.opened() as (stores, _):
        blobs = stores.blobs
        (left,) = blobs.abandoned()
        if isinstance(blobs, S3BlobStore):
            upload = uploads.parse_handle(left.name)
            assert upload is not None
            uploads.send(BucketClient(blobs.settings), *upload, 1, bytes(blobs.stream_step(len(CONTENT))))
        else:
            with open(store.folder / "blobs" / "staging" / left.name, "r+b") as staged:
                staged.write(bytes(1000))


def test_what_was_collected_in_between_is_said_to_be_lost_and_begins_anew(server: ServerProcess, store: Store) -> None:
    path = begun(server)
    kept = break_off(server, path, 0, CONTENT[:FIRST], len(CONTENT))
    with store.opened() as (stores, _):
        assert len(list(stores.blobs.reclaim(idle_s=0, dry_run=False))) == 1

    answer = send(server, path, kept, CONTENT[kept:])
    assert (answer.status, answer.json["reason"]) == (410, "upload-lost")
    assert server.ask("GET", path).status == 404
    assert_is_whole(server, send(server, begun(server), 0, CONTENT))


def test_an_upload_whose_object_was_collected_begins_anew(server: ServerProcess, store: Store) -> None:
    path = begun(server)
    assert send(server, path, 0, CONTENT).status == 201
    with store.opened() as (stores, _):
        stores.blobs.delete([one.name for one in stores.blobs.list_objects()])
    with store.serving() as another:
        answer = begin(another)

    assert (answer.status, answer.json["offset"]) == (201, 0)
    assert answer.headers["location"] != path


def test_uploads_of_one_content_to_two_projects_share_nothing(server: ServerProcess) -> None:
    path = begun(server)
    assert send(server, path, 0, CONTENT).status == 201
    other = begin(server, project="team/other")

    assert (other.status, other.json["offset"]) == (201, 0)
    assert server.ask("GET", path.replace(PROJECT, "team/other")).status == 404


def test_the_answer_goes_into_a_commit_as_it_is(server: ServerProcess) -> None:
    path = begun(server, digest=None)
    upload = send(server, path, 0, CONTENT).json
    commit = {"type": "dataset", "files": [{"path": "large.bin", "upload": upload}]}
    made = server.ask("POST", f"/v1/projects/{PROJECT}/collections/large/versions", json.dumps(commit).encode())

    assert made.status == 201, made.body
    assert server.ask("GET", f"{CONTENTS}/{upload['digest']}").body == CONTENT


def age(store: Store, path: str, seconds: float) -> None:
    """Let an upload have been left so long ago."""
    with store.opened() as (_, operational), operational.transaction() as statements:
        aged = "UPDATE partial_uploads SET expires_us = expires_us - ? WHERE id = ?"
        assert statements.run(aged, int(seconds * 1_000_000), path.rpartition("/")[2]) == 1


def test_what_rests_longest_makes_room_for_a_new_one(server: ServerProcess, store: Store) -> None:
    paths = [begun(server, digest=None) for _ in range(PARTIAL_UPLOADS_OF_PRINCIPAL_MAX)]
    break_off(server, paths[3], 0, CONTENT[:FIRST], len(CONTENT))
    assert begin(server, digest=None).status == 429

    age(store, paths[3], RESTS_S + 1)
    age(store, paths[4], RESTS_S / 2)

    assert begin(server, digest=None).status == 201
    assert begin(server, digest=None).status == 429
    assert [server.ask("GET", path).status for path in paths[2:6]] == [200, 404, 200, 200]
    assert store.left() == ([], [])


def test_what_expired_is_discarded_by_the_next_server_with_what_was_staged(store: Store) -> None:
    with store.serving() as first:
        path, lasting = begun(first), begun(first, digest=None)
        break_off(first, path, 0, CONTENT[:FIRST], len(CONTENT))
    assert len(store.left()[1]) == 1
    age(store, path, EXPIRES_S)

    with store.serving() as second:
        until(lambda: second.ask("GET", path).status == 404)
        assert second.ask("GET", lasting).status == 200
    assert store.left()[1] == []


def test_what_expired_is_discarded_by_maintenance(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.serving() as server:
        path = begun(server)
        break_off(server, path, 0, CONTENT[:FIRST], len(CONTENT))
    age(store, path, EXPIRES_S)
    for name, value in (store.environment or {"HEADWATER_URL": str(store.folder)}).items():
        if name.startswith("HEADWATER_"):
            monkeypatch.setenv(name, value)

    assert ask("maintain")["uploads_expired"] == 1
    assert ask("maintain")["uploads_expired"] == 0
    assert store.left()[1] == []
