"""Which URIs can be kept, which are looked at, and that none shows a secret."""

import subprocess
import sys

import numpy as np
import pytest
from headwater._references.schemes import can_fetch, fetch, look_up
from headwater._references.uris import check_uri, redacted
from headwater._references.verification import content_algorithm
from headwater.errors import InvalidInput
from headwater_schemas.entries import Reference
from headwater_schemas.limits import URI_BYTES_MAX


@pytest.mark.parametrize("uri", ["hdfs://cluster/data/train.csv", "ftp://host/a/train.csv", "dvc+x:train.csv"])
def test_other_schemes_are_kept_as_they_are(uri: str) -> None:
    assert look_up(uri) == ([("train.csv", uri, None, None, None)], False)
    assert not can_fetch(uri)


def test_what_cannot_be_fetched_says_so() -> None:
    with pytest.raises(InvalidInput, match="'a' refers to hdfs://cluster/a: the scheme 'hdfs' cannot be downloaded"):
        fetch(Reference("a", "hdfs://cluster/a"))


@pytest.mark.parametrize("uri", ["s3://bucket", "s3://bucket/images/", "gs://bucket", "gs://bucket/images/"])
def test_what_has_no_bytes_of_its_own_cannot_be_fetched(uri: str) -> None:
    with pytest.raises(InvalidInput, match="does not name a single object"):
        next(fetch(Reference("a", uri)))


@pytest.mark.parametrize("uri", ["s3:///key", "s3://", "gs:///key", "s3:key"])
def test_a_uri_without_a_bucket_is_refused(uri: str) -> None:
    for checksum in (True, False):
        with pytest.raises(InvalidInput, match="names no bucket"):
            look_up(uri, checksum=checksum)


def test_entries_of_other_artifacts_are_not_fetched_here() -> None:
    assert not can_fetch("headwater://team/animals/photos/v3?path=a")


@pytest.mark.parametrize("uri", ["http://h/a", "HTTPS://h/a", "s3://b/a", "gs://b/a", "file:///a"])
def test_the_schemes_that_are_fetched(uri: str) -> None:
    assert can_fetch(uri)


@pytest.mark.parametrize(
    "uri", ["https://me:secret@host/a", "https://secret@host/a", "s3://id:secret@bucket/a", "ftp://secret@host/?b"]
)
def test_user_info_is_refused_without_showing_it(uri: str) -> None:
    with pytest.raises(InvalidInput, match="contains a user or password") as caught:
        check_uri(uri)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize(
    "uri",
    [
        "jdbc:postgresql://me:secret@host/a",
        "https://cache/https://me:secret@host/a",
        "https://cache/?of=https://me:secret@host/a",
        "https://me:secret%40host/a",
        "https://me:secret/secret@host/a",
        "https:///me:secret@host/a",
        "https:/me:secret@host/a",
        "https:me:secret@host/a",
        "https:\\\\me:secret@host\\a",
        "s3:id:secret@bucket/a",
        "gs:/id:secret@bucket/a",
    ],
)
def test_user_info_is_refused_wherever_somebody_put_it(uri: str, checksum: bool) -> None:
    with pytest.raises(InvalidInput) as caught:
        look_up(uri, checksum=checksum, named=True)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "https://host:8080/lib@1.2/a",
        "https://host/@me/a",
        "https://archive/https://host/me@a",
        "hdfs://host:8020/x:y@a",
        "s3://bucket/x//y:z@a",
        "mailto:me@host",
    ],
)
def test_an_at_sign_that_names_nobody_is_kept(uri: str) -> None:
    assert look_up(uri, checksum=False).objects[0].uri == uri


@pytest.mark.parametrize("checksum", ["md5:9a0364b9e99bb480dd25e1f0284c8555", None, 2])
def test_checksum_says_only_whether(checksum: object) -> None:
    with pytest.raises(InvalidInput, match="checksum must be True or False"):
        look_up("hdfs://cluster/a", checksum=checksum)  # type: ignore[arg-type]


def test_a_maximum_can_be_a_number_of_numpy() -> None:
    assert len(look_up("hdfs://cluster/a", max_objects=np.int64(5)).objects) == 1  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="a whole number of at least 1"):
        look_up("hdfs://cluster/a", max_objects=5.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["X-Amz-Signature", "x-amz-security-token", "X-Goog-Signature", "sig"])
def test_a_signed_address_is_refused_without_showing_it(name: str) -> None:
    with pytest.raises(InvalidInput, match="is pre-signed") as caught:
        check_uri(f"https://host/a?x=1&{name}=secret")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("data/train.csv", "has no scheme"),
        ("C:\\data\\train.csv", "has no scheme"),
        ("", "has no scheme"),
        ("//host/a", "has no scheme"),
        ("https://host/a\nb", "control characters cannot be recorded"),
        ("https://host/a\udc80", "control characters cannot be recorded"),
        ("https://[::1/a", "invalid host address"),
        ("https://host/" + "a" * URI_BYTES_MAX, "at most 8,192 can be recorded"),
    ],
)
def test_a_uri_that_cannot_be_kept_says_why(uri: str, problem: str) -> None:
    for call in (check_uri, look_up):
        with pytest.raises(InvalidInput, match=problem):
            call(uri)


def test_a_uri_must_be_text() -> None:
    with pytest.raises(InvalidInput, match="a URI must be a string, not bytes"):
        check_uri(b"https://host/a")  # type: ignore[arg-type]


def test_a_uri_is_kept_to_the_letter() -> None:
    uri = "HTTPS://Host/%61/../b?q=%20#top"

    assert check_uri(uri) == uri
    assert look_up(uri, checksum=False).objects[0].uri == uri


def test_queries_and_users_are_not_shown() -> None:
    assert redacted("https://me:secret@host/a@b?token=secret#top") == "https://host/a@b?…"
    assert redacted("https://host/a#token=secret") == "https://host/a?…"
    assert redacted("s3://bucket/a?versionId=1") == "s3://bucket/a?versionId=1"


def test_an_etag_is_never_taken_for_a_checksum_of_content() -> None:
    assert content_algorithm("etag:9a0364b9e99bb480dd25e1f0284c8555") is None
    assert content_algorithm(None) is None
    assert [content_algorithm(f"{name}:00") for name in ("md5", "crc32c", "xxh3", "blake3")] == [
        "md5",
        "crc32c",
        "xxh3",
        "blake3",
    ]


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    heavy = {"minio", "urllib3", "google.cloud.storage", "requests"}
    script = (
        "import sys\nfrom headwater._references.schemes import look_up\nlook_up('s3://bucket/a', checksum=False)\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "[]"
