"""Artifact types and collections, as returned by the Api."""

from collections.abc import Sequence

from headwater_consumer import queries
from headwater_schemas.errors import InvalidInput
from headwater_schemas.names import CollectionName

from headwater._artifact.artifact import Artifact, artifact_of
from headwater._artifact.deletion import Pruned, prune
from headwater._artifact.not_found import missing_artifact
from headwater._commit.client import Client
from headwater._fixed_attributes import FixedAttributes
from headwater._notebook import NotebookView
from headwater._paging import ROWS_PER_PAGE, PagedList


class ArtifactCollection(FixedAttributes, NotebookView):
    """All versions of one artifact name."""

    def __init__(self, client: Client, info: queries.CollectionInfo) -> None:
        self._client = client
        self._info = info

    @property
    def name(self) -> str:
        """The artifact's name in its project."""
        return CollectionName.parse(self._info.collection).name

    @property
    def qualified_name(self) -> str:
        """`entity/project/name`."""
        return self._info.collection

    @property
    def type(self) -> str:
        """The type of all its versions."""
        return self._info.type

    def artifacts(self) -> Sequence[Artifact]:
        """The versions that are not deleted, newest first; loads page by page."""
        return versions_of(self._client, self._info.collection)

    def prune(self, keep: int, *, keep_aliased: bool = True, keep_used: bool = True, dry_run: bool = False) -> Pruned:
        """Delete all versions except the newest `keep`, those with aliases, and those used by a run or by references of
        other versions.

        `dry_run=True` deletes nothing and returns what would be deleted. Raises: InvalidInput if `keep` is less than 1.
        """
        client, collection = self._client, self._info.collection
        return prune(client, collection, keep, keep_aliased=keep_aliased, keep_used=keep_used, dry_run=dry_run)

    def __len__(self) -> int:
        return len(self.artifacts())

    def _shown_fields(self) -> dict[str, str]:
        return {"artifact": self.qualified_name, "type": self.type, "versions": f"{self._info.versions:,}"}

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.qualified_name} ({self.type})>"


class ArtifactType(FixedAttributes, NotebookView):
    """All collections of one type in a project."""

    name: str

    def __init__(self, client: Client, project: str, name: str) -> None:
        self._client = client
        self._project = project
        self.name = name

    @property
    def project(self) -> str:
        """ "entity/project"."""
        return self._project

    def collections(self) -> Sequence[ArtifactCollection]:
        """The collections by name; loads page by page."""
        return collections_of(self._client, self._project, self.name)

    def collection(self, name: str) -> ArtifactCollection:
        """The collection `name` of this type. Raises: NotFound; InvalidInput if it has a different type."""
        return find_collection(self._client, f"{self._project}/{name}", self.name)

    def _shown_fields(self) -> dict[str, str]:
        return {"type": self.name, "project": self.project}

    def __repr__(self) -> str:
        return f"<ArtifactType {self.name} in {self._project}>"


def types_of(client: Client, project: str) -> Sequence[ArtifactType]:
    """The artifact types of "entity/project", by name."""
    reads = client.stores.reads

    def page_after(last: str | None) -> Sequence[str]:
        return reads.artifact_types(project, after=last, limit=ROWS_PER_PAGE)

    def count_after(last: str | None) -> int:
        return reads.count_artifact_types(project, after=last)

    return PagedList(page_after, count_after, lambda name: ArtifactType(client, project, name))


def collections_of(client: Client, project: str, type_name: str | None) -> Sequence[ArtifactCollection]:
    """The collections of "entity/project" that have versions, by name; optionally only those of one type."""
    reads = client.stores.reads

    def page_after(last: queries.CollectionInfo | None) -> Sequence[queries.CollectionInfo]:
        after = None if last is None else last.collection
        return reads.collections(project, type=type_name, after=after, limit=ROWS_PER_PAGE)

    def count_after(last: queries.CollectionInfo | None) -> int:
        after = None if last is None else last.collection
        return reads.count_collections(project, type=type_name, after=after)

    return PagedList(page_after, count_after, lambda info: ArtifactCollection(client, info))


def find_collection(client: Client, collection: str, type_name: str | None) -> ArtifactCollection:
    """Raises: NotFound; InvalidInput naming both types if it has a different one."""
    info = client.stores.reads.collection_info(collection)
    if info is None:
        raise missing_artifact(client, collection)
    if type_name is not None and info.type != type_name:
        raise InvalidInput(f"{collection} has type {info.type!r}, not {type_name!r}. Pass the right type or omit it.")
    return ArtifactCollection(client, info)


def versions_of(client: Client, collection: str) -> Sequence[Artifact]:
    """The versions that are not deleted, newest first."""
    reads = client.stores.reads

    def page_after(last: queries.VersionInfo | None) -> Sequence[queries.VersionInfo]:
        after = None if last is None else last.version
        return reads.version_infos(collection, after=after, limit=ROWS_PER_PAGE)

    def count_after(last: queries.VersionInfo | None) -> int:
        if last is not None:
            return reads.count_versions(collection, after=last.version)
        info = reads.collection_info(collection)
        return 0 if info is None else info.versions

    return PagedList(page_after, count_after, lambda info: artifact_of(client, info))
