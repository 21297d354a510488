"""Subscriptions of webhooks: what their settings may be, and the secrets that are derived for them."""

from typing import Any

import pytest
from headwater_schemas import metadata
from headwater_schemas.errors import InvalidInput
from headwater_schemas.names import check_name
from headwater_schemas.webhooks import (
    BOTH_SIGN_MS,
    URL_LENGTH_MAX,
    WebhookSettings,
    check_url,
    new_subscription_id,
    secrets_at,
    webhook_secret,
)
from standardwebhooks import Webhook

KEY = bytes(range(32))
URL = "https://example.org/hook"


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "http://10.0.0.1:8080",
        "https://[2001:db8::1]:8443/path?query=1&other=%20",
        "https://host_name.internal./?a=b@c",
        "https://h?x",
    ],
)
def test_urls_of_receivers_are_taken(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "https://",
        "https:///path",
        "HTTPS://example.org/",
        "https://user:secret@example.org/",
        "https://user@example.org/",
        "https://example.org/#fragment",
        "https://example.org\\@127.0.0.1/",
        "https://example.org:0/",
        "https://example.org:65536/",
        "https://example.org/a b",
        "https://example.org/a\r\nX-Evil: 1",
        "https://example.org/a\n",
        "https://exämple.org/",
        "https://example.org/ä",
        "https://[::1%25lo]/",
        "https://example.org/".ljust(URL_LENGTH_MAX + 1, "a"),
        "gopher://example.org",
        None,
        7,
    ],
)
def test_other_urls_are_refused_without_repeating_them(url: object) -> None:
    with pytest.raises(InvalidInput, match="not the URL of a receiver") as raised:
        check_url(url)
    assert "secret" not in str(raised.value)


def test_settings_come_back_from_their_text_and_what_is_as_by_default_is_left_out() -> None:
    settings = WebhookSettings(
        url=URL,
        kinds=("alias-moved", "version-committed"),
        alias="prod",
        type="model",
        collection="acme/vision/net",
        disabled=True,
        rotation=2,
        rotated_ms=17,
    )

    assert WebhookSettings.decode(settings.encode()) == settings
    assert WebhookSettings(url=URL).encode() == f'{{"url":"{URL}"}}'


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "needs the URL"),
        ({"url": URL, "secret": "x"}, "'secret' is no setting"),
        ({"url": "file:///etc/passwd"}, "not the URL of a receiver"),
        ({"url": URL, "kinds": "alias-moved"}, "kinds"),
        ({"url": URL, "kinds": [7]}, "kinds"),
        ({"url": URL, "kinds": ["a\nb"]}, "kind of version event"),
        ({"url": URL, "kinds": ["k"] * 65}, "kinds"),
        ({"url": URL, "alias": "a:b"}, "alias"),
        ({"url": URL, "type": ["model"]}, "type"),
        ({"url": URL, "collection": "vision/net"}, "collection"),
        ({"url": URL, "disabled": 1}, "disabled"),
        ({"url": URL, "rotation": -1}, "rotation"),
        ({"url": URL, "rotation": True}, "rotation"),
        ({"url": URL, "rotated_ms": 1.5}, "rotated_ms"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        WebhookSettings.decode(metadata.encode(given))


def test_ids_are_names_and_none_comes_twice() -> None:
    ids = {new_subscription_id() for _ in range(100)}

    assert len(ids) == 100
    assert all(check_name(one, "subscription") for one in ids)


def test_a_secret_is_one_of_standard_webhooks_and_is_the_same_wherever_the_key_is() -> None:
    secret = webhook_secret(KEY, "hook_1", 0)

    assert secret == webhook_secret(KEY, "hook_1", 0)
    assert secret.startswith("whsec_")
    assert Webhook(secret)
    others = {
        webhook_secret(KEY, "hook_1", 1),
        webhook_secret(KEY, "hook_10", 0),
        webhook_secret(KEY, "hook_2", 0),
        webhook_secret(bytes(32), "hook_1", 0),
    }
    assert len({*others, secret}) == 5


def test_after_a_rotation_both_secrets_sign_for_a_day_and_the_new_one_comes_first() -> None:
    settings = WebhookSettings(url=URL, rotation=3, rotated_ms=1_000)
    new, old = webhook_secret(KEY, "hook_1", 3), webhook_secret(KEY, "hook_1", 2)

    assert secrets_at(KEY, "hook_1", settings, 1_000 + BOTH_SIGN_MS - 1) == [new, old]
    assert secrets_at(KEY, "hook_1", settings, 1_000 + BOTH_SIGN_MS) == [new]
    assert secrets_at(KEY, "hook_1", WebhookSettings(url=URL), 0) == [webhook_secret(KEY, "hook_1", 0)]
