"""What was deleted from the beginning of a log, read from its archives."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from headwater_eventlog.port import LogIdentity, Record, RecordsGone
from headwater_runtime import fork_hooks
from headwater_schemas.errors import ContentError, StoreUnavailable

from headwater_consumer.archive.archive import Archive, Gap, in_sequence
from headwater_consumer.archive.records import ReadingOn, records_after


@dataclass(frozen=True, slots=True)
class Archives:
    """The archives of a log. A range of its records is in one of them, or in several."""

    found: Sequence[Archive]
    absent: Sequence[str] = ()  # why others could not be opened, for people

    def close(self) -> None:
        """Close their places."""
        for archive in self.found:
            archive.place.close()

    def __str__(self) -> str:
        looked = ", ".join(archive.url for archive in self.found) or "none"
        return f"Archives that were looked at: {looked}.{''.join(f' {why}' for why in self.absent)}"


class ArchivedRecords:
    """`EarlierRecords` from archives, which are opened when the first record is needed."""

    def __init__(self, open_archives: Callable[[str], Archives]) -> None:
        """`open_archives` gets the generation of the log. Raises: StoreError."""
        self._open_archives = open_archives
        self._opened: Archives | None = None
        self._lock, self._reading = threading.Lock(), ReadingOn()
        fork_hooks.register_object(self, in_child=ArchivedRecords._leave_to_parent)

    def ancestors(self, generation: str) -> tuple[str, ...]:
        """As the port says. Cost: lists the files of one partition."""
        with self._lock:
            archives = self._archives(generation)
            try:
                for archive in archives.found:
                    for name in archive.names_of(generation, 0):
                        return archive.manifest(name).ancestors
            except ContentError as error:
                raise StoreUnavailable(str(error)) from error
            raise StoreUnavailable(
                f"the beginning of log {generation} was deleted from it, and no archive has it. {archives} {_ADVICE}"
            )

    def read(self, log: LogIdentity, partition: int, *, after: int, before: int, limit: int) -> Sequence[Record]:
        """As the port says; reading on where the last read ended costs least. Memory: one file of the archive."""
        with self._lock:
            begin = partial(self._records, log, partition, after, before)
            try:
                return self._reading.read((log, partition, before), after, limit, begin)
            except ContentError as error:
                raise RecordsGone(str(error), partition=partition) from error

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None

    def _records(self, log: LogIdentity, partition: int, after: int, before: int) -> Iterator[Record]:
        """All of them, of whichever archive has the next one. Raises: RecordsGone where none has."""
        is_new = False
        while after + 1 < before:
            start = after
            for archive in self._archives(log.generation).found:
                for record in self._of(archive, log, partition, after):
                    if record.position.offset >= before:
                        return
                    after = record.position.offset
                    yield record
            if after > start:
                continue
            if is_new:
                raise self._gap(log, partition, after, before)
            self._forget()  # others may have been added since
            is_new = True

    def _of(self, archive: Archive, log: LogIdentity, partition: int, after: int) -> Iterator[Record]:
        names = in_sequence([name for name in archive.names_of(log.generation, partition) if name.last > after])
        return records_after(archive, map(archive.manifest, names), after)

    def _gap(self, log: LogIdentity, partition: int, after: int, before: int) -> RecordsGone:
        last, archives = before - 1, self._archives(log.generation)
        for archive in archives.found:
            following = [name for name in archive.names_of(log.generation, partition) if name.first > after + 1]
            if following:
                last = min(last, archive.manifest(following[0]).after)
        gap = Gap(partition, after + 1, last)
        return RecordsGone(
            f"log {log.generation} does not have {gap} any more, and no archive has them. {archives} {_ADVICE}",
            partition=partition,
        )

    def _archives(self, generation: str) -> Archives:
        if self._opened is None:
            self._opened = self._open_archives(generation)
        return self._opened

    def _forget(self) -> None:
        if self._opened is not None:
            with closing(self._opened):
                self._opened = None

    def _leave_to_parent(self) -> None:
        fork_hooks.keep_forever((self._opened, self._reading))
        self._opened = None
        self._lock, self._reading = threading.Lock(), ReadingOn()


_ADVICE = "Put the files with them back from another copy of the archive."
