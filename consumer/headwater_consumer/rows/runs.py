"""Rows about runs, and the edges of the lineage graph between runs and versions."""

from dataclasses import dataclass

from headwater_consumer.rows.base import ProjectionRow, row

# Fields of RunValuesRow.
CONFIG = "config"
SUMMARY = "summary"


@row(key=("run",))
@dataclass(frozen=True, slots=True)
class RunRow(ProjectionRow):
    """Fact: how a run describes itself at its start. Each new start of the same run opens another row."""

    run: str
    project: str  # "entity/project"
    job_type: str | None
    group: str | None
    display_name: str | None
    tags: str  # canonical JSON list
    author: str
    started_us: int
    append_us: int  # the same by the log's clock
    from_position: int
    to_position: int | None


@row(key=("run",))
@dataclass(frozen=True, slots=True)
class RunStateRow(ProjectionRow):
    """Fact: "running", "finished", "failed" or "killed"."""

    run: str
    state: str
    time_us: int
    from_position: int
    to_position: int | None


@row(key=("run", "field"))
@dataclass(frozen=True, slots=True)
class RunValuesRow(ProjectionRow):
    """Fact: the config or the summary of a run. There is none where it is empty."""

    run: str
    field: str
    value: str  # canonical JSON object
    from_position: int
    to_position: int | None


@row(key=("run",))
@dataclass(frozen=True, slots=True)
class RunHeartbeatRow(ProjectionRow):
    """Fact: the last sign of life of a run, and when the next is due, both by the log's clock."""

    run: str
    append_us: int
    due_us: int
    from_position: int
    to_position: int | None


@row(key=("run",))
@dataclass(frozen=True, slots=True)
class RunCaptureRow(ProjectionRow):
    """Fact: what a run executes, as its process found it; see `events.Capture`."""

    run: str
    project: str  # "entity/project"
    commit: str | None
    remote: str | None
    branch: str | None
    dirty: str | None
    environment: str | None
    from_position: int
    to_position: int | None


@row(key=("collection", "version", "run", "requested", "use_as"))
@dataclass(frozen=True, slots=True)
class RunInputRow(ProjectionRow):
    """A run used a version, and requested it by this name for this purpose. Written once."""

    collection: str
    version: int
    run: str
    requested: str
    use_as: str  # "": no purpose was given
    from_position: int


@row(key=("collection", "version", "run"))
@dataclass(frozen=True, slots=True)
class RunOutputRow(ProjectionRow):
    """A run logged a version, or content that this version already had. Written once."""

    collection: str
    version: int
    run: str
    from_position: int
