"""How far a projection is, compared with its log."""

from functools import cache

from headwater_eventlog.port import EventLog
from headwater_schemas.errors import InvalidInput
from headwater_schemas.positions import Cut
from sqlalchemy import bindparam, select

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import CompiledStatement
from headwater_consumer.database.tables import LOG_POSITIONS


class ProjectionView:
    """The projection of a log, as a reader sees it."""

    def __init__(self, log: EventLog, database: Database) -> None:
        self._log = log
        self._database = database

    def covers(self, cut: Cut) -> bool:
        """Whether everything in `cut` is in the projection. Raises: InvalidInput when `cut` is of another log."""
        if cut.generation != self._log.generation:
            raise InvalidInput(
                f"a cut of log {cut.generation} cannot be compared with log {self._log.generation}. "
                "Write or read again to get a cut of this log."
            )
        return self.reached().includes(cut)

    def now(self) -> Cut:
        """Everything that is on the log now."""
        return Cut(self._log.generation, dict(self._log.ends()))

    def reached(self) -> Cut:
        """Everything that is in the projection."""
        return Cut(self._log.generation, self.offsets())

    def offsets(self) -> dict[int, int]:
        """Partition → offset of its last record in the projection; records of another log do not count."""
        with self._database.autocommit() as connection:
            rows = _offsets_of_generation().tuples(connection, generation=self._log.generation)
        return dict(rows)


@cache
def _offsets_of_generation() -> CompiledStatement:
    columns = LOG_POSITIONS.c
    return CompiledStatement(
        select(columns.partition, columns.offset).where(columns.generation == bindparam("generation"))
    )
