"""The state of an artifact: content that is being added, then a version that is pending, then a stored version.

`Artifact` is its public interface. The rest of headwater works on the state, and only the state changes itself.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from headwater_schemas.errors import InvalidInput, InvalidName
from headwater_schemas.events import ExpectedVersion
from headwater_schemas.names import CollectionName, check_name, check_type
from headwater_stores.telling.progress import notify

from headwater._active_run.active_run import active_run, client_and_namespace, store_to_fill
from headwater._artifact.entry import Entry
from headwater._artifact.sources import Sources
from headwater._commit.record import CommitRecord
from headwater._content.attributes import VersionAttributes
from headwater._content.content import Content, FileOrReference
from headwater._ingest.content_sources import ContentSources
from headwater._ingest.recent_reads import RecentReads
from headwater._ingest.rehash import ingest_again

if TYPE_CHECKING:
    from headwater_consumer.queries import VersionInfo
    from headwater_producer.stager import BlobStager

    from headwater._artifact.stored import StoredVersion
    from headwater._commit.client import Client
    from headwater._commit.pending_version import PendingVersion

Commit = Callable[[CommitRecord], "PendingVersion"]


class ArtifactState:
    """What an artifact is by now. `EntrySource` of its entries, and `TableSource` of its tables."""

    def __init__(self, name: str, type_name: str) -> None:
        """Raises: InvalidName."""
        self.base_name = check_name(name, "artifact")  # without a version
        if not type_name:
            raise InvalidName(f"artifact {name!r} has no type. Pass one, such as type='dataset' or type='model'.")
        self.type = check_type(type_name)
        self.attributes = VersionAttributes()
        self.content = Content()
        self.reads = RecentReads()
        self.content_sources = ContentSources()
        self._sources: Sources | None = None  # None: a path that is added again is replaced
        self._deferred: dict[str, str] = {}  # path → local file that is read when the artifact is logged
        self._added_values: dict[str, object] = {}  # what `add` was given, by entry path
        self._client: Client | None = None
        self._stager: BlobStager | None = None
        self._collection: CollectionName | None = None  # once it is known
        self._pending: PendingVersion | None = None
        self._draft: str | None = None  # the shared draft that it was upserted to, by its id on the log
        self._run: str | None = None  # of this process, that logged it or upserted it to the draft
        self._stored: StoredVersion | None = None

    @classmethod
    def of_version(cls, client: "Client", info: "VersionInfo") -> "ArtifactState":
        """The state of a version that was looked up."""
        collection = CollectionName.parse(info.collection)
        state = cls(collection.name, info.type)
        state._client = client
        state._collection = collection
        state.become(info)
        return state

    def __reduce__(self) -> tuple[Any, ...]:
        if self._stored is None and self._pending is None:
            raise InvalidInput(
                f"{self.base_name} is not logged yet, so it can be neither copied nor sent to another process. Log it "
                "and pass the artifact, or pass the paths of its files and fill an artifact there."
            )
        return _restored, (self._client, self.stored().info, self.attributes)

    # --- what it is

    @property
    def name(self) -> str:
        """The name in its project; `name:vN` once the version is known."""
        stored = self.stored_if_ready()
        return self.base_name if stored is None else stored.source_name

    @property
    def stage(self) -> str:
        """As `Artifact.state`."""
        stored = self.stored_if_ready()
        if stored is not None:
            return stored.info.state
        return "draft" if self._pending is None else self._pending.state

    @property
    def namespace(self) -> tuple[str, str]:
        """Entity and project. Raises: InvalidInput before it is logged."""
        if self._collection is None:
            raise InvalidInput(f"{self.base_name} does not belong to a project yet. {_LOG_FIRST}")
        return self._collection.entity, self._collection.project

    @property
    def store_url(self) -> str | None:
        """The store that it is in or was filled for; None before there is one."""
        return None if self._client is None else self._client.url

    def is_elsewhere(self, client: "Client") -> bool:
        """Whether it is in another store than the client's, or was filled for one."""
        return self._client is not None and self._client.place != client.place

    # --- as a version

    def stored(self) -> "StoredVersion":
        """The version. Waits for it. Raises: InvalidInput where there is none yet; EventRejected."""
        if self._stored is None:
            self.become(self._pending_version().version())
        assert self._stored is not None
        return self._stored

    def stored_if_ready(self) -> "StoredVersion | None":
        """The version, if that needs no waiting."""
        if self._stored is None and self._pending is not None and self._pending.is_version:
            self.become(self._pending.version())
        return self._stored

    def stored_or_none(self) -> "StoredVersion | None":
        """The version, unless it is still pending; `stored_if_ready` looks whether it still is."""
        return self._stored

    def known_info(self) -> "VersionInfo":
        """What is recorded about the version. Waits for it. Raises: as `stored`."""
        return self.stored().info

    def become(self, info: "VersionInfo") -> None:
        """From now on it is this version."""
        from headwater._artifact.stored import StoredVersion  # deferred: database

        assert self._client is not None
        self._stored, self._pending, self.type = StoredVersion(self._client, info), None, info.type
        self.content, self._added_values, self._deferred = Content(), {}, {}  # the version has them now
        self.reads = RecentReads()
        self.attributes = VersionAttributes.of_version(info, self._move_alias)

    def wait(self, timeout_s: float | None) -> None:
        """As `Artifact.wait`."""
        if self._stored is None:
            info = self._pending_version().wait(timeout_s)
            if info is not None:
                self.become(info)

    def wait_for_seal(self) -> None:
        """Where it seals a shared draft, wait for the version, which also has what other writers added."""
        if self._pending is not None and self._pending.seals_draft:
            self.stored()

    def current_attributes(self) -> VersionAttributes:
        """The attributes, to be read or edited. Waits for a version that is pending."""
        if self._pending is not None:
            self.stored()
        return self.attributes

    def save(self, expect_latest: ExpectedVersion | None) -> None:
        """As `Artifact.save`."""
        if self._stored is None and self._pending is None:
            self._log_to_active_run(expect_latest)
            self.wait(None)
        elif expect_latest is not None:
            raise InvalidInput(f"{self.name} was logged, so that expect_latest has no meaning. Save it without.")
        else:
            self.become(self.stored().save_changes(self.attributes))

    def delete(self, *, delete_aliases: bool) -> None:
        """As `Artifact.delete`."""
        info = self.stored().delete(delete_aliases=delete_aliases)
        if info is not None:
            self.become(info)

    def next_draft(self) -> "ArtifactState":
        """The state of the next version, which starts from this one."""
        stored = self.stored()
        draft = ArtifactState(self.base_name, self.type)
        draft._client, draft._collection = self._client, self._collection
        draft._stager = stored.client.stager("/".join(self.namespace))
        draft.content = stored.next_content()
        draft.attributes = VersionAttributes.of_draft(stored.info)
        return draft

    # --- what it holds

    @property
    def entry_count(self) -> int:
        """How many entries there are."""
        return self.content.count if self._stored is None else self._stored.info.entry_count

    def content_at(self, path: str) -> FileOrReference | None:
        """What is at a path."""
        return self.content.get(path) if self._stored is None else self._stored.content_at(path)

    def has(self, path: str) -> bool:
        """Whether there is an entry."""
        return self.content_at(path) is not None

    def entries(self, folder: str = "") -> Iterator[tuple[str, FileOrReference]]:
        """What is under a folder, "" for all, by path."""
        return self.content.entries(folder) if self._stored is None else self._stored.entries(folder)

    def paths_under(self, folder: str) -> Iterator[str]:
        """The paths under a folder, sorted."""
        return (path for path, _ in self.entries(folder))

    def entry(self, path: str) -> Entry:
        """The entry at a path, which is there."""
        content = self.content_at(path)
        assert content is not None
        return Entry(self, path, content)

    def files(self) -> Sequence[Entry]:
        """All entries by path; of a version, read page by page."""
        if self._stored is None:
            return [Entry(self, path, content) for path, content in self.entries()]
        return self._stored.files(self)

    def read(self, path: str) -> bytes:
        """The content of a small entry: of a version, or of the base of a draft."""
        stored = self._stored
        if stored is None and self._client is not None and path not in self.content.files:
            stored = self._stored_base()
        if stored is None:
            raise InvalidInput(f"{path!r} cannot be read before {self.name} is logged. Call `artifact.wait()` first.")
        return stored.read(path)

    def download_entry(self, path: str, root: str | os.PathLike[str] | None) -> str:
        """As `Entry.download`."""
        return str(self.stored().download_entry(path, root))

    def added_value(self, path: str) -> object | None:
        """What `add` was given for this entry, while the artifact is filled."""
        return self._added_values.get(path)

    # --- filling it

    def open(self) -> "tuple[Client, BlobStager]":
        """The client and stager for bytes: of the active run's store, or else of the one in the settings."""
        if self._client is None or self._stager is None:
            self._client, namespace = store_to_fill()
            self._stager = self._client.stager(namespace)
        return self._client, self._stager

    def refuse_second_sources(self) -> None:
        """From now on, a path that was added from one source is not replaced by what another one has."""
        self._sources = Sources()

    def check_paths(self, paths: Sequence[str], sources: Callable[[], Iterable[str]]) -> None:
        """Raises: InvalidPath when `paths` cannot be added; InvalidInput for a second source of one."""
        self.content.check(paths)
        if self._sources is not None:
            self._sources.claim(zip(paths, sources(), strict=True))

    def add_files(
        self,
        paths: Sequence[str],
        digests: Sequence[bytes],
        sizes: Sequence[int],
        executable: Collection[int] | None,
        deferred: dict[str, str],
    ) -> None:
        """Add files whose bytes were ingested, or are `deferred`: read from a location when the artifact is logged.

        `executable` is as in `Content.add_files`.
        """
        self.check_open()  # again: it may have been logged while they were read or written
        self.content.add_files(paths, digests, sizes, executable)
        self.forget(paths)
        self._deferred.update(deferred)

    def remember_value(self, path: str, value: object) -> None:
        """`value` was added as this entry."""
        self._added_values[path] = value

    def forget(self, paths: Sequence[str]) -> None:
        """Drop what was remembered of the former entries at these paths."""
        for known in (self._deferred, self._added_values):
            for path in known.keys() & set(paths) if known else ():
                del known[path]

    def check_open(self) -> None:
        """Raises: InvalidInput when the content cannot change any more."""
        if self._stored is None and self._draft is not None:
            raise InvalidInput(
                f"{self.name} was added to the draft {self._draft.partition(':')[2]!r}, so its content can no longer "
                "change. Create another Artifact with this name to add more."
            )
        if self._pending is not None or self._stored is not None:
            raise InvalidInput(
                f"{self.name} was logged but rejected; `artifact.wait()` raises the reason. Create a new Artifact."
                if self.stage == "rejected"
                else (
                    f"{self.name} was logged, so its content can no longer change. Create the next version with "
                    "`artifact.new_draft()` or a new Artifact."
                )
            )

    # --- logging it

    def log(
        self,
        client: "Client",
        namespace: str,
        aliases: tuple[str, ...],
        commit: Commit,
        *,
        run: str | None = None,
        expect_latest: ExpectedVersion | None = None,
    ) -> None:
        """Log it as a version, as an output of `run`.

        A version is logged again where that adds something: another run, or aliases. Raises: InvalidInput where its
        attributes were changed since, and for what cannot be logged.
        """
        if self._is_lost_in(client):
            self._leave_unrecorded()
            return
        again = self._again(client, namespace, run, aliases, expect_latest)
        if again is None:
            return
        record = replace(again._record(client, namespace, aliases), expect_latest=expect_latest)
        self._commit(record, commit, None)
        self._run = run

    def upsert(self, client: "Client", namespace: str, draft: str, commit: Commit, *, run: str) -> None:
        """Log it as a part of the shared draft with this id on the log, unless `run` did. Raises: as `log`."""
        if self._is_lost_in(client):
            self._leave_unrecorded()
            return
        if self._draft == draft and self._run == run and self._collection == self._collection_in(namespace):
            shown = client.session.shown(str(self._collection))
            _notify_again(client, f"{shown} was already added to the draft {draft.partition(':')[2]!r}")
            return
        self._commit(self._record(client, namespace, (), may_flatten=False), commit, draft)
        self._run = run

    def _again(
        self,
        client: "Client",
        namespace: str,
        run: str | None,
        aliases: tuple[str, ...],
        expect_latest: ExpectedVersion | None,
    ) -> "ArtifactState | None":
        """What is to be logged: itself; a draft without changes where it is a version; None where nothing is new."""
        if self.stage not in ("pending", "committed") or self._draft is not None:
            return self
        stored = self.stored() if aliases or run != self._run else self.stored_if_ready()
        if stored is not None and self.attributes.is_changed:
            raise InvalidInput(
                f"{self.name} was logged already, and its attributes were changed since. `artifact.save()` saves them."
            )
        if self._collection != self._collection_in(namespace):
            return self
        if run == self._run and expect_latest is None and set(aliases) <= set(self.attributes.aliases):
            version = "" if stored is None else f" as v{stored.info.version}"
            _notify_again(client, f"{client.session.shown(str(self._collection))} was already logged{version}")
            return None
        return self.next_draft()

    def finish(self, client: "Client", namespace: str, draft: str, commit: Commit) -> "PendingVersion":
        """Log it as what seals a shared draft. Where it was upserted to that draft, it adds nothing more."""
        if self._is_lost_in(client):
            return self._leave_unrecorded()
        collection = self._collection_in(namespace)
        if self._draft == draft and self._collection == collection:
            record = CommitRecord(
                collection=str(collection),
                type=self.type,
                content=Content(),
                deferred={},
                sources=ContentSources(),
                attributes=self.attributes,
                stager=client.stager(namespace),
                part=self._pending,
            )
        else:
            record = self._record(client, namespace, (), may_flatten=False)
        return self._commit(record, commit, draft)

    def _log_to_active_run(self, expect_latest: ExpectedVersion | None) -> None:
        """Log it as an output of the active run, or else of none."""
        from headwater._commit.save import log_version  # deferred: database

        run = active_run()
        if run is not None:
            self.log(run.client, run.namespace, (), run.log, run=run.name, expect_latest=expect_latest)
            return
        client, namespace = client_and_namespace()
        if self._collection is not None:  # a draft stays in the project of its base
            namespace = "/".join(self.namespace)
        commit = partial(log_version, client, run=None)
        self.log(client, namespace, (), commit, expect_latest=expect_latest)

    def _is_lost_in(self, client: "Client") -> bool:
        """Whether its bytes are in a store and it is logged to one that will be thrown away, which gets no copy."""
        return client.is_throwaway and self._client is not None and self._client is not client

    def _leave_unrecorded(self) -> "PendingVersion":
        from headwater._commit.pending_version import Unrecorded  # deferred: database

        self.check_open()
        self._pending = Unrecorded(self.base_name)
        return self._pending

    def _commit(self, record: CommitRecord, commit: Commit, draft: str | None) -> "PendingVersion":
        pending = commit(record)
        if self._stored is None:
            self._pending = pending
        self._draft = draft
        return pending

    def _record(
        self, client: "Client", namespace: str, aliases: tuple[str, ...], *, may_flatten: bool = True
    ) -> CommitRecord:
        """What is to be committed. A draft that goes elsewhere than its base has all of its content there."""
        self.check_open()
        if self._client is not None:
            if self.is_elsewhere(client):
                raise InvalidInput(
                    f"{self.base_name} was filled for the store {self._client.url}, but the run logs to {client.url}. "
                    "Create the artifact after `headwater.init`."
                )
            if self._client is not client and not self._client.stores.is_current():
                raise InvalidInput(
                    f"{self.base_name} was filled for a store that was removed or replaced since. Create the artifact "
                    "again."
                )
            self._client.check_process()  # filled before a fork, it is logged with what the child inherited
        collection, base = self._collection_in(namespace), self.content.base
        if base is not None and base.collection != str(collection):
            if not may_flatten:
                raise InvalidInput(
                    f"a draft of {base.collection} cannot be added to a shared draft of {collection}. Start the run "
                    "in the project of the base."
                )
            self.content = self.content.flattened()
        self._follow_algorithm(client, namespace)
        self._client, self._collection = client, collection
        return CommitRecord(
            collection=str(collection),
            type=self.type,
            content=self.content,
            deferred=self._deferred,
            sources=self.content_sources,
            attributes=self.attributes,
            aliases=aliases,
            stager=self._stager if self._stager is not None else client.stager(namespace),
        )

    def _follow_algorithm(self, client: "Client", namespace: str) -> None:
        """Hash what was added with another digest algorithm than that of the project that it goes to."""
        if self._stager is not None:
            stager = client.stager(namespace)
            if ingest_again(client.stores.blobs, self._stager, stager, self.content, self._deferred):
                self._stager = stager

    def _collection_in(self, namespace: str) -> CollectionName:
        return CollectionName.parse(f"{namespace}/{self.base_name}")

    def _pending_version(self) -> "PendingVersion":
        if self._pending is None:
            raise InvalidInput(f"{self.base_name} has no version yet. {_LOG_FIRST}")
        return self._pending

    def _stored_base(self) -> "StoredVersion | None":
        """The version that a draft starts from."""
        from headwater._artifact.stored import StoredVersion  # deferred: database

        base = self.content.base
        return None if base is None or self._client is None else StoredVersion(self._client, base)

    def _move_alias(self, alias: str, expect: str | None) -> None:
        self.stored().move_alias(alias, expect)
        self.attributes.record_moved_alias(alias)


def _notify_again(client: "Client", what: str) -> None:
    if not client.quiet:
        notify(f"{what}, and nothing changed since")


def _restored(client: "Client", info: "VersionInfo", attributes: VersionAttributes) -> ArtifactState:
    """The state of a version that was copied, or came from another process, with what was edited there."""
    state = ArtifactState.of_version(client, info)
    state.attributes = attributes.moving_aliases_by(state._move_alias)
    return state


_LOG_FIRST = "Log it with `run.log_artifact(artifact)` first."
