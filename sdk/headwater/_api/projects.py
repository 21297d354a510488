"""Projects, as returned by the Api."""

from collections.abc import Sequence

from headwater_consumer import queries

from headwater._api.collections import ArtifactCollection, collections_of
from headwater._commit.client import Client
from headwater._fixed_attributes import FixedAttributes
from headwater._notebook import NotebookView
from headwater._paging import ROWS_PER_PAGE, PagedList
from headwater._run.listing import runs_of
from headwater._run.run import Run


class Project(FixedAttributes, NotebookView):
    """A project that has artifacts or runs."""

    def __init__(self, client: Client, info: queries.ProjectInfo) -> None:
        self._client = client
        self._info = info

    @property
    def path(self) -> str:
        """`entity/project`."""
        return self._info.project

    @property
    def entity(self) -> str:
        """The entity that owns it."""
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        """The name within its entity."""
        return self.path.partition("/")[2]

    def artifact_collections(self, type: str | None = None) -> Sequence[ArtifactCollection]:
        """Its artifacts that have versions, by name; optionally only those of one type."""
        return collections_of(self._client, self.path, type)

    def runs(self) -> Sequence[Run]:
        """Its runs, newest first."""
        return runs_of(self._client, self.path, job_type=None, group=None, commit=None)

    def _shown_fields(self) -> dict[str, str]:
        return {"project": self.path, "artifacts": f"{self._info.artifacts:,}", "runs": f"{self._info.runs:,}"}

    def __repr__(self) -> str:
        return f"<Project {self.path}>"


def projects_of(client: Client, entity: str | None) -> Sequence[Project]:
    """The projects of the store, or of one entity, by name; loads page by page."""
    reads = client.stores.reads

    def page_after(last: queries.ProjectInfo | None) -> Sequence[queries.ProjectInfo]:
        after = None if last is None else last.project
        return reads.project_infos(entity=entity, after=after, limit=ROWS_PER_PAGE)

    def count_after(last: queries.ProjectInfo | None) -> int:
        return reads.count_projects(entity=entity, after=None if last is None else last.project)

    return PagedList(page_after, count_after, lambda info: Project(client, info))
