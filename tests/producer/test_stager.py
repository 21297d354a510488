"""Bytes are taken once, are safe from their source, become objects when a version needs them, and leave nothing behind.

Staging is on the disk as the blob store is, so what is left there shows as `abandoned`.
"""

import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import PACK_BYTES_MAX, PACKED_FILE_BYTES_MAX, Staged
from headwater_producer.stager import BlobStager
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation, BlobLocations
from headwater_schemas.errors import BlobMissing, StoreUnavailable
from headwater_schemas.object_names import project_of

from tests.contract.blob_stores import PROJECT, digest_of, put_file, put_pack, unbuffered
from tests.contract.test_blob_processes import in_a_fork, wait_until
from tests.producer.conftest import Projection
from tests.support.changing_files import ChangingFiles

OTHER = "nlp/other"
SMALL = [random.Random(i).randbytes(1000) for i in range(20)]
LARGE = random.Random(0).randbytes(PACKED_FILE_BYTES_MAX + 1)
PACKFUL = [
    random.Random(100 + i).randbytes(PACKED_FILE_BYTES_MAX) for i in range(PACK_BYTES_MAX // PACKED_FILE_BYTES_MAX)
]


def objects(store: FolderBlobStore) -> list[str]:
    return [found.name for found in store.list_objects()]


def staged(store: FolderBlobStore) -> list[int]:
    """The sizes of what is staged and no object."""
    return [found.size for found in store.abandoned()]


def ingest_file(stager: BlobStager, path: Path, content: bytes = LARGE) -> bytes:
    path.write_bytes(content)
    with unbuffered(path) as source:
        digest, size = stager.ingest_file(source)
    assert size == len(content)
    return digest


def spy(monkeypatch: pytest.MonkeyPatch, store: FolderBlobStore) -> list[int]:
    """How many contents each pack has that is staged from now on."""
    packs: list[int] = []
    really = store.stage_pack

    def stage_pack(contents: Sequence[bytes], *, project: str, algorithm: str) -> Staged:
        packs.append(len(contents))
        return really(contents, project=project, algorithm=algorithm)

    monkeypatch.setattr(store, "stage_pack", stage_pack)
    return packs


# --- taking -------------------------------------------------------------------------------------------------------


def test_what_is_taken_is_known_by_its_digest_and_comes_back(stager: BlobStager, store: FolderBlobStore) -> None:
    wanted = stager.ingest(SMALL)

    places = stager.publish(PROJECT, wanted)

    assert wanted == [digest_of(content) for content in SMALL]
    assert [store.read(places[digest], digest) for digest in wanted] == SMALL
    assert len(objects(store)) == 1, "small contents share a pack"
    assert stager.published_bytes == sum(map(len, SMALL))


def test_the_algorithm_is_the_one_that_was_asked_for(new_stager: Callable[..., BlobStager], tmp_path: Path) -> None:
    stager = new_stager(digests.BLAKE3)

    assert stager.algorithm == digests.BLAKE3
    assert stager.ingest([b"content"]) == [digest_of(b"content", digests.BLAKE3)]
    assert ingest_file(stager, tmp_path / "source") == digest_of(LARGE, digests.BLAKE3)


def test_nothing_is_staged_before_a_pack_is_full_or_asked_for(stager: BlobStager, store: FolderBlobStore) -> None:
    stager.ingest([*PACKFUL[:-1], PACKFUL[-1][:-1]])

    assert staged(store) == []
    stager.ingest([b"1"])
    wait_until(lambda: staged(store) == [PACK_BYTES_MAX])
    assert objects(store) == []


def test_what_is_staged_in_the_background_is_not_stored_twice(
    stager: BlobStager, store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs = spy(monkeypatch, store)
    gate = _gate(monkeypatch, store)

    first = stager.ingest(PACKFUL)
    again = stager.ingest(PACKFUL)  # while its pack is on its way
    gate.set()
    places = stager.publish(PROJECT, [*first, *again])
    third = stager.ingest(PACKFUL[:3])  # and once it is staged

    assert first == again
    assert third == first[:3]
    assert (packs, len(objects(store))) == ([len(PACKFUL)], 1)
    assert stager.publish(PROJECT, third) == {digest: places[digest] for digest in third}
    assert stager.published_bytes == PACK_BYTES_MAX


def _gate(monkeypatch: pytest.MonkeyPatch, store: FolderBlobStore) -> threading.Event:
    """Staging waits for it."""
    gate, really = threading.Event(), store.stage_pack

    def stage_pack(contents: Sequence[bytes], *, project: str, algorithm: str) -> Staged:
        assert gate.wait(60)
        return really(contents, project=project, algorithm=algorithm)

    monkeypatch.setattr(store, "stage_pack", stage_pack)
    return gate


def test_a_small_content_is_kept_once_however_often_it_is_taken(stager: BlobStager, store: FolderBlobStore) -> None:
    digest, *_ = stager.ingest([b"same"] * 5)
    stager.ingest([b"same"])

    place = stager.publish(PROJECT, [digest, digest])[digest]

    assert place.size == 4
    assert [found.size for found in store.list_objects()] == [4]


@pytest.mark.parametrize(
    ("size", "is_own"), [(0, False), (PACKED_FILE_BYTES_MAX, False), (PACKED_FILE_BYTES_MAX + 1, True)]
)
def test_a_file_is_an_object_of_its_own_from_its_size_on(
    stager: BlobStager, store: FolderBlobStore, tmp_path: Path, size: int, is_own: bool
) -> None:
    digest = ingest_file(stager, tmp_path / "source", content := random.Random(size).randbytes(size))

    place = stager.publish(PROJECT, [digest])[digest]

    assert place.object_name.startswith("files/" if is_own else "packs/")
    assert store.read(place, digest) == content


def test_a_large_file_is_kept_once_however_often_it_is_taken(
    stager: BlobStager, store: FolderBlobStore, tmp_path: Path
) -> None:
    first = ingest_file(stager, tmp_path / "source")
    assert ingest_file(stager, tmp_path / "copy") == first

    assert staged(store) == [len(LARGE)]
    stager.publish(PROJECT, [first])
    assert (len(objects(store)), stager.published_bytes) == (1, len(LARGE))


def test_a_large_file_that_the_project_has_is_not_kept(
    stager: BlobStager, store: FolderBlobStore, projection: Projection, tmp_path: Path
) -> None:
    place, _ = put_file(store, tmp_path / "before", LARGE)
    projection[PROJECT, digest_of(LARGE)] = place

    digest = ingest_file(stager, tmp_path / "source")

    assert staged(store) == []
    assert stager.publish(PROJECT, [digest]) == {digest: projection[PROJECT, digest]}
    assert stager.published_bytes == 0


@pytest.mark.parametrize("more", [1, PACKED_FILE_BYTES_MAX], ids=["by a byte", "to two MiB"])
def test_a_file_of_exactly_one_mib_that_grows_while_it_is_read_is_kept_whole(
    stager: BlobStager, store: FolderBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    content, added = random.Random(1).randbytes(PACKED_FILE_BYTES_MAX), random.Random(2).randbytes(more)
    (path := tmp_path / "source").write_bytes(content)
    ChangingFiles(monkeypatch).change(path, lambda: path.write_bytes(content + added))

    with unbuffered(path) as source:
        digest, size = stager.ingest_file(source)
    place = stager.publish(PROJECT, [digest])[digest]

    assert (digest, size) == (digest_of(content + added), len(content) + more)
    assert b"".join(map(bytes, store.stream(place, digest))) == content + added


# --- what is lacking ----------------------------------------------------------------------------------------------


def test_what_is_neither_taken_nor_stored_is_lacking(
    stager: BlobStager, store: FolderBlobStore, projection: Projection, tmp_path: Path
) -> None:
    waiting, *in_pack = stager.ingest([b"waiting", *PACKFUL])
    large = ingest_file(stager, tmp_path / "source")
    ((place, stored),), unknown = put_pack(store, b"stored"), digest_of(b"unknown")
    projection[PROJECT, stored] = place

    assert stager.missing([waiting, in_pack[0], large, stored, unknown, unknown]) == {unknown}
    assert stager.missing([waiting, stored]) == set()
    assert stager.missing([]) == set()


def test_what_another_project_has_stored_is_lacking(stager: BlobStager, projection: Projection) -> None:
    projection[OTHER, digest_of(b"x")] = BlobLocation(f"packs/{OTHER}/{0:032x}", 0, 1)

    assert stager.missing([digest_of(b"x")]) == {digest_of(b"x")}


# --- where it is --------------------------------------------------------------------------------------------------


def test_what_the_project_has_stored_is_left_out_of_a_pack(
    stager: BlobStager, store: FolderBlobStore, projection: Projection
) -> None:
    for place, digest in put_pack(store, *SMALL[:10]):
        projection[PROJECT, digest] = place

    places = stager.publish(PROJECT, stager.ingest(SMALL))

    assert [found.size for found in store.list_objects()] == [10 * 1000] * 2
    assert stager.published_bytes == 10 * 1000
    assert [places[digest_of(content)].offset for content in SMALL[:10]] == [1000 * i for i in range(10)]


def test_what_is_not_asked_for_waits_on(stager: BlobStager, store: FolderBlobStore) -> None:
    first, second = stager.ingest([b"first", b"second"])
    (later,) = stager.ingest([b"later"])

    stager.publish(PROJECT, [first])
    (other,) = stager.ingest([b"other"])
    assert stager.publish(PROJECT, [second])[second].offset == len(b"first")
    assert len(objects(store)) == 1
    assert stager.publish(PROJECT, [later])[later].size == 5
    assert len(objects(store)) == 1
    assert stager.publish(PROJECT, [other])[other].offset == 0
    assert len(objects(store)) == 2


def test_content_that_was_never_taken_is_missing(stager: BlobStager) -> None:
    with pytest.raises(BlobMissing, match=f"{digests.to_text(digest_of(b'x'))} is not stored"):
        stager.publish(PROJECT, [digest_of(b"x")])


def test_the_bytes_of_a_pack_count_for_whom_they_were_published_first(stager: BlobStager) -> None:
    wanted = stager.ingest(SMALL)
    counts = []
    for some in (wanted[:1], wanted[:3], wanted, wanted):
        stager.publish(PROJECT, some)
        counts.append(stager.published_bytes)

    assert counts == [len(SMALL[0]), sum(map(len, SMALL[:3])), sum(map(len, SMALL)), sum(map(len, SMALL))]


def test_one_pack_is_published_in_each_project_that_needs_it(stager: BlobStager, store: FolderBlobStore) -> None:
    wanted = stager.ingest(SMALL)

    places = [stager.publish(project, wanted) for project in (PROJECT, OTHER, PROJECT)]

    assert places[0] == places[2]
    assert sorted(project_of(name) for name in objects(store)) == sorted([PROJECT, OTHER])
    assert stager.published_bytes == 2 * sum(map(len, SMALL))
    assert store.read(places[1][wanted[3]], wanted[3]) == SMALL[3]


@pytest.mark.parametrize("content", [b"small", LARGE, LARGE[:-1]], ids=["small", "large", "the largest in a pack"])
def test_what_only_the_likely_project_has_is_copied_from_there(
    stager: BlobStager, store: FolderBlobStore, projection: Projection, tmp_path: Path, content: bytes
) -> None:
    digest = ingest_file(stager, tmp_path / "source", content)
    projection[PROJECT, digest] = stager.publish(PROJECT, [digest])[digest]
    stager.forget([digest])

    place = stager.publish(OTHER, [digest])[digest]

    assert project_of(place.object_name) == OTHER
    assert place.object_name.startswith("files/" if len(content) > PACKED_FILE_BYTES_MAX else "packs/")
    assert b"".join(map(bytes, store.stream(place, digest))) == content


# --- and then -----------------------------------------------------------------------------------------------------


def test_staging_is_empty_once_all_that_was_published_is_forgotten(
    stager: BlobStager, store: FolderBlobStore, tmp_path: Path
) -> None:
    wanted = [*stager.ingest(SMALL), ingest_file(stager, tmp_path / "source")]
    stager.publish(PROJECT, wanted)
    published = objects(store)

    stager.forget(wanted[1:])
    assert staged(store) == [sum(map(len, SMALL))], "the rest of the pack is still here"
    stager.forget(wanted[:1])

    assert staged(store) == []
    assert objects(store) == published


def test_what_is_forgotten_is_known_no_more(stager: BlobStager) -> None:
    wanted = stager.ingest(SMALL)
    stager.publish(PROJECT, wanted)

    stager.forget(wanted[:1])

    assert stager.missing(wanted) == {wanted[0]}
    with pytest.raises(BlobMissing):
        stager.publish(PROJECT, wanted[:1])


def test_what_was_not_published_is_not_forgotten(stager: BlobStager, store: FolderBlobStore) -> None:
    wanted = stager.ingest(PACKFUL)
    wait_until(lambda: staged(store) == [PACK_BYTES_MAX])

    stager.missing([])
    stager.forget(wanted)

    assert len(stager.publish(PROJECT, wanted)) == len(PACKFUL)


def test_copies_of_what_somebody_else_stored_meanwhile_are_forgotten(
    stager: BlobStager, store: FolderBlobStore
) -> None:
    wanted = stager.ingest(PACKFUL)
    small = stager.ingest([b"small"])
    wait_until(lambda: staged(store) == [PACK_BYTES_MAX])

    stager.missing([])
    stager.publish(PROJECT, [])
    stager.forget([], stored=[*wanted, *small])

    assert staged(store) == []
    assert stager.missing(small) == set(small)


@pytest.mark.parametrize("others", [1, 2])
def test_what_others_rely_on_is_forgotten_with_the_last_of_them(
    stager: BlobStager, store: FolderBlobStore, others: int
) -> None:
    (digest,) = stager.ingest([b"shared"])
    for n in range(others):
        assert stager.ingest([b"shared"]) == [digest] if n % 2 else stager.missing([digest]) == set()
    stager.publish(PROJECT, [digest])

    for _ in range(others):
        stager.forget([digest])
        assert digest in stager.publish(PROJECT, [digest])
    assert staged(store) == [6]
    stager.forget([digest])

    assert staged(store) == []
    with pytest.raises(BlobMissing):
        stager.publish(PROJECT, [digest])


def test_forgetting_what_was_never_taken_changes_nothing(stager: BlobStager) -> None:
    stager.forget([digest_of(b"x")])

    (digest,) = stager.ingest([b"x"])
    assert stager.publish(PROJECT, [digest])[digest].size == 1


def test_staging_is_empty_once_it_is_closed(stager: BlobStager, store: FolderBlobStore, tmp_path: Path) -> None:
    wanted = stager.ingest(SMALL)
    kept = stager.publish(PROJECT, wanted)[wanted[0]].object_name
    ingest_file(stager, tmp_path / "source")
    stager.ingest(PACKFUL)
    stager.ingest([b"waits"])

    stager.close()

    assert staged(store) == []
    assert objects(store) == [kept]
    stager.close()


def test_what_was_taken_is_known_no_more_once_it_is_closed(stager: BlobStager, tmp_path: Path) -> None:
    wanted = [*stager.ingest([b"waits"]), ingest_file(stager, tmp_path / "source")]

    stager.close()

    assert stager.missing(wanted) == set(wanted)
    stager.ingest(SMALL)
    assert len(stager.publish(PROJECT, stager.ingest(SMALL))) == len(SMALL)


# --- when it goes wrong -------------------------------------------------------------------------------------------


def _full(monkeypatch: pytest.MonkeyPatch, store: FolderBlobStore, times: int) -> list[int]:
    """The store takes no pack, so often. How many contents each pack had that it was asked to take."""
    tried: list[int] = []
    really = store.stage_pack

    def stage_pack(contents: Sequence[bytes], *, project: str, algorithm: str) -> Staged:
        tried.append(len(contents))
        if len(tried) <= times:
            raise StoreUnavailable("the disk is full.")
        return really(contents, project=project, algorithm=algorithm)

    monkeypatch.setattr(store, "stage_pack", stage_pack)
    return tried


def test_what_the_store_would_not_take_is_tried_again_by_the_next_who_asks(
    stager: BlobStager, store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _full(monkeypatch, store, 1)
    wanted = stager.ingest(SMALL)

    with pytest.raises(StoreUnavailable):
        stager.publish(PROJECT, wanted)
    (later,) = stager.ingest([b"later"])
    places = stager.publish(PROJECT, [*wanted, later])

    assert tried == [len(SMALL), len(SMALL) + 1]
    assert [store.read(places[digest], digest) for digest in wanted] == SMALL


def test_what_failed_in_the_background_is_told_to_the_next_who_asks_and_tried_again(
    stager: BlobStager, store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _full(monkeypatch, store, 1)
    wanted = stager.ingest(PACKFUL)
    wait_until(lambda: tried == [len(PACKFUL)])

    with pytest.raises(StoreUnavailable, match="the disk is full"):
        stager.publish(PROJECT, wanted)
    assert len(stager.publish(PROJECT, wanted)) == len(PACKFUL)

    assert tried == [len(PACKFUL)] * 2
    assert staged(store) == [PACK_BYTES_MAX]


def test_memory_is_bounded_also_while_the_store_takes_nothing(
    stager: BlobStager, store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits again still counts: the pack that could not be staged is tried again before another one fills."""
    tried = _full(monkeypatch, store, 2)
    stager.ingest(PACKFUL)
    wait_until(lambda: tried == [len(PACKFUL)])

    with pytest.raises(StoreUnavailable):
        stager.publish(PROJECT, [digest_of(PACKFUL[0])])
    stager.ingest([b"one more"])
    wait_until(lambda: len(tried) == 2)

    assert tried == [len(PACKFUL), len(PACKFUL) + 1]


# --- after a fork -------------------------------------------------------------------------------------------------


def test_a_child_hands_over_what_its_parent_took_and_leaves_it_to_the_parent(
    stager: BlobStager, store: FolderBlobStore, tmp_path: Path
) -> None:
    wanted = [*stager.ingest(PACKFUL), ingest_file(stager, tmp_path / "source"), *stager.ingest([b"waits"])]
    wait_until(lambda: len(staged(store)) == 2)

    def in_child() -> dict[bytes, BlobLocation]:
        places = stager.publish(PROJECT, wanted)
        stager.forget(wanted)
        stager.close()
        return places

    places = in_a_fork(in_child)
    assert isinstance(places, BlobLocations)
    contents = [*PACKFUL, LARGE, b"waits"]
    for digest, content in zip(wanted, contents, strict=True):
        assert b"".join(map(bytes, store.stream(places[digest], digest))) == content
    assert sorted(staged(store)) == sorted([len(LARGE), PACK_BYTES_MAX])
    stager.close()

    assert staged(store) == []


def test_a_child_that_closes_leaves_what_its_parent_staged(
    stager: BlobStager, store: FolderBlobStore, tmp_path: Path
) -> None:
    digest = ingest_file(stager, tmp_path / "source")

    in_a_fork(stager.close)

    assert stager.publish(PROJECT, [digest])[digest].size == len(LARGE)


def test_places_that_others_stored_meanwhile_are_as_good(
    stager: BlobStager, store: FolderBlobStore, projection: Projection
) -> None:
    wanted = stager.ingest(SMALL)
    for place, digest in put_pack(store, *SMALL):
        projection[PROJECT, digest] = place

    places = stager.publish(PROJECT, wanted)

    assert len(objects(store)) == 1
    assert [store.read(places[digest], digest) for digest in wanted] == SMALL
