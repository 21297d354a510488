"""Where S3 is and who asks: from the variables and files of AWS's own tools, and never into a message."""

import json
from pathlib import Path

import pytest
from headwater._references.aws_config import AWS_ENDPOINT, read_account
from headwater._references.schemes import fetch, look_up
from headwater.errors import HeadwaterError, InvalidSettings, StoreUnavailable

from tests.references.objects import Bucket, recorded
from tests.support.web import Page, Web


@pytest.fixture
def keyless(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket whose keys and place are not in the environment, with an object in it."""
    bucket.put("model.h5")
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    return bucket


def keys_of(bucket: Bucket) -> str:
    keys = bucket.settings
    return f"aws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n"


def write(file: Path, text: str) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return str(file)


def look(bucket: Bucket) -> None:
    (found,) = look_up(bucket.uri("model.h5")).objects
    assert b"".join(fetch(recorded(found))) == b"content"


def test_a_profile_gives_endpoint_region_and_keys(
    keyless: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = f"[profile lab]\nendpoint_url = {keyless.settings.endpoint}\nregion = us-east-1\n"
    monkeypatch.setenv("AWS_CONFIG_FILE", write(tmp_path / "config", config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", write(tmp_path / "keys", f"[lab]\n{keys_of(keyless)}"))
    monkeypatch.setenv("AWS_PROFILE", "lab")

    look(keyless)


def test_the_default_profile_is_found_in_the_home(keyless: Bucket, tmp_path: Path) -> None:
    text = f"[default]\nendpoint_url = {keyless.settings.endpoint}\n{keys_of(keyless)}"
    write(tmp_path / "home" / ".aws" / "config", text)

    look(keyless)


def test_the_endpoint_of_s3_goes_before_that_of_all_services(keyless: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keyless.settings.access_key or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keyless.settings.secret_key or "")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", keyless.settings.endpoint)

    look(keyless)


def test_the_role_of_a_container_gives_keys(keyless: Bucket, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"AccessKeyId": keyless.settings.access_key, "SecretAccessKey": keyless.settings.secret_key, "Token": ""}
    role = web.put("/role", Page(json.dumps({**keys, "Expiration": "2999-01-01T00:00:00Z"}).encode()))
    monkeypatch.setenv("AWS_ENDPOINT_URL", keyless.settings.endpoint)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", role)

    look(keyless)
    assert web.asked == ["GET /role"]


def test_a_role_that_cannot_be_had_is_an_error_not_a_request_as_anybody(
    keyless: Bucket, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", keyless.settings.endpoint)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{web.address}/no-role")

    with pytest.raises(StoreUnavailable, match="the keys of this machine's role are not available"):
        look_up(keyless.uri("model.h5"))


def test_a_bucket_that_is_open_to_all_needs_no_keys(keyless: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    keyless.open_to_all()
    monkeypatch.setenv("AWS_ENDPOINT_URL", keyless.settings.endpoint)

    look(keyless)
    assert [found.path for found in look_up(keyless.uri()).objects] == ["model.h5"]


def test_a_bucket_that_is_not_open_says_that_no_keys_were_found(
    keyless: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", keyless.settings.endpoint)

    with pytest.raises(StoreUnavailable, match=r"no keys were found\. Set AWS_ACCESS_KEY_ID"):
        look_up(keyless.uri("model.h5"))


def test_keys_that_are_refused_are_not_shown(keyless: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", keyless.settings.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "NOTAKEYOFANYBODY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret-of-anybody")

    with pytest.raises(StoreUnavailable, match=r"these keys|the keys were refused") as caught:
        look_up(keyless.uri())

    assert "NOTAKEY" not in str(caught.value)
    assert "not-a-secret" not in str(caught.value)


def test_a_session_token_is_sent_with_its_keys(keyless: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server knows of no such session, and says so: without the token it would have answered."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", keyless.settings.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keyless.settings.access_key or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keyless.settings.secret_key or "")
    look(keyless)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "an-unknown-session")

    with pytest.raises(HeadwaterError, match=r"InvalidToken|these keys|refused") as caught:
        look_up(keyless.uri())

    assert "an-unknown-session" not in str(caught.value)


def test_a_proxy_is_honoured(keyless: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server takes requests for any host when it is asked as a proxy is."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://storage.invalid")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keyless.settings.access_key or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keyless.settings.secret_key or "")
    monkeypatch.setenv("http_proxy", keyless.settings.endpoint)

    look(keyless)


def test_a_profile_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="there is no AWS profile 'lab' in"):
        read_account({"HOME": str(tmp_path), "AWS_PROFILE": "lab"})


def test_one_key_without_the_other_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        read_account({"HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "a"})


def test_a_profile_that_needs_a_program_for_its_keys_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / ".aws" / "config", "[default]\ncredential_process = /bin/get-keys\n")

    with pytest.raises(InvalidSettings, match="'default' gets its keys from credential_process"):
        read_account({"HOME": str(tmp_path)})


def test_a_profile_can_name_the_endpoint_of_s3_among_those_of_other_services(tmp_path: Path) -> None:
    services = "[services lab]\nec2 =\n  endpoint_url = https://not-this\ns3 =\n  addressing_style = path\n"
    profile = "[default]\nservices = lab\nendpoint_url = https://nor-this\n"
    write(tmp_path / ".aws" / "config", f"{profile}{services}  endpoint_url = https://minio/\n")
    home = {"HOME": str(tmp_path)}

    assert read_account(home).endpoint == "https://minio"
    assert read_account({**home, "AWS_ENDPOINT_URL": "https://this"}).endpoint == "https://this"


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("value", ["hidden\n", "hid den", "hïdden"])
def test_a_key_that_no_request_can_carry_is_refused_without_showing_it(name: str, value: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", name: value}

    with pytest.raises(InvalidSettings, match="for S3 contains a space, a line break") as caught:
        read_account(keys)

    assert value.strip() not in str(caught.value)


def test_a_file_of_profiles_that_cannot_be_read_is_named_without_its_text(tmp_path: Path) -> None:
    write(tmp_path / ".aws" / "credentials", "aws_secret_access_key = secret\n")

    with pytest.raises(InvalidSettings, match="credentials is not a valid AWS configuration file") as caught:
        read_account({"HOME": str(tmp_path)})

    assert "= secret" not in str(caught.value)


def test_variables_go_before_the_files(tmp_path: Path) -> None:
    keys = "aws_access_key_id = a\naws_secret_access_key = b\n"
    write(tmp_path / ".aws" / "config", f"[default]\nregion = eu-west-1\nendpoint_url = https://one\n{keys}")
    home = {"HOME": str(tmp_path)}

    in_files = read_account(home)
    over = {"AWS_REGION": "us-west-2", "AWS_ENDPOINT_URL": "https://two/", "AWS_ACCESS_KEY_ID": "c"}
    found = read_account({**home, **over, "AWS_SECRET_ACCESS_KEY": "d"})

    assert (in_files.region, in_files.endpoint) == ("eu-west-1", "https://one")
    assert (found.region, found.endpoint) == ("us-west-2", "https://two")
    assert (found.keys.access if found.keys else None) == "c"
    assert read_account({**home, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}).endpoint == AWS_ENDPOINT


def test_a_role_is_asked_for_only_where_there_may_be_one(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}

    assert read_account(home).may_have_role
    assert not read_account({**home, "AWS_EC2_METADATA_DISABLED": "true"}).may_have_role
    assert not read_account({**home, "AWS_ENDPOINT_URL": "http://minio"}).may_have_role
    assert read_account({**home, "AWS_ENDPOINT_URL": "http://minio", "AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}).may_have_role


def test_secrets_are_in_no_representation(tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_SESSION_TOKEN": "a-token"}

    redacted = repr(read_account({"HOME": str(tmp_path), **keys}))

    assert not any(value in redacted for value in keys.values())
