"""Which objects the records of a log name, and which of those are meant to be gone."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from headwater_eventlog.ancestry import ancestors_in
from headwater_eventlog.port import EventLog, Record
from headwater_schemas import codec
from headwater_schemas.entries import FileEntries
from headwater_schemas.errors import UndecodableEvent
from headwater_schemas.events import BlobsCondemned, BlobsMoved, EntryAdded, Event
from headwater_schemas.keys import project_of_key
from headwater_schemas.object_names import is_object_name, project_of
from headwater_schemas.positions import BEFORE_FIRST

Range = tuple[int, int]  # offset and size within an object
Ranges = dict[Range, bytes | None]  # and the digest (stored form) of each; None where the event does not say it


def objects_named(records: Iterable[Record]) -> dict[str, Ranges]:
    """The objects that events rely on, by name, with the ranges that they name.

    What cannot be decoded names none, nor do entries of another project's objects, or of objects that cannot be:
    projectors refuse these. Raises: UnknownSchema for an event of a newer release.
    """
    named: dict[str, Ranges] = {}
    for event in _events_of(records, (EntryAdded.name, BlobsMoved.name)):
        if isinstance(event, EntryAdded):
            _add_files(named, event.files, project_of_key(event.key))
        elif isinstance(event, BlobsMoved):
            for move in event.moves:
                named.setdefault(move.to_object_name, {}).setdefault((move.to_offset, move.length), None)
    return {name: ranges for name, ranges in named.items() if is_object_name(name)}


def _add_files(named: dict[str, Ranges], files: FileEntries, project: str | None) -> None:
    columns = zip(files.object_indexes, files.offsets, files.sizes, files.packed_digests(), strict=True)
    own = [is_object_name(name) and project_of(name) == project for name in files.objects]
    ranges = [named.setdefault(name, {}) if is_own else {} for name, is_own in zip(files.objects, own, strict=True)]
    for index, offset, size, digest in columns:
        ranges[index][offset, size] = digest


class Withdrawn:
    """The objects that nobody needs any more by the events of a log: condemned ones, and ranges that were moved.

    Kept in memory: about 150 bytes for each.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._read = dict.fromkeys(range(log.partitions), BEFORE_FIRST)
        self._condemned: set[str] = set()
        self._moved: set[tuple[str, int]] = set()

    def covers(self, name: str, ranges: Ranges) -> bool:
        """Whether an object may be missing. Reads on in the log before it says no. Raises: as `EventLog.read`."""
        return self._knows(name, ranges) or (self._read_on() and self._knows(name, ranges))

    def _knows(self, name: str, ranges: Ranges) -> bool:
        return name in self._condemned or (bool(ranges) and all((name, offset) in self._moved for offset, _ in ranges))

    def _read_on(self) -> bool:
        """Whether there was anything new."""
        found = False
        for partition in self._read:
            while records := self._log.read(partition, after=self._read[partition]):
                for event in _events_of(records, (BlobsCondemned.name, BlobsMoved.name)):
                    if isinstance(event, BlobsCondemned):
                        self._condemned.update(event.objects)
                    elif isinstance(event, BlobsMoved):
                        self._moved.update((move.object_name, move.offset) for move in event.moves)
                self._read[partition] = records[-1].position.offset
                found = True
        return found


def _events_of(records: Iterable[Record], types: tuple[str, ...]) -> Iterator[Event]:
    """Those of some types; the others are passed over without a look at what they say."""
    for record in records:
        if ancestors_in(record) is not None:
            continue
        with suppress(UndecodableEvent):
            if codec.name_of(record.payload) in types:
                yield codec.decode(record.payload).event
