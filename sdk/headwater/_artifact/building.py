"""Filling an artifact: adding and removing files, folders, references and tables."""

import codecs
import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import IO, Any, Literal

from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.paths import normalize, normalize_folder
from headwater_stores.telling.progress import notify

from headwater._artifact.add_references import references_for
from headwater._artifact.entry import Entry, path_in
from headwater._artifact.state import ArtifactState
from headwater._fixed_attributes import FixedAttributes
from headwater._ingest.deferred import hash_file, hash_folder
from headwater._ingest.scan import scan, scan_file
from headwater._ingest.staging import ingest_file, ingest_folder, ingest_spooled, spooled_file
from headwater._references.uris import redacted
from headwater._tables.stored_values import copy_of, encode_value, entry_of_value

Policy = Literal["mutable", "immutable", "verify"]
POLICIES: tuple[Policy, ...] = ("mutable", "immutable", "verify")
TEMPORARY_DIGITS = 20  # of the content's digest, in front of a temporary file's name: 80 bits tell files apart


class Building(FixedAttributes):
    """The methods that fill an artifact. Content is captured when it is added."""

    def __init__(self, state: ArtifactState) -> None:
        self._state = state

    def add_file(
        self,
        local_path: str | os.PathLike[str],
        name: str | PurePath | None = None,
        is_tmp: bool = False,
        policy: Policy = "mutable",
        *,
        skip_cache: bool = False,  # noqa: ARG002 - accepted: there is nothing to skip
    ) -> Entry:
        """Add one file, as `name` or under its own name.

        `is_tmp=True` prefixes the name with part of the digest, so that temporary files with equal names do not
        collide. `policy="immutable"` reads a large file only when the artifact is logged; it must not change until
        then. `policy="verify"` reads the file even if it seems unchanged, and what the store has of it; damaged content
        is stored again. `skip_cache` has no effect: no copy is kept outside the store.
        Raises: InvalidFile, InvalidPath; InvalidInput after logging.
        """
        state = self._state
        state.check_open()
        _check_policy(policy)
        found = scan_file(local_path, over_base=state.content.base is not None)
        path = normalize(os.path.basename(found.location) if name is None else name)
        if not is_tmp:  # else its name is known once it was read
            state.check_paths([path], lambda: [found.location])
        client, stager = state.open()
        if policy == "immutable":
            digest, size, deferred = hash_file(stager, found, state.reads, quiet=client.quiet)
        else:
            digest, size = ingest_file(client, stager, found, state.reads, verify=policy == "verify")
            deferred = False
        if is_tmp:
            path = _temporary_name(path, digest)
        executable, location = found.known_executable(), {path: found.location} if deferred else {}
        state.add_files([path], [digest], [size], executable, location)
        state.content_sources.note_file(path, found.location)
        return state.entry(path)

    def add_dir(
        self,
        local_path: str | os.PathLike[str],
        name: str | PurePath | None = None,
        policy: Policy = "mutable",
        *,
        skip_cache: bool = False,  # noqa: ARG002 - accepted: there is nothing to skip
        ignore: Sequence[str] = (),
    ) -> None:
        """Add all files below a folder, under `name` or at the top level. Unchanged files are not read again.

        `policy` and `skip_cache` are as for `add_file`. Left out is what the gitignore patterns in `ignore` or in
        `.headwaterignore` files say, and `.git` and headwater's stores, unless a pattern such as `!.git` includes them.
        Raises: InvalidFile or InvalidPath naming the offending file, in which case nothing is added; InvalidInput after
        logging.
        """
        state = self._state
        state.check_open()
        _check_policy(policy)
        prefix = "" if name is None else normalize_folder(name)
        found = scan(local_path, prefix, over_base=state.content.base is not None, ignore=ignore)
        paths = found.paths()
        if not paths:
            notify(f"the folder {os.fspath(local_path)!r} has no files, so nothing was added to {state.base_name}")
        state.check_paths(paths, found.locations)
        client, stager = state.open()
        state.content_sources.note_folder(found.root, found.prefix)
        if found.left_out and not client.quiet:
            notify(f"left out of {os.fsdecode(local_path)}: {found.left_out}")
        if policy == "immutable":
            digests, sizes, deferred = hash_folder(stager, found, state.reads, quiet=client.quiet)
            state.add_files(paths, digests, sizes, found.known_executable(), deferred)
            return
        ingested = ingest_folder(client, stager, found, state.reads, verify=policy == "verify")
        state.check_open()
        columns = (ingested.paths, ingested.digests, ingested.sizes, ingested.executable)
        state.content.add_folder(*columns, ingested.total, ingested.delta)
        state.forget(paths)

    @contextlib.contextmanager
    def new_file(self, name: str | PurePath, mode: str = "w", encoding: str | None = None) -> Iterator[IO[Any]]:
        """Open a new file for writing; it is added when the block ends. If the block raises, nothing is added.

        `mode` is "w" for text (UTF-8 by default) or "wb" for bytes. Raises: InvalidPath, InvalidInput.
        """
        state = self._state
        state.check_open()
        path = normalize(name)
        state.content.check([path])
        if mode not in ("w", "wb", "x", "xb"):
            raise InvalidInput(f"mode must be 'w' or 'wb' for a new file, not {mode!r}.")
        _check_encoding(encoding)
        client, stager = state.open()
        with spooled_file() as raw:
            with _writer(raw, mode, encoding) as file:
                yield file
            digest, size = ingest_spooled(client, stager, raw, path)
            if size <= PACKED_FILE_BYTES_MAX or not stager.keeps(digest):
                state.content_sources.written.keep(path, raw, size)
        state.add_files([path], [digest], [size], (), {})

    def add_reference(
        self,
        uri: str | Entry,
        name: str | PurePath | None = None,
        checksum: bool = True,
        max_objects: int | None = None,
    ) -> list[Entry]:
        """Add references to the objects of a URI or to an entry of another version, without copying content. Returns
        the entries.

        `name` is the path of the entry, or the folder for the objects below a prefix or folder; the default is derived
        from the URI. `checksum=False` makes no request and records only the URI. A prefix may have up to `max_objects`
        objects, 10,000 by default. Raises: InvalidInput naming the URI, also if two entries would have the same name;
        NotFound; InvalidPath; InvalidInput after logging.
        """
        state = self._state
        state.check_open()
        found = references_for(state, uri, name, checksum=checksum, max_objects=max_objects)
        state.check_open()
        state.check_paths([reference.path for reference in found], lambda: [redacted(one.uri) for one in found])
        state.content.add_references(found)
        state.forget([reference.path for reference in found])
        return [state.entry(reference.path) for reference in found]

    def add(self, obj: object, name: str | PurePath) -> Entry:
        """Add a table or partitioned table under `name`; `get(name)` returns it.

        Raises: InvalidInput naming the type of any other value; InvalidPath.
        """
        state = self._state
        state.check_open()
        encoded = encode_value(obj, name)
        with self.new_file(encoded.path, "wb") as file:
            file.write(encoded.content)
        if state.has(encoded.replaces):
            self.remove(encoded.replaces)
        state.remember_value(encoded.path, copy_of(obj))
        return state.entry(encoded.path)

    def remove(self, item: str | PurePath | Entry) -> None:
        """Remove an entry, or everything below a folder.

        Raises: NotFound if there is neither; InvalidPath; InvalidInput after logging.
        """
        state = self._state
        state.check_open()
        path = item.path if isinstance(item, Entry) else path_in(state, item)
        gone = [path] if state.has(path) else list(state.paths_under(path))
        if not gone:
            raise NotFound(
                f"{path!r} is neither an entry nor a folder. `artifact.files()` lists the entries.{_hint(state, path)}"
            )
        state.content.remove(gone)
        state.forget(gone)


