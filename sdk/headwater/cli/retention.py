"""`headwater retention`: the policies by which `headwater maintain` keeps versions."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from headwater_schemas import metadata
from headwater_schemas.errors import InvalidFile, InvalidInput, NotFound
from headwater_schemas.limits import KEEP_LAST_MAX
from headwater_schemas.names import check_name
from headwater_schemas.retention import (
    KEEP_ALIASED,
    KEEP_ALL,
    KEEP_LAST,
    KEEP_NEWER_THAN,
    KEEP_USED,
    WHOLE_PROJECT,
    RetentionPolicy,
    check_policy_name,
    policy_for,
    shown_name,
)

from headwater._retention.toml_file import FILE_BYTES_MAX, read_policies, write_policies
from headwater.cli.completion import complete_artifact
from headwater.cli.full_disk import works_on_a_full_disk
from headwater.cli.options import json_option, limit_option, namespace_options
from headwater.cli.output import iso, print_json, print_table, report_empty, time_text
from headwater.cli.resolve import open_store
from headwater.cli.retention_report import plan_lines, plans_json

if TYPE_CHECKING:
    from headwater_consumer.queries import PolicyInfo
    from headwater_consumer.retention.planning import CollectionPlan

    from headwater._commit.client import Client
    from headwater._retention.policies import PolicyChanges

name_argument = click.argument("name", required=False, shell_complete=complete_artifact)
message_option = click.option("-m", "--message", help="Why, for people.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Report what would change; change nothing.")


@click.group("retention", short_help="Show and set which versions are kept.")
def retention_command() -> None:
    """Show and set policies: which versions of a project `headwater maintain` keeps, and that it deletes the others.

    NAME is an artifact of the project; with * and ? it stands for several. Without NAME, the policy is for the whole
    project. Of those that match an artifact only the most specific counts: it replaces the others as a whole.
    """


@retention_command.command("show")
@name_argument
@click.option("--toml", "as_toml", is_flag=True, help="Print a file for `headwater retention apply`.")
@click.option("--history", is_flag=True, help="Show all that was set and removed, newest first.")
@limit_option
@namespace_options
@json_option
def show_command(
    name: str | None,
    as_toml: bool,
    history: bool,
    limit: int,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Show the policies of the project; or which one counts for the artifact NAME."""
    from headwater_consumer.retention.planning import policies_of, policy_infos  # deferred: database

    if sum((as_toml, history, name is not None)) > 1:
        raise click.UsageError("NAME, --toml and --history exclude each other.")
    client, namespace = _open(entity, project)
    reads = client.stores.reads
    found = reads.retention_changes(namespace, limit=limit) if history else list(policy_infos(reads, namespace))
    if as_toml:
        click.echo(write_policies(policies_of(found)), nl=False)
        return
    if name is not None:
        counts = policy_for(policies_of(found), check_name(name, "artifact"))
        found = [] if counts is None else [info for info in found if info.name == counts[0]]
    if as_json:
        print_json([_as_json(info) for info in found])
    elif found:
        columns = ("for", "policy", "since", "author", "message")
        print_table(columns, list(map(_row, found)), fold=("policy", "author", "message"))
    else:
        about = namespace if name is None else f"{namespace}/{name}"
        report_empty(f"no retention policy for {about}: versions stay, unless they have a time to live")


