"""`headwater webhooks`: receivers that are told what happens, how far each is, and what it answered."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from headwater_schemas.version_events import KINDS
from headwater_schemas.webhooks import TEST_KIND, WebhookSettings
from headwater_stores.telling.progress import printable

from headwater.cli.events import parse_after
from headwater.cli.options import json_option, limit_option
from headwater.cli.output import print_json, print_table, report_empty, shown_time

if TYPE_CHECKING:
    from headwater._api.webhooks import WebhookCommands

TEST_S = 30.0  # for which a test is waited
TEST_LOOK_S = 0.1
TESTS_LOOKED_AT = 20  # attempts, of which one is the test

Json = dict[str, Any]

id_argument = click.argument("webhook", metavar="ID")


@click.group("webhooks", short_help="Tell receivers over HTTP what happens.")
def webhooks_command() -> None:
    """Have `headwater server` tell receivers what happens in a project or an entity, by signed requests.

    Deliveries follow the Standard Webhooks specification; docs/webhooks.md shows a receiver.
    """


@webhooks_command.command("add")
@click.argument("scope", metavar="ENTITY[/PROJECT]")
@click.argument("url")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only this kind; can be repeated.")
@click.option("--alias", metavar="ALIAS", help="Only moves of this alias.")
@click.option("--type", "type_name", metavar="TYPE", help="Only about artifacts of this type.")
@click.option("--collection", metavar="ENTITY/PROJECT/NAME", help="Only about this artifact.")
@json_option
def add_command(
    scope: str,
    url: str,
    kinds: tuple[str, ...],
    alias: str | None,
    type_name: str | None,
    collection: str | None,
    as_json: bool,
) -> None:
    """Tell the receiver at URL what happens from now on, and print the secret of its signatures, this once."""
    settings = WebhookSettings(url=url, kinds=kinds, alias=alias, type=type_name, collection=collection)
    added = _webhooks(create=True).add(scope, settings)
    if as_json:
        print_json(added)
        return
    click.echo(added["secret"])
    click.echo(
        f"headwater: webhook {added['id']} of {scope}. Its secret is shown this once; give it to the receiver.",
        err=True,
    )


@webhooks_command.command("list")
@click.argument("scope", metavar="ENTITY[/PROJECT]")
@json_option
def list_command(scope: str, as_json: bool) -> None:
    """List the webhooks of an entity with those of its projects, or of a project with those of its entity."""
    found = _webhooks().of(scope)
    if as_json:
        print_json(found)
    elif found:
        rows = [
            (one["id"], one["scope"], one["url"], _wanted(one), one["made_by"], _shown(one["made"]), one["status"])
            for one in found
        ]
        columns = ("id", "scope", "url", "events", "rights of", "changed", "status")
        print_table(columns, rows, fold=("url", "events", "rights of"))
        for one in found:
            for why in _troubles(one):
                click.echo(printable(f"{one['id']}: {why}"))
    else:
        report_empty(f"{scope} has no webhooks")


@webhooks_command.command("test")
@id_argument
@json_option
def test_command(webhook: str, as_json: bool) -> None:
    """Have the server that delivers send an event that says nothing, and print what the receiver answered."""
    webhooks = _webhooks()
    since = webhooks.request_test(webhook)
    tested = _waited_for(lambda: _test_since(webhooks.attempts(webhook, TESTS_LOOKED_AT), since))
    if tested is None:
        raise click.ClickException(
            f"no test was sent within {TEST_S:g} s. Check that a `headwater server` of this store runs."
        )
    if as_json:
        print_json(tested)
    else:
        click.echo(printable(f"{tested['outcome']}: {_answer(tested)}"))
    if tested["outcome"] != "taken":
        raise SystemExit(1)


@webhooks_command.command("log")
@id_argument
@limit_option
@json_option
def log_command(webhook: str, limit: int, as_json: bool) -> None:
    """List what was sent to a webhook and what its receiver answered, newest first. The last attempts are kept."""
    found = _webhooks().attempts(webhook, limit)
    if as_json:
        print_json(found)
    elif found:
        rows = [(_shown(one["time"]), one["kind"], one["subject"], one["outcome"], _answer(one)) for one in found]
        print_table(("time", "kind", "about", "outcome", "answer"), rows, fold=("about", "answer"))
    else:
        report_empty("nothing was sent to it yet")


@webhooks_command.command("replay")
@id_argument
@click.option(
    "--after",
    metavar="WHERE",
    callback=parse_after,
    help="Begin after this: start, now, a time such as 2026-01-31T12:00, a duration ago such as 7d, or a cursor.",
)
@json_option
def replay_command(webhook: str, after: str | datetime | None, as_json: bool) -> None:
    """Tell a webhook what it was not told, from where it stopped; with --after what followed that, told or not."""
    _print(_webhooks().replay(webhook, after), as_json, "goes on")


@webhooks_command.command("rotate")
@id_argument
@json_option
def rotate_command(webhook: str, as_json: bool) -> None:
    """Give a webhook another secret and print it, this once. For 24 hours both sign."""
    rotated = _webhooks().rotate(webhook)
    if as_json:
        print_json(rotated)
        return
    click.echo(rotated["secret"])
    click.echo("headwater: give it to the receiver; for 24 hours the one before signs, too.", err=True)


@webhooks_command.command("disable")
@id_argument
@json_option
def disable_command(webhook: str, as_json: bool) -> None:
    """Tell a webhook nothing until it is enabled."""
    _print(_webhooks().disable(webhook), as_json, "is disabled")


@webhooks_command.command("enable")
@id_argument
@json_option
def enable_command(webhook: str, as_json: bool) -> None:
    """Let a webhook that was disabled or has stopped go on where it was, with your rights."""
    _print(_webhooks().enable(webhook), as_json, "is enabled")


@webhooks_command.command("remove")
@id_argument
@json_option
def remove_command(webhook: str, as_json: bool) -> None:
    """Tell a webhook nothing more, and forget how far it was."""
    _print(_webhooks().remove(webhook), as_json, "is removed")


def _webhooks(*, create: bool = False) -> "WebhookCommands":
    from headwater._api.webhooks import open_webhooks  # deferred: database

    return open_webhooks(create=create)


def _waited_for(find: Callable[[], Json | None]) -> Json | None:
    deadline = time.monotonic() + TEST_S
    while (found := find()) is None and time.monotonic() < deadline:
        time.sleep(TEST_LOOK_S)
    return found


def _test_since(attempts: list[Json], since: int) -> Json | None:
    return next((one for one in reversed(attempts) if one["number"] > since and one["kind"] == TEST_KIND), None)


def _print(webhook: Json, as_json: bool, what: str) -> None:
    if as_json:
        print_json(webhook)
    else:
        click.echo(f"webhook {webhook['id']} of {webhook['scope']} {what}")


def _wanted(webhook: Json) -> str:
    named = [f"{name} {webhook[name]}" for name in ("alias", "type", "collection") if webhook[name] is not None]
    return ", ".join([*webhook["kinds"], *named]) or "all"


def _troubles(webhook: Json) -> Iterator[str]:
    """What an admin may want to do something about."""
    if webhook["reason"]:
        yield webhook["reason"]
    for hold in webhook["held_back"]:
        parked = " and parked" if hold["parked"] else ""
        yield f"{hold['subject']} is held back, refused {hold['failures']} times{parked}"


def _answer(attempt: Json) -> str:
    status = attempt["status"]
    return " ".join(filter(None, (None if status is None else str(status), attempt["answer"])))


def _shown(time_iso: str) -> str:
    return shown_time(datetime.fromisoformat(time_iso))
