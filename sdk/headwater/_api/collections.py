"""Artifact types and collections, as the Api lists them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headwater_consumer import queries
from headwater_schemas.errors import InvalidInput, NotFound

from headwater._artifact.artifact import Artifact
from headwater._paging import MEMBERS_PER_PAGE, Listed

if TYPE_CHECKING:
    from headwater._artifact.deletion import Pruned
    from headwater._commit.client import Client


class ArtifactCollection:
    """All versions of one artifact name."""

    def __init__(self, client: "Client", info: queries.CollectionInfo) -> None:
        self._client = client
        self._info = info

    @property
    def name(self) -> str:
        """The artifact's name in its project."""
        return self._info.collection.rpartition("/")[2]

    @property
    def qualified_name(self) -> str:
        """`entity/project/name`."""
        return self._info.collection

    @property
    def type(self) -> str:
        """The type of all its versions."""
        return self._info.type

    def artifacts(self) -> Sequence[Artifact]:
        """The versions that are not deleted, the newest first, read page by page."""
        return versions_of(self._client, self._info.collection)

    def prune(self, keep: int, *, keep_aliased: bool = True, keep_used: bool = True, dry_run: bool = False) -> "Pruned":
        """Delete all versions but the newest `keep`, those with aliases and those that are used: by a run, or
        by references of other versions.

        `dry_run=True` deletes nothing and says what would
        be. Raises: InvalidInput for a `keep` below 1.
        """
        from headwater._artifact.deletion import prune

        return prune(self._client, self, keep, keep_aliased=keep_aliased, keep_used=keep_used, dry_run=dry_run)

    def __len__(self) -> int:
        return len(self.artifacts())

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.qualified_name} ({self.type})>"


class ArtifactType:
    """All collections of one type in a project."""

    def __init__(self, client: "Client", project: str, name: str) -> None:
        self._client = client
        self._project = project
        self.name = name

    @property
    def project(self) -> str:
        """ "entity/project"."""
        return self._project

    def collections(self) -> Sequence[ArtifactCollection]:
        """By name, read page by page."""
        return collections_of(self._client, self._project, self.name)

    def collection(self, name: str) -> ArtifactCollection:
        """The collection `name` of this type. Raises: NotFound; InvalidInput when it is of another type."""
        return find_collection(self._client, f"{self._project}/{name}", self.name)

    def __repr__(self) -> str:
        return f"<ArtifactType {self.name} in {self._project}>"


def types_of(client: "Client", project: str) -> Sequence[ArtifactType]:
    """The types that have artifacts, by name."""

    def page_after(last: ArtifactType | None) -> Sequence[ArtifactType]:
        after = None if last is None else last.name
        names = queries.artifact_types(client.stores.database, project, after=after, limit=MEMBERS_PER_PAGE)
        return [ArtifactType(client, project, name) for name in names]

    def count_after(last: ArtifactType | None) -> int:
        after = None if last is None else last.name
        return queries.count_artifact_types(client.stores.database, project, after=after)

    return Listed(page_after, count_after)


def collections_of(client: "Client", project: str, type_name: str | None) -> Sequence[ArtifactCollection]:
    """The collections of "entity/project" that have versions, by name; of one type where one is given."""

    def page_after(last: ArtifactCollection | None) -> Sequence[ArtifactCollection]:
        after = None if last is None else last.qualified_name
        database = client.stores.database
        found = queries.collections(database, project, type=type_name, after=after, limit=MEMBERS_PER_PAGE)
        return [ArtifactCollection(client, info) for info in found]

    def count_after(last: ArtifactCollection | None) -> int:
        after = None if last is None else last.qualified_name
        return queries.count_collections(client.stores.database, project, type=type_name, after=after)

    return Listed(page_after, count_after)


def find_collection(client: "Client", collection: str, type_name: str | None) -> ArtifactCollection:
    """Raises: NotFound; InvalidInput naming both types when it is of another one."""
    info = queries.collection_info(client.stores.database, collection)
    if info is None:
        raise NotFound(f"there is no artifact {collection}. `headwater ls` lists those that are there.")
    if type_name is not None and info.type != type_name:
        raise InvalidInput(f"{collection} is of type {info.type!r}, not {type_name!r}.")
    return ArtifactCollection(client, info)


def versions_of(client: "Client", collection: str) -> Sequence[Artifact]:
    """The versions that are not deleted, the newest first."""

    def page_after(last: Artifact | None) -> Sequence[Artifact]:
        after = None if last is None else last._known().version
        found = queries.version_infos(client.stores.database, collection, after=after, limit=MEMBERS_PER_PAGE)
        return [Artifact._of_version(client, info) for info in found]

    def count_after(last: Artifact | None) -> int:
        if last is not None:
            return queries.count_versions(client.stores.database, collection, after=last._known().version)
        info = queries.collection_info(client.stores.database, collection)
        return 0 if info is None else info.versions

    return Listed(page_after, count_after)
