"""The product with one safeguard taken out. Each must be found by a schedule, or the simulation proves nothing."""

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import FunctionType
from typing import Any
from unittest.mock import patch

from headwater._commit.project_algorithms import ProjectAlgorithms
from headwater_blobs import verify
from headwater_blobs.port import Staged
from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import INTEGER_MAX
from headwater_consumer.database.connection import Connection
from headwater_consumer.database.port import DatabaseAdapter
from headwater_consumer.maintenance import broadcasts
from headwater_consumer.projection import view
from headwater_consumer.projector import administration, commit_attributes, dispatch, drafts, version_events
from headwater_consumer.queries import event_pages
from headwater_consumer.queries.broadcasts import missing_broadcasts
from headwater_consumer.queries.results import Answers, SentRange, VersionEventPage
from headwater_consumer.rows import DraftRow, FileRows, LogPositionRow
from headwater_consumer.writing import log_check, statements
from headwater_eventlog.port import EventLog, NewRecord
from headwater_producer import batches, commits
from headwater_producer.commits import CommitVersion, Restore, SentCommit
from headwater_producer.producer import Producer, SentEvent
from headwater_producer.stager import BlobStager
from headwater_producer.stored_content import StoredContent
from headwater_schemas import codec, keys, lthash
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.lthash import ContentSum
from headwater_schemas.positions import Cut, position_number

from tests.simulation import daemons, invariants
from tests.simulation.simulated_blobs import ProcessBlobs


@contextmanager
def without_compare_and_set() -> Iterator[None]:
    """The cursor moves wherever a projector says, also when another was there meanwhile."""

    def locked(adapter: DatabaseAdapter, connection: Connection, cursors: Sequence[LogPositionRow]) -> set[int]:
        del adapter, connection
        return {cursor.partition for cursor in cursors}

    with patch.object(statements, "locked", locked):
        yield


@contextmanager
def without_high_water_mark() -> Iterator[None]:
    """An event that is delivered again counts again."""
    with changed(dispatch.apply, "if origin.sequence <= last:", "if False:"):
        yield


@contextmanager
def without_gap_check() -> Iterator[None]:
    """An event counts though one before it is missing."""
    with changed(dispatch.apply, "if origin.sequence > last + 1:", "if False:"):
        yield


@contextmanager
def without_seal() -> Iterator[None]:
    """Entries join a draft after it was sealed.

    Sealing also throws away the draft's sum, so that the projector would stop at a late entry; that goes as well.
    """

    def check_open(event: object, draft: object) -> None:
        del event, draft

    def sum_of(draft: DraftRow) -> ContentSum:
        return ContentSum(draft.sum_state or lthash.EMPTY, draft.sum_count, draft.sum_bytes)

    with patch.object(drafts, "_check_open", check_open), patch.object(drafts, "sum_of", sum_of):
        yield


@contextmanager
def without_executable_rows() -> Iterator[None]:
    """A version's digest counts which files are executable, and its rows do not say."""
    with changed(FileRows._kinds, "kinds[row] = EXECUTABLE", "pass"):
        yield


@contextmanager
def without_commit_conflicts() -> Iterator[None]:
    """Of several commits of one draft, the last one says what counts."""
    with changed(commit_attributes.check_same, "if held is not None and held != given:", "if False:"):
        yield


@contextmanager
def without_claimed_algorithms() -> Iterator[None]:
    """Who is the first to log in a project tells nobody with which digest algorithm."""

    def claim(algorithms: ProjectAlgorithms, project: str, algorithm: str) -> None:
        del algorithms, project, algorithm

    with patch.object(ProjectAlgorithms, "claim", claim):
        yield


@contextmanager
def with_algorithms_chosen_again() -> Iterator[None]:
    """A project can have another digest algorithm than the one that was chosen first."""
    with changed(administration._check_algorithm, "if chosen is not None and", "if False and"):
        yield


@contextmanager
def with_rejections_of_one_page() -> Iterator[None]:
    """A writer reads the first rejections of its session, however many there are."""
    really_ask = view.answers

    def ask_for_page(database: Database, *, ranges: Sequence[SentRange], **more: Any) -> Answers:
        whole = {SentRange(one.session, one.key, 0, INTEGER_MAX) for one in ranges}
        found = really_ask(database, ranges=sorted(whole), **more)
        return replace(found, rejections=found.rejections[:1])

    with patch.object(view, "answers", ask_for_page):
        yield


@contextmanager
def with_waits_for_everything() -> Iterator[None]:
    """A writer waits until all that its process ever sent is projected."""

    def cut_of(producer: Producer, sent: Iterable[SentEvent]) -> Cut:
        del sent
        return producer.confirm(timeout_s=0)

    with patch.object(Producer, "cut_of", cut_of):
        yield


@contextmanager
def without_verified_reads() -> Iterator[None]:
    """Bytes are handed out as they are found."""

    def check_digest(*of_read: object) -> None:
        del of_read

    with patch.object(verify, "check_digest", check_digest):
        yield


