"""Parses option values: JSON, times to live, expected versions, and references."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import click
from headwater_schemas.errors import InvalidInput
from headwater_schemas.retention import duration

from headwater._content.attributes import UNSET, expected_version

_SCHEME = "://"
NO_VERSION = "none"

Command = TypeVar("Command", bound=Callable[..., Any])


def _time_to_live(ctx: click.Context, param: click.Parameter, text: str | None) -> timedelta | None:
    """`none` is a zero timedelta. None if the option is not given."""
    if text is None or text == "none":
        return None if text is None else timedelta(0)
    time = duration(text)
    if not time:
        expected = "Write a positive number followed by s, m, h, d or w, such as 7d; or none."
        raise click.BadParameter(f"{text!r} is not a duration. {expected}", ctx, param)
    return time


def _duration(ctx: click.Context, param: click.Parameter, text: str) -> timedelta:
    time = duration(text)
    if time is None:
        expected = "Write a number followed by s, m, h, d or w, such as 12h."
        raise click.BadParameter(f"{text!r} is not a duration. {expected}", ctx, param)
    return time


ttl_option = click.option(
    "--ttl",
    metavar="TIME",
    callback=_time_to_live,
    help="Time to live, such as 90s, 30m, 12h, 7d or 4w; none for unlimited.",
)
grace_option = click.option(
    "--grace",
    metavar="TIME",
    default="24h",
    show_default=True,
    callback=_duration,
    help="Keep what was written within this time, such as 30m, 12h or 7d.",
)
wait_option = click.option(
    "--wait",
    metavar="TIME",
    default="10m",
    show_default=True,
    callback=_duration,
    help="Wait so long for all partitions of the log to be projected.",
)


def _expires(ctx: click.Context, param: click.Parameter, text: str | None) -> timedelta | None:
    """None for never, also where the option is not given."""
    return _time_to_live(ctx, param, text) or None


expires_option = click.option(
    "--expires",
    metavar="TIME",
    callback=_expires,
    help="When it expires from now on, such as 12h, 90d or 52w; none for never.  [default: never]",
)


def _expected_version(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """`v3`; None for `none`. UNSET if the option is not given."""
    if text is None or text == NO_VERSION:
        return UNSET if text is None else None
    try:
        expected_version("", text)
    except InvalidInput:
        expected = f"Write a version such as v3; or {NO_VERSION}."
        raise click.BadParameter(f"{text!r} is not a version. {expected}", ctx, param) from None
    return text


def expected_version_option(name: str, what: str) -> Callable[[Command], Command]:
    """An option for a version that is expected somewhere; UNSET if it is not given."""
    return click.option(name, metavar=f"VERSION|{NO_VERSION}", callback=_expected_version, help=what)


def json_object(text: str, option: str) -> dict[str, Any]:
    """Raises: InvalidInput naming the option if its value is not a JSON object."""
    value = _json(text, option, "Write an object such as '{\"rows\": 10}'.")
    if not isinstance(value, dict):
        raise InvalidInput(f"{option} is a JSON {type(value).__name__}, not an object. Write '{{\"key\": value}}'.")
    return value


def key_and_json(text: str) -> tuple[str, Any]:
    """`rows=10` → ("rows", 10). Raises: InvalidInput naming the invalid part."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidInput(f"--set {text!r} is not of the form KEY=JSON. Write, for example, rows=10.")
    return key, _json(value, f"the value of --set {key}", f"Put text in quotes: --set '{key}=\"text\"'.")


def name_and_uri(text: str) -> tuple[str | None, str]:
    """`train=s3://bucket/a` → ("train", "s3://bucket/a"); the name is None if there is none."""
    name, equals, uri = text.partition("=")
    if equals and _SCHEME in uri and _SCHEME not in name:
        return name, uri
    return None, text


def _json(text: str, what: str, advice: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{what} is not JSON: {error}. {advice}") from None
    except RecursionError:
        raise InvalidInput(f"{what} is nested too deeply. {advice}") from None
