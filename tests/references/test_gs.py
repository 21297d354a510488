"""References to Google Cloud Storage, against a stand-in that speaks its protocol."""

import hashlib
import subprocess
import sys

import crc32c
import pytest
from headwater._references import gs
from headwater._references.listing import Listing
from headwater._references.schemes import fetch, look_up
from headwater.errors import InvalidInput, NotFound, ReferenceChanged, StoreUnavailable
from headwater_blobs.port import CHUNK_BYTES
from headwater_schemas.entries import Reference

from tests.references.objects import recorded


def put(bucket: str, key: str, content: bytes = b"content") -> str:
    """The generation."""
    from google.cloud import storage

    blob = storage.Client(project="test").bucket(bucket).blob(key)
    blob.upload_from_string(content)
    blob.reload()
    return str(blob.generation)


@pytest.fixture
def documented(google: str) -> str:
    """The bucket of the documents' examples, in this cloud."""
    for key in ("images/cat.png", "images/dog.png", "checkpoints/model.h5", "model.h5"):
        put(google, key, key.encode())
    return google


def paths_of(listing: Listing) -> list[str]:
    return [found.path for found in listing.objects]


def content_of(reference: Reference) -> bytes:
    return b"".join(fetch(reference))


def test_add_reference_of_gs_my_bucket_model_h5_is_model_h5(documented: str) -> None:
    listing = look_up(f"gs://{documented}/model.h5")

    assert (paths_of(listing), listing.is_prefix) == (["model.h5"], False)


def test_add_reference_of_gs_my_bucket_checkpoints_model_h5_is_model_h5(documented: str) -> None:
    listing = look_up(f"gs://{documented}/checkpoints/model.h5")

    assert (paths_of(listing), listing.is_prefix) == (["model.h5"], False)


def test_add_reference_of_gs_my_bucket_images_is_cat_png_and_dog_png(documented: str) -> None:
    listing = look_up(f"gs://{documented}/images")

    assert (paths_of(listing), listing.is_prefix) == (["cat.png", "dog.png"], True)
    assert listing.objects[0].uri == f"gs://{documented}/images/cat.png"


def test_the_artifact_will_track_checksums_and_versioning_information_for_the_referenced_objects(google: str) -> None:
    generation = put(google, "images/cat.png", b"meow")
    checksum = f"md5:{hashlib.md5(b'meow').hexdigest()}"

    for uri in (f"gs://{google}/images/cat.png", f"gs://{google}/images"):
        (found,) = look_up(uri).objects
        assert (found.checksum, found.size, found.object_version) == (checksum, 4, generation)
        assert content_of(recorded(found)) == b"meow"


def test_an_object_prefix_is_expanded_up_to_a_maximum(documented: str) -> None:
    assert len(look_up(f"gs://{documented}", max_objects=4).objects) == 4

    with pytest.raises(InvalidInput, match="has more than 3 objects"):
        look_up(f"gs://{documented}/", max_objects=3)


def test_a_prefix_is_a_folder_boundary_and_an_object_of_that_name_goes_first(google: str) -> None:
    for key in ("images/cat.png", "images2/dog.png", "notes", "notes/one", "images/"):
        put(google, key, b"" if key.endswith("/") else b"content")

    assert paths_of(look_up(f"gs://{google}/images")) == ["cat.png"]
    assert paths_of(look_up(f"gs://{google}/notes")) == ["notes"]
    assert paths_of(look_up(f"gs://{google}/notes/")) == ["one"]


def test_an_object_without_an_md5_is_recorded_by_its_crc32c() -> None:
    """As the service gives it for an object that was put together from others."""
    content = b"content"
    reference = Reference("a", "gs://b/a", f"crc32c:{crc32c.crc32c(content):08x}", len(content))
    from google.cloud.storage import Blob

    blob = Blob("a", None)
    blob._properties["crc32c"] = "4q2L5g=="

    assert gs._checksum_of(blob) == "crc32c:e2ad8be6"
    from headwater._references.verification import verified

    assert list(verified(iter([content]), reference)) == [content]
    with pytest.raises(ReferenceChanged, match="crc32c:"):
        list(verified(iter([b"CONTENT"]), reference))


def test_an_object_that_was_replaced_is_an_error_that_names_both(google: str) -> None:
    first = put(google, "model.h5", b"first")
    (found,) = look_up(f"gs://{google}/model.h5").objects
    second = put(google, "model.h5", b"second")

    with pytest.raises(ReferenceChanged, match=rf"generation {first} \(now generation {second}, 6 bytes\)"):
        next(fetch(recorded(found)))


def test_content_that_is_not_what_was_recorded_is_an_error_instead_of_the_end(google: str) -> None:
    put(google, "model.h5", b"first")
    (found,) = look_up(f"gs://{google}/model.h5").objects
    put(google, "model.h5", b"other")

    with pytest.raises(ReferenceChanged, match=r"recorded md5:\w+, found md5:\w+"):
        content_of(recorded(found._replace(object_version=None)))


def test_an_object_that_was_removed_is_an_error(google: str) -> None:
    from google.cloud import storage

    put(google, "model.h5")
    (found,) = look_up(f"gs://{google}/model.h5").objects
    storage.Client(project="test").bucket(google).blob("model.h5").delete()

    with pytest.raises(ReferenceChanged, match="no longer exists"):
        next(fetch(recorded(found)))


def test_a_large_object_comes_in_pieces_of_bounded_size(google: str) -> None:
    content = bytes(range(256)) * (gs.PIECE_BYTES // 256 + 1)
    put(google, "big", content)

    pieces = list(fetch(recorded(look_up(f"gs://{google}/big").objects[0])))

    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= CHUNK_BYTES


def test_an_empty_object_is_empty(google: str) -> None:
    put(google, "empty", b"")

    assert content_of(recorded(look_up(f"gs://{google}/empty").objects[0])) == b""


def test_nothing_under_a_name_and_no_such_bucket_are_errors_that_name_it(google: str) -> None:
    with pytest.raises(NotFound, match=f"gs://{google}/images: no such object"):
        look_up(f"gs://{google}/images")
    with pytest.raises(NotFound, match="gs://not-there-at-all/images: no such"):
        look_up("gs://not-there-at-all/images")


def test_without_a_checksum_no_request_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")

    assert paths_of(look_up("gs://bucket/images/cat.png", checksum=False)) == ["cat.png"]


def test_a_service_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setattr(gs, "RETRY_S_MAX", 0.5)

    with pytest.raises(StoreUnavailable, match="gs://bucket/a: the request timed out"):
        look_up("gs://bucket/a")


def test_without_the_extra_the_error_says_how_to_get_it() -> None:
    script = (
        "import sys\n"
        "sys.modules['google.cloud'] = None\n"
        "from headwater._references.schemes import look_up\n"
        "try: look_up('gs://bucket/a')\n"
        "except ValueError as error: print(error)\n"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "pip install 'headwater[gs]'" in printed.stdout
