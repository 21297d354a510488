"""Write versions, and all that they were made from, as one file: a zip that is written from front to back."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import IO, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import fastavro
from headwater_blobs.port import PACKED_FILE_BYTES_MAX
from headwater_consumer import queries
from headwater_consumer.queries import VersionInfo
from headwater_consumer.queries.alias_history import alias_moves, alias_names
from headwater_consumer.queries.differences import EntryContent
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobMissing
from headwater_schemas.names import LATEST, CollectionName

from headwater_stores.contents import StoreContents
from headwater_stores.portable import records
from headwater_stores.portable.closure import Closure, closure_of, info_of, origin_of, runs_of, uses_of
from headwater_stores.portable.records import PARSED, Plain
from headwater_stores.stores import Stores
from headwater_stores.telling.progress import Progress, counted, format_bytes

CONTENTS_AT_ONCE_BYTES = 4 * 1024 * 1024  # that are in memory, and in one member
BLOCK_BYTES = 64 * 1024  # of a container
MARKER_BYTES = 16  # between the blocks of one
_MOVES_PAGE = 1000
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # so that the same versions give the same bytes


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported."""

    log: str  # generation
    versions: int
    without_content: tuple[str, ...]  # deleted versions whose content is gone
    runs: int
    contents: int
    size: int  # bytes of these

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield (
            f"exported {counted(self.versions, 'version')} and {counted(self.runs, 'run')} with "
            f"{counted(self.contents, 'content')} ({format_bytes(self.size)})"
        )
        for name in self.without_content:
            yield f"{name} was deleted and its content is gone: the export says that it was there"


def export_versions(
    stores: Stores, wanted: Sequence[tuple[str, int]], out: IO[bytes], *, upstream: bool, quiet: bool
) -> ExportReport:
    """Write the versions `wanted`, with `upstream` all that they were made from, to `out`, which need not seek.

    Memory: a part of the contents of CONTENTS_AT_ONCE_BYTES, and about 100 bytes for each content. Raises: NotFound;
    BlobMissing, BlobCorrupt for content of a version that is not deleted.
    """
    closure = closure_of(stores, wanted, upstream=upstream)
    return _Export(stores, closure, out).write(quiet=quiet)