@retention_command.command("set")
@name_argument
@click.option("--keep-last", type=click.IntRange(1, KEEP_LAST_MAX), help="Keep the newest so many versions.")
@click.option("--keep-newer-than", metavar="TIME", help="Keep what is younger than this, such as 12h, 90d or 4w.")
@click.option("--keep-aliased", is_flag=True, help="Keep versions that have an alias.")
@click.option("--keep-used", is_flag=True, help="Keep versions that a run used, or another version refers to.")
@click.option("--keep-all", is_flag=True, help="Keep everything, as an exception from the project's policy.")
@message_option
@dry_run_option
@namespace_options
@json_option
@works_on_a_full_disk
def set_command(
    name: str | None,
    keep_last: int | None,
    keep_newer_than: str | None,
    keep_aliased: bool,
    keep_used: bool,
    keep_all: bool,
    message: str | None,
    dry_run: bool,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Keep the versions that at least one of the given rules keeps, and show what that deletes.

    `headwater maintain` deletes the others. It never deletes the version that latest points to by a policy.
    """
    given = {KEEP_LAST: keep_last, KEEP_NEWER_THAN: keep_newer_than}
    flags = {KEEP_ALIASED: keep_aliased, KEEP_USED: keep_used, KEEP_ALL: keep_all}
    rules = {rule: value for rule, value in {**given, **flags}.items() if value is not None and value is not False}
    wanted = {check_policy_name(name or WHOLE_PROJECT): RetentionPolicy.of(rules)}
    _change(wanted, message, entity, project, prune=None, dry_run=dry_run, as_json=as_json)


@retention_command.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--prune", is_flag=True, help="Also remove the policies that the file does not have.")
@message_option
@dry_run_option
@namespace_options
@json_option
@works_on_a_full_disk
def apply_command(
    file: Path, prune: bool, message: str | None, dry_run: bool, entity: str | None, project: str | None, as_json: bool
) -> None:
    """Set the policies of a TOML file, and show what they delete. Policies that it does not have stay."""
    try:
        with file.open("rb") as opened:
            text = opened.read(FILE_BYTES_MAX + 1).decode()
    except OSError as error:
        raise InvalidFile(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{file} is not TOML: it is not UTF-8.") from None
    if len(text.encode()) > FILE_BYTES_MAX:
        raise InvalidInput(f"{file} has more than {FILE_BYTES_MAX:,} bytes, so it is no file of policies.")
    wanted = read_policies(text, file.name)
    _change(wanted, message, entity, project, prune=prune, dry_run=dry_run, as_json=as_json)


@retention_command.command("remove")
@name_argument
@message_option
@dry_run_option
@namespace_options
@json_option
@works_on_a_full_disk
def remove_command(
    name: str | None, message: str | None, dry_run: bool, entity: str | None, project: str | None, as_json: bool
) -> None:
    """Remove a policy; the next one that matches counts then, and its deletions are shown."""
    from headwater_consumer.retention.planning import policies_of, policy_infos  # deferred: database

    from headwater._retention.policies import PolicyChanges  # deferred: database

    client, namespace = _open(entity, project)
    present = policies_of(policy_infos(client.stores.reads, namespace))
    removed = name or WHOLE_PROJECT
    if removed not in present:
        there = f"Its policies: {', '.join(present)}." if present else "It has none."
        raise NotFound(f"{namespace} has no retention policy for {shown_name(removed)}. {there}")
    after = {other: policy for other, policy in present.items() if other != removed}
    changes = PolicyChanges({removed: None}, (), after)
    _carry_out(client, namespace, changes, message, dry_run=dry_run, as_json=as_json)


def _change(
    wanted: Mapping[str, RetentionPolicy],
    message: str | None,
    entity: str | None,
    project: str | None,
    *,
    prune: bool | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """`prune`: whether to remove all others; None where they are no question."""
    from headwater._retention.policies import changes_to  # deferred: database

    client, namespace = _open(entity, project, create=not dry_run)
    changes = changes_to(client, namespace, wanted, prune=prune is True)
    changes = changes if prune is False else replace(changes, left=())
    _carry_out(client, namespace, changes, message, dry_run=dry_run, as_json=as_json)


def _carry_out(
    client: "Client",
    namespace: str,
    changes: "PolicyChanges",
    message: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    from headwater_consumer.retention.planning import plans  # deferred: database

    from headwater._retention.policies import change_policies  # deferred: database

    if not dry_run and changes.changed:
        change_policies(client, namespace, changes.changed, message=message)
    now_us = time.time_ns() // 1000
    found = list(plans(client.stores.reads, namespace, now_us=now_us, policies=changes.after))
    if as_json:
        print_json(
            {
                "project": namespace,
                "dry_run": dry_run,
                "changed": {name: None if one is None else one.rules for name, one in changes.changed.items()},
                "left": list(changes.left),
                "next_maintenance": plans_json(found),
            }
        )
        return
    _print(changes, found, dry_run=dry_run)


def _print(changes: "PolicyChanges", found: "list[CollectionPlan]", *, dry_run: bool) -> None:
    for name, policy in changes.changed.items():
        verb = ("remove" if dry_run else "removed") if policy is None else "set"
        what = "" if policy is None else f": {policy}"
        click.echo(f"{'would ' if dry_run else ''}{verb} the policy for {shown_name(name)}{what}")
    if not changes.changed:
        click.echo("the policies are set already")
    if changes.left:
        click.echo(f"not in the file, and left: {', '.join(map(shown_name, changes.left))}; --prune removes them")
    click.echo("the next `headwater maintain`:" if found else "the next `headwater maintain` deletes nothing")
    for plan in found:
        for line in plan_lines(plan):
            click.echo(f"  {line}")


def _open(entity: str | None, project: str | None, *, create: bool = False) -> "tuple[Client, str]":
    client, settings = open_store(entity, project, create=create)
    return client, f"{settings.entity}/{settings.project}"


def _as_json(info: "PolicyInfo") -> dict[str, Any]:
    return {
        "name": info.name,
        "rules": None if info.rules is None else metadata.decode(info.rules),
        "since": iso(info.since_us),
        "author": info.author,
        "message": info.message,
    }


def _row(info: "PolicyInfo") -> tuple[str, ...]:
    what = "removed" if info.rules is None else str(RetentionPolicy.of(metadata.decode(info.rules)))
    return shown_name(info.name), what, time_text(info.since_us), info.author, info.message or ""
