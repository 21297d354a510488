"""The runs of a project, and one of them: what it was given, what it used and made, and how it ended."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import RunInfo
from headwater_schemas.names import check_label

from headwater_server.access.caller import Caller
from headwater_server.http.problems import not_found
from headwater_server.resources.paging import cursor_key, cursor_text, page_of
from headwater_server.resources.runs import edge_key, inputs_seen, outputs_seen
from headwater_server.web.views.json_values import Values, values_of

PAGE = 50
EDGES_PAGE = 50
_RUNS, _INPUTS, _OUTPUTS = "runs", "inputs", "outputs"  # the names of lists in cursors: as those of the interface
_BEGINNING = ("", -1)


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run in the list."""

    run: str
    id: str
    display_name: str | None
    state: str
    job_type: str | None
    group: str | None
    author: str
    started_us: int
    finished_us: int | None
    seconds: float | None  # how long it ran; None: it still does
    commit: str | None


@dataclass(frozen=True, slots=True)
class Runs:
    """A page of them, the last started first."""

    project: str
    runs: Sequence[RunLine]
    job_type: str | None  # the one that was chosen
    group: str | None
    is_first: bool
    next: str | None


@dataclass(frozen=True, slots=True)
class Input:
    """A version that the run used."""

    collection: str
    version: int
    requested: Sequence[str]
    use_as: Sequence[str]


@dataclass(frozen=True, slots=True)
class Output:
    """A version that the run logged."""

    collection: str
    version: int


@dataclass(frozen=True, slots=True)
class Code:
    """What it executes."""

    commit: str | None
    remote: str | None
    branch: str | None
    dirty: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """One run."""

    run: str
    project: str
    id: str
    line: RunLine
    tags: Sequence[str]
    heartbeat_us: int | None
    heartbeat_due_us: int | None
    config: Values
    summary: Values
    code: Code | None
    environment: Values | None  # command, Python, host, user and packages; None: not captured
    inputs: Sequence[Input]
    inputs_next: str | None
    outputs: Sequence[Output]
    outputs_next: str | None


def runs(database: Database, *, project: str, job_type: str | None, group: str | None, cursor: str | None) -> Runs:
    """Those of a project that may be read, from a cursor on."""
    if not queries.has_begun(database, project):
        raise not_found(f"project {project}")
    found = queries.runs(
        database,
        project,
        job_type=None if job_type is None else check_label(job_type, "job_type"),
        group=None if group is None else check_label(group, "group"),
        after=None if cursor is None else _position(cursor),
        limit=PAGE + 1,
    )
    shown, last = page_of(found, PAGE)
    following = None if last is None else cursor_text(_RUNS, *queries.cursor_of(last))
    return Runs(project, [_line(one) for one in shown], job_type, group, is_first=cursor is None, next=following)


def run(database: Database, caller: Caller, *, run: str, inputs: str | None = None, outputs: str | None = None) -> Run:
    """A run that may be read; what it used and logged from the cursors `inputs` and `outputs` on."""
    info = queries.run_info(database, run)
    if info is None:
        raise not_found(f"run {run}")
    used = inputs_seen(database, caller, run, _edge(_INPUTS, inputs), EDGES_PAGE + 1)
    logged = outputs_seen(database, caller, run, _edge(_OUTPUTS, outputs), EDGES_PAGE + 1)
    used_shown, last_used = page_of(used, EDGES_PAGE)
    logged_shown, last_logged = page_of(logged, EDGES_PAGE)
    capture = queries.capture_of(database, run)
    return Run(
        run=run,
        project=run.rpartition("/")[0],
        id=run.rpartition("/")[2],
        line=_line(info),
        tags=info.tags,
        heartbeat_us=info.heartbeat_us,
        heartbeat_due_us=info.heartbeat_due_us,
        config=values_of(info.config),
        summary=values_of(info.summary),
        code=None if capture is None else Code(capture.commit, capture.remote, capture.branch, capture.dirty),
        environment=None if capture is None or capture.environment is None else values_of(capture.environment),
        inputs=[Input(one.collection, one.version, one.requested, one.use_as) for one in used_shown],
        inputs_next=None if last_used is None else cursor_text(_INPUTS, last_used.collection, last_used.version),
        outputs=[Output(*one) for one in logged_shown],
        outputs_next=None if last_logged is None else cursor_text(_OUTPUTS, *last_logged),
    )


def _line(info: RunInfo) -> RunLine:
    return RunLine(
        run=info.run,
        id=info.run.rpartition("/")[2],
        display_name=info.display_name,
        state=info.state_at(time.time_ns() // 1000),
        job_type=info.job_type,
        group=info.group,
        author=info.author,
        started_us=info.started_us,
        finished_us=info.finished_us,
        seconds=None if info.finished_us is None else max(0, info.finished_us - info.started_us) / 1_000_000,
        commit=None if info.capture is None else info.capture.commit,
    )


def _position(cursor: str) -> tuple[int, int]:
    started_us, position = cursor_key(_RUNS, cursor, int, int)
    return started_us, position


def _edge(of_list: str, cursor: str | None) -> tuple[str, int]:
    return _BEGINNING if cursor is None else edge_key(of_list, cursor)
