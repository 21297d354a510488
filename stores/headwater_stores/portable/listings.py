"""The entries of a version in an export, verified against its digest."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.queries import VersionInfo
from headwater_consumer.queries.differences import EntryContent
from headwater_schemas import digests
from headwater_schemas.entries import FilesByPath, Reference
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.lthash import NOTHING, ContentSum, sum_of
from headwater_schemas.paths import find_invalid
from headwater_schemas.references import check_reference

from headwater_stores.portable import records
from headwater_stores.portable.archive import ExportArchive
from headwater_stores.portable.placing import VersionRecord
from headwater_stores.portable.records import leaf_of
from headwater_stores.stores import Stores

LEAVES_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Listing:
    """What a version has, whole or as a difference from one of this store."""

    base: int | None  # in this store
    files: FilesByPath
    executable: frozenset[str]
    references: Sequence[Reference]
    removed: Sequence[str]


class Listings:
    """Reads listings."""

    def __init__(self, stores: Stores, archive: ExportArchive) -> None:
        self._stores, self._archive = stores, archive

    def read(self, record: VersionRecord, collection: str, base: int | None) -> Listing:
        """Of a version; `base`: the version of `collection` that it is told as a difference from.

        Raises: InvalidFile where it is not what the version's digest says.
        """
        member = records.listing_member(record.number)
        content, info = NOTHING, None
        if record.base is not None:
            info = None if base is None else queries.version_info(self._stores.database, collection, base)
            if info is None:
                raise self._archive.damaged(f"version {record.number} differs from one that is not in it")
            content = ContentSum(info.sum_state, info.entry_count, info.size_bytes)
        changed: dict[str, EntryContent | None] = {}
        before: list[tuple[str, EntryContent]] = []
        after: list[tuple[str, EntryContent]] = []
        for one in self._archive.records_of(member, "entry"):
            path, was, now = one["path"], _entry(one["before"]), _entry(one["after"])
            try:
                _check(path, now)
            except (HeadwaterError, ValueError) as error:
                raise self._archive.damaged(f"an entry in {member} cannot be: {error}") from error
            if path in changed or (was is None and now is None):
                raise self._archive.damaged(f"{member} has a path twice, or for nothing")
            changed[path] = now
            if was is not None:
                before.append((path, was))
            if now is not None:
                after.append((path, now))
        found = content.minus(_sum(before)).plus(_sum(after)) if _is_part(before, content) else NOTHING
        if found.digest() != record.digest:
            raise self._archive.damaged(f"{member} has other entries than the digest of its version says")
        return self._told(changed, info)

    def _told(self, changed: dict[str, EntryContent | None], info: VersionInfo | None) -> Listing:
        """As a difference, unless its base was deleted here, on which nothing can be built."""
        if info is not None and info.deleted:
            whole = {one.path: EntryContent.of(one) for page in self._pages(info) for one in page}
            changed = {path: entry for path, entry in {**whole, **changed}.items() if entry is not None}
            info = None
        entries = {path: entry for path, entry in changed.items() if entry is not None}
        files = {path: (one.digest, one.size or 0) for path, one in entries.items() if one.digest is not None}
        return Listing(
            None if info is None else info.version,
            FilesByPath.of(files),
            frozenset(path for path, one in entries.items() if one.executable),
            [
                Reference(path, one.uri or "", one.checksum, one.size, one.object_version)
                for path, one in entries.items()
                if one.digest is None
            ],
            [path for path, one in changed.items() if one is None],
        )

    def _pages(self, info: VersionInfo) -> "list[list[queries.EntryInfo]]":
        return list(queries.all_entries(self._stores.database, info.layers))


def _entry(plain: records.Plain | None) -> EntryContent | None:
    return None if plain is None else EntryContent(**plain)


def _check(path: str, entry: EntryContent | None) -> None:
    """Raises: InvalidInput, ValueError."""
    if (invalid := find_invalid([path])) is not None:
        raise ValueError(invalid)
    if entry is None:
        return
    if (entry.digest is None) == (entry.uri is None) or (entry.size or 0) < 0:
        raise ValueError("neither a file nor a reference")
    if entry.digest is not None:
        digests.algorithm_of(entry.digest)
        if entry.size is None:
            raise ValueError("a file without a size")
        return
    check_reference(Reference(path, entry.uri or "", entry.checksum, entry.size, entry.object_version))


def _is_part(before: Sequence[tuple[str, EntryContent]], content: ContentSum) -> bool:
    return len(before) <= content.count and sum(one.size or 0 for _, one in before) <= content.size_bytes


def _sum(entries: Sequence[tuple[str, EntryContent]]) -> ContentSum:
    total = NOTHING
    for start in range(0, len(entries), LEAVES_AT_ONCE):
        part = entries[start : start + LEAVES_AT_ONCE]
        total = total.plus(sum_of([leaf_of(*one) for one in part], sum(entry.size or 0 for _, entry in part)))
    return total
