"""What a server takes of what clients send, and what it does not: by a client that says what it likes."""

import base64
import json
import random
import time
from contextlib import closing
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from headwater_consumer import queries
from headwater_schemas import codec
from headwater_schemas.access import ANYBODY
from headwater_schemas.entries import BlobLocation
from headwater_schemas.events import (
    ArtifactUsed,
    BlobsMoved,
    DraftOpened,
    EntryAdded,
    Event,
    Move,
    RulesChanged,
    RunStarted,
    SessionsRetired,
    Stamped,
    VersionCommitted,
)
from headwater_schemas.keys import new_session
from headwater_schemas.submissions import CONTENTS_MEDIA_TYPE, encode_contents
from headwater_server.limits import UPLOAD_PIECES_MAX, UPLOAD_STRETCH_BYTES
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores

from tests.server.submitting import NOWHERE, PROJECT, Writer, claim, digest_of, draft_of, files, submit
from tests.support.serving import ServerProcess, serving

CONTENT = b"a cat"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def on_log(store: Path) -> list[Stamped]:
    with closing(open_stores(read_settings(url=store), create=False)) as stores:
        return [codec.decode(record.payload) for record in stores.log.read(0, after=-1)]


def refusals(answer: Any) -> list[tuple[int, str]]:
    assert answer.status == 409, answer
    return [(one["index"], one["reason"]) for one in answer.json["refused"]]


def test_one_request_makes_a_version_and_tells_what_became_of_it(open_server: ServerProcess) -> None:
    writer = Writer()
    answer = submit(open_server, writer.encoded(claim(), *writer.commit("cats", {"cat.txt": CONTENT})), [CONTENT])

    assert answer.status == 200, answer.body
    assert len(answer.json["positions"]) == 4
    (version,) = answer.json["answers"]["outcomes"]["values"]["version"]
    assert version == 0
    found = open_server.ask("GET", f"/v1/projects/{PROJECT}/collections/cats/versions/v0/files/cat.txt")
    assert (found.status, found.body) == (200, CONTENT)


def test_what_was_sent_already_is_the_same_event_also_through_another_server(store: Path) -> None:
    writer = Writer()
    events = writer.encoded(claim(), *writer.commit("cats", {"cat.txt": CONTENT}))
    with serving("--url", str(store), "--open") as first, serving("--url", str(store), "--open") as second:
        answers = [submit(one, events, [CONTENT]).json["answers"] for one in (first, second, first)]
        versions = second.get(f"/v1/projects/{PROJECT}/collections/cats/versions")["items"]

    assert [answer["outcomes"] for answer in answers[1:]] == [answers[0]["outcomes"]] * 2
    assert [answer["rejections"]["key"] for answer in answers] == [[]] * 3
    assert len(versions) == 1


def test_the_place_and_the_author_are_the_servers_to_say(store: Path) -> None:
    with serving("--url", str(store), "--open") as server:
        writer = Writer()
        events = writer.commit("cats", {"cat.txt": CONTENT}, objects=[f"files/{PROJECT}/xxh3-{'0' * 32}-0"], offset=77)
        assert submit(server, writer.encoded(claim(), *events), [CONTENT]).status == 200

    added = next(stamped for stamped in on_log(store) if isinstance(stamped.event, EntryAdded))
    (name,) = added.event.files.objects
    assert name.startswith(f"packs/{PROJECT}/")
    assert name != NOWHERE
    assert added.event.files.offsets == [0]
    assert added.origin.author == "open|mallory@nowhere"


def test_content_that_did_not_come_is_refused_whatever_its_digest_and_place_are_said_to_be(
    open_server: ServerProcess,
) -> None:
    writer = Writer()
    assert (
        submit(open_server, writer.encoded(claim(), *writer.commit("a", {"cat.txt": CONTENT})), [CONTENT]).status == 200
    )
    other = Writer()
    lying = other.encoded(*other.commit("b", {"cat.txt": b"another"}, objects=[NOWHERE]))

    assert refusals(submit(open_server, lying, [CONTENT])) == [(1, "content-lost")]
    assert open_server.ask("GET", f"/v1/projects/{PROJECT}/collections/b").status == 404


def test_a_size_that_is_not_that_of_the_content_is_refused(open_server: ServerProcess) -> None:
    writer = Writer()
    opened, added, committed = writer.commit("a", {"cat.txt": CONTENT})
    assert isinstance(added, EntryAdded)
    added.files.sizes[0] = 4
    sent = submit(open_server, writer.encoded(claim(), opened, added, committed), [CONTENT])

    assert refusals(sent) == [(2, "invalid")]


