"""Artifacts: a versioned folder of files and references, while it is built and once it is logged."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from headwater_schemas.errors import InvalidInput, InvalidName, NotFound
from headwater_schemas.names import check_name, check_type

from headwater._artifact.building import Building
from headwater._artifact.entry import Entry, Manifest, find_entry
from headwater._content.attributes import Aliases, Names, Said
from headwater._content.content import Content
from headwater._tables.stored_values import read_value

if TYPE_CHECKING:
    from headwater_consumer.queries import VersionInfo

    from headwater._artifact.deletion import DeletePreview
    from headwater._commit.client import Client
    from headwater._commit.pending_version import Logged
    from headwater._content.content import Held
    from headwater._run.run import Run


class Artifact(Building):
    """A folder of files and references under one name and type.

    A new one is filled with `add_file`, `add_dir`, `add_reference` and others, then logged by a run or saved; from then
    on it is a version and its content does not change. One that was asked for by name is a version from the start, and
    `new_draft()` begins the next one from it.

    The bytes are taken when they are added: what happens to the source later changes nothing.
    """

    def __init__(
        self, name: str, type: str = "", description: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Raises: InvalidName for name or type, which both are needed; InvalidMetadata."""
        super().__init__()
        self._name = check_name(name, "artifact")
        if not type:
            raise InvalidName(f"artifact {name!r} has no type. Give one, such as type='dataset' or type='model'.")
        self._type = check_type(type)
        self._said = Said.nothing()
        self._said.describe(description)
        if metadata is not None:
            self._said.replace_metadata(metadata)
        self._namespace: str | None = None  # "entity/project", once it is known
        self._logged: Logged | None = None  # on its way
        self._part_of: str | None = None  # the shared draft that it was handed to, by its id on the log
        self._info: VersionInfo | None = None  # once the version is known

    @classmethod
    def _of_version(cls, client: "Client", info: "VersionInfo") -> "Artifact":
        namespace, _, name = info.collection.rpartition("/")
        artifact = cls(name, info.type)
        artifact._client = client
        artifact._namespace = namespace
        artifact._become(info)
        return artifact

    # --- what it is

    @property
    def name(self) -> str:
        """The name in its project; `name:vN` once the version is known."""
        self._look()
        return self._name if self._info is None else f"{self._name}:v{self._info.version}"

    @property
    def source_name(self) -> str:
        """`name:vN`. Waits for the version. Raises: InvalidInput before it is logged."""
        return f"{self._name}:{self.version}"

    @property
    def qualified_name(self) -> str:
        """`entity/project/name:vN`. Waits for the version. Raises: InvalidInput before it is logged."""
        version = self.version
        return f"{self._namespace}/{self._name}:{version}"

    @property
    def entity(self) -> str:
        """Whose it is. Raises: InvalidInput before it is logged."""
        return self._where()[0]

    @property
    def project(self) -> str:
        """The project it is in. Raises: InvalidInput before it is logged."""
        return self._where()[1]

    @property
    def type(self) -> str:
        """What kind of artifact it is: "dataset", "model" and so on. It can be set until the artifact is logged."""
        return self._type

    @type.setter
    def type(self, name: str) -> None:
        self._check_open()
        self._type = check_type(name)

    @property
    def version(self) -> str:
        """`v0`, `v1`, …: waits for it. Raises: InvalidInput before it is logged or finished; EventRejected."""
        return f"v{self._known().version}"

    @property
    def state(self) -> str:
        """How far it is.

        "draft" while it is built; "pending" until what was logged is known to count; "refused" where a rule was against
        it, as waiting says; "open" as part of a shared draft that is not sealed; then "committed" or "deleted".
        """
        self._look()
        if self._info is not None:
            return "deleted" if self._info.deleted else "committed"
        return "draft" if self._logged is None else self._logged.state

    @property
    def digest(self) -> str:
        """The digest of the content: 64 hexadecimal digits, the same before and after logging."""
        return self._content.sum().digest() if self._info is None else self._info.digest

    @property
    def size(self) -> int:
        """The sum of all entries in bytes, before any sharing of equal content."""
        return self._content.sum().size_bytes if self._info is None else self._info.size_bytes

    @property
    def file_count(self) -> int:
        """How many entries there are."""
        return self._content.count if self._info is None else self._info.entry_count

    @property
    def created_at(self) -> datetime:
        """When the version was sealed, UTC. Raises: InvalidInput before it is logged."""
        return _time(self._known().created_us)

    @property
    def updated_at(self) -> datetime:
        """When anything about the version changed last, UTC. Raises: InvalidInput before it is logged."""
        return _time(self._known().updated_us)

    @property
    def contested_paths(self) -> list[str]:
        """The paths that several writers of its shared draft wrote; the last event counted for each."""
        from headwater._commit.pending_version import contested_paths

        return contested_paths(self._bound(), self._known())

    # --- what is said about it: changed in place, and made known by logging or `save`

    @property
    def description(self) -> str | None:
        """What it is, for people."""
        return self._now_said().description

    @description.setter
    def description(self, text: str | None) -> None:
        self._now_said().describe(text)

    @property
    def metadata(self) -> dict[str, Any]:
        """What it is, for programs: change a key, or assign anew. Raises on assignment: InvalidMetadata."""
        return self._now_said().metadata

    @metadata.setter
    def metadata(self, value: Mapping[str, Any]) -> None:
        self._now_said().replace_metadata(value)

    @property
    def aliases(self) -> Aliases:
        """Its aliases, to be appended to, removed from or assigned; `aliases.move` moves one at once."""
        return self._now_said().aliases

    @aliases.setter
    def aliases(self, names: Iterable[str]) -> None:
        self._now_said().aliases[:] = Aliases(names)

    @property
    def tags(self) -> Names:
        """Its tags, to be appended to, removed from or assigned."""
        return self._now_said().tags

    @tags.setter
    def tags(self, names: Iterable[str]) -> None:
        self._now_said().tags[:] = Names(names)

    @property
    def ttl(self) -> timedelta | None:
        """For how long it is meant to be kept; None for ever."""
        seconds = self._now_said().ttl_seconds
        return None if seconds is None else timedelta(seconds=seconds)

    @ttl.setter
    def ttl(self, time: timedelta | None) -> None:
        self._now_said().live(time)

    # --- what it holds

    @property
    def manifest(self) -> Manifest:
        """Its listing: `manifest.entries` maps path to entry. Nothing is read before it is asked for."""
        return Manifest(self)

    def files(self) -> "Sequence[Entry]":
        """All entries by path, read page by page as they are asked for."""
        from headwater._paging import entries_of

        return entries_of(self)

    def file(self, root: str | os.PathLike[str] | None = None) -> str:
        """Fetch the one entry that it holds, and return its path. Raises: InvalidInput when it holds more or none."""
        if not self.file_count:
            raise InvalidInput(f"{self.name} has no entries, so there is no file to fetch.")
        if self.file_count > 1:
            raise InvalidInput(f"{self.name} has {self.file_count:,} entries. Name one: `artifact.get_entry(name)`.")
        return self.files()[0].download(root)

    def get_entry(self, name: str | PurePath) -> Entry:
        """The entry at a path, in any spelling. Raises: NotFound, saying when it is a folder; InvalidPath."""
        return find_entry(self, name)

    def get_path(self, name: str | PurePath) -> Entry:
        """The same as `get_entry`."""
        return find_entry(self, name)

    def get(self, name: str | PurePath) -> object:
        """What was added under `name` with `add`; after `finish_artifact` by any writer, which is waited for.

        Raises: NotFound, ContentError.
        """
        self.wait_for_seal()
        found = read_value(self, name)
        if found is None:
            raise NotFound(f"{self.name} has no table {str(name)!r}. `get_entry` gives files and references.")
        return found

    def new_draft(self) -> "Artifact":
        """The next version, to be filled from here: what it does not change is that of this one.

        Description and metadata begin as they were recorded here, aliases, tags and time to live with nothing.
        Raises: InvalidInput before this one is logged; NotFound once it was deleted.
        """
        from headwater._content.overlay import Overlay

        info = self._known()
        if info.deleted:
            raise NotFound(f"{self.qualified_name} was deleted, so no draft can start from it. Use another version.")
        draft = Artifact(self._name, self._type)
        draft._client, draft._namespace = self._client, self._namespace
        draft._stager = self._bound().stager(info.collection.rpartition("/")[0])
        draft._content = Overlay(self._bound().stores.database, info)
        draft._said = Said.of_draft(info)
        return draft

    # --- making it known

    def save(self) -> "Artifact":
        """Make known what is new: a new artifact or draft is logged, a version is described anew. Waits, returns self.

        What is logged is an output of the run that is active, if one is. Of a version only what was changed here is
        sent, so two people who edit it do not undo each other; an alias that another version holds moves.
        Raises: EventRejected, InvalidMetadata, StoreError.
        """
        from headwater._commit.save import log_outside, save_changes

        if self._info is None and self._logged is None:
            log_outside(self)
            return self.wait()
        save_changes(self)
        return self

    def wait(self, timeout: float | None = None) -> "Artifact":
        """Wait until what was logged counts, and return this artifact; after `finish_artifact` until it is sealed.

        Raises: EventRejected when a rule refused it; StoreUnavailable after `timeout` seconds; InvalidInput when it was
        never logged.
        """
        if self._info is None:
            info = self._on_its_way().wait(timeout)
            if info is not None:
                self._become(info)
        return self

    def delete(self, delete_aliases: bool = False) -> None:
        """Delete the version. Its number is never given again, and what others use of its content stays.

        Where somebody else deleted it meanwhile, that is fine. Raises: EventRejected naming the aliases that it holds,
        unless they are to be deleted too.
        """
        from headwater._artifact.deletion import delete

        delete(self, delete_aliases=delete_aliases)

    def delete_preview(self) -> "DeletePreview":
        """What deleting it would free, and what depends on it. Cost: reads the version's listing."""
        from headwater._artifact.deletion import preview

        return preview(self)

    # --- fetching it

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        path_prefix: str | PurePath | None = None,
        *,
        hard_links: bool = False,
    ) -> str:
        """Fetch all files into `root`, `./artifacts/NAME:vN` unless given, and return that path.

        `path_prefix` is a folder or a path within it, and nothing else is touched. Files that are there and have the
        recorded content stay as they are. The files are the caller's own; `hard_links=True` saves the disk's space by
        links to the store's own files, where both are on one disk: to be read, since changing them damages the store.
        Raises: BlobMissing, BlobCorrupt, NotFound, InvalidFile.
        """
        from headwater._download.download import download

        client, folder = self._bound(), self._root(root)
        stores, layers = client.stores, self._known().layers
        download(
            stores.database,
            stores.blobs,
            layers,
            folder,
            prefix="" if path_prefix is None else path_prefix,
            hard_links=hard_links,
            stat_cache=client.stat_cache,
            quiet=client.quiet,
        )
        return str(folder)

    def checkout(self, root: str | os.PathLike[str]) -> str:
        """Make `root` hold this version and nothing else; returns the path.

        Raises: as `download`; InvalidFile for a root that is more than a folder for this, such as a home.
        """
        from headwater._download.checkout import checkout
        from headwater._download.target import folder_named

        client, folder = self._bound(), folder_named(root)
        stores, layers = client.stores, self._known().layers
        checkout(stores.database, stores.blobs, layers, folder, stat_cache=client.stat_cache, quiet=client.quiet)
        return str(root)

    def verify(self, root: str | os.PathLike[str] | None = None) -> None:
        """Compare `root`, where `download` puts it unless given, with the version.

        Raises: one error that lists every difference.
        """
        from headwater._download.verify import verify

        verify(self._bound().stores.database, self._known().layers, self._root(root))

    # --- lineage

    def logged_by(self) -> "Run | None":
        """The run that logged it first, if one did. Raises: InvalidInput before it is logged."""
        from headwater._run.run import Run

        info = self._known()
        return None if info.run is None else Run._of_name(self._bound(), info.run)

    def used_by(self) -> "list[Run]":
        """The runs that used it. Raises: InvalidInput before it is logged."""
        from headwater._artifact.lineage import users_of
        from headwater._run.run import Run

        info, client = self._known(), self._bound()
        return [Run._of_name(client, name) for name in users_of(client, (info.collection, info.version))]

    def __repr__(self) -> str:
        return f"<Artifact {self.name} ({self._type}, {self.state})>"

    # --- for the rest of this package

    def _known(self) -> "VersionInfo":
        """What is recorded about the version. Waits for it. Raises: InvalidInput where there is none yet."""
        if self._info is None:
            self._become(self._on_its_way().version())
        assert self._info is not None
        return self._info

    def wait_for_seal(self) -> None:
        """Where this seals a shared draft, wait for the version: it alone has what the other writers brought."""
        if self._logged is not None and self._logged.is_seal:
            self._known()

    def _look(self) -> None:
        """Become the version, if that needs no waiting."""
        if self._info is None and self._logged is not None and self._logged.is_version:
            self._become(self._logged.version())

    def _become(self, info: "VersionInfo") -> None:
        """From here on it is this version."""
        self._info, self._type, self._logged = info, info.type, None
        self._content, self._objects, self._deferred = Content(), {}, {}  # it is the version's now
        self._said = Said.of(info)
        self._said.aliases._mover = self._move_alias

    def _bound(self) -> "Client":
        """The client of the store that it is in. Raises: InvalidInput before it is logged."""
        self._known()
        assert self._client is not None
        return self._client

    def _on_its_way(self) -> "Logged":
        if self._logged is None:
            raise InvalidInput(f"{self._name} has no version yet. Log it with `run.log_artifact(artifact)` first.")
        return self._logged

    def _now_said(self) -> Said:
        """What is said, to be read or edited; what was logged and is not known yet is waited for."""
        if self._logged is not None:
            self._known()
        return self._said

    def _move_alias(self, alias: str, expect: str | None) -> None:
        from headwater._commit.save import move_alias

        move_alias(self, alias, expect)
        self._said.has_moved(alias)

    def _held(self, path: str) -> "Held | None":
        if self._info is None:
            return self._content.held(path)
        from headwater._commit.pending_version import held_at

        return held_at(self._bound(), self._info, path)

    def _entries(self, folder: str = "") -> "Iterator[tuple[str, Held]]":
        if self._info is None:
            return self._content.entries(folder)
        from headwater._commit.pending_version import held_under

        return held_under(self._bound(), self._info, folder)

    def paths_under(self, folder: str) -> Iterator[str]:
        return (path for path, _ in self._entries(folder))

    def read(self, path: str) -> bytes:
        """The content of one entry, which is small. Raises: NotFound; InvalidInput for what was not logged yet."""
        from headwater._commit.pending_version import read_small

        return read_small(self, path)

    def _download_entry(self, path: str, root: str | os.PathLike[str] | None) -> str:
        from headwater._download.download import download_entry

        client, folder = self._bound(), self._root(root)
        at, layers = (client.stores.database, client.stores.blobs), self._known().layers
        return str(download_entry(*at, layers, path, folder, stat_cache=client.stat_cache, quiet=client.quiet))

    def _root(self, root: str | os.PathLike[str] | None) -> Path:
        from headwater._download.target import folder_named

        return folder_named(root) if root is not None else Path("artifacts", self.source_name)

    def _where(self) -> tuple[str, str]:
        if self._namespace is None:
            raise InvalidInput(f"{self._name} is in no project yet. Log it with `run.log_artifact(artifact)` first.")
        entity, _, project = self._namespace.partition("/")
        return entity, project

    def _check_open(self) -> None:
        if self._info is None and self._part_of is not None:
            raise InvalidInput(
                f"{self.name} was handed to the draft {self._part_of.partition(':')[2]!r}, so its content does not "
                "change any more. Make a new Artifact of this name for what is to be added."
            )
        if self._logged is not None or self._info is not None:
            raise InvalidInput(
                f"{self.name} was logged, and refused; `artifact.wait()` says why. Make a new Artifact."
                if self.state == "refused"
                else f"{self.name} was logged, so its content does not change any more. "
                "Begin the next version with `artifact.new_draft()`, or make a new Artifact."
            )


def _time(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC)
