"""Which settings of a bucket can work, and that nothing shows a secret."""

import pickle

import pytest
from headwater_blobs.s3.settings import S3Settings
from headwater_schemas.errors import InvalidSettings

CANARY = "canary-that-sings"


def test_no_secret_is_in_what_is_shown() -> None:
    settings = S3Settings(
        "https://s3.example", "blobs", CANARY + "-1", CANARY + "-2", region="eu-1", session_token=CANARY + "-3"
    )

    assert CANARY not in f"{settings!r} {settings}"
    assert str(settings) == "bucket 'blobs' at https://s3.example"


def test_settings_go_to_another_process() -> None:
    settings = S3Settings("https://s3.example", "blobs", "key", "secret", session_token="token")

    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "https://s3.example/", "https://[::1]:9000"])
def test_an_endpoint_is_a_host_with_or_without_a_port(endpoint: str) -> None:
    settings = S3Settings(endpoint, "blobs")

    assert (settings.is_secure, settings.host) == (endpoint.startswith("https"), endpoint.split("/")[2])


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "s3.example",
        "s3.example:9000",
        "ftp://s3.example",
        "http://",
        "http://s3.example:port",
        "http://s3.example:99999",
        "http://[::1",
        f"http://user:{CANARY}@s3.example",
        f"http://s3.example/{CANARY}",
        f"http://s3.example?key={CANARY}",
        f"http://s3.example#{CANARY}",
    ],
)
def test_another_endpoint_is_refused_without_showing_what_may_be_a_password(endpoint: str) -> None:
    with pytest.raises(InvalidSettings, match="https://host") as error:
        S3Settings(endpoint, "blobs")
    assert CANARY not in str(error.value)


@pytest.mark.parametrize("bucket", ["", "ab", "a" * 64, "Blobs", "a_b", "-ab", "ab-", "a/b", "a b", "../x"])
def test_what_cannot_name_a_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(InvalidSettings, match="name of a bucket"):
        S3Settings("https://s3.example", bucket)


@pytest.mark.parametrize("keys", [(CANARY, None), (None, CANARY), (CANARY, "")])
def test_one_key_without_the_other_is_refused(keys: tuple[str | None, str | None]) -> None:
    with pytest.raises(InvalidSettings, match="Give both") as error:
        S3Settings("https://s3.example", "blobs", *keys)
    assert CANARY not in str(error.value)


def test_what_cannot_name_a_region_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="us-east-1"):
        S3Settings("https://s3.example", "blobs", region="over there")
