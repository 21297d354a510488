"""An archive: its marker, the manifests in it, and which offsets they cover."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from headwater_blobs.file_places import FilePlace
from headwater_schemas import archive_files
from headwater_schemas.archive_files import MARKER, ManifestName
from headwater_schemas.errors import BlobCorrupt, FormatTooNew, StoreMissing, StoreNotOurs
from headwater_schemas.positions import BEFORE_FIRST

from headwater_consumer.archive.manifests import Manifest

KIND, FORMAT = "headwater archive", 1


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets of a partition that no file of an archive covers."""

    partition: int
    first: int
    last: int

    def __str__(self) -> str:
        return f"offsets {self.first:,} to {self.last:,} of partition {self.partition}"


class Archive:
    """An archive in some place. Open it with `open`."""

    def __init__(self, place: FilePlace) -> None:
        self.place = place

    @property
    def url(self) -> str:
        """Where it is, for messages."""
        return self.place.url

    @classmethod
    def open(cls, place: FilePlace, *, create: bool) -> "Archive":
        """Open it; create it where `create` is set and the place is empty. Raises: StoreMissing, StoreNotOurs,
        FormatTooNew, StoreUnavailable, StoreReadOnly.
        """
        marker = place.get(MARKER)
        if marker is None:
            foreign = next(place.paths(), None)
            marker = place.get(MARKER)  # by now, if another archiver is creating it: it is the first file
            if marker is None and foreign is not None:
                raise StoreNotOurs(
                    f"{place.url} holds {foreign!r} and is no archive; nothing was changed. Give another folder or "
                    "prefix."
                )
        if marker is None:
            if not create:
                raise StoreMissing(f"there is no archive at {place.url}. Check where `headwater archive` put it.")
            place.put(MARKER, json.dumps({"kind": KIND, "format": FORMAT}).encode() + b"\n")
        else:
            _check_marker(marker, place.url)
        return cls(place)

    def put_schemas(self) -> None:
        """Keep the schemas that are not there yet, such as those of a newer release."""
        there = set(self.place.paths(f"{archive_files.SCHEMAS}/"))
        for path, text in archive_files.schemas():
            if path not in there:
                self.place.put(path, text.encode())

    def generations(self) -> list[str]:
        """The logs that it has records of. Cost: as `names`, of all of them."""
        found = (name.generation for name in self._names(f"{archive_files.RECORDS}/"))
        return [generation for generation, _ in groupby(found)]

    def names(self, generation: str) -> list[ManifestName]:
        """The manifests of one log, in order. Cost: lists its files."""
        return sorted(self._names(archive_files.generation_folder(generation)))

    def names_of(self, generation: str, partition: int) -> list[ManifestName]:
        """As `names`, of one partition."""
        return sorted(self._names(archive_files.partition_folder(generation, partition)))

    def elsewhere(self, generation: str) -> list[str]:
        """The URLs of other archives that have what was deleted from the beginning of a log. Raises: BlobCorrupt."""
        paths = list(self.place.paths(archive_files.elsewhere_folder(generation)))
        return [_url_in(content, path, self.url) for path in paths if (content := self.place.get(path)) is not None]

    def note_elsewhere(self, generation: str, url: str) -> None:
        """Let whoever looks here find the archive `url`. Repeated, it changes nothing more."""
        self.place.put(archive_files.elsewhere_path(generation, url), json.dumps({"archive": url}).encode() + b"\n")

    def manifest(self, name: ManifestName) -> Manifest:
        """Raises: BlobCorrupt, FormatTooNew; StoreMissing where it is gone."""
        content = self.place.get(name.path)
        if content is None:
            raise StoreMissing(f"{name.path} is not in {self.url} any more. Was the archive deleted?")
        return Manifest.parse(content, name.path, self.url)

    def records_of(self, manifest: Manifest) -> bytes:
        """The file of a manifest, verified. Raises: BlobMissing, BlobCorrupt."""
        return manifest.check(self.place.get(manifest.file), self.url)

    def gaps(self, names: Sequence[ManifestName]) -> list[Gap]:
        """What is missing before the last record of each partition. `names` are of one log, in order.

        Cost: reads the manifests before which offsets are missing, be it from the log or from the archive.
        """
        gaps = []
        for partition, of_partition in groupby(names, key=lambda name: name.partition):
            covered = BEFORE_FIRST
            for name in of_partition:
                if name.first > covered + 1 and (after := self.manifest(name).after) > covered:
                    gaps.append(Gap(partition, covered + 1, after))
                covered = max(covered, name.last)
        return gaps

    def lacks_before(self, generation: str, begins: Mapping[int, int]) -> Gap | None:
        """The first gap before these offsets, by partition; None where it has everything. Cost: as `gaps`."""
        names = self.names(generation)
        if (gap := next((gap for gap in self.gaps(names) if gap.first < begins[gap.partition]), None)) is not None:
            return gap
        last = dict.fromkeys(begins, BEFORE_FIRST) | {name.partition: name.last for name in in_sequence(names)}
        return next((Gap(n, last[n] + 1, at - 1) for n, at in sorted(begins.items()) if last[n] + 1 < at), None)

    def _names(self, folder: str) -> Iterator[ManifestName]:
        for path in self.place.paths(folder):
            if (name := archive_files.parse_manifest_name(path)) is not None:
                yield name


def in_sequence(names: Sequence[ManifestName]) -> list[ManifestName]:
    """In order, without those whose records all are in others. `names` are of one log."""
    needed: list[ManifestName] = []
    for name in sorted(names, key=lambda one: (one.partition, one.first, -one.last)):
        if not needed or name.partition > needed[-1].partition or name.last > needed[-1].last:
            needed.append(name)
    return needed


def _url_in(content: bytes, path: str, archive: str) -> str:
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        url = json.loads(content)["archive"]
        if isinstance(url, str):
            return url
    raise BlobCorrupt(
        f"{path} in {archive} is damaged: it does not name an archive. Run `headwater archive TARGET --trim` with the "
        "archive of the log, and delete this file."
    )


def _check_marker(content: bytes, url: str) -> None:
    """Raises: StoreNotOurs, FormatTooNew."""
    marker: object = None
    with suppress(ValueError, RecursionError):
        marker = json.loads(content)
    if not isinstance(marker, dict) or marker.get("kind") != KIND or not isinstance(marker.get("format"), int):
        raise StoreNotOurs(f"{MARKER} in {url} is not the marker of an archive; nothing was changed. Give another.")
    if marker["format"] > FORMAT:
        raise FormatTooNew(
            f"the archive {url} has format {marker['format']}; this release reads up to {FORMAT}. Upgrade headwater."
        )
