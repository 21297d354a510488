"""Artifacts: a versioned folder of files, while it is built and once it is logged."""

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any, Literal

from headwater_schemas import metadata as json_metadata
from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.names import check_name, check_text, check_type
from headwater_schemas.paths import normalize

from headwater._content import Content
from headwater._scan import scan, scan_file

if TYPE_CHECKING:
    from headwater_consumer.queries import VersionInfo
    from headwater_producer.intake import Intake

    from headwater._client import Client
    from headwater._run import Run
    from headwater._tasks import CommitTask

Policy = Literal["mutable", "immutable"]
POLICIES = ("mutable", "immutable")


class Artifact:
    """A folder of files under one name and type.

    A new one is filled with `add_file`, `add_dir` and `new_file`, then logged by a run; from then on it is a version
    and does not change. One that was asked for by name is a version from the start.

    The bytes are taken when they are added: what happens to the source later changes nothing.
    """

    def __init__(
        self, name: str, type: str, description: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Raises: InvalidName for name or type; InvalidMetadata."""
        self._name = check_name(name, "artifact")
        self._type = check_type(type)
        self._description = None if description is None else check_text(description, "description")
        self._metadata_text = None if metadata is None else json_metadata.encode(metadata)
        self._content = Content()
        self._late: dict[str, str] = {}  # path → local file that is read when the artifact is logged
        self._client: Client | None = None
        self._intake: Intake | None = None
        self._namespace: str | None = None  # "entity/project", once it is known
        self._task: CommitTask | None = None
        self._task_pid: int | None = None
        self._info: VersionInfo | None = None

    @classmethod
    def _of_version(cls, client: "Client", info: "VersionInfo") -> "Artifact":
        namespace, _, name = info.collection.rpartition("/")
        artifact = cls(name, info.type)
        artifact._client = client
        artifact._namespace = namespace
        artifact._info = info
        return artifact

    # --- what it is

    @property
    def name(self) -> str:
        """The name in its project; `name:vN` once the version is known."""
        return self._name if self._info is None else f"{self._name}:v{self._info.version}"

    @property
    def type(self) -> str:
        """What kind of artifact it is: "dataset", "model" and so on."""
        return self._type

    @property
    def qualified_name(self) -> str:
        """`entity/project/name:vN`. Waits for the version. Raises: InvalidInput before it is logged."""
        return f"{self._namespace}/{self._name}:v{self._known().version}"

    @property
    def entity(self) -> str:
        """Whose it is. Raises: InvalidInput before it is logged."""
        return self._where()[0]

    @property
    def project(self) -> str:
        """The project it is in. Raises: InvalidInput before it is logged."""
        return self._where()[1]

    @property
    def version(self) -> str:
        """`v0`, `v1`, …: waits for it. Raises: InvalidInput before it is logged; EventRejected."""
        return f"v{self._known().version}"

    @property
    def state(self) -> str:
        """ "draft" while it is built, "pending" until the version is known, then "committed" or "deleted"."""
        if self._info is not None:
            return "deleted" if self._info.deleted else "committed"
        return "draft" if self._task is None else "pending"

    @property
    def digest(self) -> str:
        """The digest of the content: 64 hexadecimal digits, the same before and after logging."""
        return self._content.sum().digest() if self._info is None else self._info.digest

    @property
    def size(self) -> int:
        """The sum of all files in bytes, before any sharing of equal content."""
        return self._content.sum().size_bytes if self._info is None else self._info.size_bytes

    @property
    def file_count(self) -> int:
        """How many entries there are."""
        return len(self._content.files) if self._info is None else self._info.entry_count

    @property
    def description(self) -> str | None:
        """What it is, for people."""
        return self._description if self._info is None else self._info.description

    @description.setter
    def description(self, text: str | None) -> None:
        self._check_open()
        self._description = None if text is None else check_text(text, "description")

    @property
    def metadata(self) -> dict[str, Any]:
        """What it is, for programs: a copy; assign to change it. Raises on assignment: InvalidMetadata."""
        text = self._metadata_text if self._info is None else self._info.metadata
        return json_metadata.decode(text or "{}")

    @metadata.setter
    def metadata(self, value: Mapping[str, Any]) -> None:
        self._check_open()
        self._metadata_text = json_metadata.encode(value)

    @property
    def aliases(self) -> tuple[str, ...]:
        """The aliases as they were when this was asked for. Raises: InvalidInput before it is logged."""
        return self._known().aliases

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags as they were when this was asked for. Raises: InvalidInput before it is logged."""
        return self._known().tags

    @property
    def created_at(self) -> datetime:
        """When the version was sealed, UTC. Raises: InvalidInput before it is logged."""
        return datetime.fromtimestamp(self._known().created_us / 1_000_000, UTC)

    # --- filling it

    def add_file(
        self, local_path: str | os.PathLike[str], name: str | PurePath | None = None, policy: Policy = "mutable"
    ) -> None:
        """Add one file, as `name` or under its own name.

        `policy="immutable"` reads a large file only when the artifact is logged; it must not change until then.
        Raises: InvalidFile, InvalidPath; InvalidInput after logging.
        """
        self._check_open()
        _check_policy(policy)
        found = scan_file(local_path)
        path = normalize(os.path.basename(found.location) if name is None else name)
        self._content.check([path])
        client, intake = self._opened()
        if policy == "immutable":
            digest, size, late = _hash_only(intake, found.location, found.size)
        else:
            from headwater._taking import take_file

            (digest, size), late = take_file(client, intake, found), False
        self._put([path], [digest], [size], {path: found.location} if late else {})

    def add_dir(
        self, local_path: str | os.PathLike[str], name: str | PurePath | None = None, policy: Policy = "mutable"
    ) -> None:
        """Add every file below a folder, under `name` or at the top. Files that did not change are not read again.

        Raises: InvalidFile, InvalidPath naming what cannot be taken, and nothing is added; InvalidInput after logging.
        """
        self._check_open()
        _check_policy(policy)
        found = scan(local_path, "" if name is None else normalize(name))
        self._content.check(found.paths())
        client, intake = self._opened()
        if policy == "immutable":
            for path, location, size in zip(found.paths(), found.locations(), found.sizes(), strict=True):
                digest, size_now, late = _hash_only(intake, location, size)
                self._put([path], [digest], [size_now], {path: location} if late else {})
            return
        from headwater._taking import take_folder

        taken = take_folder(client, intake, found)
        self._content.put_tree(taken.paths, taken.digests, taken.sizes, taken.total, taken.difference)
        for path in self._late.keys() & set(taken.paths):
            del self._late[path]

    @contextlib.contextmanager
    def new_file(self, name: str | PurePath, mode: str = "w", encoding: str | None = None) -> Iterator[IO[Any]]:
        """A file to write, which joins the artifact when the block ends; after an error nothing is added.

        `mode` is "w" for text (UTF-8 unless told) or "wb" for bytes. Raises: InvalidPath, InvalidInput.
        """
        self._check_open()
        path = normalize(name)
        self._content.check([path])
        if mode not in ("w", "wb", "x", "xb"):
            raise InvalidInput(f"new_file writes a new file: mode must be 'w' or 'wb', not {mode!r}.")
        from headwater._taking import take_written, written_here

        _, intake = self._opened()
        with written_here() as raw:
            with _writer(raw, mode, encoding) as file:
                yield file
            digest, size = take_written(intake, raw)
        self._put([path], [digest], [size], {})

    # --- once it is logged

    def wait(self) -> "Artifact":
        """Wait until the version is known, and return this artifact.

        Raises: EventRejected when a rule refused it; InvalidInput when it was never logged.
        """
        self._known()
        return self

    def download(self, root: str | os.PathLike[str] | None = None) -> str:
        """Fetch all files into `root`, `./artifacts/NAME:vN` unless given, and return that path.

        Files that are there and have the recorded content stay untouched. Raises: BlobMissing, BlobCorrupt.
        """
        from headwater._download import download

        info = self._known()
        assert self._client is not None
        folder = Path(root) if root is not None else Path("artifacts", f"{self._name}:v{info.version}")
        download(self._client.stores.database, self._client.stores.blobs, info.layers, folder)
        return str(folder)

    def logged_by(self) -> "Run | None":
        """The run that logged it first, if one did. Raises: InvalidInput before it is logged."""
        from headwater._run import Run

        info = self._known()
        assert self._client is not None
        return None if info.run is None else Run._of_name(self._client, info.run)

    def used_by(self) -> "list[Run]":
        """The runs that used it. Raises: InvalidInput before it is logged."""
        from headwater_consumer import queries

        from headwater._run import Run

        info = self._known()
        assert self._client is not None
        self._client.catch_up()
        names = queries.used_by(self._client.stores.database, info.collection, info.version)
        return [Run._of_name(self._client, name) for name in names]

    def __repr__(self) -> str:
        return f"<Artifact {self.name} ({self._type}, {self.state})>"

    # --- for the rest of this package

    def _log(
        self, client: "Client", namespace: str, run: str | None, aliases: tuple[str, ...], tags: tuple[str, ...]
    ) -> "CommitTask":
        """Put this artifact into the queue. Raises: InvalidInput when it was logged before."""
        from headwater_producer.commits import CommitVersion

        from headwater._tasks import CommitTask

        self._check_open()
        if self._client is not None and self._client is not client:
            raise InvalidInput(
                f"{self._name} was filled for the store {self._client.url}, but the run logs to {client.url}. "
                "Make the artifact after `headwater.init`."
            )
        self._client, self._namespace = client, namespace
        intake = self._intake if self._intake is not None else client.intake(namespace)
        command = CommitVersion(
            collection=f"{namespace}/{self._name}",
            type=self._type,
            base=None,
            files={},
            description=self._description,
            metadata=self._metadata_text,
            aliases=aliases,
            tags=tags,
            run=run,
            expected_digest=self.digest,
        )
        task = CommitTask(client.logger, command, self._content, intake, self._late)
        self._task, self._task_pid = task, os.getpid()
        client.put(task)
        return task

    def _known(self) -> "VersionInfo":
        """What is recorded about the version. Waits for it."""
        if self._info is None:
            self._info = self._version_of_task()
            self._content, self._task = Content(), None  # it is the version's now
        return self._info

    def _version_of_task(self) -> "VersionInfo":
        from headwater_consumer import queries

        if self._task is None or self._client is None:
            raise InvalidInput(f"{self._name} has no version yet. Log it with `run.log_artifact(artifact)` first.")
        if self._task_pid != os.getpid() and not self._task.done:
            raise InvalidInput(
                f"{self._name} was logged by process {self._task_pid}, before a fork. Wait for it there."
            )
        committed = self._task.result()
        collection = f"{self._namespace}/{self._name}"
        info = queries.version_info(self._client.stores.database, collection, committed.version)
        if info is None:
            raise NotFound(f"{collection}:v{committed.version} is not in the projection. Run `headwater doctor`.")
        return info

    def _opened(self) -> "tuple[Client, Intake]":
        """Where bytes go: the store of the active run, else the one that the settings name."""
        if self._client is None or self._intake is None:
            from headwater._run import client_and_namespace

            self._client, namespace = client_and_namespace()
            self._intake = self._client.intake(namespace)
        return self._client, self._intake

    def _put(self, paths: list[str], digests: list[bytes], sizes: list[int], late: dict[str, str]) -> None:
        self._content.put(paths, digests, sizes)
        for path in paths:
            self._late.pop(path, None)
        self._late.update(late)

    def _where(self) -> tuple[str, str]:
        if self._namespace is None:
            raise InvalidInput(f"{self._name} is in no project yet. Log it with `run.log_artifact(artifact)` first.")
        entity, _, project = self._namespace.partition("/")
        return entity, project

    def _check_open(self) -> None:
        if self._task is not None or self._info is not None:
            raise InvalidInput(f"{self.name} was logged, so it does not change any more. Make a new Artifact.")


def _check_policy(policy: str) -> None:
    if policy not in POLICIES:
        raise InvalidInput(f"policy {policy!r} is unknown. Use one of: {', '.join(POLICIES)}.")


def _hash_only(intake: "Intake", location: str, size: int) -> tuple[bytes, int, bool]:
    """Digest and size of a file whose bytes are taken later, and whether they are: small ones are taken at once."""
    from headwater_schemas import digests

    from headwater._taking import unreadable
    from headwater._tasks import is_large

    try:
        with open(location, "rb", buffering=0) as source:
            if not is_large(size):
                return *intake.take_file(source), False
            hasher, read = digests.new_hasher(intake.algorithm), 0
            while chunk := source.read(1 << 20):
                hasher.update(chunk)
                read += len(chunk)
    except OSError as error:
        raise unreadable(location, error) from error
    return digests.pack(intake.algorithm, hasher.digest()), read, True


@contextlib.contextmanager
def _writer(raw: IO[bytes], mode: str, encoding: str | None) -> Iterator[IO[Any]]:
    """`raw` as it was asked for; it stays open."""
    if "b" in mode:
        yield raw
        return
    text = io.TextIOWrapper(raw, encoding=encoding or "utf-8", newline="")
    try:
        yield text
        text.flush()
    finally:
        text.detach()
