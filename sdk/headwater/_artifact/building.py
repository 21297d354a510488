"""Filling an artifact: files, folders, references, tables and what else can be kept join it, and leave it again."""

import codecs
import contextlib
import io
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any, Literal

from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.paths import normalize, normalize_folder

from headwater._artifact.entry import Entry
from headwater._content.content import Content
from headwater._ingest.scan import scan, scan_file
from headwater._tables.stored_values import copy_of, encode_value, entry_of_value

if TYPE_CHECKING:
    from headwater_producer.stager import BlobStager

    from headwater._commit.client import Client
    from headwater._ingest.scan import Scan

Policy = Literal["mutable", "immutable"]
POLICIES = ("mutable", "immutable")
TEMPORARY_DIGITS = 20  # of the content's digest, in front of a temporary file's name: 80 bits tell files apart


class Building(ABC):
    """What an artifact is while it can be filled. The bytes are taken when they are added."""

    def __init__(self) -> None:
        self._content = Content()
        self._deferred: dict[str, str] = {}  # path → local file that is read when the artifact is logged
        self._objects: dict[str, object] = {}  # what `add` was given, by entry path
        self._client: Client | None = None
        self._stager: BlobStager | None = None

    @abstractmethod
    def _check_open(self) -> None:
        """Raises: InvalidInput when nothing can be changed any more."""

    def add_file(
        self,
        local_path: str | os.PathLike[str],
        name: str | PurePath | None = None,
        is_tmp: bool = False,
        policy: Policy = "mutable",
    ) -> Entry:
        """Add one file, as `name` or under its own name.

        `is_tmp=True` puts digits of the content's digest before the name, so that temporary files of one name do not
        meet. `policy="immutable"` reads a large file only when the artifact is logged; it must not change until then.
        Raises: InvalidFile, InvalidPath; InvalidInput after logging.
        """
        self._check_open()
        _check_policy(policy)
        found = scan_file(local_path)
        path = normalize(os.path.basename(found.location) if name is None else name)
        if not is_tmp:  # else its name is known once it was read
            self._content.check([path])
        client, stager = self._opened()
        if policy == "immutable":
            digest, size, deferred = _hash_only(stager, found.location, found.size)
        else:
            from headwater._ingest.staging import ingest_file

            (digest, size), deferred = ingest_file(client, stager, found), False
        if is_tmp:
            path = _temporary_name(path, digest)
        self._put([path], [digest], [size], {path: found.location} if deferred else {})
        return self._entry(path)

    def add_dir(
        self, local_path: str | os.PathLike[str], name: str | PurePath | None = None, policy: Policy = "mutable"
    ) -> None:
        """Add every file below a folder, under `name` or at the top. Files that did not change are not read again.

        Raises: InvalidFile, InvalidPath naming what cannot be taken, and nothing is added; InvalidInput after logging.
        """
        self._check_open()
        _check_policy(policy)
        found = scan(local_path, "" if name is None else normalize_folder(name))
        paths = found.paths()
        self._content.check(paths)
        client, stager = self._opened()
        if policy == "immutable":
            self._put(paths, *_hash_folder(stager, found))
            return
        from headwater._ingest.staging import ingest_folder

        taken = ingest_folder(client, stager, found)
        self._check_open()
        self._content.put_tree(taken.paths, taken.digests, taken.sizes, taken.total, taken.difference)
        self._replaced(paths)

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
        _check_encoding(encoding)
        from headwater._ingest.staging import ingest_written, written_here

        _, stager = self._opened()
        with written_here() as raw:
            with _writer(raw, mode, encoding) as file:
                yield file
            digest, size = ingest_written(stager, raw)
        self._put([path], [digest], [size], {})

    def add_reference(
        self,
        uri: str | Entry,
        name: str | PurePath | None = None,
        checksum: bool = True,
        max_objects: int | None = None,
    ) -> list[Entry]:
        """Add what a URI stands for, or an entry of another version, without its bytes; returns the entries.

        `name` is the entry's path, or the folder of what an object prefix or a folder holds; inferred from the URI
        unless given. `checksum=False` asks nobody, and keeps the URI alone. Prefixes hold at most `max_objects`,
        10,000 unless given. Raises: InvalidInput naming the URI, also where two would take one name; NotFound;
        InvalidPath; InvalidInput after logging.
        """
        from headwater._artifact.add_references import references_for

        self._check_open()
        found = references_for(self, uri, name, checksum=checksum, max_objects=max_objects)
        self._check_open()
        self._content.put_references(found)
        self._replaced([reference.path for reference in found])
        return [self._entry(reference.path) for reference in found]

    def add(self, obj: object, name: str | PurePath) -> Entry:
        """Add a table, or a partitioned one, under `name`; `get(name)` gives it back.

        Raises: InvalidInput naming the type of what cannot be added; InvalidPath.
        """
        self._check_open()
        entry = encode_value(obj, name)
        with self.new_file(entry.path, "wb") as file:
            file.write(entry.content)
        if self.has(entry.replaces):
            self.remove(entry.replaces)
        self._objects[entry.path] = copy_of(obj)
        return self._entry(entry.path)

    def remove(self, item: str | PurePath | Entry) -> None:
        """Take out an entry, or everything under a folder.

        Raises: NotFound when there is neither; InvalidPath; InvalidInput after logging.
        """
        self._check_open()
        path = item.path if isinstance(item, Entry) else normalize(item)
        gone = [path] if self._held(path) is not None else list(self.paths_under(path))
        if not gone:
            raise NotFound(
                f"{path!r} is neither an entry nor a folder here, so it cannot be removed.{_hint(self, path)}"
            )
        self._content.remove(gone)
        self._replaced(gone)

    # --- for the rest of this package

    def _held(self, path: str) -> Any:
        return self._content.held(path)

    def _entry(self, path: str) -> Entry:
        return Entry(self, path, self._held(path))  # type: ignore[arg-type]

    def paths_under(self, folder: str) -> Iterator[str]:
        return self._content.paths(folder)

    def has(self, path: str) -> bool:
        return self._held(path) is not None

    def added_value(self, path: str) -> object | None:
        return self._objects.get(path)

    def _opened(self) -> "tuple[Client, BlobStager]":
        """Where bytes go: the store of the active run, else the one that the settings name."""
        if self._client is None or self._stager is None:
            from headwater._run.run import client_and_namespace

            self._client, namespace = client_and_namespace()
            self._stager = self._client.stager(namespace)
        return self._client, self._stager

    def _put(self, paths: list[str], digests: list[bytes], sizes: list[int], deferred: dict[str, str]) -> None:
        self._check_open()  # again: it may have been logged while this was read or written
        self._content.put(paths, digests, sizes)
        self._replaced(paths)
        self._deferred.update(deferred)

    def _replaced(self, paths: list[str]) -> None:
        """What was known of these paths beside their content is not so any more."""
        for known in (self._deferred, self._objects):
            for path in known.keys() & set(paths):
                del known[path]


