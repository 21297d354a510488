"""`headwater dead-letters`: list, retry or skip undecodable events."""

import dataclasses
from typing import TYPE_CHECKING

import click
from headwater_schemas.errors import NotFound
from headwater_schemas.events import DeadLetterResolved
from headwater_stores.telling.progress import counted

from headwater.cli.full_disk import works_on_a_full_disk_with
from headwater.cli.options import json_option
from headwater.cli.output import print_json, print_table, report_empty, time_text
from headwater.cli.resolve import open_store

if TYPE_CHECKING:
    from headwater_consumer.queries import DeadLetterInfo

    from headwater._commit.client import Client

SHOWN_MAX = 100


@click.command("dead-letters", short_help="List, retry or skip undecodable events.")
@click.option("--retry", metavar="POSITION", help="Decode this event again, with the running release.")
@click.option("--skip", metavar="POSITION", help="Skip this event permanently.")
@json_option
@works_on_a_full_disk_with("retry", "skip")
def dead_letters_command(retry: str | None, skip: str | None, as_json: bool) -> None:
    """List undecodable events, or retry or skip one, which releases the events parked behind it.

    Upgrade before you skip: a newer release may be able to decode the event.
    """
    from headwater_consumer import queries  # deferred: database

    client, _ = open_store(None, None)
    if retry and skip:
        raise click.UsageError("--retry and --skip exclude each other: give one of them.")
    letters = queries.dead_letters(client.stores.database, limit=SHOWN_MAX + 1)
    if len(letters) > SHOWN_MAX:
        letters.pop()
        click.echo(f"Only the oldest {SHOWN_MAX} are listed. Retry or skip them to see the others.", err=True)
    if retry or skip:
        _resolve(client, letters, retry or skip or "", "retry" if retry else "skip", as_json=as_json)
    elif as_json:
        print_json([_as_json(letter) for letter in letters])
    elif letters:
        _print(letters)
    else:
        report_empty("no dead letters: all events could be decoded")


def _resolve(client: "Client", letters: "list[DeadLetterInfo]", position: str, decision: str, *, as_json: bool) -> None:
    letter = next((one for one in letters if _position(one) == position), None)
    if letter is None:
        raise NotFound(f"no dead letter at {position!r}. `headwater dead-letters` lists them.")
    at = letter.position
    event = DeadLetterResolved(
        key=letter.key, epoch=at.epoch, partition=at.partition, offset=at.offset, decision=decision
    )
    client.send([event]).result()
    if as_json:
        print_json({**_as_json(letter), "decision": decision})
    else:
        click.echo(f"{letter.key}: {decision} {position}; {counted(letter.waiting, 'parked event')} released")


def _print(letters: "list[DeadLetterInfo]") -> None:
    rows = [(_position(one), one.key, time_text(one.time_us), f"{one.waiting:,}", one.error) for one in letters]
    columns = ("position", "key", "written", "parked", "error")
    print_table(columns, rows, fold=("key", "error"), right=("parked",))


def _as_json(letter: "DeadLetterInfo") -> dict[str, object]:
    return {**dataclasses.asdict(letter), "position": _position(letter)}


def _position(letter: "DeadLetterInfo") -> str:
    return str(letter.position)
