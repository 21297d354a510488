"""`headwater runs`: list the runs of a project; show or end one."""

import json
import shlex
from typing import TYPE_CHECKING, Any

import click
from headwater_schemas.events import RUN_STATES_FINAL
from headwater_schemas.names import RunName
from headwater_stores.config.commands import LIST_PROJECTS
from headwater_stores.config.settings import Settings

from headwater._run.capture.shown import as_dictionary
from headwater._run.heartbeat import now_us
from headwater.cli.options import json_option, limit_option, namespace_options
from headwater.cli.output import (
    iso,
    json_text,
    print_fields,
    print_json,
    print_table,
    report_omitted,
    time_text,
)
from headwater.cli.resolve import nothing_in, open_reader, open_store, report_nothing

OPEN = ("running", "crashed")  # states of a run that nobody has ended

if TYPE_CHECKING:
    from headwater_consumer.queries import RunInfo
    from headwater_stores.catching_up import ReadableStore


@click.command("runs", short_help="List runs; show or end one run.")
@click.argument("run", required=False)
@limit_option
@click.option("--job-type", help="Only runs with this job type.")
@click.option("--group", help="Only runs in this group.")
@click.option("--commit", metavar="ID", help="Only runs of this git commit; its first digits are enough.")
@click.option(
    "--finish", metavar="STATE", type=click.Choice(RUN_STATES_FINAL), help="End RUN as finished, failed or killed."
)
@namespace_options
@json_option
def runs_command(
    run: str | None,
    limit: int,
    job_type: str | None,
    group: str | None,
    commit: str | None,
    finish: str | None,
    entity: str | None,
    project: str | None,
    as_json: bool,
) -> None:
    """List the runs of a project, newest first; or show RUN with the versions it used and logged, and what it executed.

    A run is shown as crashed if its heartbeat is long overdue: it was killed, or its machine stopped. --finish ends
    such a run, and keeps what is known about it.
    """
    chosen = {"job_type": job_type, "group": group, "commit": commit}
    if run is not None and any(value is not None for value in chosen.values()):
        raise click.UsageError("--job-type, --group and --commit filter the runs of a project: omit RUN.")
    if run is None and finish is not None:
        raise click.UsageError("--finish ends one run: name RUN.")
    if run is not None and finish is not None:
        _end(run, finish, entity, project)
    reader, settings = open_reader(entity, project)
    if run is None:
        _list(reader, f"{settings.entity}/{settings.project}", limit, chosen, as_json=as_json)
    else:
        _show(reader, _named(reader, run, settings), limit, as_json=as_json)


def _end(run: str, state: str, entity: str | None, project: str | None) -> None:
    from headwater._run.ending import end_run  # deferred: database

    client, settings = open_store(entity, project)
    end_run(client, _named(client, run, settings).run, state)


def _list(reader: "ReadableStore", project: str, limit: int, chosen: dict[str, str | None], *, as_json: bool) -> None:
    from headwater_consumer import queries  # deferred: database

    reads = reader.stores.reads
    found = reads.runs(project, limit=limit, **chosen)
    if as_json:
        print_json([_run_json(run) for run in found])
    elif found:
        _print_table(found)
    else:
        matching = any(value is not None for value in chosen.values())
        nothing = nothing_in(reader, project, f"runs{' that match' if matching else ''}")
        report_nothing(reader, "runs", nothing if matching else f"{nothing}. {LIST_PROJECTS}")
    if len(found) == limit:
        last = queries.cursor_of(found[-1])
        report_omitted(reads.count_runs(project, after=last, **chosen))


def _print_table(found: "list[RunInfo]") -> None:
    rows = [
        (
            RunName.parse(run.run).id,
            run.display_name or "",
            run.job_type or "",
            run.group or "",
            run.state_at(now_us()),
            time_text(run.started_us),
            _duration(run),
        )
        for run in found
    ]
    columns = ("run", "name", "job type", "group", "state", "started", "took")
    print_table(columns, rows, fold=("name", "job type", "group"), right=("took",))


