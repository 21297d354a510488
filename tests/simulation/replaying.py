"""Project a finished schedule once more, on an empty database and in other batches: nothing may differ.

Each run of refused events is a batch of its own here, so that it can be seen what they changed.
"""

from collections.abc import Iterator, Sequence

from headwater_consumer.database import Database
from headwater_consumer.database.fingerprint import fingerprint
from headwater_consumer.database.row_mapping import table_of
from headwater_consumer.database.tables import ROW_TYPES
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.port import EventLog, Record

from tests.simulation import views
from tests.simulation.end import End
from tests.simulation.faults import Violation
from tests.simulation.simulated_log import ProcessLog
from tests.simulation.world import Bystander, Home
from tests.support.projections import apply_records, project_all

_REPLAYED_PER_BATCH = (3, 1000, 1000)
_FINGERPRINT_EVERY = 4  # schedules; that the rows are the same is checked in each
_BOOKS = {"log_positions", "sessions", "rejections"}  # what a refused event may change


def check_replay(end: End, home: Home) -> None:
    """Project all again, in other batches; stop around what was refused, which must change nothing but the books."""
    random = end.world.random
    database = home.replayed()
    projector = Projector(ProcessLog(Bystander(end.world, "replay")), database)
    partitions = list(range(len(end.world.log.partitions)))
    random.shuffle(partitions)
    for partition in partitions:
        for records, refused in _stretches(end, partition):
            before = dump(database) if refused else None
            size = random.choice(_REPLAYED_PER_BATCH)
            for start in range(0, len(records), size):
                apply_records(projector, partition, records[start : start + size])
            if before is not None and (changed := differences(before, dump(database)) - _BOOKS):
                raise Violation(f"6, what was there stays: refused events changed {changed}: {records}")
    live, replayed = dump(end.database), dump(database)
    for table in sorted(differences(live, replayed)):
        was, now = live[table] - replayed[table], replayed[table] - live[table]
        raise Violation(f"3, replay: {table} was {sorted(was, key=str)} when it was live, now {sorted(now, key=str)}")
    if end.world.seed % _FINGERPRINT_EVERY == 0 and _fingerprint(end.database) != _fingerprint(database):
        raise Violation("3, replay: another fingerprint")


def _stretches(end: End, partition: int) -> Iterator[tuple[Sequence[Record], bool]]:
    """The records of a partition in pieces: those between refused ones, and runs of refused ones."""
    piece: list[Record] = []
    last = False
    for record in end.world.log.partitions[partition]:
        refused = _is_only_refused(end, record)
        if piece and refused != last:
            yield piece, last
            piece = []
        piece.append(record)
        last = refused
    if piece:
        yield piece, last


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
