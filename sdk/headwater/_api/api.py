"""Query a store outside a run."""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from headwater_schemas.errors import InvalidName, NotFound
from headwater_schemas.names import ArtifactReference, CollectionName, RunName, check_name
from headwater_schemas.retention import WHOLE_PROJECT
from headwater_stores.config.commands import LIST_PROJECTS
from headwater_stores.config.settings import read_settings

from headwater._api import access, retention
from headwater._api.access import NewToken, RoleGrant, Token
from headwater._api.collections import ArtifactCollection, ArtifactType, collections_of, find_collection, types_of
from headwater._api.drafts import OpenDraft, open_drafts
from headwater._api.projects import Project, projects_of
from headwater._api.retention import Policy, RetentionPreview
from headwater._artifact.artifact import Artifact
from headwater._artifact.lookup import artifact_if_there, check_expected_type, find_artifact, restored_artifact
from headwater._artifact.not_found import missing_run
from headwater._commit.client import Client, client_for
from headwater._run.listing import run_named, runs_of
from headwater._run.run import Run


class Api:
    """Queries a store. Settings are read when the object is created; the store is the one that is there at each call.

    Where nothing was logged yet, there is nothing: lists are empty, and only what is named is not found. Nothing is
    created.

    Names without an entity or project use those of the settings. Lists load page by page as they are used, stay
    consistent while their members are deleted, and support `len()` and slicing.
    """

    def __init__(self, *, url: str | os.PathLike[str] | None = None) -> None:
        """`url` is the store, instead of that of the settings: several can be open in one process.

        Raises: InvalidSettings; StoreUnavailable when the store cannot be read.
        """
        self._settings = read_settings(url=url)
        client_for(self._settings, create=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return _elsewhere, (self._settings.url, self._settings.entity, self._settings.project)  # and no secret

    @property
    def _client(self) -> Client:
        return client_for(self._settings, create=False)

    # --- projects

    def projects(self, entity: str | None = None) -> Sequence[Project]:
        """The projects that have artifacts or runs, by name; optionally only those of one entity.

        Raises: InvalidName.
        """
        client = self._client
        client.catch_up()
        return projects_of(client, None if entity is None else check_name(entity, "entity"))

    # --- artifacts

    def artifact(self, name: str, type: str | None = None) -> Artifact:
        """The version that `[[entity/]project/]name[:alias or version]` refers to.

        Raises: NotFound; InvalidName; InvalidInput if its type is not `type`.
        """
        found = find_artifact(self._client, name, self._settings.entity, self._settings.project)
        check_expected_type(found, type)
        return found

    def artifact_exists(self, name: str, type: str | None = None) -> bool:
        """Whether the version exists. Raises: InvalidName; InvalidInput if its type is not `type`."""
        found = artifact_if_there(self._client, name, self._settings.entity, self._settings.project)
        if found is None:
            return False
        check_expected_type(found, type)
        return True

    def restore(self, name: str) -> Artifact:
        """Bring back the deleted version `[[entity/]project/]name:v3`, without the aliases that it had.

        A version that is not deleted stays as it is. Raises: NotFound; InvalidName where no number is given.
        """
        return restored_artifact(self._client, name, self._settings.entity, self._settings.project)

    def artifact_versions(self, type: str, name: str) -> Sequence[Artifact]:
        """The versions of `[[entity/]project/]name` that are not deleted, newest first.

        Empty while the project has no artifacts. Raises: NotFound if it has, but not this one; InvalidName;
        InvalidInput if the artifact's type is not `type`.
        """
        try:
            return self.artifact_collection(type, name).artifacts()
        except NotFound:
            collection = self._collection_name(name)
            if self.artifact_collections(f"{collection.entity}/{collection.project}"):
                raise
            return ()

    def artifacts(self, type_name: str, name: str) -> Sequence[Artifact]:
        """Alias of `artifact_versions`."""
        return self.artifact_versions(type_name, name)

    def artifact_collection(self, type: str, name: str) -> ArtifactCollection:
        """All versions of `[[entity/]project/]name`.

        Raises: NotFound; InvalidName; InvalidInput if the artifact's type is not `type`.
        """
        collection, client = self._collection_name(name), self._client
        client.catch_up()
        return find_collection(client, str(collection), type)

    def artifact_collections(self, project: str | None = None, type: str | None = None) -> Sequence[ArtifactCollection]:
        """The artifacts of `[entity/]project` that have versions, by name; optionally only those of one type."""
        client = self._client
        client.catch_up()
        return collections_of(client, self._project(project), type)

    def artifact_types(self, project: str | None = None) -> Sequence[ArtifactType]:
        """The artifact types of `[entity/]project`, by name."""
        client = self._client
        client.catch_up()
        return types_of(client, self._project(project))

    def artifact_type(self, name: str, project: str | None = None) -> ArtifactType:
        """One artifact type of `[entity/]project`. Raises: NotFound naming the existing types."""
        types = {found.name: found for found in self.artifact_types(project)}
        if name not in types:
            there = f"Its types: {', '.join(types)}" if types else LIST_PROJECTS
            raise NotFound(f"{self._project(project)} has no artifact of type {name!r}. {there}.")
        return types[name]

    def drafts(self, project: str | None = None) -> Sequence[OpenDraft]:
        """The open drafts of `[entity/]project`. Discard one with `discard()`."""
        client = self._client
        client.catch_up()
        return open_drafts(client, self._project(project))

    # --- retention

    def retention_policies(self, project: str | None = None) -> list[Policy]:
        """The policies by which `headwater maintain` keeps versions of `[entity/]project`, by name."""
        return retention.policies(self._client, self._project(project))

    def set_retention_policy(
        self,
        name: str = WHOLE_PROJECT,
        *,
        keep_last: int | None = None,
        keep_newer_than: timedelta | None = None,
        keep_aliased: bool = False,
        keep_used: bool = False,
        keep_all: bool = False,
        project: str | None = None,
        message: str | None = None,
    ) -> None:
        """Keep the versions that one of these rules keeps, and have `headwater maintain` delete the others.

        `name` is an artifact of `[entity/]project`, with `*` and `?` several; "*" is the project. The policy with the
        most specific name counts, and no other. Raises: InvalidInput without a rule, or naming what is wrong.
        """
        retention.set_policy(
            client_for(self._settings, create=True),
            self._project(project),
            name,
            keep_last=keep_last,
            keep_newer_than=keep_newer_than,
            keep_aliased=keep_aliased,
            keep_used=keep_used,
            keep_all=keep_all,
            message=message,
        )

    def remove_retention_policy(
        self, name: str = WHOLE_PROJECT, *, project: str | None = None, message: str | None = None
    ) -> None:
        """Remove a policy; then the next one that matches counts. Raises: NotFound naming the policies."""
        retention.remove_policy(self._client, self._project(project), name, message=message)

    def retention_preview(self, project: str | None = None) -> RetentionPreview:
        """What `headwater maintain` would delete of `[entity/]project` now."""
        return retention.preview(self._client, self._project(project))

    # --- runs

    def run(self, path: str) -> Run:
        """The run `[[entity/]project/]id`. Raises: NotFound, InvalidName."""
        name = RunName.parse("/".join(self._with_defaults(path, 3)))
        client = self._client
        client.catch_up()
        if client.stores.reads.run_info(str(name)) is None:
            raise missing_run(client, str(name))
        return run_named(client, str(name))

    def runs(
        self,
        path: str | None = None,
        *,
        job_type: str | None = None,
        group: str | None = None,
        commit: str | None = None,
    ) -> Sequence[Run]:
        """The runs of `[entity/]project`, most recently started first; optionally only those of some kind.

        `commit` is the git commit that a run executed, or its first digits: 4 at least. Raises: InvalidName.
        """
        client = self._client
        client.catch_up()
        return runs_of(client, self._project(path), job_type=job_type, group=group, commit=commit)

    # --- access

    def grants(self, scope: str) -> list[RoleGrant]:
        """Who has which role in an entity, with its projects, or in a project, with what its entity gives there.

        Raises: InvalidName.
        """
        client = self._client
        client.catch_up()
        return access.grants(client, scope)

    def grant(self, principal: str, role: str, scope: str) -> RoleGrant:
        """Give `principal` a role in an entity or "entity/project", in the place of the one that it has there.

        `principal` is the name of who has a token, or "issuer|subject". Returns once it holds. Raises: InvalidInput.
        """
        return access.grant(client_for(self._settings, create=True), principal, role, scope)

    def revoke(self, principal: str, scope: str) -> None:
        """Take the role that `principal` has in exactly this scope. Returns once it is gone.

        Raises: NotFound where it has none; InvalidName.
        """
        access.revoke(self._client, principal, scope)

    def tokens(self, scope: str) -> list[Token]:
        """The tokens that were made in an entity and its projects, or in a project, and not revoked; expired ones too.

        Raises: InvalidName.
        """
        client = self._client
        client.catch_up()
        return access.tokens(client, self._settings, scope)

    def create_token(
        self, name: str, scope: str, *, role: str | None = None, expires: timedelta | None = None
    ) -> NewToken:
        """A token for `name` that gives what it was granted within an entity or "entity/project"; its `text` is secret.

        `role` is granted there, too. Without `expires` it never does. Raises: InvalidInput, also where `name` has
        another role in this scope, or none within it and `role` is not given.
        """
        client = client_for(self._settings, create=True)
        return access.create_token(client, name, scope, role=role, expires=expires)

    def revoke_token(self, token_id: str) -> Token:
        """End a token. Returns once it is valid no more. Raises: NotFound; InvalidName."""
        return access.revoke_token(self._client, token_id)

    # --- within

    def _collection_name(self, name: str) -> CollectionName:
        """Raises: InvalidName, also for the name of a version."""
        wanted, settings = ArtifactReference.parse(name), self._settings
        if ":" in name:
            raise InvalidName(f"{name!r} names one version, not an artifact. Write {name.partition(':')[0]!r}.")
        return CollectionName(wanted.entity or settings.entity, wanted.project or settings.project, wanted.name)

    def _project(self, path: str | None) -> str:
        """ "entity/project". Raises: InvalidName."""
        if path is None:
            return f"{self._settings.entity}/{self._settings.project}"
        parts = self._with_defaults(path, 2)
        if len(parts) != 2:
            raise InvalidName(f"{path!r} is not a project. Write project or entity/project.")
        return "/".join(check_name(part, kind) for part, kind in zip(parts, ("entity", "project"), strict=True))

    def _with_defaults(self, path: str, count: int) -> list[str]:
        if not isinstance(path, str):
            raise InvalidName(f"a project or run must be a string such as 'team/digits', not {path!r}.")
        parts = path.split("/")
        defaults = [self._settings.entity, self._settings.project][: count - 1]
        missing = max(0, count - len(parts))
        return [*defaults[:missing], *parts]


def _elsewhere(url: str, entity: str, project: str) -> Api:
    """The `Api` of the same store and defaults, with the settings of this process for all else."""
    api = Api.__new__(Api)
    given = {"HEADWATER_ENTITY": entity, "HEADWATER_PROJECT": project}
    api._settings = read_settings({**os.environ, **given}, url=url)
    return api
