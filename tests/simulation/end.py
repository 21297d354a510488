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
from headwater_schemas.events import Event, Stamped
from headwater_schemas.positions import Position, position_of

from tests.simulation import views
from tests.simulation.ledger import Entry, EventKey
from tests.simulation.world import World
from tests.simulation.writers import COLLECTIONS


@dataclass
class End:
    """The projection of one schedule, and the log that it must agree with."""

    world: World
    database: Database
    versions: dict[tuple[str, int], VersionInfo] = field(default_factory=dict)
    content: dict[tuple[str, int], dict[str, Entry]] = field(default_factory=dict)
    drafts: dict[tuple[str, str], tuple[int | None, int | None]] = field(default_factory=dict)  # → version, closed at
    rejections: dict[EventKey, list[str]] = field(default_factory=lambda: defaultdict(list))  # but for gaps
    rejected_at: dict[Position, EventKey] = field(default_factory=dict)  # gaps too

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
            if reason != Reason.SEQUENCE_GAP:
                end.rejections[session, key, sequence].append(reason)
        return end

    @cached_property
    def effective(self) -> dict[EventKey, tuple[Record, Event]]:
        """The record of each event that counts, in the order of the log: the first that follows the one before it.

        The rule said a second time, in the plainest way, apart from the projector.
        """
        marks: dict[tuple[str, str], int] = {}
        found: dict[EventKey, tuple[Record, Event]] = {}
        for stamped, record in self.decoded():
            session, sequence = stamped.origin.session, stamped.origin.sequence
            if sequence == marks.get((session, record.key), -1) + 1:
                marks[session, record.key] = sequence
                found[session, record.key, sequence] = (record, stamped.event)
        return found

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
