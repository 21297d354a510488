"""References to objects and prefixes, against the real server."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from headwater._references.listing import OBJECTS_MAX, FoundObject, Listing
from headwater._references.schemes import fetch, look_up
from headwater.errors import InvalidInput, NotFound, ReferenceChanged, StoreUnavailable
from headwater_blobs.port import CHUNK_BYTES
from headwater_schemas.entries import Reference

from tests.references.objects import Bucket, recorded
from tests.s3.stand_ins import cutting
from tests.support import buckets


@pytest.fixture
def documented(bucket: Bucket) -> Bucket:
    """The bucket of the documents' examples."""
    for key in ("images/cat.png", "images/dog.png", "checkpoints/model.h5", "model.h5"):
        bucket.put(key, key.encode())
    return bucket


def paths_of(listing: Listing) -> list[str]:
    return [found.path for found in listing.objects]


def content_of(reference: Reference) -> bytes:
    return b"".join(fetch(reference))


def test_add_reference_of_s3_my_bucket_model_h5_is_model_h5(documented: Bucket) -> None:
    listing = look_up(documented.uri("model.h5"))

    assert (paths_of(listing), listing.is_prefix) == (["model.h5"], False)


def test_add_reference_of_s3_my_bucket_checkpoints_model_h5_is_model_h5(documented: Bucket) -> None:
    listing = look_up(documented.uri("checkpoints/model.h5"))

    assert (paths_of(listing), listing.is_prefix) == (["model.h5"], False)


def test_add_reference_of_s3_my_bucket_images_is_cat_png_and_dog_png(documented: Bucket) -> None:
    listing = look_up(documented.uri("images"))

    assert (paths_of(listing), listing.is_prefix) == (["cat.png", "dog.png"], True)
    assert [found.uri for found in listing.objects] == [
        documented.uri("images/cat.png"),
        documented.uri("images/dog.png"),
    ]


def test_the_artifact_will_track_checksums_for_the_referenced_objects(bucket: Bucket) -> None:
    etag, _ = bucket.put("images/cat.png", b"meow")

    for uri in (bucket.uri("images/cat.png"), bucket.uri("images")):
        (found,) = look_up(uri).objects
        assert (found.checksum, found.size, found.object_version) == (f"etag:{etag}", 4, None)


def test_the_artifact_will_track_versioning_information_if_the_bucket_has_object_versioning_enabled(
    bucket: Bucket,
) -> None:
    bucket.put("images/old.png", b"from before there were versions")
    bucket.keep_versions()
    bucket.put("images/cat.png", b"first")
    _, version = bucket.put("images/cat.png", b"second")
    bucket.put("images/gone.png")
    bucket.remove("images/gone.png")

    assert look_up(bucket.uri("images/cat.png")).objects[0].object_version == version
    listed = {found.path: (found.size, found.object_version) for found in look_up(bucket.uri("images")).objects}
    assert listed == {"cat.png": (6, version), "old.png": (31, None)}


def test_object_prefixes_are_expanded_up_to_a_maximum_of_10_000_objects() -> None:
    assert OBJECTS_MAX == 10_000


def test_one_object_more_than_the_maximum_is_an_error_never_a_silent_cut(documented: Bucket) -> None:
    assert len(look_up(documented.uri(), max_objects=4).objects) == 4

    with pytest.raises(InvalidInput, match=rf"{documented.uri('images')} has more than 1 objects"):
        look_up(documented.uri("images"), max_objects=1)


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "10"])
def test_a_maximum_that_is_no_number_of_objects_is_refused(limit: int) -> None:
    with pytest.raises(InvalidInput, match="max_objects must be a whole number of at least 1"):
        look_up("s3://bucket/images", max_objects=limit)


def test_a_prefix_is_a_folder_boundary(bucket: Bucket) -> None:
    for key in ("images/cat.png", "images2/dog.png", "images.txt"):
        bucket.put(key)

    assert paths_of(look_up(bucket.uri("images"))) == ["cat.png"]
    assert paths_of(look_up(bucket.uri("images/"))) == ["cat.png"]