class _Export:
    def __init__(self, stores: Stores, closure: Closure, out: IO[bytes]) -> None:
        self._stores, self._closure = stores, closure
        self._contents_here = StoreContents(stores)
        self._zip = ZipFile(out, "w", ZIP_STORED, allowZip64=True)
        self._written: dict[str, set[bytes]] = {}  # project → contents
        self._contents = self._size = 0
        self._without: list[str] = []
        self._numbers = {key: number for number, key in enumerate(closure.versions)}

    def write(self, *, quiet: bool) -> ExportReport:
        """All of it, in an order in which it can be read again."""
        infos = [info_of(self._stores, key) for key in self._closure.versions]
        total = sum(info.size_bytes for info in infos)
        complete = [not info.deleted or self._is_there(info) for info in infos]
        self._json(records.MANIFEST, self._manifest(total))
        for name, schema in records.SCHEMA_OF.items():
            self._json(f"{records.SCHEMAS}/{name}.avsc", schema)
        bases = [_base_of(number, infos, complete) for number in range(len(infos))]
        versions = (self._version(*found) for found in zip(infos, bases, complete, strict=True))
        self._container(records.VERSIONS, "version", versions)
        runs = self._container(records.RUNS, "run", (_run(info) for info in runs_of(self._stores, self._closure)))
        self._container(records.USES, "use", (_use(use) for use in uses_of(self._stores, self._closure)))
        self._container(records.ALIASES, "alias", self._alias_moves())
        with Progress("exporting", total=total, unit="B", quiet=quiet) as progress:
            for number, (info, base, is_complete) in enumerate(zip(infos, bases, complete, strict=True)):
                if is_complete:
                    self._write_version(number, info, None if base is None else infos[base])
                progress.advance(info.size_bytes)
        self._json(records.COMPLETE, {"versions": len(infos), "contents": self._contents, "bytes": self._size})
        self._zip.close()
        return ExportReport(
            self._stores.log.generation, len(infos), tuple(self._without), runs, self._contents, self._size
        )

    def _manifest(self, total: int) -> Plain:
        return {
            "kind": records.KIND,
            "format": records.FORMAT,
            "log": self._stores.log.generation,
            "versions": len(self._closure.versions),
            "runs": len(self._closure.all_runs),
            "bytes": total,  # of all versions, each content counted where it occurs
        }

    def _is_there(self, info: VersionInfo) -> bool:
        """Whether the store still has what a deleted version had."""
        if info.purged:
            self._without.append(f"{info.collection}:v{info.version}")
            return False
        located = [one for page in queries.all_entries(self._stores.database, info.layers) for one in page]
        wanted = {one.object_name: 0 for one in located if one.object_name is not None}
        sizes = self._stores.blobs.sizes(wanted)
        is_there = all(
            one.object_name is None or sizes.get(one.object_name, -1) >= (one.object_offset or 0) + (one.size or 0)
            for one in located
        )
        if not is_there:
            self._without.append(f"{info.collection}:v{info.version}")
        return is_there

    def _version(self, info: VersionInfo, base: int | None, complete: bool) -> Plain:
        key = info.collection, info.version
        runs = self._closure.runs.get(key, [])
        first = [info.run] if info.run in runs else []
        return {
            "number": self._numbers[key],
            "collection": info.collection,
            "version": info.version,
            "type": info.type,
            "digest": info.digest,
            "entries": info.entry_count,
            "size": info.size_bytes,
            "base": base,
            "complete": complete,
            "origin": asdict(origin_of(self._stores, info)),
            "runs": [*first, *[run for run in runs if run not in first]],
            "description": info.description,
            "metadata": info.metadata,
            "tags": list(info.tags),
            "ttl_seconds": info.ttl_seconds,
            "deleted": info.deleted,
            "recalled": info.recalled,
            "message": info.message,
        }

    def _alias_moves(self) -> Iterator[Plain]:
        """The moves of all aliases but `latest` that came to an exported version, or were removed, in their order."""
        for collection in dict.fromkeys(name for name, _ in self._closure.versions):
            for alias in self._aliases_of(collection):
                moves = [
                    move
                    for move in self._moves_of(collection, alias)
                    if move.version is None or (collection, move.version) in self._numbers
                ]
                for move in reversed(moves):
                    yield {
                        "collection": collection,
                        "alias": alias,
                        "version": move.version,
                        "time_us": move.time_us,
                        "author": move.author,
                        "message": move.message,
                    }

    def _aliases_of(self, collection: str) -> Iterator[str]:
        after = ""
        while page := alias_names(self._stores.database, collection, after=after):
            yield from (alias for alias in page if alias != LATEST)
            after = page[-1]

    def _moves_of(self, collection: str, alias: str) -> Iterator[Any]:
        before = None
        while page := alias_moves(self._stores.database, collection, alias, before=before, limit=_MOVES_PAGE):
            yield from page
            before = page[-1].position

    # --- a version

    def _write_version(self, number: int, info: VersionInfo, base: VersionInfo | None) -> None:
        """Its entries, then what of its contents was not written before."""
        wanted: dict[bytes, int] = {}  # digest → size
        written = self._written.setdefault(CollectionName.parse(info.collection).namespace, set())

        def entries() -> Iterator[Plain]:
            for path, before, after in self._entries(info, base):
                if after is not None and after.digest is not None and after.digest not in written:
                    wanted[after.digest] = after.size or 0
                yield {"path": path, "before": _plain(before), "after": _plain(after)}

        self._container(records.listing_member(number), "entry", entries())
        self._write_contents(number, info, wanted)
        written.update(wanted)

    def _entries(
        self, info: VersionInfo, base: VersionInfo | None
    ) -> Iterator[tuple[str, EntryContent | None, EntryContent | None]]:
        database = self._stores.database
        if base is not None:
            for changed in queries.diff_layers(database, base.layers, info.layers):
                yield from changed
            return
        for page in queries.all_entries(database, info.layers):
            yield from ((one.path, None, EntryContent.of(one)) for one in page)

    def _write_contents(self, number: int, info: VersionInfo, wanted: dict[bytes, int]) -> None:
        places = self._places(info, wanted)
        small: list[tuple[BlobLocation, bytes]] = []
        size = part = 0
        for digest in wanted:
            place = places[digest]
            if place.size > PACKED_FILE_BYTES_MAX:
                self._write_large(number, place, digest)
                continue
            if small and size + place.size > CONTENTS_AT_ONCE_BYTES:
                self._write_small(number, part, small)
                small, size, part = [], 0, part + 1
            small.append((place, digest))
            size += place.size
        if small:
            self._write_small(number, part, small)

    def _places(self, info: VersionInfo, wanted: dict[bytes, int]) -> dict[bytes, BlobLocation]:
        """Where its contents are. Raises: BlobMissing."""
        places: dict[bytes, BlobLocation] = {}
        for page in queries.all_entries(self._stores.database, info.layers) if wanted else ():
            for one in page:
                if one.digest in wanted and one.digest not in places and one.object_name is not None:
                    places[one.digest] = BlobLocation(one.object_name, one.object_offset or 0, one.size or 0)
        for digest in wanted:
            if digest not in places:
                raise BlobMissing(f"{info.collection}:v{info.version} has {digests.to_text(digest)} nowhere.")
        return places

    def _write_small(self, number: int, part: int, located: list[tuple[BlobLocation, bytes]]) -> None:
        contents = self._contents_here.read_many(located)  # verified
        found = ({"digest": digest, "content": one} for (_, digest), one in zip(located, contents, strict=True))
        self._container(records.contents_member(number, part), "content", found)
        self._count(sum(map(len, contents)), len(contents))

    def _write_large(self, number: int, place: BlobLocation, digest: bytes) -> None:
        with self._zip.open(_member(records.large_member(number, digest)), "w", force_zip64=True) as member:
            for piece in self._contents_here.stream(place, digest):
                member.write(piece)
        self._count(place.size, 1)

    def _count(self, size: int, contents: int) -> None:
        self._contents += contents
        self._size += size

    # --- members

    def _json(self, name: str, value: Plain) -> None:
        self._zip.writestr(_member(name), json.dumps(value, indent=1) + "\n")

    def _container(self, name: str, schema: str, found: Iterable[Plain]) -> int:
        """Write records as a member; returns how many."""
        count = 0

        def counting() -> Iterator[Plain]:
            nonlocal count
            for one in found:
                count += 1
                yield one

        with self._zip.open(_member(name), "w", force_zip64=True) as member:
            fastavro.writer(
                member,
                PARSED[schema],
                counting(),
                codec="null",
                sync_interval=BLOCK_BYTES,
                sync_marker=sha256(name.encode()).digest()[:MARKER_BYTES],
            )
        return count


def _base_of(number: int, infos: Sequence[VersionInfo], complete: Sequence[bool]) -> int | None:
    """The number of a version before it that it is told as a difference from: it shares layers with that."""
    for other in range(number - 1, -1, -1):
        if infos[other].collection != infos[number].collection:
            return None
        if complete[other]:
            return other if set(infos[number].layers) & set(infos[other].layers) else None
    return None


def _member(name: str) -> ZipInfo:
    return ZipInfo(name, _LONG_AGO)


def _plain(entry: EntryContent | None) -> Plain | None:
    return None if entry is None else entry._asdict()


def _run(info: queries.RunInfo) -> Plain:
    return {
        "run": info.run,
        "job_type": info.job_type,
        "group": info.group,
        "display_name": info.display_name,
        "config": info.config,
        "summary": info.summary,
        "tags": list(info.tags),
        "state": info.state,
        "author": info.author,
        "started_us": info.started_us,
        "finished_us": info.finished_us,
    }


def _use(use: queries.RunInputInfo) -> Plain:
    return {
        "run": use.run,
        "collection": use.collection,
        "version": use.version,
        "requested": list(use.requested),
        "use_as": list(use.use_as),
    }
