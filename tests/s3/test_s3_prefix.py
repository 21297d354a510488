"""Several installations in one bucket, each with a prefix of its own or none: nobody touches what is another's."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from headwater_blobs.ownership import Owner
from headwater_blobs.port import Staged
from headwater_blobs.s3.anonymous import rights_of_everybody
from headwater_blobs.s3.diagnostics import describe
from headwater_blobs.s3.file_place import BucketPlace
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.store import S3BlobStore
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobCorrupt, BlobMissing, InvalidSettings, StoreError
from headwater_schemas.object_names import pack_name

from tests.contract.blob_stores import PROJECT, digest_of, put_pack
from tests.support import buckets

OWN = ["", "one", "one/more", "two-2"]


@pytest.fixture
def stores(settings: S3Settings) -> Iterator[list[S3BlobStore]]:
    stores = [_opened(replace(settings, prefix=prefix), Owner(f"{i}" * 32)) for i, prefix in enumerate(OWN)]
    yield stores
    for store in stores:
        store.close()


def _opened(settings: S3Settings, owner: Owner) -> S3BlobStore:
    return S3BlobStore.open(settings, create=True, part_bytes=buckets.SMALL_PARTS_BYTES, owner=owner)


def test_each_installation_lists_reads_and_deletes_its_own_objects_only(stores: list[S3BlobStore]) -> None:
    put = [put_pack(store, store.settings.prefix.encode() or b"none") for store in stores]

    for store, ((where, digest), *_) in zip(stores, put, strict=True):
        assert [one.name for one in store.list_objects()] == [where.object_name]
        assert [one.name for one in store.list_objects("packs/vision/")] == [where.object_name]
        assert store.sizes(one[0][0].object_name for one in put) == {where.object_name: where.size}
        assert store.read_many([(where, digest)])[0] == (store.settings.prefix.encode() or b"none")
    stores[1].delete(one[0][0].object_name for one in put)

    assert [len(list(store.list_objects())) for store in stores] == [1, 0, 1, 1]


def test_what_was_staged_is_published_under_another_name_of_the_same_installation(stores: list[S3BlobStore]) -> None:
    store, name = stores[1], pack_name(PROJECT)
    staged = store.stage_pack([b"content"], project=PROJECT)

    store.publish(staged, name)

    assert store.read(BlobLocation(name, 0, 7), digest_of(b"content")) == b"content"
    assert list(stores[0].list_objects()) == list(stores[2].list_objects()) == []


def test_incomplete_uploads_of_others_are_neither_listed_nor_reclaimed(stores: list[S3BlobStore]) -> None:
    streams = [store.stage_stream(project=PROJECT, size=2 * buckets.SMALL_PARTS_BYTES) for store in stores]
    for stream in streams:
        stream.write(bytes(buckets.SMALL_PARTS_BYTES))

    assert [len(list(store.abandoned())) for store in stores] == [1] * len(stores)
    (reclaimed,) = stores[1].reclaim(idle_s=-60, dry_run=False)

    assert reclaimed.size == buckets.SMALL_PARTS_BYTES
    assert [len(list(store.abandoned())) for store in stores] == [1, 0, 1, 1]
    for store, stream in zip(stores, streams, strict=True):
        if store is not stores[1]:
            store.publish(stream.finish(), pack_name(PROJECT))
    assert [sum(one.size for one in store.list_objects()) > 0 for store in stores] == [True, False, True, True]


def test_archives_beside_the_content_are_apart(settings: S3Settings, stores: list[S3BlobStore]) -> None:
    del stores  # the bucket is there
    places = [BucketPlace.open(replace(settings, prefix=prefix), "archive") for prefix in OWN]
    for prefix, place in zip(OWN, places, strict=True):
        place.put("records/1", prefix.encode())

    for prefix, place in zip(OWN, places, strict=True):
        with closing(place):
            assert place.url == f"s3://{settings.bucket}/{prefix}{'/' if prefix else ''}archive"
            assert (list(place.paths()), list(place.paths("records/"))) == (["records/1"], ["records/1"])
            assert place.get("records/1") == prefix.encode()


def test_every_key_begins_with_the_prefix(settings: S3Settings) -> None:
    ours = replace(settings, prefix="team/a")
    store = S3BlobStore.open(ours, create=True, owner=Owner("1" * 32))
    put_pack(store, b"content")
    store.stage_pack([b"staged"], project=PROJECT)
    BucketPlace.open(ours, "archive").put("headwater-archive.json", b"{}")

    keys = [str(one.object_name) for one in buckets.client_of(settings).list_objects(settings.bucket, recursive=True)]

    assert len(keys) == 4
    assert [key for key in keys if not key.startswith("team/a/")] == []


def test_errors_name_keys_as_they_are_in_the_bucket(settings: S3Settings) -> None:
    store = S3BlobStore.open(replace(settings, prefix="team/a"), create=True)
    (where, digest), *_ = put_pack(store, b"content")
    absent = where._replace(object_name=pack_name(PROJECT))
    attempts: list[tuple[type[StoreError | BlobMissing | BlobCorrupt], BlobLocation, bytes]] = [
        (BlobMissing, absent, digest),
        (BlobCorrupt, where, digest_of(b"other")),
        (BlobCorrupt, where._replace(size=8), digest),
    ]

    for error, location, expected in attempts:
        named = f"object 'team/a/{location.object_name}' .*in bucket '{settings.bucket}' at .* under 'team/a/'"
        with pytest.raises(error, match=named):
            store.read(location, expected)
        with pytest.raises(error, match=named):
            list(store.stream(location, expected))
    with pytest.raises(StoreError, match=f"object 'team/a/{absent.object_name}'"):
        store.publish(Staged(absent.object_name, 7, None), pack_name(PROJECT))


def test_an_operator_is_told_whose_a_bucket_is_and_what_everybody_may_do_below_the_prefix(settings: S3Settings) -> None:
    ours = replace(settings, prefix="team/a")
    buckets.open_store(ours).close()
    assert any("belongs to no log yet" in finding.text for finding in describe(ours))
    S3BlobStore.open(ours, create=True, owner=Owner("1" * 32)).close()

    found = describe(ours)

    assert all(finding.is_good for finding in found)
    assert any(f"has the content of log {'1' * 32}" in finding.text for finding in found)
    assert any("under 'team/a/'" in finding.text for finding in found)
    assert rights_of_everybody(ours) == []


def test_opening_a_store_that_has_an_owner_costs_one_small_request(
    settings: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, settings = Owner("1" * 32), replace(settings, region="us-east-1")  # else it is asked for
    S3BlobStore.open(settings, create=True, owner=owner).close()
    with buckets.counted(monkeypatch) as requests:
        store = S3BlobStore.open(settings, create=True, owner=owner)
        assert requests == ["GET"]

        store.stage_pack([b"content"], project=PROJECT)

        assert requests == ["GET", "PUT"]


@pytest.mark.parametrize("prefix", ["/", "a//b", "a/", "..", "a/../b", "packs", "a/files/b", "archive", "ä", "x" * 101])
def test_a_prefix_that_could_be_misread_is_refused(settings: S3Settings, prefix: str) -> None:
    with pytest.raises(InvalidSettings, match="not a prefix"):
        replace(settings, prefix=prefix)
