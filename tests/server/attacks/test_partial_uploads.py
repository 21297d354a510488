"""Uploads in several requests: nobody sees or changes another's, and odd requests change nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from headwater_server.limits import PARTIAL_UPLOADS_OF_PRINCIPAL_MAX, UPLOAD_BYTES_MAX

from tests.server.granted import GrantedServer, granting
from tests.server.uploads import PROJECT, UPLOADS, begin, begun, send, send_chunked, text_of
from tests.support.serving import Answer, until

CONTENT = b"nobody else's business" * 1000
NEVER = f"{UPLOADS}/{'0' * 32}"


@pytest.fixture(scope="module")
def granted(module_path: Path) -> Iterator[GrantedServer]:
    with granting(module_path / "uploads", recorded=False) as granted:
        yield granted


@pytest.fixture(scope="module")
def ana(granted: GrantedServer) -> str:
    return granted.token("ana", PROJECT, "writer")


@pytest.fixture(scope="module")
def bob(granted: GrantedServer) -> str:
    return granted.token("bob", PROJECT, "writer")


def every_way(granted: GrantedServer, path: str, token: str | None) -> list[Answer]:
    server = granted.server
    return [
        server.ask("GET", path, token=token),
        send(server, path, 0, CONTENT, token=token),
        server.ask("DELETE", path, token=token),
    ]


def test_an_upload_of_another_is_as_one_that_does_not_exist(granted: GrantedServer, ana: str, bob: str) -> None:
    path = begun(granted.server, CONTENT, token=ana)
    foreign, never = every_way(granted, path, bob), every_way(granted, NEVER, bob)

    for theirs, none in zip(foreign, never, strict=True):
        assert (theirs.status, none.status) == (404, 404)
        upload_id = path.rpartition("/")[2]
        assert theirs.body.replace(upload_id.encode(), b"ID") == none.body.replace(b"0" * 32, b"ID")
    assert granted.server.ask("HEAD", path, token=bob).status == 404
    assert send(granted.server, path, 0, CONTENT, token=ana).status == 201


def test_who_says_the_digest_of_anothers_upload_begins_at_nothing(granted: GrantedServer, ana: str, bob: str) -> None:
    content = CONTENT + b"1"
    path = begun(granted.server, content, token=ana)
    assert send(granted.server, path, 0, content, token=ana).status == 201

    answer = begin(granted.server, content, token=bob)

    assert (answer.status, answer.json["offset"]) == (201, 0)
    assert answer.headers["location"] != path


def test_rights_are_asked_for_with_each_request(granted: GrantedServer) -> None:
    carl = granted.token("carl", PROJECT, "writer")
    path = begun(granted.server, CONTENT, token=carl)
    granted.operator.revoke("carl", PROJECT)
    until(lambda: granted.status(path, carl) != 200)  # the operator works beside the server, which sees it soon

    assert [answer.status for answer in every_way(granted, path, carl)] == [404, 404, 404]
    assert begin(granted.server, CONTENT, token=carl).status == 404


def test_readers_and_strangers_begin_none(granted: GrantedServer, ana: str) -> None:
    reader = granted.token("rita", PROJECT, "reader")
    stranger = granted.token("eve", "team/other", "admin")

    assert begin(granted.server, CONTENT, token=reader).status == 404
    assert begin(granted.server, CONTENT, token=stranger).status == 404
    assert begin(granted.server, CONTENT).status == 401
    assert [answer.status for answer in every_way(granted, NEVER, None)] == [401, 401, 401]


@pytest.mark.parametrize("offset", ["-1", "1e3", "0x0", "", "9" * 400, str(2**63), "٣", "0, 0", "1.5"])
def test_an_offset_that_is_none_is_refused(granted: GrantedServer, ana: str, offset: str) -> None:
    path = begun(granted.server, CONTENT, digest=None, token=ana)
    answer = granted.server.ask(
        "PATCH", path, CONTENT, token=ana, headers={"Upload-Offset": offset.encode().decode("latin-1")}
    )

    assert (answer.status, answer.json["reason"]) == (400, "invalid")
    assert granted.server.ask("DELETE", path, token=ana).status == 204


def test_an_offset_is_asked_for(granted: GrantedServer, ana: str) -> None:
    path = begun(granted.server, CONTENT, digest=None, token=ana)

    assert granted.server.ask("PATCH", path, CONTENT, token=ana).status == 400
    assert granted.server.ask("DELETE", path, token=ana).status == 204


@pytest.mark.parametrize("offset", [1, len(CONTENT), len(CONTENT) + 1, UPLOAD_BYTES_MAX])
def test_an_offset_elsewhere_changes_nothing(granted: GrantedServer, ana: str, offset: int) -> None:
    path = begun(granted.server, CONTENT, digest=None, token=ana)
    answer = send(granted.server, path, offset, CONTENT, token=ana)

    assert (answer.status, answer.headers["upload-offset"]) == (409, "0")
    assert granted.server.ask("GET", path, token=ana).json["offset"] == 0
    assert granted.server.ask("DELETE", path, token=ana).status == 204


def test_a_body_that_is_longer_than_the_upload_is_refused(granted: GrantedServer, ana: str) -> None:
    path = begun(granted.server, CONTENT, digest=None, token=ana)
    told = send(granted.server, path, 0, CONTENT + b"!", token=ana)
    untold = send_chunked(granted.server, path, 0, CONTENT + b"!", token=ana)

    for answer in (told, untold):
        assert (answer.status, answer.json["reason"]) == (400, "invalid")
    assert granted.server.ask("GET", path, token=ana).json["offset"] == 0
    assert send(granted.server, path, 0, CONTENT, token=ana).status == 201


def test_a_body_that_brings_too_little_is_refused(granted: GrantedServer, ana: str) -> None:
    path = begun(granted.server, CONTENT, digest=None, token=ana)
    for body in (b"", CONTENT[:1], CONTENT[:-1]):
        answer = send(granted.server, path, 0, body, token=ana)
        assert answer.status == 400
        assert f"{len(CONTENT):,}" in answer.json["detail"]
    assert granted.server.ask("DELETE", path, token=ana).status == 204


def test_a_compressed_body_is_refused(granted: GrantedServer, ana: str) -> None:
    path = begun(granted.server, CONTENT, digest=None, token=ana)
    headers = {"Upload-Offset": "0", "Content-Encoding": "gzip"}

    assert granted.server.ask("PATCH", path, CONTENT, token=ana, headers=headers).status == 415
    assert granted.server.ask("GET", path, token=ana).json["offset"] == 0
    assert granted.server.ask("DELETE", path, token=ana).status == 204


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"size": -1},
        {"size": UPLOAD_BYTES_MAX + 1},
        {"size": 2**70},
        {"size": "5"},
        {"size": True},
        {"size": 1.5},
        {"size": 5, "digest": "md5:00"},
        {"size": 5, "digest": "blake3:"},
        {"size": 5, "digest": 5},
        {"size": 5, "digest": "x" * 10_000},
        {"size": 5, "principal": "headwater|bob"},
    ],
)
def test_what_is_no_upload_is_not_begun(granted: GrantedServer, ana: str, asked: object) -> None:
    answer = granted.server.ask("POST", UPLOADS, json.dumps(asked).encode(), token=ana)

    assert (answer.status, answer.json["reason"]) == (400, "invalid")


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "..%2f..%2fetc", "%00", "0" * 31, "0" * 33, "A" * 32, "0" * 31 + "%0a", "%c3%a9"]
)
def test_what_is_no_id_is_no_upload(granted: GrantedServer, ana: str, name: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        answer = granted.server.ask(method, f"{UPLOADS}/{name}", token=ana, headers={"Upload-Offset": "0"})
        assert answer.status in (404, 405)


def test_many_that_are_not_complete_are_refused_to_who_has_them_alone(granted: GrantedServer, bob: str) -> None:
    mallory = granted.token("mallory", PROJECT, "writer")
    answers = [
        begin(granted.server, CONTENT, digest=None, token=mallory) for _ in range(PARTIAL_UPLOADS_OF_PRINCIPAL_MAX + 1)
    ]

    assert [answer.status for answer in answers[:-1]] == [201] * PARTIAL_UPLOADS_OF_PRINCIPAL_MAX
    assert (answers[-1].status, answers[-1].json["reason"]) == (429, "too-many-uploads")
    assert begin(granted.server, CONTENT, digest=None, token=bob).status == 201
    assert granted.server.ask("DELETE", answers[0].headers["location"], token=mallory).status == 204
    assert begin(granted.server, CONTENT, digest=None, token=mallory).status == 201


def test_the_digest_of_what_one_may_not_read_gives_nothing(granted: GrantedServer, ana: str) -> None:
    """Saying a digest is no way to get the content: all of it must be sent."""
    secret = b"a secret of another project" * 500
    other = granted.token("olga", "team/other", "admin")
    path = begun(granted.server, secret, project="team/other", token=other)
    assert send(granted.server, path, 0, secret, token=other).status == 201

    answer = begin(granted.server, secret, token=ana)
    assert (answer.status, answer.json["offset"]) == (201, 0)
    assert send(granted.server, answer.headers["location"], len(secret), b"", token=ana).status == 409
    assert granted.server.ask("GET", f"/v1/projects/{PROJECT}/contents/{text_of(secret)}", token=ana).status == 404
