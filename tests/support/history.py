"""Histories for tests: events written to a real log by writers with proper sessions, folded into a real database.

    with open_history("embedded", tmp_path) as history:
        history.commit("team/vision/digits", {"a.png": b"1"}, run="team/vision/r1")
        history.commit("team/vision/digits", {"b.png": b"2"}, base=0, removed=("a.png",))

Content is named, not stored: each file's digest is that of the given bytes, its object one that nobody wrote.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from headwater_consumer.database import Database
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.port import EventLog, NewRecord
from headwater_schemas import codec, digests, headers
from headwater_schemas.entries import NO_FILES, FileEntries, FileRow, Reference
from headwater_schemas.events import (
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    Origin,
    RunFinished,
    RunStarted,
    Stamped,
    VersionCommitted,
    own_draft,
)
from headwater_schemas.limits import SESSION_DIGITS
from headwater_schemas.names import CollectionName
from headwater_schemas.positions import Position

from tests.support.entries import of_rows
from tests.support.modes import open_database, open_log
from tests.support.projections import project_all

CLOCK = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)  # of every writer; decides nothing
APPEND_TIMEOUT_S = 30.0
UNDECODABLE = b"no event at all"


def digest_of(content: bytes) -> bytes:
    """The digest of a file with this content, in the stored form."""
    return digests.pack(digests.XXH3, digests.one_shot(digests.XXH3)(content))


def pack_of(project: str, number: int = 0) -> str:
    """The name of an object of "entity/project"."""
    return f"packs/{project}/{number:032x}"


def files_of(project: str, contents: Mapping[str, bytes], *, pack: int = 0) -> FileEntries:
    """Entries for these paths, all in one pack, one after the other."""
    rows, start = [], 0
    for path, content in contents.items():
        rows.append(FileRow(path, digest_of(content), len(content), pack_of(project, pack), start))
        start += len(content)
    return of_rows(rows, digests.XXH3)


class Writer:
    """One session: its events are dense per key, whatever was refused."""

    def __init__(self, log: EventLog, name: str) -> None:
        self.session = hashlib.sha256(name.encode()).hexdigest()[:SESSION_DIGITS]  # the same in every run of a test
        self._log = log
        self._who = name
        self._sequences: dict[str, int] = {}

    def stamp(self, event: Event, *, sequence: int | None = None) -> NewRecord:
        """A record of `event` with the next sequence; another one must be asked for, and is not counted."""
        if sequence is None:
            sequence = self._sequences.get(event.key, 0)
            self._sequences[event.key] = sequence + 1
        origin = Origin(session=self.session, sequence=sequence, clock=CLOCK, author=self._who)
        stamped = Stamped(origin, event)
        return NewRecord(event.key, codec.encode(stamped), headers.of_event(stamped))

    def write(self, *events: Event, sequence: int | None = None) -> Position:
        """Append events in one go; the position of the last one."""
        records = [self.stamp(event, sequence=sequence) for event in events]
        return self._log.append(records, timeout_s=APPEND_TIMEOUT_S)[-1]


class History:
    """A log, its projection, and writers. What is written here is projected at once."""

    def __init__(self, log: EventLog, database: Database) -> None:
        self.log = log
        self.database = database
        self.projector = Projector(log, database)
        self._writers: dict[str, Writer] = {}
        self._drafts = count()

    def writer(self, name: str = "ada") -> Writer:
        """The writer of this name, always the same session."""
        return self._writers.setdefault(name, Writer(self.log, name))

    def write(self, *events: Event, by: str = "ada", sequence: int | None = None) -> int:
        """Append and project events; the position number of the last one."""
        position = self.writer(by).write(*events, sequence=sequence)
        self.project()
        return position.number

    def project(self) -> None:
        project_all(self.log, self.projector)

    def new_draft(self) -> str:
        return own_draft(f"draft-{next(self._drafts)}")

    def draft(
        self,
        collection: str,
        contents: Mapping[str, bytes] | None = None,
        *,
        type: str = "dataset",  # noqa: A002 - the word of the events
        base: int | None = None,
        removed: Sequence[str] = (),
        references: Iterable[Reference] = (),
        pack: int = 0,
        draft: str | None = None,
    ) -> tuple[str, list[Event]]:
        """A draft's name, and the events that open and fill it. They are not written yet."""
        name = CollectionName.parse(collection)
        draft = self.new_draft() if draft is None else draft
        files = files_of(f"{name.entity}/{name.project}", contents, pack=pack) if contents else NO_FILES
        events: list[Event] = [DraftOpened(collection=collection, draft=draft, type=type, base=base)]
        if removed:
            events.append(EntryRemoved(collection=collection, draft=draft, paths=tuple(removed)))
        references = tuple(references)
        if contents or references:
            events.append(EntryAdded(collection=collection, draft=draft, files=files, references=references))
        return draft, events

    def commit(
        self,
        collection: str,
        contents: Mapping[str, bytes] | None = None,
        *,
        type: str = "dataset",  # noqa: A002 - the word of the events
        base: int | None = None,
        removed: Sequence[str] = (),
        references: Iterable[Reference] = (),
        pack: int = 0,
        run: str | None = None,
        aliases: Sequence[str] = (),
        tags: Sequence[str] = (),
        description: str | None = None,
        metadata: str | None = None,
        ttl_seconds: int | None = None,
        by: str = "ada",
    ) -> int:
        """Write and project a whole version; the position number of its commit."""
        draft, events = self.draft(
            collection, contents, type=type, base=base, removed=removed, references=references, pack=pack
        )
        commit = VersionCommitted(
            collection=collection,
            draft=draft,
            description=description,
            metadata=metadata,
            aliases=tuple(aliases),
            tags=tuple(tags),
            run=run,
            ttl_seconds=ttl_seconds,
        )
        return self.write(*events, commit, by=by)

    def run(self, run: str, *, state: str | None = "finished", by: str = "ada", **facts: object) -> int:
        """Write and project a run: its start, and its end in `state` unless that is None."""
        events: list[Event] = [RunStarted(run=run, **facts)]  # type: ignore[arg-type] # each test knows its fields
        if state is not None:
            events.append(RunFinished(run=run, state=state))
        return self.write(*events, by=by)

    def append_undecodable(self, key: str) -> int:
        """Append and project bytes of a known schema that do not decode; their position number."""
        position = self.log.append([NewRecord(key, UNDECODABLE)], timeout_s=APPEND_TIMEOUT_S)[-1]
        self.project()
        return position.number

    def close(self) -> None:
        self.database.close()
        self.log.close()


@contextmanager
def open_history(mode: str, folder: Path) -> Iterator[History]:
    """An empty history on the log and the database of a way to run, called `folder`."""
    history = History(open_log(mode, folder / "log", partitions=1), open_database(mode, folder / "projection.db"))
    try:
        yield history
    finally:
        history.close()