def state_of(artifact: Building) -> ArtifactState:
    """The state behind an artifact, for the rest of headwater."""
    return artifact._state


def _hint(state: ArtifactState, path: str) -> str:
    """What a caller may have meant who names a table instead of its entry."""
    table = entry_of_value(state, path)
    return "" if table is None else f" The table of that name is stored as {table!r}; remove that entry."


def _check_policy(policy: str) -> None:
    if policy not in POLICIES:
        raise InvalidInput(f"unknown policy {policy!r}. Use one of: {', '.join(POLICIES)}.")


def _check_encoding(encoding: str | None) -> None:
    try:
        codecs.lookup(encoding or "utf-8")
    except (LookupError, TypeError):
        raise InvalidInput(f"unknown encoding {encoding!r}. Use one that Python supports, such as 'utf-8'.") from None


def _temporary_name(path: str, digest: bytes) -> str:
    folder, slash, name = path.rpartition("/")
    return normalize(f"{folder}{slash}{digest[1:].hex()[:TEMPORARY_DIGITS]}-{name}")


@contextlib.contextmanager
def _writer(raw: IO[bytes], mode: str, encoding: str | None) -> Iterator[IO[Any]]:
    """`raw` in the requested mode; it stays open."""
    if "b" in mode:
        yield raw
        return
    text = io.TextIOWrapper(raw, encoding=encoding or "utf-8", newline="")
    try:
        yield text
        text.flush()
    finally:
        text.detach()
