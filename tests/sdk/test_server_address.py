"""Settings that name a headwater server: its URL, the token and whom to trust."""

import os
from pathlib import Path

import pytest
from headwater_schemas.errors import InvalidSettings
from headwater_stores.config.server_address import Token
from headwater_stores.config.settings import Settings, read_settings

SECRET = "hw_secret-token-0123456789"


def settings(**environ: str) -> Settings:
    return read_settings({"LOGNAME": "ada", "HEADWATER_SETTINGS": os.devnull, **environ})


def refusal(**environ: str) -> str:
    with pytest.raises(InvalidSettings) as refused:
        settings(**environ)
    return str(refused.value)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://Example.COM", "https://example.com"),
        ("https://example.com:443/", "https://example.com"),
        ("http://[::1]:8470/base/", "http://[::1]:8470/base"),
        ("HTTP://127.0.0.1:80", "http://127.0.0.1"),
    ],
)
def test_ways_to_write_one_address_are_one_store(given: str, url: str) -> None:
    server = settings(HEADWATER_URL=given).server

    assert server is not None
    assert server.url == settings(HEADWATER_URL=given).url == url


@pytest.mark.parametrize(
    "given",
    [
        f"https://ada:{SECRET}@example.com",
        f"https://{SECRET}@example.com",
        f"https://example.com/?token={SECRET}",
        f"https://example.com/#{SECRET}",
        "https://",
        "https://example.com:port",
        "https://example.com:0",
        "https://example.com:99999",
        "https://exa mple.com",
        "https://example.com/a/../b",
        "https://example.com/a\r\nHost: other",
    ],
)
def test_an_address_that_cannot_work_or_has_a_secret_is_refused_without_repeating_it(given: str) -> None:
    message = refusal(HEADWATER_URL=given)

    assert "HEADWATER_URL" in message
    assert SECRET not in message


def test_the_token_is_never_printed() -> None:
    read = settings(HEADWATER_URL="https://example.com", HEADWATER_TOKEN=f" {SECRET}\n")

    assert read.server is not None
    assert Token(read.server).now() == SECRET
    assert SECRET not in repr(read) + str(read)


def test_a_token_that_no_header_can_have_is_refused_and_not_shown() -> None:
    message = refusal(HEADWATER_URL="https://example.com", HEADWATER_TOKEN=f"{SECRET} {SECRET}")

    assert "HEADWATER_TOKEN" in message
    assert SECRET not in message


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    server = settings(HEADWATER_URL="https://example.com", HEADWATER_TOKEN_FILE=str(file)).server
    assert server is not None
    token = Token(server)
    before = token.now()

    (tmp_path / "new").write_text("second\n")
    (tmp_path / "new").rename(file)

    assert (before, token.now()) == ("first", "second")


def test_a_token_file_that_is_missing_is_named(tmp_path: Path) -> None:
    server = settings(HEADWATER_URL="https://example.com", HEADWATER_TOKEN_FILE=str(tmp_path / "none")).server
    assert server is not None

    with pytest.raises(InvalidSettings, match=str(tmp_path / "none")):
        Token(server).now()


def test_a_token_and_a_token_file_exclude_each_other_but_the_environment_beats_the_file(tmp_path: Path) -> None:
    both = {"HEADWATER_URL": "https://example.com", "HEADWATER_TOKEN": SECRET}
    assert "HEADWATER_TOKEN_FILE" in refusal(**both, HEADWATER_TOKEN_FILE="/token")

    file = tmp_path / "settings.toml"
    file.write_text('token_file = "token"')
    server = settings(**both, HEADWATER_SETTINGS=str(file)).server

    assert server is not None
    assert (server.token, server.token_file) == (SECRET, None)


def test_a_token_in_the_settings_file_is_refused_since_others_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f'token = "{SECRET}"')

    message = refusal(HEADWATER_SETTINGS=str(file))

    assert "token" in message
    assert SECRET not in message
