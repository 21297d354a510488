"""`headwater dead-letters`: the events that cannot be decoded, and what is to become of them."""

import dataclasses
from typing import TYPE_CHECKING

import click

from headwater.cli.common import counted, json_option, opened, print_json, print_table, say_none, time_text

if TYPE_CHECKING:
    from headwater_consumer.queries import DeadLetterInfo

    from headwater._commit.client import Client

SHOWN = 100


@click.command("dead-letters", short_help="List events that cannot be decoded, or decide about one.")
@click.option("--retry", metavar="PARTITION/OFFSET", help="Decode it again, with the release that projects now.")
@click.option("--skip", metavar="PARTITION/OFFSET", help="Go on without it, for ever.")
@json_option
def dead_letters_command(retry: str | None, skip: str | None, as_json: bool) -> None:
    """List the events that cannot be decoded, or decide about one: what waits behind it then goes on.

    Upgrade before you skip: an older release may not know what a newer one wrote.
    """
    from headwater_consumer import queries

    client, _ = opened(None, None)
    if retry and skip:
        raise click.UsageError("--retry and --skip exclude each other.")
    letters = queries.dead_letters(client.stores.database, limit=SHOWN + 1)
    if len(letters) > SHOWN:
        letters.pop()
        click.echo(f"There are more than these {SHOWN}, which are the oldest. Decide about them first.", err=True)
    if retry or skip:
        _decide(client, letters, retry or skip or "", "retry" if retry else "skip", as_json=as_json)
    elif as_json:
        print_json([dataclasses.asdict(letter) for letter in letters])
    elif not letters:
        say_none("no event waits for a decision: all could be decoded")
    else:
        rows = [
            (f"{one.partition}/{one.offset}", one.key, time_text(one.time_us), f"{one.waiting:,}", one.error)
            for one in letters
        ]
        print_table(
            ("place", "of", "written", "waiting", "what is wrong"),
            rows,
            fold=("of", "what is wrong"),
            right=("waiting",),
        )


def _decide(client: "Client", letters: "list[DeadLetterInfo]", place: str, decision: str, *, as_json: bool) -> None:
    from headwater_schemas.errors import NotFound
    from headwater_schemas.events import DeadLetterResolved

    letter = next((one for one in letters if f"{one.partition}/{one.offset}" == place), None)
    if letter is None:
        raise NotFound(f"no dead letter waits at {place!r}. `headwater dead-letters` lists those that do.")
    event = DeadLetterResolved(key=letter.key, partition=letter.partition, offset=letter.offset, decision=decision)
    client.send([event]).result()
    if as_json:
        print_json({**dataclasses.asdict(letter), "decision": decision})
        return
    click.echo(f"{letter.key}: {counted(letter.waiting, 'event')} that waited behind {place} can go on.")
