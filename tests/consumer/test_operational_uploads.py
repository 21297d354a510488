"""Uploads in several requests, as servers remember them: who holds one, how far it is, and when it is forgotten."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from headwater_consumer.operational import partial_uploads as module
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.operational.partial_uploads import (
    PartialUpload,
    UploadTaken,
    begin_upload,
    expired_uploads,
    find_upload,
    forget_upload,
    note_kept,
    note_object,
    release_upload,
    renew_upload,
    take_upload,
)

from tests.support.modes import open_operational
from tests.support.serving import until

ANA, PROJECT = "headwater|ana", "team/vision"
DIGEST = "blake3:" + "ab" * 32
SHORT_US, HELD_US = 200_000, 60_000_000


@pytest.fixture
def database(mode: str, tmp_path: Path) -> Iterator[OperationalDatabase]:
    database = open_operational(mode, tmp_path / "store")
    yield database
    database.close()


def begun(database: OperationalDatabase, expected: str | None = DIGEST, **other: str) -> PartialUpload:
    of = {"principal": ANA, "project": PROJECT} | other
    upload = begin_upload(
        database, of["principal"], of["project"], size=5, algorithm="blake3", expected=expected, most=3
    )
    assert upload is not None
    return upload


def held(database: OperationalDatabase, upload: PartialUpload) -> PartialUpload:
    taken = take_upload(database, upload.id)
    assert taken is not None
    return taken


def found(database: OperationalDatabase, upload: PartialUpload) -> PartialUpload | None:
    return find_upload(database, upload.id, principal=upload.principal, project=upload.project)


def test_the_same_content_of_the_same_principal_and_project_is_one_upload(database: OperationalDatabase) -> None:
    first = begun(database)

    assert begun(database).id == first.id
    assert first.expected == DIGEST
    others = [
        begun(database, principal="headwater|bob"),
        begun(database, project="team/other"),
        begun(database, "blake3:" + "cd" * 32),
        begun(database, None),
    ]
    assert len({first.id, *(other.id for other in others)}) == 5
    assert others[-1].expected is None


def test_what_is_begun_by_many_at_once_is_one_upload(database: OperationalDatabase) -> None:
    with ThreadPoolExecutor(8) as threads:
        uploads = list(threads.map(lambda _: begun(database), range(8)))

    assert len({upload.id for upload in uploads}) == 1


def test_one_of_many_who_ask_at_once_holds_it_until_it_is_released(database: OperationalDatabase) -> None:
    upload = begun(database)
    with ThreadPoolExecutor(8) as threads:
        taken = [one for one in threads.map(lambda _: take_upload(database, upload.id), range(8)) if one is not None]

    (first,) = taken
    now = found(database, upload)
    assert now is not None
    assert now.is_held
    release_upload(database, first)
    assert held(database, upload).fence == first.fence + 1


def test_who_does_not_renew_loses_it_and_changes_nothing_more(
    database: OperationalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HELD_US", SHORT_US)
    first = held(database, begun(database))
    until(lambda: (second := take_upload(database, first.id)) is not None and second.fence > first.fence)
    monkeypatch.setattr(module, "_HELD_US", HELD_US)

    for change in (
        lambda: note_kept(database, first, received=3, kept="mine"),
        lambda: note_object(database, first, "object", digest=DIGEST),
        lambda: forget_upload(database, first),
    ):
        with pytest.raises(UploadTaken, match=first.id):
            change()
    renew_upload(database, first)
    release_upload(database, first)
    now = found(database, first)
    assert now is not None
    assert (now.received, now.kept, now.object_name) == (0, "", "")


def test_who_renews_keeps_it(database: OperationalDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HELD_US", SHORT_US)
    first = held(database, begun(database))
    monkeypatch.setattr(module, "_HELD_US", HELD_US)
    renew_upload(database, first)

    until(lambda: (now := found(database, first)) is not None and now.is_held)
    assert take_upload(database, first.id) is None


def test_how_far_it_is_and_what_it_became_is_known_to_its_principal_alone(database: OperationalDatabase) -> None:
    upload = held(database, begun(database))
    note_kept(database, upload, received=3, kept="how to go on")
    release_upload(database, upload)
    now = begun(database)
    assert (now.id, now.received, now.kept, now.is_held) == (upload.id, 3, "how to go on", False)

    upload = held(database, upload)
    note_object(database, upload, "object", digest=DIGEST)
    now = begun(database)
    assert (now.received, now.kept, now.object_name, now.digest) == (5, "", "object", DIGEST)
    assert find_upload(database, upload.id, principal="headwater|bob", project=PROJECT) is None
    assert find_upload(database, upload.id, principal=ANA, project="team/other") is None


def test_one_has_so_many_at_once_that_are_not_complete(database: OperationalDatabase) -> None:
    uploads = [begun(database, None) for _ in range(3)]
    assert begin_upload(database, ANA, PROJECT, size=5, algorithm="blake3", expected=None, most=3) is None
    begun(database, None, principal="headwater|bob")

    note_object(database, held(database, uploads[0]), "object", digest=DIGEST)
    begun(database, None)


def test_few_that_are_complete_stay_known(database: OperationalDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPLETE_MAX", 2)
    uploads = []
    for _ in range(4):
        uploads.append(upload := begun(database, None))
        time.sleep(0.002)  # the database's clock orders them, by the millisecond on SQLite
        note_object(database, held(database, upload), "object", digest=DIGEST)
    begun(database, None)

    assert [found(database, upload) is not None for upload in uploads] == [False, False, True, True]


def test_what_expired_is_listed_unless_a_request_holds_it(
    database: OperationalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasting = begun(database)
    monkeypatch.setattr(module, "EXPIRES_S", -1)
    left, taken = begun(database, None), held(database, begun(database, None))

    assert expired_uploads(database, limit=10) == [left.id]
    release_upload(database, taken)
    assert set(expired_uploads(database, limit=10)) == {left.id, taken.id}
    assert len(expired_uploads(database, limit=1)) == 1
    forget_upload(database, held(database, left))
    assert found(database, left) is None
    assert found(database, lasting) is not None
