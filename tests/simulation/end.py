"""A world that came to rest, looked up once for all that is asked of it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from headwater_consumer.database import Database, driver_connection
from headwater_consumer.queries.results import VersionInfo
from headwater_eventlog.port import Record
from headwater_schemas.errors import Reason, UndecodableEvent
from headwater_schemas.events import Event, SessionsRetired, Stamped
from headwater_schemas.keys import first_session
from headwater_schemas.positions import Position, position_of

from tests.simulation import views
from tests.simulation.ledger import Entry, EventKey
from tests.simulation.reachable import Places, reachable_places
from tests.simulation.world import World
from tests.simulation.writers import COLLECTIONS

YEAR_US = 365 * 86_400_000_000


@dataclass
class End:
    """The projection of one schedule, and the log that it must agree with."""

    world: World
    database: Database
    versions: dict[tuple[str, int], VersionInfo] = field(default_factory=dict)
    content: dict[tuple[str, int], dict[str, Entry]] = field(default_factory=dict)
    drafts: dict[tuple[str, str], tuple[int | None, int | None]] = field(default_factory=dict)  # → version, closed at
    rejections: dict[EventKey, list[str]] = field(default_factory=lambda: defaultdict(list))  # after a judgement
    rejected_at: dict[Position, EventKey] = field(default_factory=dict)  # all

    @classmethod
    def of(cls, world: World) -> "End":
        end = cls(world, world.database)
        for collection in COLLECTIONS:
            for version in views.versions_of(end.database, collection):
                end.versions[collection, version.version] = version
                end.content[collection, version.version] = views.content_of(end.database, version)
        for collection, draft, number, closed in end.rows(
            "SELECT collection, draft, version, closed_position FROM drafts"
        ):
            end.drafts[collection, draft] = (number, closed)
        sql = "SELECT session, key, sequence, reason, position FROM rejections ORDER BY position"
        for session, key, sequence, reason, position in end.rows(sql):
            end.rejected_at[position_of(position)] = (session, key, sequence)
            if reason not in (Reason.SEQUENCE_GAP, Reason.SESSION_RETIRED):  # which any number of copies get
                end.rejections[session, key, sequence].append(reason)
        return end

    @property
    def later_us(self) -> int:
        """A time after all records."""
        return YEAR_US + max((r.time_us for records in self.world.log.partitions for r in records), default=0)

    @cached_property
    def reachable(self) -> Places:
        """The content that must be readable."""
        return reachable_places(self.database)

    @cached_property
    def counted(self) -> list[tuple[Stamped, Record]]:
        """The records that count, in the order of the log: in each partition the first that follows the one before it.

        The rule said a second time, in the plainest way, apart from the projector.
        """
        marks: dict[tuple[int, str, str], int] = {}
        retired: dict[int, str] = {}  # partition → the first session that may write there
        found: list[tuple[Stamped, Record]] = []
        for stamped, record in self.decoded():
            session, sequence, partition = stamped.origin.session, stamped.origin.sequence, record.position.partition
            writer = (partition, session, record.key)
            if session >= retired.get(partition, "") and sequence == marks.get(writer, -1) + 1:
                marks[writer] = sequence
                found.append((stamped, record))
                if isinstance(stamped.event, SessionsRetired):
                    retired[partition] = max(retired.get(partition, ""), first_session(stamped.event.before_ms))
        return found

    @cached_property
    def effective(self) -> dict[EventKey, tuple[Record, Event]]:
        """The record of each event that counts; of a broadcast, one of them."""
        return {
            (stamped.origin.session, record.key, stamped.origin.sequence): (record, stamped.event)
            for stamped, record in self.counted
        }

    @cached_property
    def first_session(self) -> str:
        """What is kept about sessions before this one was deleted."""
        retirements = [event for _, event in self.effective.values() if isinstance(event, SessionsRetired)]
        return max([first_session(event.before_ms) for event in retirements], default="")

    @cached_property
    def parked(self) -> set[Position]:
        """Where records are that may have waited for an operator: after one of their key that does not decode."""
        found: set[Position] = set()
        for records in self.world.log.partitions:
            damaged: set[str] = set()
            for record in records:
                if record.key in damaged:
                    found.add(record.position)
                try:
                    views.decoded(record.payload)
                except UndecodableEvent:
                    damaged.add(record.key)
        return found

    def decoded(self) -> Iterator[tuple[Stamped, Record]]:
        """Every record that can be read, by partition and offset."""
        for records in self.world.log.partitions:
            for record in records:
                try:
                    yield views.decoded(record.payload), record
                except UndecodableEvent:
                    continue

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        with self.database.snapshot() as connection:
            found: list[tuple[Any, ...]] = driver_connection(connection).execute(sql, parameters).fetchall()
        return found
