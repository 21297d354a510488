"""Which names of objects every adapter of `BlobStore` takes, and how they are given."""

from collections.abc import Callable

import pytest
from headwater_blobs.port import BlobStore, Staged
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import InvalidInput, InvalidName
from headwater_schemas.object_names import check_object_name, file_name, pack_name, project_of

from tests.contract.blob_stores import PROJECT, digest_of, streamed
from tests.contract.blob_stores import place as place
from tests.contract.blob_stores import store as store

HOSTILE_NAMES = [
    "",
    "/etc/passwd",
    "../outside",
    "packs/../../outside",
    f"packs/../p/{'0' * 32}",
    f"packs/e/../{'0' * 32}",
    f"packs/./p/{'0' * 32}",
    f"packs//p/{'0' * 32}",
    f"/packs/e/p/{'0' * 32}",
    f"packs/e/p/{'0' * 32}/",
    f"packs/e/p/{'0' * 32}\n",
    f"packs/e\0/p/{'0' * 32}",
    f"packs/e/p/{'0' * 31}",
    f"packs/e/p/{'A' * 32}",
    "packs/e/p/" + "\u0660" * 32,  # a digit, but not one of ours
    f"packs/e/p/q/{'0' * 32}",
    f"staging/e/p/{'0' * 32}",
    f"packs/e/p/xxh3-{'0' * 32}-0",
    f"files/e/p/{'0' * 32}",
    f"files/e/p/xxh3-{'0' * 32}",
    f"files/e/p/xxh3-{'0' * 32}-",
    f"files/e/p/xxh3-{'0' * 32}-00",
    f"files/e/p/xxh3-{'0' * 32}--1",
    f"files/e/p/xxh3-{'0' * 32}-1000000000",
    f"files/e/p/xxh3-{'0' * 64}-0",
    f"files/e/p/blake3-{'0' * 32}-0",
    f"files/e/p/md5-{'0' * 32}-0",
    f"packs/{'e' * 129}/p/{'0' * 32}",
    "packs/" + "x" * 100_000,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=lambda name: ascii(name)[:40])
def test_a_hostile_name_is_refused_everywhere(store: BlobStore, name: str) -> None:
    staged, digest = store.stage_pack([b"content"], project=PROJECT), digest_of(b"content")
    calls: list[Callable[[], object]] = [
        lambda: store.publish(staged, name),
        lambda: store.sizes([name]),
        lambda: store.read(BlobLocation(name, 0, 7), digest),
        lambda: store.read_many([(BlobLocation(name, 0, 7), digest)]),
        lambda: streamed(store, BlobLocation(name, 0, 7), digest),
        lambda: store.delete([name]),
        lambda: project_of(name),
    ]
    before = list(store.list_objects())

    for call in calls:
        with pytest.raises(InvalidInput, match="not the name of an object"):
            call()
    assert list(store.list_objects()) == before


@pytest.mark.parametrize("location", ["", "..", "../../outside", "/etc/passwd", "1-2-3-4", "a\0", "../x?uploadId=1"])
def test_a_hostile_location_is_refused(store: BlobStore, location: str) -> None:
    staged = Staged(location, 7, None)

    with pytest.raises(InvalidInput):
        store.publish(staged, pack_name(PROJECT))
    with pytest.raises(InvalidInput):
        store.discard(staged)


def test_a_pack_gets_a_name_that_was_never_given() -> None:
    assert len({pack_name(PROJECT) for _ in range(1000)}) == 1000


def test_a_large_file_gets_the_same_name_from_every_writer_until_it_was_condemned() -> None:
    digest = digest_of(b"content")

    assert file_name(PROJECT, digest) == f"files/{PROJECT}/xxh3-{digest[1:].hex()}-0"
    assert file_name(PROJECT, digest, 12) == f"files/{PROJECT}/xxh3-{digest[1:].hex()}-12"


@pytest.mark.parametrize("algorithm", ["xxh3", "blake3"])
def test_a_name_that_was_given_is_accepted_and_tells_its_project(algorithm: str) -> None:
    for name in (pack_name(PROJECT), file_name(PROJECT, digest_of(b"", algorithm), 999_999_999)):
        assert check_object_name(name) == name
        assert project_of(name) == PROJECT


@pytest.mark.parametrize("project", ["", "e", "e/", "/p", "e/p/q", "../p", "e/..", "e/p\n"])
def test_a_project_that_is_none_gets_no_name(project: str) -> None:
    with pytest.raises(InvalidName):
        pack_name(project)
    with pytest.raises(InvalidName):
        file_name(project, digest_of(b""))


@pytest.mark.parametrize("attempt", [-1, 1_000_000_000])
def test_an_attempt_out_of_range_gets_no_name(attempt: int) -> None:
    with pytest.raises(InvalidInput, match="attempt"):
        file_name(PROJECT, digest_of(b""), attempt)
