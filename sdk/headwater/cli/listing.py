"""`headwater ls`, `headwater show` and `headwater runs`."""

import json
from typing import Any

import click
from headwater_consumer import queries
from headwater_consumer.queries import EntryInfo, RunInfo, VersionInfo
from headwater_schemas.digests import to_text
from headwater_schemas.errors import NotFound

from headwater._client import Client
from headwater._progress import bytes_text
from headwater._run import find_artifact
from headwater._settings import Settings
from headwater.cli.common import (
    collection_of,
    iso,
    json_option,
    opened,
    print_json,
    print_table,
    time_text,
    where_options,
)

ROWS_SHOWN = 100  # unless asked for more


@click.command("ls")
@click.argument("name", required=False)
@click.option("-n", "--limit", default=ROWS_SHOWN, show_default=True, help="How many at the most.")
@where_options
@json_option
def ls_command(name: str | None, limit: int, entity: str | None, project: str | None, as_json: bool) -> None:
    """List the artifacts of a project, the versions of NAME, or the files of NAME:VERSION."""
    client, settings = opened(entity, project)
    if name is None:
        _list_collections(client, settings, limit, as_json)
        return
    collection, selector = collection_of(name, settings)
    if selector is None:
        _list_versions(client, collection, limit, as_json)
    else:
        _list_entries(client, find_artifact(client, name, settings.entity, settings.project)._known(), limit, as_json)


@click.command("show")
@click.argument("name")
@where_options
@json_option
def show_command(name: str, entity: str | None, project: str | None, as_json: bool) -> None:
    """Show what is recorded about a version: NAME, NAME:ALIAS or NAME:v3."""
    client, settings = opened(entity, project)
    artifact = find_artifact(client, name, settings.entity, settings.project)
    info = artifact._known()
    used_by = queries.used_by(client.stores.database, info.collection, info.version)
    facts = {**_version_json(info), "who": info.who, "message": info.message, "used_by": used_by}
    if as_json:
        print_json(facts)
        return
    print_table(("", ""), [(key.replace("_", " "), _shown(value)) for key, value in facts.items()])


@click.command("runs")
@click.option("-n", "--limit", default=ROWS_SHOWN, show_default=True, help="How many at the most.")
@click.option("--job-type", help="Only runs of this job type.")
@click.option("--group", help="Only runs of this group.")
@where_options
@json_option
def runs_command(
    limit: int, job_type: str | None, group: str | None, entity: str | None, project: str | None, as_json: bool
) -> None:
    """List the runs of a project, newest first."""
    client, settings = opened(entity, project)
    namespace = f"{settings.entity}/{settings.project}"
    found = queries.runs(client.stores.database, namespace, limit=limit, job_type=job_type, group=group)
    if as_json:
        print_json([_run_json(run) for run in found])
        return
    rows = [
        (
            run.run.rpartition("/")[2],
            run.display_name or "",
            run.job_type or "",
            run.group or "",
            run.state,
            time_text(run.started_us),
            _duration(run),
        )
        for run in found
    ]
    print_table(("run", "name", "job type", "group", "state", "started", "took"), rows, right=("took",))


def _list_collections(client: Client, settings: Settings, limit: int, as_json: bool) -> None:
    found = queries.collections(client.stores.database, f"{settings.entity}/{settings.project}", limit=limit)
    if as_json:
        print_json(
            [
                {"artifact": c.collection, "type": c.type, "versions": c.versions, "created": iso(c.created_us)}
                for c in found
            ]
        )
        return
    rows = [(c.collection.rpartition("/")[2], c.type, f"{c.versions:,}", time_text(c.created_us)) for c in found]
    print_table(("artifact", "type", "versions", "created"), rows, right=("versions",))


def _list_versions(client: Client, collection: str, limit: int, as_json: bool) -> None:
    found = queries.version_infos(client.stores.database, collection, limit=limit)
    if not found and queries.collection_info(client.stores.database, collection) is None:
        raise NotFound(f"there is no artifact {collection}. `headwater ls` lists those that are there.")
    if as_json:
        print_json([_version_json(info) for info in found])
        return
    rows = [
        (
            f"v{info.version}",
            ", ".join(info.aliases),
            f"{info.entry_count:,}",
            bytes_text(info.size_bytes),
            (info.run or "").rpartition("/")[2],
            time_text(info.created_us),
            info.digest[:12],
        )
        for info in found
    ]
    columns = ("version", "aliases", "files", "size", "logged by", "created", "digest")
    print_table(columns, rows, right=("files", "size"))


def _list_entries(client: Client, info: VersionInfo, limit: int, as_json: bool) -> None:
    found = queries.entries_page(client.stores.database, info.layers, limit=limit)
    if as_json:
        print_json([_entry_json(entry) for entry in found])
        return
    rows = [(entry.path, "" if entry.size is None else bytes_text(entry.size), _content_text(entry)) for entry in found]
    print_table(("path", "size", "digest"), rows, right=("size",))
    if len(found) < info.entry_count:
        click.echo(f"{info.entry_count - len(found):,} more; --limit shows them.", err=True)


def _content_text(entry: EntryInfo) -> str:
    return to_text(entry.digest) if entry.digest is not None else entry.uri or ""


def _entry_json(entry: EntryInfo) -> dict[str, Any]:
    digest = None if entry.digest is None else to_text(entry.digest)
    return {"path": entry.path, "size_bytes": entry.size, "digest": digest, "uri": entry.uri}


def _version_json(info: VersionInfo) -> dict[str, Any]:
    return {
        "artifact": f"{info.collection}:v{info.version}",
        "type": info.type,
        "digest": info.digest,
        "files": info.entry_count,
        "size_bytes": info.size_bytes,
        "aliases": list(info.aliases),
        "tags": list(info.tags),
        "description": info.description,
        "metadata": json.loads(info.metadata),
        "logged_by": info.run,
        "created": iso(info.created_us),
        "recalled": info.recalled,
    }


def _run_json(run: RunInfo) -> dict[str, Any]:
    return {
        "run": run.run,
        "name": run.display_name,
        "job_type": run.job_type,
        "group": run.group,
        "state": run.state,
        "tags": list(run.tags),
        "config": json.loads(run.config),
        "who": run.who,
        "started": iso(run.started_us),
        "finished": None if run.finished_us is None else iso(run.finished_us),
    }


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _duration(run: RunInfo) -> str:
    return "" if run.finished_us is None else f"{(run.finished_us - run.started_us) / 1_000_000:.1f} s"
