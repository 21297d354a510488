"""What may become of a finished schedule's log: it is restored from its archive, or an older copy is put back."""

import sqlite3
from collections.abc import Sequence
from itertools import count

from headwater_consumer.database import Database
from headwater_consumer.writing.restore import ancestors_after
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.port import Record, RecordsGone
from headwater_producer.producer import Producer
from headwater_schemas import keys
from headwater_schemas.entries import Reference
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.events import DraftOpened, EntryAdded, VersionCommitted, own_draft
from headwater_schemas.positions import Position

from tests.simulation import views
from tests.simulation.archiving import archived_log
from tests.simulation.copied_store import Copier, check_copied
from tests.simulation.end import YEAR_US, End
from tests.simulation.faults import Violation
from tests.simulation.home import Home
from tests.simulation.ledger import Entry
from tests.simulation.replaying import differences, dump, project_whole
from tests.simulation.simulated_log import GENERATION, ProcessLog
from tests.simulation.world import Bystander
from tests.simulation.writers import COLLECTIONS, TYPE
from tests.support.memory_log import MemoryLog
from tests.support.restoring import restore

EVERY = 3  # schedules; each is projected once more for this
COPIED_EVERY = 6
ROUNDS_MAX = 40
_BEYOND_MAX = 2


def check_copies(end: End, home: Home) -> None:
    """Raises: Violation."""
    if end.world.seed % EVERY == 0:
        _check_restored(end, home.replayed())
        _check_put_back(end)
    is_copied = any(isinstance(process, Copier) for process in end.world.processes)
    if is_copied or end.world.seed % COPIED_EVERY == 1:
        check_copied(end, home.replayed())


# --- restored -----------------------------------------------------------------------------------------------------


def _check_restored(end: End, database: Database) -> None:
    """At other offsets the projection is the same, and what is written from then on changes nothing of it."""
    source = archived_log(end.world) if any(end.world.log.partitions) else ProcessLog(Bystander(end.world, "restore"))
    log = MemoryLog(
        source.partitions,
        "restored",
        ancestors=ancestors_after(source),
        start_us=end.later_us,
        first_offset=end.world.random.randint(0, 3),
    )
    restore(source, log, timeout_s=1)
    try:
        project_whole(log, database)
        live, restored = dump(end.database), dump(database)
        if changed := sorted(differences(live, restored) - {"log_positions"}):
            raise Violation(f"3, replay: after a restore {changed} are not what they were")
        written = _write_on(end, log)
        project_whole(log, database)
        _check_versions(end, database, written)
    except (HeadwaterError, sqlite3.Error, AssertionError) as error:
        if isinstance(error, Violation):
            raise
        raise Violation(f"2, never changes: after a restore nothing can be projected: {error}") from error


def _write_on(end: End, log: MemoryLog) -> dict[str, dict[str, Entry]]:
    """Commit until the log has new records at all offsets of the old one that it can; draft → what was meant."""
    producer = Producer(log, author="later", clock=end.world.clock)
    written: dict[str, dict[str, Entry]] = {}
    drafts = (own_draft(f"restored-{n}") for n in count())
    reached = {log.partition_of(keys.collection_key(collection)) for collection in COLLECTIONS}
    for _ in range(ROUNDS_MAX):
        if all(log.end(partition) > end.world.log.end(partition) for partition in reached):
            break
        for collection in COLLECTIONS:
            draft, uri = next(drafts), f"s3://bucket/{len(written)}"
            opened = DraftOpened(collection=collection, draft=draft, type=TYPE, base=None)
            added = EntryAdded(collection=collection, draft=draft, references=(Reference("later", uri),))
            producer.send([opened, added, VersionCommitted(collection=collection, draft=draft)])
            written[draft] = {"later": Entry(None, None, uri)}
        producer.confirm(timeout_s=1)
    return written


def _check_versions(end: End, database: Database, written: dict[str, dict[str, Entry]]) -> None:
    found = [version for collection in COLLECTIONS for version in views.versions_of(database, collection)]
    for version in found:
        name = (version.collection, version.version)
        meant = end.content.get(name, written.get(version.draft))
        shown = views.content_of(database, version)
        if shown != meant:
            raise Violation(f"2, never changes: after a restore {name} was to be {meant}, now it is {shown}")
    if written and not any(version.draft in written for version in found):
        raise Violation("1, never lost: after a restore nothing new became a version")


# --- put back -----------------------------------------------------------------------------------------------------


def _check_put_back(end: End) -> None:
    """Neither projected over nor passed over, whether or not it was written to since."""
    random = end.world.random
    partition = random.randrange(len(end.world.log.partitions))
    records = end.world.log.partitions[partition]
    if len(records) < 2:
        return
    kept = records[: random.randint(1, len(records) - 1)]
    last = records[-1].position.offset
    end_offset = random.randint(kept[-1].position.offset, last + _BEYOND_MAX)
    copy = _OlderCopy(end, partition, [*kept, *_others(kept, records, end_offset)])
    before = dump(end.database)
    for _ in range(2):
        try:
            Projector(copy, end.database).project_batch(partition)
        except RecordsGone:
            continue
        raise Violation(
            f"1, never lost: an older copy of partition {partition} was put back, up to {kept[-1].position} of "
            f"{last} and then on to {end_offset}, and nobody noticed"
        )
    if dump(end.database) != before:
        raise Violation("1, never lost: an older copy was projected")


def _others(kept: Sequence[Record], records: Sequence[Record], end_offset: int) -> list[Record]:
    """What was written to the older copy since: the same events, sent again by those who did not know of them."""
    lost = records[len(kept) :]
    first = kept[-1].position
    return [
        Record(
            Position(first.epoch, first.partition, offset),
            record.time_us + YEAR_US,
            record.key,
            record.payload,
            record.headers,
        )
        for offset in range(first.offset + 1, end_offset + 1)
        for record in [lost[offset % len(lost)]]
    ]


class _OlderCopy(MemoryLog):
    """The simulated log, of which one partition was replaced."""

    def __init__(self, end: End, partition: int, records: Sequence[Record]) -> None:
        super().__init__(len(end.world.log.partitions), GENERATION)
        self._records = [list(found) for found in end.world.log.partitions]
        self._records[partition] = list(records)
