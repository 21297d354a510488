"""One file of a version, with a preview of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headwater_blobs.port import ContentReads
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import EntryInfo
from headwater_schemas import digests, paths
from headwater_schemas.frozen_unicode import quoted

from headwater_server.http.problems import not_found
from headwater_server.resources.naming import live_version
from headwater_server.web.previews.contents import Contents
from headwater_server.web.previews.preview import Preview, preview
from headwater_server.web.views.tree import SHOWN_MAX, Crumb, crumbs_of


@dataclass(frozen=True, slots=True)
class File:
    """One file, or reference."""

    collection: str
    project: str
    name: str
    version: int
    asked_as: str
    path: str
    file_name: str
    crumbs: Sequence[Crumb]  # the folders that it is in
    size_bytes: int | None
    digest: str | None
    executable: bool
    uri: str | None  # of a reference
    checksum: str | None
    preview: Preview | None  # None: it is a reference


def entry_seen(database: Database, *, collection: str, selector: str, path: str) -> tuple[int, EntryInfo]:
    """The version and the entry at a path of it. Raises: Problem, InvalidInput."""
    info = live_version(database, collection, selector)
    stored = queries.stored_path(database, info.layers, paths.normalize(path))
    found = queries.entry(database, info.layers, stored)
    if found is None:
        raise not_found(f"{quoted(path, SHOWN_MAX)} in {collection}:v{info.version}")
    return info.version, found


def file(collection: str, selector: str, version: int, entry: EntryInfo) -> File:
    """What is recorded of an entry, without its preview."""
    folder, _, name = entry.path.rpartition("/")
    return File(
        collection=collection,
        project=collection.rpartition("/")[0],
        name=collection.rpartition("/")[2],
        version=version,
        asked_as=selector,
        path=entry.path,
        file_name=name,
        crumbs=crumbs_of(folder),
        size_bytes=entry.size,
        digest=None if entry.digest is None else digests.to_text(entry.digest),
        executable=entry.executable,
        uri=entry.uri,
        checksum=entry.checksum,
        preview=None,
    )


def with_preview(shown: File, blobs: ContentReads, entry: EntryInfo) -> File:
    """The same with a preview, for which the content is read. Raises: StoreError, BlobCorrupt."""
    return replace(shown, preview=preview(Contents(blobs, entry), entry.path))
