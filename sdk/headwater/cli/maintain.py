"""`headwater maintain` and `headwater replay`: regular maintenance, and rebuilding the projection."""

import sys
import time
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from headwater_schemas.errors import StoreMissing
from headwater_schemas.keys import RETIRED_AFTER_DAYS_MIN
from headwater_stores.leftovers import Amount, reclaimable
from headwater_stores.telling.progress import counted

from headwater.cli.drafts import draft_json, draft_text
from headwater.cli.full_disk import works_on_a_full_disk
from headwater.cli.options import json_option, namespace_options
from headwater.cli.output import print_report
from headwater.cli.resolve import open_store, settings_for
from headwater.cli.retention_report import outcome_lines, outcomes_json, plan_lines
from headwater.cli.through_server import run_there

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headwater_consumer.maintenance.old_sessions import Retirement
    from headwater_consumer.retention.planning import CollectionPlan
    from headwater_stores.config.settings import Settings

    from headwater._api.drafts import OpenDraft
    from headwater._commit.client import Client
    from headwater._commit.healing import Healing
    from headwater._retention.carrying_out import Confirm, Outcome

RETIRED_AFTER_DAYS = 30


@click.command("maintain", short_help="Delete what is not kept, and tidy the store.")
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
@click.option("--dry-run", is_flag=True, help="Report which versions and drafts would go; change nothing.")
@click.option("--yes", is_flag=True, help="Delete without asking, however much of an artifact a policy deletes.")
@namespace_options
@json_option
@works_on_a_full_disk
def maintain_command(
    days: int,
    heal: bool,
    verify: bool,
    dry_run: bool,
    yes: bool,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Delete versions whose time to live is over or that no rule of their policy keeps, and discard idle drafts.

    A policy that would delete more than half of an artifact's versions asks first; where nobody can be asked, that
    artifact is left alone, and the exit code is 1. `headwater retention` sets policies.

    Covers all projects, or only the one given with --project. Without --project, also completes what a killed process
    wrote to some partitions of the log only, ends the sessions of writers that began long ago, discards uploads to
    servers that nobody went on with, counts what takes up room in large projects that changed, for `headwater usage`,
    and reports what `headwater gc` can reclaim. Run it daily, from any machine, also through a server by its operators;
    there, nobody can be asked.
    --heal reads every entry: use it when `headwater doctor` says so.
    """
    if entity is not None and project is None:
        raise click.UsageError("--entity requires --project.")
    if verify and not heal:
        raise click.UsageError("--verify requires --heal.")
    if dry_run and heal:
        raise click.UsageError("--dry-run and --heal exclude each other.")
    settings = settings_for(entity, project)
    namespace = None if project is None else f"{settings.entity}/{project}"
    if settings.server is not None:
        options = {
            "retire_sessions_days": days,
            "heal": heal,
            "verify": verify,
            "dry_run": dry_run,
            "yes": yes,
            "project": namespace,
            "as_json": as_json,
        }
        run_there(settings, "maintain", options)
        return
    client, settings = open_store(entity, project)
    report = _maintained(client, settings, namespace, days=days, dry_run=dry_run, yes=yes)
    if heal:
        report = replace(report, healing=_heal(client, namespace, verify=verify))
    print_report(report, as_json=as_json)
    if report.is_incomplete:
        raise SystemExit(1)


def _maintained(
    client: "Client", settings: "Settings", namespace: str | None, *, days: int, dry_run: bool, yes: bool
) -> "MaintenanceReport":
    """`namespace`: "entity/project"; None: all of the store."""
    if client.stores.missing is not None:
        return MaintenanceReport([])
    if dry_run:
        outcomes = _retain(client, namespace, yes=yes, dry_run=True)
        return MaintenanceReport(_find_idle(client, namespace), outcomes, dry_run=True)
    if namespace is not None:
        return MaintenanceReport(_discard_idle(client, namespace), _retain(client, namespace, yes=yes))
    return MaintenanceReport(
        _discard_idle(client, None),
        _retain(client, None, yes=yes),
        _finish_broadcasts(client),
        _retire_sessions(client, days),
        _end_uploads(client, settings),
        reclaimable(client.stores.blobs),
        counted=_count_usage(client, settings),
    )


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """What one run of `maintain` did, or with `dry_run` would do."""

    discarded: "list[OpenDraft]"
    outcomes: "Sequence[Outcome]" = ()  # of retention
    finished: int = 0  # records written to partitions that lacked them
    retirement: "Retirement | None" = None
    uploads: int = 0  # to servers, that had expired and were discarded
    reclaimable: Amount | None = None  # what `headwater gc` would delete
    healing: "Healing | None" = None
    dry_run: bool = False
    counted: tuple[str, ...] = ()  # large projects of which it was counted what takes up room

    @property
    def is_incomplete(self) -> bool:
        """Whether somebody must have a look, and confirm."""
        return any(outcome.is_left_alone for outcome in self.outcomes)

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        retired = None if self.retirement is None else _time_text(self.retirement)
        discarded = [draft_json(draft) for draft in self.discarded]
        return {
            "discarded": discarded,
            "broadcasts_finished": self.finished,
            "sessions_retired_before": retired,
            "uploads_expired": self.uploads,
            "reclaimable_bytes": None if self.reclaimable is None else self.reclaimable.size_bytes,
            "usage_counted": list(self.counted),
            "contents_healed": None if self.healing is None else self.healing.healed,
            "contents_lost": None if self.healing is None else self.healing.lost,
            **outcomes_json(self.outcomes),
            "dry_run": self.dry_run,
        }

    def lines(self) -> "Iterator[str]":
        """For people."""
        for outcome in self.outcomes:
            yield from plan_lines(outcome.plan) if self.dry_run else outcome_lines(outcome)
        verb = "would discard" if self.dry_run else "discarded"
        yield from (f"{verb} {draft_text(draft)}" for draft in self.discarded)
        if not self.discarded:
            yield "No idle drafts."
        if self.finished:
            yield f"wrote {self.finished:,} events to partitions that lacked them"
        if self.retirement is not None:
            yield f"ended the sessions that began before {_time_text(self.retirement)}"
            if self.retirement.held_by is not None:
                yield f"no later ones: {self.retirement.held_by}"
        if self.uploads:
            yield f"discarded {counted(self.uploads, 'upload')} that nobody went on with"
        if self.reclaimable is not None and self.reclaimable.count:
            yield f"`headwater gc` can reclaim {self.reclaimable}"
        if self.counted:
            yield f"counted what takes up room in {', '.join(self.counted)}"
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
    from headwater_stores.maintenance import replay_store  # deferred: database

    report = replay_store(replace=replace)
    print_report(report, as_json=as_json)
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


def _end_uploads(client: "Client", settings: "Settings") -> int:
    from headwater_stores.operational import open_operational  # deferred: database
    from headwater_stores.partial_uploads import discard_expired  # deferred: database

    try:
        operational = open_operational(settings, create=False)
    except StoreMissing:  # no server ever had this store
        return 0
    with closing(operational):
        return discard_expired(client.stores.blobs, operational)


def _count_usage(client: "Client", settings: "Settings") -> tuple[str, ...]:
    from headwater.cli.kept_usage import count_large_projects  # deferred: database

    return tuple(count_large_projects(client.stores, settings))


def _retire_sessions(client: "Client", days: int) -> "Retirement | None":
    from headwater_consumer.maintenance.old_sessions import retire_sessions  # deferred: database

    now_ms, stores, producer = time.time_ns() // 1_000_000, client.stores, client.session.producer
    retirement = retire_sessions(stores.database, producer, stores.log.partitions, now_ms=now_ms, days=days)
    client.session.confirm_projected()
    return retirement


def _retain(client: "Client", project: str | None, *, yes: bool, dry_run: bool = False) -> "list[Outcome]":
    """Carry out retention in "entity/project", or in all projects."""
    from headwater._retention.carrying_out import carry_out  # deferred: database
    from headwater.cli.space import read_projects  # deferred: database

    client.catch_up()
    projects = read_projects(client.stores.reads, None) if project is None else [project]
    confirm: Confirm = (lambda plan: True) if yes else _ask  # noqa: ARG005 - whatever the plan is
    return list(carry_out(client, projects, now_us=time.time_ns() // 1000, confirm=confirm, dry_run=dry_run))


def _ask(plan: "CollectionPlan") -> bool:
    """In a terminal; without one nobody says yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    for line in plan_lines(plan):
        click.echo(line, err=True)
    return click.confirm(f"Delete {counted(len(plan.deletions), 'version')} of {plan.collection}?", err=True)


def _find_idle(client: "Client", project: str | None) -> "list[OpenDraft]":
    from headwater_consumer.maintenance.idle_drafts import idle_drafts  # deferred: database

    from headwater._api.drafts import OpenDraft  # deferred: database

    found = idle_drafts(client.stores.database, now_us=time.time_ns() // 1000, project=project)
    return [OpenDraft(client, draft) for draft, _ in found]


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
