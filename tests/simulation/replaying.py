"""Project a finished schedule once more, on an empty database and in other batches: nothing may differ."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from headwater_consumer.database import Database
from headwater_consumer.database.fingerprint import fingerprint
from headwater_consumer.database.row_mapping import table_of
from headwater_consumer.database.tables import ROW_TYPES
from headwater_consumer.projector import DecodedRecord
from headwater_consumer.projector import apply_record as really_apply
from headwater_consumer.projector.state import Change, Put, State
from headwater_consumer.writing import runner
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.port import EventLog, Record

from tests.simulation import views
from tests.simulation.end import End
from tests.simulation.faults import Violation
from tests.simulation.home import Home
from tests.simulation.simulated_log import ProcessLog
from tests.simulation.world import Bystander
from tests.support.projections import apply_records, project_all

_REPLAYED_PER_BATCH = (3, 1000, 1000)
_FINGERPRINT_EVERY = 4  # schedules; that the rows are the same is checked in each
_BOOKS = {"sessions", "rejections"}  # what a refused event may change


def check_replay(end: End, home: Home) -> None:
    """Project all again, in other batches; what was refused must change nothing but the books."""
    random = end.world.random
    database = home.replayed()
    projector = Projector(ProcessLog(Bystander(end.world, "replay")), database)
    partitions = list(range(len(end.world.log.partitions)))
    random.shuffle(partitions)
    with _refusals_watched(end):
        for partition in partitions:
            records = end.world.log.partitions[partition]
            size = random.choice(_REPLAYED_PER_BATCH)
            for start in range(0, len(records), size):
                apply_records(projector, partition, records[start : start + size])
    live, replayed = dump(end.database), dump(database)
    for table in sorted(differences(live, replayed)):
        was, now = live[table] - replayed[table], replayed[table] - live[table]
        raise Violation(f"3, replay: {table} was {sorted(was, key=str)} when it was live, now {sorted(now, key=str)}")
    if end.world.seed % _FINGERPRINT_EVERY == 0 and _fingerprint(end.database) != _fingerprint(database):
        raise Violation("3, replay: another fingerprint")


@contextmanager
def _refusals_watched(end: End) -> Iterator[None]:
    """A projector raises Violation where a refused event changes more than the books."""
    refused = {r.position for records in end.world.log.partitions for r in records if _is_only_refused(end, r)}

    def apply_record(record: DecodedRecord, state: State) -> Iterator[list[Change]]:
        for changes in really_apply(record, state):
            if record.position in refused and (more := set(map(_changed_by, changes)) - _BOOKS):
                raise Violation(f"6, what was there stays: a refused event changed {more}: {record}")
            yield changes

    with patch.object(runner, "apply_record", apply_record):
        yield


def _changed_by(change: Change) -> str:
    """The table of a change that writes one row, or what else it is."""
    return table_of(type(change.row)).name if isinstance(change, Put) else type(change).__name__


def _is_only_refused(end: End, record: Record) -> bool:
    """Whether the record itself was refused, at once: not what waited behind it, nor a commit that it completed."""
    key = end.rejected_at.get(record.position)
    if key is None or record.position in end.parked:
        return False
    origin = views.decoded(record.payload).origin
    return key == (origin.session, record.key, origin.sequence)


Dump = dict[str, frozenset[object]]


def project_whole(log: EventLog, database: Database) -> None:
    """Everything on the log."""
    project_all(log, Projector(log, database))


def dump(database: Database) -> Dump:
    """All rows, by table."""
    with database.snapshot() as connection:
        return {table_of(t).name: frozenset(views.rows(connection, table_of(t).name)) for t in ROW_TYPES}


def differences(one: Dump, other: Dump) -> set[str]:
    """The tables that differ."""
    return {name for name in one if one[name] != other[name]}


def _fingerprint(database: Database) -> str:
    with database.snapshot() as connection:
        return fingerprint(connection)