def test_folders_below_a_prefix_keep_their_names(bucket: Bucket) -> None:
    bucket.put("a/b/c/d.txt")

    assert paths_of(look_up(bucket.uri("a"))) == ["b/c/d.txt"]


def test_an_object_of_exactly_that_name_goes_before_a_prefix(bucket: Bucket) -> None:
    bucket.put("images/cat.png")
    bucket.put("notes", b"an object")
    bucket.put("notes.d/one")

    assert paths_of(look_up(bucket.uri("notes"))) == ["notes"]


def test_a_whole_bucket_stands_for_all_its_objects(documented: Bucket) -> None:
    expected = ["checkpoints/model.h5", "images/cat.png", "images/dog.png", "model.h5"]

    assert paths_of(look_up(documented.uri())) == expected
    assert paths_of(look_up(f"{documented.uri()}/")) == expected


def test_what_stands_for_an_empty_folder_is_no_entry(bucket: Bucket) -> None:
    bucket.put("images/", b"")
    bucket.put("images/empty/", b"")
    bucket.put("images/cat.png", b"")

    assert paths_of(look_up(bucket.uri("images"))) == ["cat.png"]


def test_keys_are_taken_as_they_are(bucket: Bucket) -> None:
    keys = ["d/100%25 sure?.txt", "d/a#b.txt", "d/été +.txt"]
    for key in keys:
        bucket.put(key, key.encode())

    assert {found.uri for found in look_up(bucket.uri("d")).objects} == {bucket.uri(key) for key in keys}
    for key in keys:
        (found,) = look_up(bucket.uri(key)).objects
        assert (found.path, content_of(recorded(found))) == (key[2:], key.encode())


def test_a_key_that_no_request_can_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"has '\.' or '\.\.' between slashes"):
        look_up("s3://bucket/a/../b")


def test_a_version_id_in_the_uri_is_that_version(bucket: Bucket) -> None:
    bucket.keep_versions()
    etag, first = bucket.put("model.h5", b"first")
    bucket.put("model.h5", b"second")
    uri = f"{bucket.uri('model.h5')}?versionId={first}"

    (found,) = look_up(uri).objects

    assert found == FoundObject("model.h5", uri, f"etag:{etag}", 5, first)
    assert content_of(recorded(found)) == b"first"
    assert content_of(Reference("model.h5", uri)) == b"first"


def test_a_version_id_that_is_not_there_is_an_error(bucket: Bucket) -> None:
    bucket.keep_versions()
    bucket.put("model.h5")

    with pytest.raises(NotFound, match="no such version of the object"):
        look_up(f"{bucket.uri('model.h5')}?versionId=5f4e1b0e-7bb3-4d1c-9f16-5d3e8a3f7a11")


def test_nothing_under_a_name_is_an_error_that_names_it(bucket: Bucket) -> None:
    with pytest.raises(NotFound, match=rf"{bucket.uri('images')}: no such object, and none below it"):
        look_up(bucket.uri("images"))


def test_a_bucket_that_is_not_there_is_an_error_that_names_it(bucket: Bucket) -> None:
    with pytest.raises(NotFound, match="there is no bucket 'not-there-at-all'"):
        look_up("s3://not-there-at-all/images")


def test_without_a_checksum_no_request_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    listing = look_up("s3://bucket/images/cat.png", checksum=False)

    assert listing == ([("cat.png", "s3://bucket/images/cat.png", None, None, None)], False)


@pytest.mark.parametrize("uri", ["s3://bucket", "s3://bucket/", "s3://bucket/images/"])
def test_without_a_checksum_what_ends_in_no_name_needs_one(uri: str) -> None:
    with pytest.raises(InvalidInput, match=r"does not end in a name for the entry\. Pass one, such as name="):
        look_up(uri, checksum=False)

    assert look_up(uri, checksum=False, named=True).objects[0].uri == uri


