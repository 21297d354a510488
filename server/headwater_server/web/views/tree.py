"""One level of the files of a version: what is right below a folder, and how much is in each where that is cheap."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import LevelItem, VersionInfo
from headwater_consumer.queries.levels import COUNTED_MAX, FolderTotal, level_totals
from headwater_consumer.rows import REFERENCE
from headwater_schemas import digests, paths
from headwater_schemas.frozen_unicode import quoted

from headwater_server.http.problems import not_found
from headwater_server.resources.paging import cursor_key, cursor_text, page_of

PAGE = 100
SHOWN_MAX = 200  # characters of a path, in an answer
_LIST = "entries-level"  # the name of the list in cursors: the same as that of the interface


@dataclass(frozen=True, slots=True)
class Item:
    """A file, reference or folder."""

    name: str  # the last part of the path
    path: str
    kind: str  # "file", "reference" or "folder"
    entries: int | None  # of a folder: what is in it; None: there is too much to count
    size_bytes: int | None  # None: not known
    digest: str | None
    executable: bool
    uri: str | None  # of a reference


@dataclass(frozen=True, slots=True)
class Crumb:
    """A folder on the way to the one that is shown."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Tree:
    """What is right below a folder."""

    folder: str  # "" for the top
    crumbs: Sequence[Crumb]  # to the folder, without the top
    items: Sequence[Item]  # by path, a folder where its first entry would be
    is_first: bool
    next: str | None  # the cursor of the items after these


def tree(database: Database, info: VersionInfo, *, folder: str, cursor: str | None) -> Tree:
    """One level of a version. Cost: a few rows for each item, however much is in it, and COUNTED_MAX of them."""
    asked = paths.normalize_folder(folder)
    stored = queries.stored_path(database, info.layers, asked) if asked else ""
    if stored and not queries.has_folder(database, info.layers, stored):
        raise not_found(f"folder {quoted(folder, SHOWN_MAX)} in {info.collection}:v{info.version}")
    after = None if cursor is None else cursor_key(_LIST, cursor, str)[0]
    found = queries.level(database, info.layers, prefix=stored, after=after, limit=PAGE + 1)
    shown, last = page_of(found, PAGE)
    return Tree(
        folder=stored,
        crumbs=crumbs_of(stored),
        items=_items(database, info, stored, shown),
        is_first=cursor is None,
        next=None if last is None else cursor_text(_LIST, queries.level_key(last)),
    )


def _items(database: Database, info: VersionInfo, folder: str, found: Sequence[LevelItem]) -> list[Item]:
    has_folders = any(item.entry is None for item in found)
    is_large = not folder and info.entry_count > COUNTED_MAX
    totals = level_totals(database, info.layers, prefix=folder) if has_folders and not is_large else None
    return [_item(item, (totals or {}).get(item.path)) for item in found]


def _item(item: LevelItem, total: FolderTotal | None) -> Item:
    name, info = item.path.rpartition("/")[2], item.entry
    if info is None:
        entries, size = (None, None) if total is None else total
        return Item(name, item.path, "folder", entries, size, digest=None, executable=False, uri=None)
    return Item(
        name=name,
        path=info.path,
        kind="reference" if info.kind == REFERENCE else "file",
        entries=None,
        size_bytes=info.size,
        digest=None if info.digest is None else digests.to_text(info.digest),
        executable=info.executable,
        uri=info.uri,
    )


def crumbs_of(folder: str) -> list[Crumb]:
    """The folders on the way to one, and that one; none for the top."""
    names = folder.split("/") if folder else []
    return [Crumb(name, "/".join(names[: depth + 1])) for depth, name in enumerate(names)]
