"""`headwater runs`: list the runs of a project, or show one with its inputs and outputs."""

import json
from typing import TYPE_CHECKING, Any

import click
from headwater_schemas.errors import NotFound
from headwater_schemas.names import RunName

from headwater._config.settings import Settings
from headwater.cli.options import json_option, limit_option, namespace_options
from headwater.cli.output import (
    iso,
    json_text,
    print_fields,
    print_json,
    print_table,
    report_empty,
    report_omitted,
    time_text,
)
from headwater.cli.resolve import open_store

if TYPE_CHECKING:
    from headwater_consumer.queries import RunInfo

    from headwater._commit.client import Client


@click.command("runs", short_help="List runs, or show one run.")
@click.argument("run", required=False)
@limit_option
@click.option("--job-type", help="Only runs with this job type.")
@click.option("--group", help="Only runs in this group.")
@namespace_options
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
    """List the runs of a project, newest first; or show RUN with the versions it used and logged."""
    if run is not None and (job_type is not None or group is not None):
        raise click.UsageError("--job-type and --group filter the runs of a project: omit RUN.")
    client, settings = open_store(entity, project)
    if run is None:
        _list(client, f"{settings.entity}/{settings.project}", limit, job_type, group, as_json=as_json)
    else:
        _show(client, _named(client, run, settings), limit, as_json=as_json)


def _list(
    client: "Client", project: str, limit: int, job_type: str | None, group: str | None, *, as_json: bool
) -> None:
    from headwater_consumer import queries  # deferred: sqlalchemy

    database = client.stores.database
    found = queries.runs(database, project, limit=limit, job_type=job_type, group=group)
    if as_json:
        print_json([_run_json(run) for run in found])
    elif found:
        _print_table(found)
    else:
        report_empty(f"{project} has no runs" + ("" if job_type is None and group is None else " that match"))
    if len(found) == limit:
        last = queries.cursor_of(found[-1])
        report_omitted(queries.count_runs(database, project, after=last, job_type=job_type, group=group))


def _print_table(found: "list[RunInfo]") -> None:
    rows = [
        (
            RunName.parse(run.run).id,
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


def _named(client: "Client", text: str, settings: Settings) -> "RunInfo":
    """The run `[[entity/]project/]ID`. Raises: NotFound, InvalidName."""
    from headwater_consumer import queries  # deferred: sqlalchemy

    given = text.split("/")
    namespace = [settings.entity, settings.project]
    name = str(RunName.parse("/".join([*namespace[: max(0, 3 - len(given))], *given])))
    found = queries.run_info(client.stores.database, name)
    if found is None:
        raise NotFound(f"there is no run {name}. `headwater runs` lists the runs of the project.")
    return found


def _show(client: "Client", run: "RunInfo", limit: int, *, as_json: bool) -> None:
    from headwater_consumer import queries  # deferred: sqlalchemy

    database = client.stores.database
    used = [f"{use.collection}:v{use.version}" for use in queries.inputs_of(database, run.run, limit=limit + 1)]
    logged = [f"{name}:v{version}" for name, version in queries.outputs_of(database, run.run, limit=limit + 1)]
    if as_json:
        print_json({**_run_json(run), "used": used[:limit], "logged": logged[:limit]})
    else:
        print_fields([*_fields(run), ("used", "\n".join(used[:limit])), ("logged", "\n".join(logged[:limit]))])
    if max(len(used), len(logged)) > limit:
        click.echo("The run used or logged more versions; --limit shows them.", err=True)


def _fields(run: "RunInfo") -> list[tuple[str, str]]:
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


def _run_json(run: "RunInfo") -> dict[str, Any]:
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


def _duration(run: "RunInfo") -> str:
    return "" if run.finished_us is None else f"{(run.finished_us - run.started_us) / 1_000_000:.1f} s"