def test_the_recorded_object_version_is_fetched_whatever_came_later(bucket: Bucket) -> None:
    bucket.keep_versions()
    bucket.put("model.h5", b"first")
    (found,) = look_up(bucket.uri("model.h5")).objects
    bucket.put("model.h5", b"second")

    assert content_of(recorded(found)) == b"first"

    bucket.remove("model.h5")
    assert content_of(recorded(found)) == b"first"


def test_an_object_that_was_replaced_is_an_error_that_names_both(bucket: Bucket) -> None:
    first, _ = bucket.put("model.h5", b"first")
    (found,) = look_up(bucket.uri("model.h5")).objects
    second, _ = bucket.put("model.h5", b"other")

    with pytest.raises(ReferenceChanged, match=f"recorded etag:{first}, found etag:{second}"):
        next(fetch(recorded(found)))


def test_a_version_that_was_removed_is_an_error_that_says_what_is_there(bucket: Bucket) -> None:
    bucket.keep_versions()
    _, first = bucket.put("model.h5", b"first")
    (found,) = look_up(bucket.uri("model.h5")).objects
    etag, second = bucket.put("model.h5", b"second")
    buckets.client_of(bucket.settings).remove_object(bucket.name, "model.h5", version_id=first)

    with pytest.raises(ReferenceChanged, match=rf"version {first} \(now version {second}, etag:{etag}, 6 bytes\)"):
        next(fetch(recorded(found)))


def test_an_object_that_was_removed_is_an_error(bucket: Bucket) -> None:
    bucket.put("model.h5")
    (found,) = look_up(bucket.uri("model.h5")).objects
    bucket.remove("model.h5")

    with pytest.raises(ReferenceChanged, match="recorded an object, which no longer exists"):
        next(fetch(recorded(found)))


def test_an_object_that_breaks_off_goes_on_where_it_broke(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 8192
    bucket.put("big", content)
    with cutting(bucket.settings.endpoint) as cutter:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cutter.endpoint)
        (found,) = look_up(bucket.uri("big")).objects
        cutter.begins_with, cutter.after_bytes, cutter.cuts = b"GET /", 1_200_000, 2

        pieces = list(fetch(recorded(found)))

    assert cutter.done == 2
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= CHUNK_BYTES


@pytest.mark.usefixtures("_impatient")
def test_a_server_that_always_breaks_off_is_an_error(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("big", bytes(100_000))
    with cutting(bucket.settings.endpoint) as cutter:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cutter.endpoint)
        (found,) = look_up(bucket.uri("big")).objects
        cutter.begins_with, cutter.after_bytes, cutter.cuts = b"GET /", 0, 1000

        with pytest.raises(StoreUnavailable, match=f"object 'big' in bucket {bucket.name!r}.*the connection broke"):
            list(fetch(recorded(found)))


@pytest.mark.slow
def test_listing_objects_costs_at_most_1_2_times_the_bare_clients_listing(bucket: Bucket) -> None:
    """The median of three, in turns, before and after the bucket keeps versions."""
    client, count = buckets.client_of(bucket.settings), 2_100
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: bucket.put(f"images/{number:05}", b""), range(count)))

    def bare(has_versions: bool) -> list[str]:
        listed = client.list_objects(bucket.name, "images/", recursive=True, include_version=has_versions)
        return [(one.object_name or "").removeprefix("images/") for one in listed]

    def ours(_: bool) -> list[str]:
        return paths_of(look_up(bucket.uri("images")))

    for has_versions in (False, True):
        if has_versions:
            bucket.keep_versions()
        spent: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(3):
            for name, work in (("bare", bare), ("ours", ours)):
                began = time.perf_counter()
                assert work(has_versions) == [f"{number:05}" for number in range(count)]
                spent[name].append(time.perf_counter() - began)

        assert sorted(spent["ours"])[1] < 1.2 * sorted(spent["bare"])[1], has_versions
