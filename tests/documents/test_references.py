"""Adding references to what lies elsewhere: on the web, in S3, in Google Cloud Storage, or on a path of one's own."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import headwater
import pytest
from headwater._references.listing import OBJECTS_MAX
from headwater.errors import InvalidInput, NotFound, ReferenceChanged

from tests.documents.pieces import contents, files_in, fill
from tests.references.objects import Bucket
from tests.support.stores import StoreUnderTest
from tests.support.web import Page, Web

DOCUMENTED = ("images/cat.png", "images/dog.png", "checkpoints/model.h5", "model.h5")
Refer = Callable[[headwater.Artifact, str], object]


@pytest.fixture
def artifact() -> headwater.Artifact:
    return headwater.Artifact("bike-dataset", type="dataset")


@pytest.fixture
def my_bucket(bucket: Bucket) -> str:
    """`s3://my-bucket` of the examples."""
    for key in DOCUMENTED:
        bucket.put(key, key.encode())
    return bucket.uri()


@pytest.fixture
def google_bucket(google: str) -> str:
    """The same bucket in Google Cloud Storage."""
    from google.cloud import storage

    for key in DOCUMENTED:
        storage.Client(project="test").bucket(google).blob(key).upload_from_string(key)
    return f"gs://{google}"


def logged_anew(artifact: headwater.Artifact) -> headwater.Artifact:
    with headwater.init() as run:
        name = run.log_artifact(artifact).qualified_name
    return headwater.Api().artifact(name)


# --- uri, name, checksum ------------------------------------------------------------------------------------------


def test_uri_is_the_reference_to_track(artifact: headwater.Artifact, my_bucket: str) -> None:
    artifact.add_reference(uri=f"{my_bucket}/model.h5", name=None, checksum=True)

    assert logged_anew(artifact).get_path("model.h5").ref() == f"{my_bucket}/model.h5"


def test_name_overrides_the_name_that_is_inferred_from_the_uri(artifact: headwater.Artifact, my_bucket: str) -> None:
    artifact.add_reference(f"{my_bucket}/model.h5", name="optional-name")

    assert contents(artifact) == ["optional-name"]


def test_with_checksum_the_reference_collects_checksum_and_metadata(
    artifact: headwater.Artifact, my_bucket: str
) -> None:
    artifact.add_reference(f"{my_bucket}/model.h5", checksum=True)

    entry = logged_anew(artifact).get_entry("model.h5")
    assert (entry.digest, entry.size) == (f"etag:{hashlib.md5(b'model.h5').hexdigest()}", 8)


def test_checksum_information_validates_what_is_fetched_later(
    artifact: headwater.Artifact, bucket: Bucket, web: Web
) -> None:
    first, _ = bucket.put("model.h5", b"first")
    artifact.add_reference(bucket.uri("model.h5"))
    artifact.add_reference(web.put("/train.csv", Page(b"a,b\n", etag='"one"')))
    found = logged_anew(artifact)
    second, _ = bucket.put("model.h5", b"other")
    web.put("/train.csv", Page(b"b,a\n", etag='"two"'))

    with pytest.raises(ReferenceChanged, match=f"recorded etag:{first}, found etag:{second}"):
        found.get_path("model.h5").download()
    with pytest.raises(ReferenceChanged, match="recorded etag:one, found etag:two"):
        found.get_path("train.csv").download()


def test_without_checksum_only_the_uri_is_kept(artifact: headwater.Artifact, my_bucket: str) -> None:
    artifact.add_reference(f"{my_bucket}/model.h5", checksum=False)

    entry = logged_anew(artifact).get_entry("model.h5")
    assert (entry.ref(), entry.digest, entry.size) == (f"{my_bucket}/model.h5", None, None)


def test_references_are_added_instead_of_files_and_store_no_content(
    artifact: headwater.Artifact, my_bucket: str, store: StoreUnderTest
) -> None:
    """Also of private buckets, whose content then never comes here."""
    artifact.add_reference(my_bucket)

    assert logged_anew(artifact).file_count == 4
    assert store.objects() == []


# --- schemes ------------------------------------------------------------------------------------------------------


def test_http_is_tracked_by_etag_and_size_if_the_server_has_them(artifact: headwater.Artifact, web: Web) -> None:
    uri = web.put("/data/train.csv", Page(b"a,b\n", etag='"first"'))

    artifact.add_reference(uri)

    entry = logged_anew(artifact).get_entry("train.csv")
    assert (entry.ref(), entry.digest, entry.size) == (uri, "etag:first", 4)


def test_http_without_etag_and_content_length_is_tracked_all_the_same(artifact: headwater.Artifact, web: Web) -> None:
    uri = web.put("/data/train.csv", Page(b"a,b\n", says_length=False, takes_ranges=False))

    artifact.add_reference(uri)

    entry = logged_anew(artifact).get_entry("train.csv")
    assert (entry.ref(), entry.digest, entry.size) == (uri, None, None)
    assert Path(entry.download()).read_bytes() == b"a,b\n"


def test_s3_tracks_checksum_and_object_version_if_the_bucket_keeps_versions(
    artifact: headwater.Artifact, bucket: Bucket
) -> None:
    bucket.keep_versions()
    etag, version = bucket.put("model.h5", b"first")
    artifact.add_reference(bucket.uri("model.h5"))
    bucket.put("model.h5", b"second")

    entry = logged_anew(artifact).get_entry("model.h5")

    assert (entry.digest, entry.object_version) == (f"etag:{etag}", version)
    assert Path(entry.download()).read_bytes() == b"first"


def test_s3_tracks_the_checksum_alone_if_the_bucket_keeps_no_versions(
    artifact: headwater.Artifact, bucket: Bucket
) -> None:
    etag, _ = bucket.put("model.h5", b"first")

    artifact.add_reference(bucket.uri("model.h5"))

    entry = logged_anew(artifact).get_entry("model.h5")
    assert (entry.digest, entry.size, entry.object_version) == (f"etag:{etag}", 5, None)


def test_gs_tracks_checksum_and_generation(artifact: headwater.Artifact, google_bucket: str) -> None:
    artifact.add_reference(f"{google_bucket}/model.h5")

    entry = logged_anew(artifact).get_entry("model.h5")
    assert entry.digest == f"md5:{hashlib.md5(b'model.h5').hexdigest()}"
    assert (entry.object_version or "").isdigit()


def test_a_uri_of_an_unknown_scheme_is_kept_as_it_is(artifact: headwater.Artifact) -> None:
    artifact.add_reference("lab-tape://shelf-7/roll-12/scan.tif")

    assert logged_anew(artifact).get_entry("scan.tif").ref() == "lab-tape://shelf-7/roll-12/scan.tif"


def test_prefixes_are_expanded_up_to_10_000_objects(artifact: headwater.Artifact, my_bucket: str) -> None:
    """The documents stop there in silence; here one object more is an error, and the limit can be set."""
    assert OBJECTS_MAX == 10_000
    with pytest.raises(InvalidInput, match="more than 3 objects"):
        artifact.add_reference(my_bucket, max_objects=3)
    assert contents(artifact) == []

    artifact.add_reference(my_bucket, max_objects=4)

    assert contents(artifact) == ["checkpoints/model.h5", "images/cat.png", "images/dog.png", "model.h5"]


def test_gs_prefixes_are_expanded_up_to_the_same_limit(artifact: headwater.Artifact, google_bucket: str) -> None:
    with pytest.raises(InvalidInput, match="more than 3 objects"):
        artifact.add_reference(google_bucket, max_objects=3)

    artifact.add_reference(google_bucket, max_objects=4)

    assert contents(artifact) == ["checkpoints/model.h5", "images/cat.png", "images/dog.png", "model.h5"]


# --- the table ----------------------------------------------------------------------------------------------------

ROWS: dict[str, tuple[Refer, dict[str, str]]] = {
    "artifact.add_reference('s3://my-bucket/model.h5')": (
        lambda artifact, my_bucket: artifact.add_reference(f"{my_bucket}/model.h5"),
        {"model.h5": "model.h5"},
    ),
    "artifact.add_reference('s3://my-bucket/checkpoints/model.h5')": (
        lambda artifact, my_bucket: artifact.add_reference(f"{my_bucket}/checkpoints/model.h5"),
        {"model.h5": "checkpoints/model.h5"},
    ),
    "artifact.add_reference('s3://my-bucket/model.h5', name='models/mymodel.h5')": (
        lambda artifact, my_bucket: artifact.add_reference(f"{my_bucket}/model.h5", name="models/mymodel.h5"),
        {"models/mymodel.h5": "model.h5"},
    ),
    "artifact.add_reference('s3://my-bucket/images')": (
        lambda artifact, my_bucket: artifact.add_reference(f"{my_bucket}/images"),
        {"cat.png": "images/cat.png", "dog.png": "images/dog.png"},
    ),
    "artifact.add_reference('s3://my-bucket/images', name='images')": (
        lambda artifact, my_bucket: artifact.add_reference(f"{my_bucket}/images", name="images"),
        {"images/cat.png": "images/cat.png", "images/dog.png": "images/dog.png"},
    ),
}


@pytest.mark.parametrize("call", ROWS)
def test_the_table_of_references_and_resulting_contents(
    artifact: headwater.Artifact, my_bucket: str, call: str
) -> None:
    refer, expected = ROWS[call]

    refer(artifact, my_bucket)

    assert contents(artifact) == list(expected)
    assert files_in(logged_anew(artifact).download()) == expected


@pytest.mark.parametrize("call", ROWS)
def test_the_same_table_holds_for_gs(artifact: headwater.Artifact, google_bucket: str, call: str) -> None:
    refer, expected = ROWS[call]

    refer(artifact, google_bucket)

    assert files_in(logged_anew(artifact).download()) == expected


# --- using them ---------------------------------------------------------------------------------------------------


def test_references_of_known_schemes_are_downloaded_just_like_files(
    artifact: headwater.Artifact, my_bucket: str, web: Web
) -> None:
    artifact.add_reference(f"{my_bucket}/images", name="images")
    artifact.add_reference(web.put("/train.csv", Page(b"a,b\n", etag='"first"')))
    with artifact.new_file("stored.txt") as file:
        file.write("stored")
    found = logged_anew(artifact)

    assert files_in(found.download()) == {
        "images/cat.png": "images/cat.png",
        "images/dog.png": "images/dog.png",
        "stored.txt": "stored",
        "train.csv": "a,b\n",
    }
    assert Path(found.get_path("train.csv").download("alone")).read_text() == "a,b\n"


def test_references_of_other_schemes_say_that_they_cannot_be_downloaded(artifact: headwater.Artifact) -> None:
    artifact.add_reference("lab-tape://shelf-7/roll-12/scan.tif")
    found = logged_anew(artifact)

    for fetch in (found.download, found.get_path("scan.tif").download):
        with pytest.raises(InvalidInput, match=r"lab-tape://shelf-7/roll-12/scan\.tif"):
            fetch()
    assert found.get_path("scan.tif").ref() == "lab-tape://shelf-7/roll-12/scan.tif"


def test_references_to_a_system_of_ones_own_are_downloaded_too(artifact: headwater.Artifact) -> None:
    (elsewhere,) = fill("shared-disk/scan.tif")
    artifact.add_reference(elsewhere.resolve().as_uri())

    assert files_in(logged_anew(artifact).download()) == {"scan.tif": "shared-disk/scan.tif"}


def test_a_reference_to_nothing_is_an_error_that_names_it(artifact: headwater.Artifact, my_bucket: str) -> None:
    with pytest.raises(NotFound, match=f"{my_bucket}/not-there"):
        artifact.add_reference(f"{my_bucket}/not-there")