def test_content_of_another_project_is_not_found_by_its_digest(open_server: ServerProcess) -> None:
    writer, draft = Writer(), draft_of(ANYBODY)
    secret = b"only this project has it"
    assert submit(open_server, writer.encoded(claim(), *writer.commit("a", {"s": secret})), [secret]).status == 200
    other, entries = "team/other", files({"s": secret})
    events = [
        claim(other),
        DraftOpened(collection=f"{other}/b", draft=draft, type="dataset"),
        EntryAdded(collection=f"{other}/b", draft=draft, files=entries),
    ]

    assert refusals(submit(open_server, writer.encoded(*events))) == [(2, "content-lost")]
    read = json.dumps({"digests": ["blake3:" + digest_of(secret)[1:].hex()]}).encode()
    assert open_server.ask("POST", f"/v1/projects/{other}/contents/read", read).status == 404
    assert open_server.ask("POST", f"/v1/projects/{PROJECT}/contents/read", read).body[4:] == secret


def test_nobody_writes_in_the_session_of_another(open_server: ServerProcess) -> None:
    for session in (new_session(owner="headwater|somebody"), new_session()):
        writer = Writer(session=session)
        assert refusals(submit(open_server, writer.encoded(claim()))) == [(0, "not-permitted")]


def test_a_session_from_the_future_is_refused(open_server: ServerProcess) -> None:
    ahead = Writer(session=new_session(time.time_ns() // 1_000_000 + 48 * 3_600_000, owner="open|anybody"))

    assert refusals(submit(open_server, ahead.encoded(claim()))) == [(0, "invalid")]


def test_events_out_of_order_are_refused(open_server: ServerProcess) -> None:
    writer = Writer()
    first = writer.encoded(RunStarted(run=f"{PROJECT}/r"), sequence=0)
    later = writer.encoded(RunStarted(run=f"{PROJECT}/r"), sequence=2)

    assert refusals(submit(open_server, [*first, *later])) == [(1, "invalid")]


@pytest.mark.parametrize(
    "event",
    [
        RulesChanged(project=PROJECT, broadcast="0" * 32, rule="x", value="{}"),
        SessionsRetired(broadcast="0" * 32, before_ms=1),
        BlobsMoved(project=PROJECT, moves=(Move(NOWHERE, 0, 1, NOWHERE, 0),)),
    ],
)
def test_what_only_operators_write_is_not_taken_from_clients(open_server: ServerProcess, event: Event) -> None:
    assert refusals(submit(open_server, Writer().encoded(event))) == [(0, "not-permitted")]


def test_one_mistake_refuses_what_came_with_it_and_nothing_else(open_server: ServerProcess) -> None:
    writer, events = Writer(), [*Writer().encoded(claim()), b"no event", *Writer().encoded(claim())]

    assert refusals(submit(open_server, events)) == [(1, "invalid")]
    good = writer.encoded(claim(), *writer.commit("cats", {"cat.txt": CONTENT}))
    assert submit(open_server, good, [CONTENT]).status == 200


def test_a_rule_of_the_projector_is_told_with_the_answer(open_server: ServerProcess) -> None:
    writer = Writer()
    used = ArtifactUsed(collection=f"{PROJECT}/none", version=7, run=f"{PROJECT}/r", requested="none:v7")
    answer = submit(open_server, writer.encoded(RunStarted(run=used.run), used))

    assert answer.json["answers"]["rejections"]["reason"] == ["version-unknown"]


def test_reserved_fields_are_refused_and_rights_are_the_servers_to_say(store: Path) -> None:
    with serving("--url", str(store), "--open") as server:
        writer = Writer()
        opened, added, committed = writer.commit("a", {"cat.txt": CONTENT})
        assert isinstance(committed, VersionCommitted)
        claimed = VersionCommitted(collection=committed.collection, draft=committed.draft, rights=("everything",))
        assert submit(server, writer.encoded(claim(), opened, added, claimed), [CONTENT]).status == 200

    sealed = next(stamped.event for stamped in on_log(store) if isinstance(stamped.event, VersionCommitted))
    assert sealed.rights == ()


@pytest.mark.parametrize("body", [b"", b"\0" * 100, b"\xff" * 100, b"{}"])
def test_a_body_that_is_no_submission_is_refused(open_server: ServerProcess, body: bytes) -> None:
    answer = open_server.ask("POST", "/v1/submit", body)

    assert (answer.status, answer.json["reason"]) == (400, "invalid")


# --- content that is uploaded before ------------------------------------------------------------------------------


def uploaded(server: ServerProcess, content: bytes, project: str = PROJECT, **headers: str) -> bytes:
    answer = server.ask("POST", f"/v1/projects/{project}/contents", content, headers=headers)
    assert answer.status == 201, answer
    return base64.b64decode(answer.json["receipt"])


def with_receipt(server: ServerProcess, events: list[bytes], receipt: bytes) -> Any:
    from headwater_schemas.submissions import Submission

    return server.ask("POST", "/v1/submit", Submission(events=events, receipts=[receipt], wait_s=10).encode())


def test_a_receipt_stands_for_what_was_uploaded_on_any_server_of_the_store(store: Path) -> None:
    large = bytes(range(256)) * 20_000
    with serving("--url", str(store), "--open") as first, serving("--url", str(store), "--open") as second:
        receipt = uploaded(first, large)
        writer = Writer()
        answer = with_receipt(second, writer.encoded(claim(), *writer.commit("big", {"b": large})), receipt)
        assert answer.status == 200, answer
        digest = "blake3:" + digest_of(large)[1:].hex()
        whole = second.ask("GET", f"/v1/projects/{PROJECT}/contents/{digest}")
        rest = second.ask("GET", f"/v1/projects/{PROJECT}/contents/{digest}", headers={"Range": "bytes=4000000-"})

    assert whole.body == large
    assert (rest.status, rest.body) == (206, large[4_000_000:])


def test_what_arrives_in_pieces_of_any_size_is_stored_as_it_was_sent(open_server: ServerProcess) -> None:
    content = random.Random(1).randbytes(3 * UPLOAD_STRETCH_BYTES)
    ends = [*range(2 * UPLOAD_PIECES_MAX), 100_000, 100_001, UPLOAD_STRETCH_BYTES + 1, len(content)]
    pieces = [content[start:end] for start, end in pairwise(ends)]
    digest = "blake3:" + digest_of(content)[1:].hex()
    path = f"/v1/projects/{PROJECT}/contents?digest={digest}"
    with closing(HTTPConnection(urlsplit(open_server.url).netloc)) as connection:
        connection.request("POST", path, iter(pieces), encode_chunked=True)
        answer = connection.getresponse()
        told = json.loads(answer.read())

    assert (answer.status, told["digest"], told["size"]) == (201, digest, len(content))


def test_many_contents_are_uploaded_as_one_object(store: Path) -> None:
    contents = [b"%d" % n * 10 for n in range(300)]
    with serving("--url", str(store), "--open") as server:
        receipt = uploaded(
            server, b"".join(encode_contents("blake3", contents)), **{"Content-Type": CONTENTS_MEDIA_TYPE}
        )
        writer = Writer()
        paths = {f"{n}.txt": content for n, content in enumerate(contents)}
        assert with_receipt(server, writer.encoded(claim(), *writer.commit("m", paths)), receipt).status == 200

    added = next(stamped.event for stamped in on_log(store) if isinstance(stamped.event, EntryAdded))
    assert len(added.files.objects) == 1


@pytest.mark.parametrize("at", [0, 40, -1])
def test_an_altered_receipt_is_refused(open_server: ServerProcess, at: int) -> None:
    receipt = bytearray(uploaded(open_server, CONTENT))
    receipt[at] ^= 1
    writer = Writer()
    answer = with_receipt(open_server, writer.encoded(claim(), *writer.commit("a", {"c": CONTENT})), bytes(receipt))

    assert (answer.status, answer.json["reason"]) == (400, "invalid")


def test_a_receipt_counts_in_its_project_alone_and_can_be_copied_to_another(open_server: ServerProcess) -> None:
    receipt = uploaded(open_server, CONTENT, "team/other")
    writer = Writer()
    events = writer.encoded(claim(), *writer.commit("a", {"c": CONTENT}))

    assert refusals(with_receipt(open_server, events, receipt)) == [(2, "content-lost")]
    copy = open_server.ask("POST", f"/v1/projects/{PROJECT}/contents/copies", receipt)
    assert with_receipt(open_server, events, base64.b64decode(copy.json["receipt"])).status == 200


def test_an_upload_that_is_not_what_it_said_is_refused_and_leaves_nothing(store: Path) -> None:
    digest = "blake3:" + digest_of(b"this")[1:].hex()
    with serving("--url", str(store), "--open") as server:
        answer = server.ask("POST", f"/v1/projects/{PROJECT}/contents?digest={digest}", b"that")

    assert (answer.status, answer.json["reason"]) == (400, "invalid")
    with closing(open_stores(read_settings(url=store), create=False)) as stores:
        assert list(stores.blobs.list_objects()) == []
        assert list(stores.blobs.abandoned()) == []


def test_a_lost_object_is_noticed_and_stored_anew_for_every_version_that_needs_it(store: Path) -> None:
    with serving("--url", str(store), "--open") as server:
        writer = Writer()
        assert submit(server, writer.encoded(claim(), *writer.commit("a", {"c": CONTENT})), [CONTENT]).status == 200
    with closing(open_stores(read_settings(url=store), create=False)) as stores:
        (lost,) = stores.blobs.list_objects()
        stores.blobs.delete([lost.name])

    with serving("--url", str(store), "--open") as server:
        again = Writer()
        events = again.encoded(*again.commit("b", {"c": CONTENT}))
        assert refusals(submit(server, events)) == [(1, "content-lost")]
        assert submit(server, events, [CONTENT]).status == 200

    with closing(open_stores(read_settings(url=store), create=False)) as stores:
        stores.projection.catch_up(timeout_s=10)
        places = queries.stored_locations(stores.database, PROJECT, [digest_of(CONTENT)])
        old = BlobLocation(lost.name, 0, len(CONTENT))
        assert places[digest_of(CONTENT)] != old
        assert stores.blobs.read(places[digest_of(CONTENT)], digest_of(CONTENT)) == CONTENT
