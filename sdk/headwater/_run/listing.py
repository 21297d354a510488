"""Past runs, looked up by name or listed."""

from collections.abc import Sequence

from headwater_consumer import queries
from headwater_schemas.names import RunName, check_commit_prefix

from headwater._commit.client import Client
from headwater._paging import ROWS_PER_PAGE, PagedList
from headwater._run.run import Run
from headwater._run.writer import RunWriter


def run_named(client: Client, name: str) -> Run:
    """The run "entity/project/id"."""
    info = client.stores.reads.run_info(name)
    if info is None:  # an edge names a run whose own events are not projected yet
        writer = RunWriter(client, RunName.parse(name), "unknown")
        return Run(writer, job_type=None, group=None, config="{}", display_name=None, tags=())
    return _run_of(client, info)


def runs_of(
    client: Client, project: str, *, job_type: str | None, group: str | None, commit: str | None
) -> Sequence[Run]:
    """The runs of "entity/project", most recently started first. Raises: InvalidName, of a commit."""
    reads = client.stores.reads
    if commit is not None:
        check_commit_prefix(commit)

    def page_after(last: queries.RunInfo | None) -> Sequence[queries.RunInfo]:
        after = None if last is None else queries.cursor_of(last)
        return reads.runs(project, after=after, limit=ROWS_PER_PAGE, job_type=job_type, group=group, commit=commit)

    def count_after(last: queries.RunInfo | None) -> int:
        after = None if last is None else queries.cursor_of(last)
        return reads.count_runs(project, after=after, job_type=job_type, group=group, commit=commit)

    return PagedList(page_after, count_after, lambda info: _run_of(client, info))


def _run_of(client: Client, info: queries.RunInfo) -> Run:
    writer = RunWriter(client, RunName.parse(info.run), info.state)
    return Run(
        writer,
        job_type=info.job_type,
        group=info.group,
        config=info.config,
        display_name=info.display_name,
        tags=info.tags,
        summary=info.summary,
        info=info,
    )
