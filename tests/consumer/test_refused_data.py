"""What a database refuses stops the one partition that says it, which names the record; all others are projected."""

from collections.abc import Iterator, Mapping

import pytest
from headwater_consumer.database import Database, driver_connection
from headwater_consumer.service.projecting import ProjectorService
from headwater_consumer.writing.runner import PartitionStopped
from headwater_eventlog.port import Record
from headwater_schemas.events import RunStarted
from headwater_schemas.keys import run_key

from tests.consumer.inspection import Databases, rows_of
from tests.support.history import History
from tests.support.memory_log import MemoryLog
from tests.support.modes import EMBEDDED
from tests.support.one_member import OneMember

PARTITIONS = 3
REFUSED = "a database refuses it"

# What a database may hold is checked before, so a rule is added by which it refuses what the checks let through.
REFUSE_ON_SQLITE = f"""
CREATE TRIGGER refuse BEFORE INSERT ON runs WHEN NEW.display_name = '{REFUSED}'
BEGIN SELECT RAISE(ABORT, 'too long for an index'); END
"""
REFUSE_ON_POSTGRESQL = (
    "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN "
    "RAISE EXCEPTION 'too long for an index' USING ERRCODE = '{code}'; END $$ LANGUAGE plpgsql; "
    "CREATE TRIGGER refuse BEFORE INSERT ON runs FOR EACH ROW "
    f"WHEN (NEW.display_name = '{REFUSED}') EXECUTE FUNCTION refuse()"
)
ALLOW = {EMBEDDED: "DROP TRIGGER refuse", None: "DROP TRIGGER refuse ON runs; DROP FUNCTION refuse"}


@pytest.fixture(params=["22001", "54000", "23514"])
def refusing(mode: str, databases: Databases, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A projection that refuses some runs, with an error of this SQLSTATE."""
    refuse = REFUSE_ON_SQLITE if mode == EMBEDDED else REFUSE_ON_POSTGRESQL.format(code=request.param)
    with databases.empty() as database:
        _run(database, refuse)
        try:
            yield database
        finally:
            _run(database, ALLOW.get(mode, ALLOW[None]))


def _run(database: Database, sql: str) -> None:
    with database.transaction() as connection:
        driver_connection(connection).execute(sql)


def _project(history: History, partition: int) -> None:
    while history.projector.project_batch(partition):
        pass


def _runs_of(log: MemoryLog, partition: int) -> Iterator[str]:
    names = (f"team/vision/r{n}" for n in range(10_000))
    return (name for name in names if log.partition_of(run_key(name)) == partition)


def _write(history: History, log: MemoryLog, *, refused: int, at: int, runs: int) -> list[str]:
    """Runs in every partition; in one of them, the database refuses one. Returns the runs before that one."""
    before: list[str] = []
    for partition in range(PARTITIONS):
        names = _runs_of(log, partition)
        for n in range(runs):
            name, is_refused = next(names), (partition, n) == (refused, at)
            history.writer().write(RunStarted(run=name, display_name=REFUSED if is_refused else None))
            if partition == refused and n < at:
                before.append(name)
    return before


@pytest.mark.parametrize("at", [0, 1, 6, 9])
def test_a_refused_record_is_named_and_all_before_it_are_applied(refusing: Database, at: int) -> None:
    log = MemoryLog(PARTITIONS)
    history = History(log, refusing)
    before = _write(history, log, refused=1, at=at, runs=10)
    offset = log.read(1, after=-1)[at].position.offset

    with pytest.raises(PartitionStopped, match=rf"partition 1 stops at {offset}: .*too long for an index.*upgrade"):
        _project(history, 1)

    assert {run for (run,) in rows_of(refusing, "SELECT run FROM runs")} == set(before)


def test_the_other_partitions_of_a_poll_are_projected(refusing: Database) -> None:
    log = MemoryLog(PARTITIONS)
    history = History(log, refusing)
    _write(history, log, refused=0, at=2, runs=5)
    group = _GivenAtOnce(log)
    service = ProjectorService(log, refusing, group.join)
    group.service = service

    service.run()

    offset = log.read(0, after=-1)[2].position.offset
    assert list(service.status.now.stopped) == [0]
    assert f"partition 0 stops at {offset}" in service.status.now.stopped[0]
    assert len(rows_of(refusing, "SELECT run FROM runs")) == 2 + 5 + 5


class _GivenAtOnce(OneMember):
    """It is given all of a log at once, then nothing, then told to stop."""

    def poll(self, timeout_s: float, max_records: int) -> Mapping[int, list[Record]]:
        self.polls += 1
        if self.polls == 1:
            self.after.update(self.assign(range(PARTITIONS)))
        elif self.polls > 3:
            self.service.stop()
        found = {p: list(self.log.read(p, after=at)) for p, at in self.after.items() if p not in self.paused}
        self.after.update({p: records[-1].position.offset for p, records in found.items() if records})
        return {p: records for p, records in found.items() if records}
