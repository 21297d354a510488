"""A version that is stored: reading, downloading, editing and deleting it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from headwater_consumer import queries
from headwater_consumer.queries.reads import Reads
from headwater_schemas.errors import BlobMissing, NotFound
from headwater_schemas.names import CollectionName
from headwater_stores.config.local_paths import local_folder
from headwater_stores.contents import StoreContents

from headwater._artifact import changes, deletion
from headwater._artifact.deletion import DeletePreview
from headwater._artifact.entry import Entry, EntrySource
from headwater._artifact.lineage import users_of
from headwater._commit.client import Client
from headwater._content.attributes import VersionAttributes
from headwater._content.content import FileOrReference
from headwater._content.overlay import Overlay, file_or_reference
from headwater._download.checkout import checkout
from headwater._download.download import download, download_entry, read_entry
from headwater._download.verify import verify
from headwater._paging import ENTRIES_PER_PAGE, PagedList, Pages

CONTESTED_PER_PAGE = 1000
DOWNLOADS = "artifacts"  # the folder below the current one that versions are downloaded to by default


class StoredVersion:
    """One version of a collection, as it was recorded when it was looked up."""

    def __init__(self, client: Client, info: queries.VersionInfo) -> None:
        self.client = client
        self.info = info

    @property
    def reads(self) -> Reads:
        """The projection that it is recorded in."""
        return self.client.stores.reads

    @property
    def source_name(self) -> str:
        """ "name:vN"."""
        return f"{CollectionName.parse(self.info.collection).name}:v{self.info.version}"

    @property
    def qualified_name(self) -> str:
        """ "entity/project/name:vN"."""
        return f"{self.info.collection}:v{self.info.version}"

    # --- what it holds

    def content_at(self, path: str) -> FileOrReference | None:
        """What is at a path. Cost: one index look-up for each layer."""
        found = self.reads.entry(self.info.layers, path)
        return None if found is None else file_or_reference(found)

    def entries(self, folder: str) -> Iterator[tuple[str, FileOrReference]]:
        """What is under a folder, "" for all, by path."""
        for page in self.reads.all_entries(self.info.layers, prefix=folder):
            for found in page:
                yield found.path, file_or_reference(found)

    def files(self, source: EntrySource) -> Sequence[Entry]:
        """All entries by path, read page by page; they belong to `source`."""
        reads, info = self.reads, self.info

        def page_after(last: queries.EntryInfo | None) -> Sequence[queries.EntryInfo]:
            after = None if last is None else last.path
            return reads.entries_page(info.layers, after=after, limit=ENTRIES_PER_PAGE)

        return _Files(page_after, info.entry_count, source)

    def read(self, path: str) -> bytes:
        """The content of a small entry. Raises: NotFound."""
        with self._being_read():
            return read_entry(self.reads, self._contents, self.info.layers, path)

    def contested_paths(self) -> list[str]:
        """The paths that different writers of the version's draft wrote."""
        info = self.info
        found: list[str] = []
        while info.contested_count > len(found):
            after = found[-1] if found else None
            page = self.reads.contested_paths(info.collection, info.version, after=after, limit=CONTESTED_PER_PAGE)
            if not page:
                break
            found += page
        return found

    def next_content(self) -> Overlay:
        """Content that starts from this version."""
        return Overlay(self.reads, self.info)

    def users(self) -> list[str]:
        """The runs that used it, by name."""
        return users_of(self.client, (self.info.collection, self.info.version))

    # --- fetching it

    def folder(self, root: str | os.PathLike[str] | None) -> str:
        """`root`, or the folder that it is downloaded to by default. Raises: InvalidFile for what is no path."""
        return local_folder(root) if root is not None else os.path.join(DOWNLOADS, self.source_name)

    def download(
        self, root: str | os.PathLike[str] | None, path_prefix: str | PurePath | None, *, hard_links: bool
    ) -> str:
        """As `Artifact.download`."""
        client, folder = self.client, self.folder(root)
        with self._being_read():
            download(
                self.reads,
                self._contents,
                self.info.layers,
                Path(folder),
                prefix="" if path_prefix is None else path_prefix,
                hard_links=hard_links,
                stat_cache=client.stat_cache,
                quiet=client.quiet,
            )
        return folder

    def download_entry(self, path: str, root: str | os.PathLike[str] | None) -> Path:
        """As `Entry.download`."""
        client, layers, folder = self.client, self.info.layers, Path(self.folder(root))
        at, cache, quiet = (self.reads, self._contents), client.stat_cache, client.quiet
        with self._being_read():
            return download_entry(*at, layers, path, folder, stat_cache=cache, quiet=quiet)

    def checkout(self, root: str | os.PathLike[str], ignore: Sequence[str]) -> str:
        """As `Artifact.checkout`."""
        client, folder = self.client, local_folder(root)
        at, layers = (self.reads, self._contents), self.info.layers
        cache, quiet = client.stat_cache, client.quiet
        with self._being_read():
            checkout(*at, layers, Path(folder), ignore=ignore, stat_cache=cache, quiet=quiet)
        return folder

    def verify(self, root: str | os.PathLike[str] | None, ignore: Sequence[str]) -> None:
        """As `Artifact.verify`."""
        verify(self.reads, self.info, Path(self.folder(root)), ignore=ignore, quiet=self.client.quiet)

    @property
    def _contents(self) -> StoreContents:
        return StoreContents(self.client.stores)

    @contextmanager
    def _being_read(self) -> Iterator[None]:
        """A block that reads its content. Raises: NotFound where that is missing because it was deleted meanwhile."""
        try:
            yield
        except BlobMissing as error:
            self.client.catch_up_on(self.info.collection)
            now = self.reads.version_info(self.info.collection, self.info.version)
            if now is not None and not now.deleted:
                raise
            if now is not None and now.purged:
                raise NotFound(
                    f"{self.qualified_name} was deleted and purged, so its content is gone for good. "
                    "Use another version."
                ) from error
            raise NotFound(
                f"{self.qualified_name} was deleted while it was read, and its content is gone. Files that were "
                "complete by then stay. Read another version, or log the content again."
            ) from error

    # --- changing it

    def save_changes(self, attributes: VersionAttributes) -> queries.VersionInfo:
        """Send what was changed of its attributes, and return what is recorded then."""
        return changes.save_changes(self.client, self.info, attributes)

    def move_alias(self, alias: str, expect: Any) -> None:
        """Move an alias here at once."""
        changes.move_alias(self.client, self.info, alias, expect)

    def preview_deletion(self) -> DeletePreview:
        """As `Artifact.delete_preview`."""
        return deletion.preview(self.client, self.info)

    def delete(self, *, delete_aliases: bool) -> queries.VersionInfo | None:
        """Delete it, and return what is recorded then."""
        return deletion.delete(self.client, self.info, delete_aliases=delete_aliases)


class _Files(PagedList[queries.EntryInfo, Entry]):
    """The entries of a version, whose number never changes."""

    def __init__(self, page_after: Pages[queries.EntryInfo], count: int, source: EntrySource) -> None:
        super().__init__(page_after, lambda _: count, lambda found: Entry(source, found.path, file_or_reference(found)))
        self._count = count

    def __len__(self) -> int:
        return self._count
