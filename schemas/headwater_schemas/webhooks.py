"""Subscriptions of webhooks: their settings as they are on the log, and the secrets by which deliveries are signed.

A secret is derived from the server's key, the subscription's id and the number of its rotations, so it is stored
nowhere. Nothing here is loaded by who only logs and reads artifacts.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headwater_schemas import metadata
from headwater_schemas.errors import InvalidInput, InvalidName
from headwater_schemas.field_checks import CHECKS
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.names import check_name

KINDS_MAX = 64  # in one subscription
URL_LENGTH_MAX = 2048  # characters
ROTATIONS_MAX = 1 << 31
CLOCK_MS_MAX = 1 << 53
BOTH_SIGN_MS = 24 * 60 * 60 * 1000  # for so long after a rotation the secret before it signs, too
SECRET_PREFIX = "whsec_"  # noqa: S105 - as Standard Webhooks has it
ID_PREFIX = "hook_"
TEST_KIND = "webhook-test"  # of an event that says nothing, by which admins see whether it arrives

_ID_BYTES = 8
_PURPOSE = b"headwater webhook secret"
# Decided by the text alone, as everything that the projector judges; `outgoing` judges the host when it connects.
_URL = re.compile(
    r"https?://(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>[/?][!-\"$-\[\]-~]*)?"
)


def new_subscription_id() -> str:
    """An id that no subscription has."""
    return ID_PREFIX + os.urandom(_ID_BYTES).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """What a subscription says: where its events go, and which. They match all that is given."""

    url: str
    kinds: tuple[str, ...] = ()  # all, if empty
    alias: str | None = None  # moves of it, and no other events
    type: str | None = None  # of the collection
    collection: str | None = None  # "entity/project/name"
    disabled: bool = False
    rotation: int = 0  # how often its secret was replaced
    rotated_ms: int | None = None  # when it was last: milliseconds since 1970, UTC

    def encode(self) -> str:
        """Canonical JSON, without what is as by default."""
        given = {name: getattr(self, name) for name in _CHECKS}
        return metadata.encode(
            {name: _plain(value) for name, value in given.items() if value not in (None, (), False, 0)}
        )

    @classmethod
    def decode(cls, text: str) -> "WebhookSettings":
        """What `encode` wrote. Raises: InvalidInput naming the first setting that is unknown or invalid."""
        given = metadata.decode(text)
        check_webhook_settings(given)
        values: dict[str, Any] = {**given, "kinds": tuple(given.get("kinds", ()))}
        return cls(**values)


def check_webhook_settings(given: Mapping[str, Any]) -> None:
    """Raises: InvalidInput naming the first setting that is unknown, missing or has an invalid value.

    Kinds of events are not compared with those that this release knows: a projection must not depend on the release.
    """
    for name, value in sorted(given.items()):
        if name not in _CHECKS:
            raise InvalidInput(
                f"{quoted(name, 100)} is no setting of a subscription. Use one of: {', '.join(sorted(_CHECKS))}."
            )
        _CHECKS[name](value)
    if "url" not in given:
        raise InvalidInput("a subscription needs the URL of its receiver. Give one that begins with https://.")


def check_url(url: object) -> str:
    """Return `url` if events can be sent there: http(s), without credentials or a fragment. Raises: InvalidInput."""
    found = _URL.fullmatch(url) if isinstance(url, str) and len(url) <= URL_LENGTH_MAX else None
    if isinstance(url, str) and found is not None and 0 < int(found["port"] or 1) < 1 << 16:
        return url
    raise InvalidInput(  # not what was given: it may have a password
        "this is not the URL of a receiver. Write http:// or https://, a host, and a path of ASCII characters, "
        f"without a user name, a password or a #fragment: {URL_LENGTH_MAX:,} characters at most."
    )


def webhook_secret(key: bytes, subscription: str, rotation: int) -> str:
    """The secret by which deliveries of a subscription are signed, as receivers are given it: `whsec_…`.

    `key` is the server's: whoever has it knows all secrets.
    """
    import base64  # deferred: OpenSSL, which who only reads does not need
    import hashlib
    import hmac

    message = b"\0".join((_PURPOSE, subscription.encode(), str(rotation).encode()))
    return SECRET_PREFIX + base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()


def secrets_at(key: bytes, subscription: str, settings: WebhookSettings, now_ms: int) -> list[str]:
    """The secrets that sign at a time, the present one first: after a rotation two, for BOTH_SIGN_MS."""
    rotations = [settings.rotation]
    if settings.rotation and settings.rotated_ms is not None and now_ms < settings.rotated_ms + BOTH_SIGN_MS:
        rotations.append(settings.rotation - 1)
    return [webhook_secret(key, subscription, rotation) for rotation in rotations]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _check_kinds(value: object) -> None:
    if not isinstance(value, list) or len(value) > KINDS_MAX:
        raise _invalid("kinds", f"a list of {KINDS_MAX} names of kinds at most")
    for kind in value:
        if not isinstance(kind, str):
            raise _invalid("kinds", "names of kinds of version events")
        check_name(kind, kind="kind of version event")


def _checked_as(name: str) -> Callable[[object], None]:
    def check(value: object) -> None:
        if not isinstance(value, str):
            raise _invalid(name, "text")
        try:
            CHECKS[name](value)
        except InvalidName as invalid:
            raise InvalidInput(f"the setting {name} of a subscription: {invalid}") from None

    return check


def _check_flag(value: object) -> None:
    if not isinstance(value, bool):
        raise _invalid("disabled", "true or false")


def _up_to(name: str, limit: int) -> Callable[[object], None]:
    def check(value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < limit:
            raise _invalid(name, "a positive whole number")

    return check


def _invalid(name: str, allowed: str) -> InvalidInput:
    return InvalidInput(f"the setting {name} of a subscription has a value that it cannot have. Use {allowed}.")


_CHECKS: Mapping[str, Callable[[object], object]] = {
    "url": check_url,
    "kinds": _check_kinds,
    "alias": _checked_as("alias"),
    "type": _checked_as("type"),
    "collection": _checked_as("collection"),
    "disabled": _check_flag,
    "rotation": _up_to("rotation", ROTATIONS_MAX),
    "rotated_ms": _up_to("rotated_ms", CLOCK_MS_MAX),
}