def _hint(building: Building, path: str) -> str:
    """What somebody may have meant who names a table in the place of its entry."""
    table = entry_of_value(building, path)  # type: ignore[arg-type]  # a Building is always an Artifact
    return "" if table is None else f" The table of that name is the entry {table!r}: remove that."


def _check_policy(policy: str) -> None:
    if policy not in POLICIES:
        raise InvalidInput(f"policy {policy!r} is unknown. Use one of: {', '.join(POLICIES)}.")


def _check_encoding(encoding: str | None) -> None:
    try:
        codecs.lookup(encoding or "utf-8")
    except (LookupError, TypeError):
        raise InvalidInput(f"encoding {encoding!r} is unknown. Use one that Python knows, such as 'utf-8'.") from None


def _temporary_name(path: str, digest: bytes) -> str:
    folder, slash, name = path.rpartition("/")
    return normalize(f"{folder}{slash}{digest[1:].hex()[:TEMPORARY_DIGITS]}-{name}")


def _hash_folder(stager: "BlobStager", found: "Scan") -> tuple[list[bytes], list[int], dict[str, str]]:
    """Digests and sizes of a folder's files, and where those are whose bytes are taken later."""
    digests, sizes, deferred = [], [], {}
    for path, location, size in zip(found.paths(), found.locations(), found.sizes(), strict=True):
        digest, size_now, is_deferred = _hash_only(stager, location, size)
        digests.append(digest)
        sizes.append(size_now)
        if is_deferred:
            deferred[path] = location
    return digests, sizes, deferred


def _hash_only(stager: "BlobStager", location: str, size: int) -> tuple[bytes, int, bool]:
    """Digest and size of a file whose bytes are taken later, and whether they are: small ones are taken at once."""
    from headwater_schemas import digests

    from headwater._commit.tasks import is_large
    from headwater._ingest.staging import unreadable

    try:
        with open(location, "rb", buffering=0) as source:
            if not is_large(size):
                return *stager.ingest_file(source), False
            hasher, read = digests.new_hasher(stager.algorithm), 0
            while chunk := source.read(1 << 20):
                hasher.update(chunk)
                read += len(chunk)
    except OSError as error:
        raise unreadable(location, error) from error
    return digests.pack(stager.algorithm, hasher.digest()), read, True


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
