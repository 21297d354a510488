"""What every blob store promises about the log whose content it has: no other one reads or writes it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.ownership import MARKER, Owner
from headwater_blobs.port import BlobStore
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.store import S3BlobStore
from headwater_schemas.errors import FormatTooNew, StoreNotOurs, StoreUnavailable

from tests.contract.blob_stores import PROJECT, put_pack
from tests.support import buckets

OURS, THEIRS = Owner("1" * 32), Owner("2" * 32)
RESTORED = Owner("3" * 32, (OURS.generation,))
OPENINGS = 8


@dataclass(frozen=True)
class Place:
    """A place for a store that is opened by one log or another."""

    open: Callable[..., BlobStore]
    marker: Callable[[], bytes | None]
    mark: Callable[[bytes], None]


def in_folder(folder: Path) -> Place:
    marker = folder / MARKER

    def open_store(owner: Owner | None, *, create: bool = True) -> BlobStore:
        return FolderBlobStore.open(folder, create=create, owner=owner)

    def mark(text: bytes) -> None:
        marker.write_bytes(text)

    return Place(open_store, lambda: marker.read_bytes() if marker.exists() else None, mark)


def in_bucket(settings: S3Settings) -> Place:
    def open_store(owner: Owner | None, *, create: bool = True) -> BlobStore:
        return S3BlobStore.open(settings, create=create, owner=owner)

    def marker() -> bytes | None:
        found = [one.object_name for one in buckets.client_of(settings).list_objects(settings.bucket)]
        return buckets.raw(settings, MARKER) if MARKER in found else None

    return Place(open_store, marker, lambda text: buckets.write(settings, MARKER, text))


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "folder":
        yield in_folder(tmp_path / "blobs")
        return
    settings = buckets.fresh()
    yield in_bucket(settings)
    buckets.remove(settings)


def test_content_of_one_log_is_refused_to_another_and_left_as_it_was(place: Place) -> None:
    ours = place.open(OURS)
    (where, digest), *_ = put_pack(ours, b"content")

    for create in (True, False):
        with pytest.raises(StoreNotOurs, match=f"content of log {OURS.generation}.* nothing was changed.*a prefix"):
            place.open(THEIRS, create=create)

    assert place.open(OURS).read(where, digest) == b"content"
    assert [one.name for one in ours.list_objects()] == [where.object_name]


def test_who_comes_first_to_content_without_a_marker_claims_it(place: Place) -> None:
    (where, digest), *_ = put_pack(place.open(None), b"content")
    assert place.marker() is None

    assert place.open(OURS).read(where, digest) == b"content"

    with pytest.raises(StoreNotOurs):
        place.open(THEIRS)


def test_who_only_reads_claims_nothing_and_who_then_writes_does(place: Place) -> None:
    place.open(None)
    first, second = (place.open(owner, create=False) for owner in (OURS, THEIRS))
    assert (list(first.list_objects()), list(second.list_objects())) == ([], [])
    assert place.marker() is None

    put_pack(first, b"content")

    with pytest.raises(StoreNotOurs):
        second.stage_pack([b"content"], project=PROJECT)
    with pytest.raises(StoreNotOurs):
        second.delete([one.name for one in first.list_objects()])
    assert len(list(first.list_objects())) == 1


def test_a_log_that_was_restored_takes_the_content_over(place: Place) -> None:
    (where, digest), *_ = put_pack(place.open(OURS), b"content")
    assert place.open(RESTORED, create=False).read(where, digest) == b"content"
    assert place.open(OURS).read(where, digest) == b"content"

    restored = place.open(RESTORED)

    assert restored.read(where, digest) == b"content"
    with pytest.raises(StoreNotOurs, match=RESTORED.generation):
        place.open(OURS)


def test_of_several_that_come_first_at_once_one_log_wins_and_all_of_that_log_agree(place: Place) -> None:
    place.open(None)

    def opened(owner: Owner) -> str | None:
        try:
            place.open(owner).close()
        except StoreNotOurs:
            return None
        return owner.generation

    with ThreadPoolExecutor(OPENINGS) as pool:
        found = list(pool.map(opened, [OURS, THEIRS] * (OPENINGS // 2)))

    (winner,) = {one for one in found if one is not None}
    assert found.count(winner) == OPENINGS // 2


def test_the_marker_is_no_object(place: Place) -> None:
    store = place.open(OURS)

    assert place.marker() == OURS.marker()
    assert list(store.list_objects()) == []
    assert list(store.abandoned()) == []


@pytest.mark.parametrize(
    ("marker", "error"),
    [
        (b"", StoreNotOurs),
        (b"{}", StoreNotOurs),
        (b"[" * 4000, StoreNotOurs),
        (b'{"kind": "headwater content", "format": 1, "log": 7}', StoreNotOurs),
        (b'{"kind": "headwater content", "format": 2, "log": ""}', FormatTooNew),
    ],
    ids=["empty", "of no kind", "deep", "no name", "newer"],
)
def test_a_marker_that_says_nothing_known_is_refused(place: Place, marker: bytes, error: type[Exception]) -> None:
    place.open(None)
    place.mark(marker)

    with pytest.raises(error, match=MARKER):
        place.open(OURS)

    assert place.marker() == marker


def test_a_store_that_is_not_there_is_said_to_be_missing(place: Place) -> None:
    with pytest.raises(StoreUnavailable, match="there is no"):
        place.open(OURS, create=False)