@contextmanager
def with_events_before_blobs() -> Iterator[None]:
    """A commit hands its events to the producer first, and then publishes what they name."""
    really_send = commits.send_commit

    def send_commit(command: CommitVersion, stager: BlobStager, producer: Producer, *, restore: Restore) -> SentCommit:
        late: list[tuple[ProcessBlobs, Staged, str]] = []
        really_publish = ProcessBlobs.publish

        def publish(store: ProcessBlobs, staged: Staged, name: str) -> None:
            late.append((store, staged, name))

        with patch.object(ProcessBlobs, "publish", publish):
            sent = really_send(command, stager, producer, restore=restore)
        for store, staged, name in late:
            really_publish(store, staged, name)
        return sent

    with patch.object(commits, "send_commit", send_commit):
        yield


@contextmanager
def without_refusing_retired_sessions() -> Iterator[None]:
    """Retirement deletes the marks of old sessions, and a late copy of what they sent reads as their first event."""
    with changed(
        dispatch.apply, "if retired is not None and origin.session < first", "if False and origin.session < first"
    ):
        yield


@contextmanager
def with_broadcasts_finished_anew() -> Iterator[None]:
    """What a writer left out is written to the other partitions as an event of another session."""

    def finish_broadcasts(database: Database, log: EventLog) -> int:
        missing = list(missing_broadcasts(database, log.partitions))
        for partition, row in missing:
            stamped = codec.decode(bytes(row.payload))
            anew = replace(stamped, origin=replace(stamped.origin, session=keys.new_session(), sequence=0))
            log.append([NewRecord(row.key, codec.encode(anew), (), partition)], timeout_s=1)
        return len(missing)

    with patch.object(broadcasts, "finish_broadcasts", finish_broadcasts):
        yield


@contextmanager
def without_epochs() -> Iterator[None]:
    """A position is only where a record is on its own log."""
    with changed(position_number, "(epoch << _OFFSET_BITS)", "0"):
        yield


@contextmanager
def without_hash_of_the_last_record() -> Iterator[None]:
    """A log counts as the one that was projected if it has some record where the last one was."""
    with changed(log_check.check_record, "if record_hash(following[0]) != cursor.record:", "if False:"):
        yield


@contextmanager
def with_events_where_they_were_parked() -> Iterator[None]:
    """What waited behind a dead letter is told at its own position, which subscribers have passed."""
    with changed(version_events._event, "context.effective_position", "context.position_number"):
        yield


@contextmanager
def without_cuts() -> Iterator[None]:
    """A subscriber goes on after the time of the last event that it read, as in a table to which rows are appended."""
    by_partition = event_pages.version_events

    def by_time(database: Database, after: EventCursor, **asked: Any) -> VersionEventPage:
        last_us = after.reached[0][0] if after.reached else -1
        limit = asked.pop("limit")
        page = by_partition(database, EventCursor(after.generation), limit=sys.maxsize, **asked)
        later = [event for event in page.events if event.time_us > last_us]
        events = [event for event in later if event.time_us <= later[:limit][-1].time_us]
        reached = {0: (events[-1].time_us, 0)} if events else after.reached
        return VersionEventPage(after, events, EventCursor(after.generation, reached), more=False)

    with patch.object(daemons, "version_events", by_time), patch.object(invariants, "version_events", by_time):
        yield


@contextmanager
def without_confirmed_objects() -> Iterator[None]:
    """What the projection says is stored counts as stored; the store is not asked."""

    def sizes(stored: StoredContent, names: Iterable[str]) -> dict[str, int]:
        del stored
        return dict.fromkeys(names, sys.maxsize)

    with patch.object(StoredContent, "sizes", sizes):
        yield


@contextmanager
def without_verified_content() -> Iterator[None]:
    """Who asks for stored content to be verified is not heard."""

    def verify(stored: StoredContent, project: str, wanted: Iterable[bytes]) -> None:
        del stored, project, wanted

    with patch.object(StoredContent, "verify", verify):
        yield


@contextmanager
def with_moves_to_the_wrong_place() -> Iterator[None]:
    """A move leads to another content of the object in which lost content is stored anew."""
    with changed(batches.joined_moves, "now.object_name, now.offset)", "now.object_name, 0)"):
        yield


@contextmanager
def changed(function: Callable[..., Any], before: str, after: str) -> Iterator[None]:
    """`function`, everywhere it is used, with another piece of source in it."""
    assert isinstance(function, FunctionType)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(before) == 1, f"{before!r} is not once in {function.__qualname__}: the mutant needs a new place"
    namespace: dict[str, Any] = {}
    exec(source.replace(before, after), function.__globals__, namespace)
    with ExitStack() as stack:
        stack.callback(setattr, function, "__code__", function.__code__)
        function.__code__ = namespace[function.__name__].__code__
        yield