def _named(reader: "ReadableStore", text: str, settings: Settings) -> "RunInfo":
    """The run `[[entity/]project/]ID`. Raises: NotFound, InvalidName."""

    from headwater._artifact.not_found import missing_run  # deferred: database

    given = text.split("/")
    namespace = [settings.entity, settings.project]
    name = str(RunName.parse("/".join([*namespace[: max(0, 3 - len(given))], *given])))
    found = reader.stores.reads.run_info(name)
    if found is None:
        raise missing_run(reader, name)
    return found


def _show(reader: "ReadableStore", run: "RunInfo", limit: int, *, as_json: bool) -> None:

    reads = reader.stores.reads
    uses = reads.inputs_of(run.run, limit=limit + 1)
    used = [f"{use.collection}:v{use.version}" for use in uses]
    purposes = {name: list(use.use_as) for name, use in zip(used, uses[:limit], strict=False) if use.use_as}
    logged = [f"{name}:v{version}" for name, version in reads.outputs_of(run.run, limit=limit + 1)]
    capture = as_dictionary(reads.capture_of(run.run))
    if as_json:
        answer = {"used": used[:limit], "used_as": purposes, "logged": logged[:limit], "capture": capture}
        print_json({**_run_json(run), **answer})
    else:
        shown = [f"{name} as {', '.join(purposes[name])}" if name in purposes else name for name in used[:limit]]
        versions = [("used", "\n".join(shown)), ("logged", "\n".join(logged[:limit]))]
        print_fields([*_fields(run), *versions, *_capture_fields(capture)])
    if max(len(used), len(logged)) > limit:
        click.echo("The run used or logged more versions; --limit shows them.", err=True)


def _fields(run: "RunInfo") -> list[tuple[str, str]]:
    return [
        ("run", run.run),
        ("name", run.display_name or ""),
        ("job type", run.job_type or ""),
        ("group", run.group or ""),
        ("state", state := run.state_at(now_us())),
        ("heard of", time_text(heard_us) if state in OPEN and (heard_us := run.heartbeat_us) is not None else ""),
        ("tags", ", ".join(run.tags)),
        ("config", json_text(config) if (config := json.loads(run.config)) else ""),
        ("summary", json_text(summary) if (summary := json.loads(run.summary)) else ""),
        ("author", run.author or ""),
        ("started", time_text(run.started_us)),
        ("took", _duration(run)),
    ]


def _capture_fields(capture: dict[str, Any]) -> list[tuple[str, str]]:
    packages = capture.get("packages", {})
    return [
        ("commit", capture.get("commit", "")),
        ("branch", capture.get("branch", "")),
        ("dirty", capture.get("dirty", "")),
        ("remote", capture.get("remote", "")),
        ("command", shlex.join(capture.get("command", ()))),
        ("python", " on ".join(capture[name] for name in ("python", "platform") if name in capture)),
        ("host", capture.get("host", "")),
        ("user", capture.get("user", "")),
        ("packages", ", ".join(f"{name} {version}" for name, version in packages.items())),
    ]


def _run_json(run: "RunInfo") -> dict[str, Any]:
    return {
        "run": run.run,
        "name": run.display_name,
        "job_type": run.job_type,
        "group": run.group,
        "state": run.state_at(now_us()),
        "tags": list(run.tags),
        "config": json.loads(run.config),
        "summary": json.loads(run.summary),
        "author": run.author,
        "started": iso(run.started_us),
        "finished": None if run.finished_us is None else iso(run.finished_us),
        "heartbeat": None if run.heartbeat_us is None else iso(run.heartbeat_us),
        "heartbeat_due": None if run.heartbeat_due_us is None else iso(run.heartbeat_due_us),
        "commit": None if run.capture is None else run.capture.commit,
    }


def _duration(run: "RunInfo") -> str:
    return "" if run.finished_us is None else f"{(run.finished_us - run.started_us) / 1_000_000:.1f} s"
