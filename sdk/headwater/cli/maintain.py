"""`headwater maintain` and `headwater replay`: regular maintenance, and rebuilding the projection."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from headwater._progress import counted
from headwater._stores.leftovers import Amount, reclaimable
from headwater.cli.drafts import draft_json, draft_text
from headwater.cli.gc import amount_text
from headwater.cli.options import json_option, namespace_options
from headwater.cli.output import print_json
from headwater.cli.resolve import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater_consumer.maintenance.old_sessions import Retirement

    from headwater._api.drafts import OpenDraft
    from headwater._commit.client import Client
    from headwater._commit.healing import Healing

RETIRED_AFTER_DAYS = 30
RETIRED_AFTER_DAYS_MIN = 2  # a process begins another session after a day


@click.command("maintain", short_help="Discard idle drafts, and end old sessions.")
@click.option(
    "--retire-sessions-days",
    "days",
    type=click.IntRange(min=RETIRED_AFTER_DAYS_MIN),
    default=RETIRED_AFTER_DAYS,
    show_default=True,
    help="End writers' sessions that began longer ago.",
)
@click.option("--heal", is_flag=True, help="Also store lost content anew, where another object has it.")
@click.option("--verify", is_flag=True, help="With --heal, read all content, and heal what is damaged as well.")
@namespace_options
@json_option
def maintain_command(
    days: int, heal: bool, verify: bool, entity: str | None, project: str | None, as_json: bool
) -> None:
    """Discard drafts that have been idle for longer than their project allows.

    Covers all projects, or only the one given with --project. Without --project, also completes what a killed process
    wrote to some partitions of the log only, ends the sessions of writers that began long ago, and reports what
    `headwater gc` can reclaim. Run it daily, from any machine. --heal reads every entry: use it when `headwater doctor`
    says so.
    """
    client, settings = open_store(entity, project)
    if entity is not None and project is None:
        raise click.UsageError("--entity requires --project.")
    if verify and not heal:
        raise click.UsageError("--verify requires --heal.")
    if client.stores.missing is not None:
        report = MaintenanceReport([])
    elif project is None:
        report = MaintenanceReport(
            _discard_idle(client, None),
            _finish_broadcasts(client),
            _retire_sessions(client, days),
            reclaimable(client.stores.blobs),
        )
    else:
        report = MaintenanceReport(_discard_idle(client, f"{settings.entity}/{project}"))
    if heal:
        namespace = None if project is None else f"{settings.entity}/{project}"
        report = replace(report, healing=_heal(client, namespace, verify=verify))
    if as_json:
        print_json(report.as_json())
        return
    for line in report.lines():
        click.echo(line)


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """What one run of `maintain` did."""

    discarded: "list[OpenDraft]"
    finished: int = 0  # records written to partitions that lacked them
    retirement: "Retirement | None" = None
    reclaimable: Amount | None = None  # what `headwater gc` would delete
    healing: "Healing | None" = None

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        retired = None if self.retirement is None else _time_text(self.retirement)
        discarded = [draft_json(draft) for draft in self.discarded]
        return {
            "discarded": discarded,
            "broadcasts_finished": self.finished,
            "sessions_retired_before": retired,
            "reclaimable_bytes": None if self.reclaimable is None else self.reclaimable.size_bytes,
            "contents_healed": None if self.healing is None else self.healing.healed,
            "contents_lost": None if self.healing is None else self.healing.lost,
        }

    def lines(self) -> "Iterator[str]":
        """For people."""
        yield from (f"discarded {draft_text(draft)}" for draft in self.discarded)
        if not self.discarded:
            yield "No idle drafts."
        if self.finished:
            yield f"wrote {self.finished:,} events to partitions that lacked them"
        if self.retirement is not None:
            yield f"ended the sessions that began before {_time_text(self.retirement)}"
            if self.retirement.held_by is not None:
                yield f"no later ones: {self.retirement.held_by}"
        if self.reclaimable is not None and self.reclaimable.count:
            yield f"`headwater gc` can reclaim {amount_text(self.reclaimable)}"
        if self.healing is not None:
            yield f"stored {counted(self.healing.healed, 'lost content')} anew from other objects"
            if self.healing.lost:
                yield f"{counted(self.healing.lost, 'lost content')} without a copy; see `headwater doctor`"


@click.command("replay", short_help="Rebuild the projection from the log and compare.")
@click.option("--replace", is_flag=True, help="Replace the current projection with the new one.")
@json_option
def replay_command(replace: bool, as_json: bool) -> None:
    """Build a second projection from the log and compare it with the current one.

    Exits with code 1 if they differ. --replace also works if the current projection is missing or damaged.
    """
    from headwater._stores.maintenance import replay_store  # deferred: database

    report = replay_store(replace=replace)
    if as_json:
        print_json(report.as_json())
    else:
        for line in report.lines():
            click.echo(line)
    if not report.ok:
        raise SystemExit(1)


def _time_text(retirement: "Retirement") -> str:
    return datetime.fromtimestamp(retirement.before_ms // 1000, UTC).isoformat()


def _finish_broadcasts(client: "Client") -> int:
    from headwater_consumer.maintenance.broadcasts import finish_broadcasts  # deferred: database

    client.session.catch_up()
    written = finish_broadcasts(client.stores.database, client.stores.log)
    if written:
        client.session.catch_up()
    return written


def _heal(client: "Client", project: str | None, *, verify: bool) -> "Healing":
    from headwater._commit.healing import heal_from_copies  # deferred: database

    client.session.catch_up()
    stores, producer = client.stores, client.session.producer
    healing = heal_from_copies(stores, producer, verify=verify, project=project, quiet=client.quiet)
    client.session.confirm_projected()
    return healing


def _retire_sessions(client: "Client", days: int) -> "Retirement | None":
    from headwater_consumer.maintenance.old_sessions import retire_sessions  # deferred: database

    now_ms, stores, producer = time.time_ns() // 1_000_000, client.stores, client.session.producer
    retirement = retire_sessions(stores.database, producer, stores.log.partitions, now_ms=now_ms, days=days)
    client.session.confirm_projected()
    return retirement


def _discard_idle(client: "Client", project: str | None) -> "list[OpenDraft]":
    """The discarded drafts, without those that a writer has added to in the meantime."""
    from headwater_consumer import queries  # deferred: database
    from headwater_consumer.maintenance.idle_drafts import discard_idle_drafts  # deferred: database

    from headwater._api.drafts import OpenDraft  # deferred: database

    database, now_us = client.stores.database, time.time_ns() // 1000
    idle = discard_idle_drafts(database, client.session.producer, now_us=now_us, project=project)
    client.session.confirm_projected()
    after = [queries.draft_info(database, draft.collection, draft.draft) for draft in idle]
    return [OpenDraft(client, info) for info, now in zip(idle, after, strict=True) if now is not None and now.discarded]
