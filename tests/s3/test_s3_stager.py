"""What is taken goes into the bucket at once, under the name that it will have: published without a copy, or deleted.

The projection here is a dictionary: what a project has stored is what a test says it has.
"""

import os
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import pytest
from headwater_blobs.port import PACK_BYTES_MAX, PACKED_FILE_BYTES_MAX
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.store import S3BlobStore
from headwater_producer.stager import BlobStager
from headwater_producer.stored_content import ContentMissing
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.object_names import attempt_of, project_of

from tests.contract.blob_stores import PROJECT, put_pack, unbuffered
from tests.contract.test_blob_processes import in_a_fork, wait_until
from tests.producer.test_condemned_content import Objects
from tests.support import buckets

OTHER = "nlp/other"
SMALL = [random.Random(i).randbytes(1000) for i in range(20)]
LARGE = random.Random(0).randbytes(PACKED_FILE_BYTES_MAX + 1)

Projection = dict[tuple[str, bytes], BlobLocation]


@pytest.fixture
def projection() -> Projection:
    return {}


@pytest.fixture
def known() -> Objects:
    return Objects()


@pytest.fixture
def stager(store: S3BlobStore, projection: Projection, known: Objects) -> BlobStager:
    def stored(project: str, wanted: Sequence[bytes], *, without: Collection[str] = ()) -> Mapping[bytes, BlobLocation]:
        found = {digest: projection[project, digest] for digest in wanted if (project, digest) in projection}
        return {digest: place for digest, place in found.items() if place.object_name not in without}

    return BlobStager(store, stored, algorithm=digests.XXH3, project=PROJECT, objects=known)


@pytest.fixture
def objects(store: S3BlobStore) -> Callable[[], list[str]]:
    return lambda: [one.name for one in store.list_objects()]


def ingest_file(stager: BlobStager, path: Path, content: bytes = LARGE) -> bytes:
    path.write_bytes(content)
    with unbuffered(path) as source:
        return stager.ingest_file(source)[0]


def copies(monkeypatch: pytest.MonkeyPatch, store: S3BlobStore) -> list[str]:
    """The names to which the server is asked to copy, from now on."""
    from minio import Minio

    names: list[str] = []
    real = Minio.copy_object

    def copy_object(client: Minio, bucket: str, name: str, *arguments: object) -> object:
        names.append(name)
        return real(client, bucket, name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Minio, "copy_object", copy_object)
    return names


def test_what_goes_to_the_likely_project_is_published_as_it_is(
    stager: BlobStager,
    store: S3BlobStore,
    objects: Callable[[], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied = copies(monkeypatch, store)
    wanted = [*stager.ingest(SMALL), ingest_file(stager, tmp_path / "source")]

    places = stager.publish(PROJECT, wanted)

    assert sorted({place.object_name for place in places.values()}) == objects()
    assert copied == []
    assert stager.published_bytes == sum(map(len, SMALL)) + len(LARGE)
    for digest, content in zip(wanted, [*SMALL, LARGE], strict=True):
        assert store.read(places[digest], digest) == content


def test_what_goes_to_another_project_is_copied_there_within_the_server(
    stager: BlobStager,
    store: S3BlobStore,
    objects: Callable[[], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied = copies(monkeypatch, store)
    wanted = [*stager.ingest(SMALL), ingest_file(stager, tmp_path / "source")]

    places = stager.publish(OTHER, wanted)

    assert {project_of(place.object_name) for place in places.values()} == {OTHER}
    assert sorted(copied) == sorted({place.object_name for place in places.values()})
    assert stager.publish(OTHER, wanted) == places
    stager.forget(wanted)
    packs = [name for name in objects() if name.startswith("packs/")]
    assert [project_of(name) for name in packs] == [OTHER]  # the pack that nobody wanted where it was staged is gone


def test_sending_begins_while_adding_goes_on(stager: BlobStager, objects: Callable[[], list[str]]) -> None:
    content = [os.urandom(PACKED_FILE_BYTES_MAX) for _ in range(PACK_BYTES_MAX // PACKED_FILE_BYTES_MAX)]

    stager.ingest(content)

    wait_until(lambda: len(objects()) == 1)
    stager.ingest([b"more"])
    stager.close()
    assert objects() == []


def test_what_the_project_has_is_not_sent(
    stager: BlobStager, store: S3BlobStore, objects: Callable[[], list[str]], projection: Projection
) -> None:
    for place, digest in put_pack(store, *SMALL):
        projection[PROJECT, digest] = place
    before = objects()

    places = stager.publish(PROJECT, stager.ingest(SMALL))

    assert objects() == before
    assert {place.object_name for place in places.values()} == set(before)


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
def test_what_only_the_likely_project_has_is_copied_from_there(
    stager: BlobStager, store: S3BlobStore, projection: Projection, tmp_path: Path, content: bytes
) -> None:
    digest = ingest_file(stager, tmp_path / "source", content)
    projection[PROJECT, digest] = stager.publish(PROJECT, [digest])[digest]
    stager.forget([digest])

    place = stager.publish(OTHER, [digest])[digest]

    assert project_of(place.object_name) == OTHER
    assert store.read(place, digest) == content


def test_what_was_never_asked_for_is_deleted_but_for_files_that_others_may_have(
    stager: BlobStager, objects: Callable[[], list[str]], tmp_path: Path
) -> None:
    (wanted, *_) = stager.ingest(SMALL)
    kept = stager.publish(PROJECT, [wanted])[wanted].object_name
    large = ingest_file(stager, tmp_path / "source")
    stager.ingest([os.urandom(PACKED_FILE_BYTES_MAX) for _ in range(PACK_BYTES_MAX // PACKED_FILE_BYTES_MAX)])

    stager.close()

    assert objects() == [f"files/{PROJECT}/xxh3-{large[1:].hex()}-0", kept]


def test_what_a_child_published_of_its_parents_stays_when_the_parent_closes(
    stager: BlobStager, settings: S3Settings, objects: Callable[[], list[str]]
) -> None:
    content = [os.urandom(PACKED_FILE_BYTES_MAX) for _ in range(PACK_BYTES_MAX // PACKED_FILE_BYTES_MAX)]
    wanted = stager.ingest(content)
    stager.ingest([b"more"])
    wait_until(lambda: len(objects()) == 1)

    places = in_a_fork(lambda: stager.publish(PROJECT, wanted))
    stager.close()

    assert isinstance(places, Mapping)
    store = buckets.open_store(settings)
    assert store.read_many([(places[digest], digest) for digest in wanted]) == content
    store.close()


def test_what_was_condemned_after_it_was_staged_is_missing_and_is_copied_while_its_object_is_there(
    stager: BlobStager, store: S3BlobStore, known: Objects, objects: Callable[[], list[str]], tmp_path: Path
) -> None:
    large, small = ingest_file(stager, tmp_path / "large"), stager.ingest(SMALL)
    before = stager.publish(PROJECT, small)
    known.condemned = set(objects())
    known.attempts[large] = 1
    stager.distrust(before)

    with pytest.raises(ContentMissing):
        stager.publish(PROJECT, [large, *small])
    assert set(stager.find_lost(PROJECT, [large, *small])) == {large, *small}
    assert not stager.keeps(large)
    stager.rescue(PROJECT, [large, *small])
    now = stager.publish(PROJECT, [large, *small])

    assert known.condemned.isdisjoint(place.object_name for place in now.values())
    assert attempt_of(now[large].object_name) == 1
    assert [store.read(now[digest], digest) for digest in small] == SMALL
    assert b"".join(map(bytes, store.stream(now[large], large))) == LARGE
