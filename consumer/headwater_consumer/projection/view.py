"""How far a projection is, compared with its log."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from headwater_eventlog.port import EventLog
from headwater_schemas.errors import InvalidInput
from headwater_schemas.positions import Cut, Position

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import bindparam, select
from headwater_consumer.database.tables import LOG_POSITIONS
from headwater_consumer.queries.outcomes import Draft, answers
from headwater_consumer.queries.results import Answers, SentRange
from headwater_consumer.rows import LogPositionRow
from headwater_consumer.writing.log_check import check_appended, check_cursor, check_ends


class ProjectionView:
    """The projection of a log, as a reader sees it."""

    def __init__(self, log: EventLog, database: Database) -> None:
        self._log = log
        self._database = database
        self._seen: Mapping[int, int] = {}  # partition → offset of its cursor, as it was read last

    def covers(self, cut: Cut) -> bool:
        """Whether everything in `cut` is in the projection. Raises: InvalidInput when `cut` is of another log."""
        if cut.generation != self._log.generation:
            raise InvalidInput(
                f"a cut of log {cut.generation} cannot be compared with log {self._log.generation}. "
                "Write or read again to get a cut of this log."
            )
        return self.reached().includes(cut)

    def now(self) -> Cut:
        """Everything that is on the log now. Raises: RecordsGone when that is less than was projected."""
        return self.now_after(self.cursors())

    def now_after(self, cursors: Mapping[int, LogPositionRow]) -> Cut:
        """As `now`. The cursors were read first, so that what is projected between the two is on the log."""
        ends = self._log.ends()
        check_ends(cursors.values(), ends)
        return Cut(self._log.generation, dict(ends))

    def reached(self) -> Cut:
        """Everything that is in the projection."""
        return Cut(self._log.generation, self.offsets())

    def offsets(self) -> dict[int, int]:
        """Partition → offset of its last record in the projection; records of another log do not count."""
        return offsets_of(self.cursors())

    def cursors(self) -> dict[int, LogPositionRow]:
        """Partition → its cursor; those of another log do not count."""
        with self._database.autocommit() as connection:
            rows = _cursors_of_generation().tuples(connection, generation=self._log.generation)
        cursors = {row[0]: LogPositionRow(*row) for row in rows}
        self._seen = offsets_of(cursors)
        return cursors

    def watch_append(self) -> Callable[[Sequence[Position]], None]:
        """Call this before an append, and its result with what the append returned.

        That raises RecordsGone when the log ended before what was known to be projected. Asks nobody.
        """
        return partial(check_appended, self._log.generation, self._seen)

    def _answers(self, cut: Cut, drafts: Sequence[Draft], ranges: Sequence[SentRange]) -> Answers:
        """What became of these by now, with how far the partitions of `cut` are."""
        found = answers(self._database, generation=cut.generation, partitions=cut.offsets, drafts=drafts, ranges=ranges)
        self._seen = {**self._seen, **found.offsets}
        return found

    def _has_seen(self, cut: Cut) -> bool:
        """Whether the projection had `cut` already when somebody looked last."""
        return cut.generation == self._log.generation and Cut(cut.generation, self._seen).includes(cut)

    def check_log(self, *, records: bool) -> None:
        """Compare the cursor of every partition with the end of the log, and where asked with its record.

        Raises: RecordsGone when an older copy of the log was put back. Cost: one request, and one for each record.
        """
        cursors = self.cursors()
        self.now_after(cursors)
        for cursor in cursors.values() if records else ():
            check_cursor(self._log, cursor)


def offsets_of(cursors: Mapping[int, LogPositionRow]) -> dict[int, int]:
    """Partition → offset of its cursor."""
    return {partition: cursor.offset for partition, cursor in cursors.items()}


@compiled
def _cursors_of_generation() -> Statement:
    return select(LOG_POSITIONS).where(LOG_POSITIONS.c.generation == bindparam("generation"))
