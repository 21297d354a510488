"""`headwater runs`: the runs of a project, or one of them with what it used and logged."""

import json
from typing import Any

import click
from headwater_consumer import queries
from headwater_consumer.queries import RunInfo
from headwater_schemas.errors import NotFound
from headwater_schemas.names import RunName

from headwater._commit.client import Client
from headwater._config.settings import Settings
from headwater.cli.common import (
    iso,
    json_option,
    json_text,
    limit_option,
    opened,
    print_facts,
    print_json,
    print_table,
    say_more,
    say_none,
    time_text,
    where_options,
)


@click.command("runs", short_help="List the runs of a project, or what one of them did.")
@click.argument("run", required=False)
@limit_option
@click.option("--job-type", help="Only runs of this job type.")
@click.option("--group", help="Only runs of this group.")
@where_options
@json_option
def runs_command(
    run: str | None,
    limit: int,
    job_type: str | None,
    group: str | None,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """List the runs of a project, newest first; or show what is recorded about RUN, with what it used and logged."""
    if run is not None and (job_type is not None or group is not None):
        raise click.UsageError("--job-type and --group choose among the runs of a project: leave RUN out.")
    client, settings = opened(entity, project)
    if run is None:
        _list(client, f"{settings.entity}/{settings.project}", limit, job_type, group, as_json=as_json)
    else:
        _show(client, _named(client, run, settings), limit, as_json=as_json)


def _list(client: Client, project: str, limit: int, job_type: str | None, group: str | None, *, as_json: bool) -> None:
    database = client.stores.database
    found = queries.runs(database, project, limit=limit, job_type=job_type, group=group)
    if as_json:
        print_json([_run_json(run) for run in found])
    elif found:
        _print_table(found)
    else:
        say_none(f"{project} has no runs" + ("" if job_type is None and group is None else " like that"))
    if len(found) == limit:
        last = found[-1].started_us, found[-1].run
        say_more(queries.count_runs(database, project, after=last, job_type=job_type, group=group))


def _print_table(found: list[RunInfo]) -> None:
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
    columns = ("run", "name", "job type", "group", "state", "started", "took")
    print_table(columns, rows, fold=("name", "job type", "group"), right=("took",))


def _named(client: Client, text: str, settings: Settings) -> RunInfo:
    """The run `[[entity/]project/]ID`. Raises: NotFound, InvalidName."""
    given = text.split("/")
    where = [settings.entity, settings.project]
    name = str(RunName.parse("/".join([*where[: max(0, 3 - len(given))], *given])))
    found = queries.run_info(client.stores.database, name)
    if found is None:
        raise NotFound(f"there is no run {name}. `headwater runs` lists those that are there.")
    return found


def _show(client: Client, run: RunInfo, limit: int, *, as_json: bool) -> None:
    database = client.stores.database
    used = [f"{use.collection}:v{use.version}" for use in queries.inputs_of(database, run.run, limit=limit + 1)]
    logged = [f"{name}:v{version}" for name, version in queries.outputs_of(database, run.run, limit=limit + 1)]
    if as_json:
        print_json({**_run_json(run), "used": used[:limit], "logged": logged[:limit]})
    else:
        print_facts([*_facts(run), ("used", "\n".join(used[:limit])), ("logged", "\n".join(logged[:limit]))])
    if max(len(used), len(logged)) > limit:
        click.echo("It used or logged more; --limit shows them.", err=True)


def _facts(run: RunInfo) -> list[tuple[str, str]]:
    return [
        ("run", run.run),
        ("name", run.display_name or ""),
        ("job type", run.job_type or ""),
        ("group", run.group or ""),
        ("state", run.state),
        ("tags", ", ".join(run.tags)),
        ("config", json_text(config) if (config := json.loads(run.config)) else ""),
        ("author", run.author or ""),
        ("started", time_text(run.started_us)),
        ("took", _duration(run)),
    ]


def _run_json(run: RunInfo) -> dict[str, Any]:
    return {
        "run": run.run,
        "name": run.display_name,
        "job_type": run.job_type,
        "group": run.group,
        "state": run.state,
        "tags": list(run.tags),
        "config": json.loads(run.config),
        "author": run.author,
        "started": iso(run.started_us),
        "finished": None if run.finished_us is None else iso(run.finished_us),
    }


def _duration(run: RunInfo) -> str:
    return "" if run.finished_us is None else f"{(run.finished_us - run.started_us) / 1_000_000:.1f} s"
