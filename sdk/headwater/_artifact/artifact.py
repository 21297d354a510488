"""Artifacts: versioned folders of files and references, while they are filled and after they are logged."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.names import check_type
from headwater_stores.telling.progress import format_bytes

from headwater._artifact.building import Building, state_of
from headwater._artifact.entry import Entry, Manifest, find_entry
from headwater._artifact.run_resolver import resolve_runs
from headwater._artifact.state import ArtifactState
from headwater._content.attributes import UNSET, Aliases, Names, expected_version
from headwater._notebook import NotebookView
from headwater._tables.stored_values import read_value

if TYPE_CHECKING:
    from headwater_consumer.queries import VersionInfo
    from headwater_schemas.provenance import Provenance

    from headwater._artifact.deletion import DeletePreview
    from headwater._artifact.stored import StoredVersion
    from headwater._commit.client import Client
    from headwater._run.run import Run


class Artifact(Building, NotebookView):
    """A named, typed folder of files and references.

    Fill a new artifact with `add_file`, `add_dir`, `add_reference` and so on, then log it with a run or `save()` it. It
    becomes a version, whose content cannot change. An artifact that was looked up by name is a version already;
    `new_draft()` creates the next version from it.

    Content is captured when it is added: later changes to the source have no effect.
    """

    def __init__(
        self, name: str, type: str = "", description: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Both `name` and `type` are required. Raises: InvalidName for either; InvalidMetadata."""
        state = ArtifactState(name, type)
        super().__init__(state)
        state.attributes.set_description(description)
        if metadata is not None:
            state.attributes.set_metadata(metadata)

    # --- identity and state

    @property
    def name(self) -> str:
        """The name within its project; `name:vN` once the version is known."""
        return self._state.name

    @property
    def source_name(self) -> str:
        """`name:vN`. Waits for the version. Raises: InvalidInput before it is logged."""
        return self._state.stored().source_name

    @property
    def qualified_name(self) -> str:
        """`entity/project/name:vN`. Waits for the version. Raises: InvalidInput before it is logged."""
        return self._state.stored().qualified_name

    @property
    def entity(self) -> str:
        """The entity it belongs to. Raises: InvalidInput before it is logged."""
        return self._state.namespace[0]

    @property
    def project(self) -> str:
        """The project it belongs to. Raises: InvalidInput before it is logged."""
        return self._state.namespace[1]

    @property
    def type(self) -> str:
        """The artifact's type, such as "dataset" or "model". Can be set until the artifact is logged."""
        return self._state.type

    @type.setter
    def type(self, name: str) -> None:
        self._state.check_open()
        self._state.type = check_type(name)

    @property
    def version(self) -> str:
        """`v0`, `v1`, …. Waits for the version. Raises: InvalidInput before it is logged or finished; EventRejected."""
        return f"v{self._state.known_info().version}"

    @property
    def state(self) -> str:
        """The stage of its lifecycle.

        "draft" while it is filled; "pending" while it is being logged; "rejected" if a rule was broken (`wait()` raises
        an error with the reason); "open" as part of a shared draft that is not sealed; then "committed" or "deleted".
        "unrecorded" after it was logged by a run with `mode="disabled"` that has no copy of its content.
        """
        return self._state.stage

    @property
    def digest(self) -> str:
        """The digest of the content: `lthash:` and 64 hexadecimal digits.

        Equal before and after logging, unless it goes to a project with another digest algorithm than it was added for.
        """
        stored = self._state.stored_or_none()
        return self._state.content.sum().digest() if stored is None else stored.info.digest

    @property
    def size(self) -> int:
        """The total size of all entries in bytes, counting equal content once per entry."""
        stored = self._state.stored_or_none()
        return self._state.content.sum().size_bytes if stored is None else stored.info.size_bytes

    @property
    def file_count(self) -> int:
        """The number of entries."""
        return self._state.entry_count

    @property
    def created_at(self) -> datetime:
        """The time when the version was sealed, in UTC. Raises: InvalidInput before it is logged."""
        return _time(self._state.known_info().created_us)

    @property
    def updated_at(self) -> datetime:
        """The time of the last change to an attribute, in UTC. Raises: InvalidInput before it is logged."""
        return _time(self._state.known_info().updated_us)

    @property
    def contested_paths(self) -> list[str]:
        """The paths that several writers of its shared draft added; the last event counted for each."""
        return self._state.stored().contested_paths()

    # --- attributes: changed in place, recorded by logging or `save`

    @property
    def description(self) -> str | None:
        """Free text that describes the version."""
        return self._state.current_attributes().description

    @description.setter
    def description(self, text: str | None) -> None:
        self._state.current_attributes().set_description(text)

    @property
    def metadata(self) -> dict[str, Any]:
        """A JSON object; change single keys or assign a new object. Assigning raises: InvalidMetadata."""
        return self._state.current_attributes().metadata

    @metadata.setter
    def metadata(self, value: Mapping[str, Any]) -> None:
        self._state.current_attributes().set_metadata(value)

    @property
    def aliases(self) -> Aliases:
        """Its aliases: append, remove or assign. `aliases.move` moves one immediately."""
        return self._state.current_attributes().aliases

    @aliases.setter
    def aliases(self, names: Iterable[str]) -> None:
        self._state.current_attributes().aliases[:] = Aliases(names)

    @property
    def tags(self) -> Names:
        """Its tags: append, remove or assign."""
        return self._state.current_attributes().tags

    @tags.setter
    def tags(self, names: Iterable[str]) -> None:
        self._state.current_attributes().tags[:] = Names(names)

    @property
    def ttl(self) -> timedelta | None:
        """The intended lifetime; None for unlimited."""
        seconds = self._state.current_attributes().ttl_seconds
        return None if seconds is None else timedelta(seconds=seconds)

    @ttl.setter
    def ttl(self, time: timedelta | None) -> None:
        self._state.current_attributes().set_ttl(time)

    # --- content

    @property
    def manifest(self) -> Manifest:
        """Its listing: `manifest.entries` maps paths to entries. Nothing is read before it is used."""
        return Manifest(self._state)

    def files(self) -> Sequence[Entry]:
        """All entries by path; loads page by page."""
        return self._state.files()

    def file(self, root: str | os.PathLike[str] | None = None) -> str:
        """Download its only entry and return the local path. Raises: InvalidInput if it has no entries or several."""
        if not self.file_count:
            raise InvalidInput(f"{self.name} has no entries, so there is no file to download.")
        if self.file_count > 1:
            raise InvalidInput(f"{self.name} has {self.file_count:,} entries. Name one: `artifact.get_entry(name)`.")
        return self.files()[0].download(root)

    def get_entry(self, name: str | PurePath) -> Entry:
        """The entry at a path. Raises: NotFound, which says so if the path is a folder; InvalidPath."""
        return find_entry(self._state, name)

    def get_path(self, name: str | PurePath) -> Entry:
        """Alias of `get_entry`."""
        return find_entry(self._state, name)

    def get(self, name: str | PurePath) -> object:
        """The table that was added under `name` with `add`. After `finish_artifact`, waits until the draft is sealed.

        Raises: NotFound, ContentError.
        """
        self._state.wait_for_seal()
        found = read_value(self._state, name)
        if found is None:
            raise NotFound(f"{self.name} has no table {str(name)!r}. Use `get_entry` for files and references.")
        return found

    def new_draft(self) -> "Artifact":
        """A draft of the next version; entries that you do not change are inherited from this version.

        The recorded description and metadata are copied; aliases, tags and time to live are not. Raises: InvalidInput
        before this artifact is logged; NotFound if it was deleted.
        """
        if self._state.known_info().deleted:
            raise NotFound(f"{self.qualified_name} was deleted, so no draft can start from it. Use another version.")
        return _artifact_in(self._state.next_draft())

    # --- logging, saving, deleting

    def save(self, *, expect_latest: str | None = UNSET) -> "Artifact":
        """Log a new artifact or draft, or save changed attributes of a version. Waits, and returns self.

        A logged artifact becomes an output of the active run, if there is one. For a version, only your changes are
        sent, so two people who edit it do not overwrite each other's changes; an alias that is on another version
        moves. With `expect_latest`, see `Run.log_artifact`, a new artifact or draft is logged only if that still holds.
        Raises: EventRejected, InvalidMetadata, StoreError.
        """
        self._state.save(expected_version("expect_latest", expect_latest))
        return self

    def wait(self, timeout: float | None = None) -> "Artifact":
        """Wait until the version is recorded, or after `finish_artifact` until it is sealed. Returns self.

        Without a `timeout`, in seconds, for as long as the settings say; for a seal, as long as it takes. Raises:
        EventRejected if a rule rejected it; StoreUnavailable when that is over, or at once where it was waited for in
        vain before and nothing has changed since; InvalidInput if it was never logged.
        """
        self._state.wait(timeout)
        return self

    def delete(self, delete_aliases: bool = False) -> None:
        """Delete the version. Its number is never reused, and other versions keep the content they share with it.

        Deleting a deleted version does nothing. Raises: EventRejected naming its aliases, unless `delete_aliases` is
        set.
        """
        self._state.delete(delete_aliases=delete_aliases)

    def delete_preview(self) -> "DeletePreview":
        """What content would be unused without it, and what depends on it. Cost: reads its listing."""
        return self._state.stored().preview_deletion()

    # --- downloading

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        path_prefix: str | PurePath | None = None,
        *,
        hard_links: bool = False,
        skip_cache: bool = False,  # noqa: ARG002 - accepted: there is nothing to skip
    ) -> str:
        """Download all files into `root`, by default `./artifacts/NAME:vN`, and return that path.

        `path_prefix` limits the download to one folder or file. Local files that have the recorded content are kept.
        The files are copies that you can change; with `hard_links=True`, large files are hard links to the store where
        both are on one disk, which saves space. Do not change those: that damages the store. `skip_cache` has no
        effect: no copy is kept outside the store.
        Raises: BlobMissing, BlobCorrupt, NotFound, InvalidFile.
        """
        return self._state.stored().download(root, path_prefix, hard_links=hard_links)

    def checkout(self, root: str | os.PathLike[str], *, ignore: Sequence[str] = ()) -> str:
        """Download the version into `root` and remove everything else from it. Returns the path.

        What `add_dir` would leave out of `root`, with these `ignore` patterns, is not removed.
        Raises: see `download`; InvalidFile for folders that must not be emptied, such as a home folder.
        """
        return self._state.stored().checkout(root, ignore)

    def verify(self, root: str | os.PathLike[str] | None = None, *, ignore: Sequence[str] = ()) -> None:
        """Compare `root`, by default the folder that `download` uses, with the version.

        What `add_dir` would leave out of `root`, with these `ignore` patterns, is no difference.
        Raises: Differences, which lists every difference.
        """
        self._state.stored().verify(root, ignore)

    # --- lineage

    def logged_by(self) -> "Run | None":
        """The run that first logged it, if any. Raises: InvalidInput before it is logged."""
        stored = self._state.stored()
        return None if stored.info.run is None else resolve_runs(stored.client, [stored.info.run])[0]

    def used_by(self) -> "list[Run]":
        """The runs that used it. Raises: InvalidInput before it is logged."""
        stored = self._state.stored()
        return resolve_runs(stored.client, stored.users())

    @property
    def imported_from(self) -> "tuple[Provenance, ...]":
        """Where it was logged first, if it was imported: `store`, `version`, `author` and `time` there; else empty.

        It has several where the other store had this content more than once. Raises: InvalidInput before it is logged.
        """
        return self._state.stored().info.imported

    def _shown_fields(self) -> dict[str, str]:
        state = self._state
        name, stored, attributes = state.name, state.stored_or_none(), state.attributes
        return {
            "artifact": name if stored is None else stored.qualified_name,
            "type": self.type,
            "state": self.state,
            "aliases": ", ".join(attributes.aliases),
            "tags": ", ".join(attributes.tags),
            "entries": f"{self.file_count:,}",
            "size": "" if stored is None else format_bytes(stored.info.size_bytes),
            "created": "" if stored is None else f"{self.created_at:%Y-%m-%d %H:%M} UTC",
            "description": attributes.description or "",
            "metadata": json.dumps(attributes.metadata, ensure_ascii=False, default=str) if attributes.metadata else "",
        }

    def __repr__(self) -> str:
        return f"<Artifact {self.name} ({self.type}, {self.state})>"


def stored_version(artifact: Artifact) -> "StoredVersion":
    """The stored version of an artifact. Waits for it. Raises: InvalidInput before it is logged; EventRejected."""
    return state_of(artifact).stored()


def artifact_of(client: "Client", info: "VersionInfo") -> Artifact:
    """The artifact of a version that was looked up."""
    return _artifact_in(ArtifactState.of_version(client, info))


def _artifact_in(state: ArtifactState) -> Artifact:
    artifact = Artifact.__new__(Artifact)
    Building.__init__(artifact, state)
    return artifact


def _time(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC)
