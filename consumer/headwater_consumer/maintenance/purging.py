"""Purging: deleted versions are given up once nobody may restore them any more."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headwater_producer.producer import Producer
from headwater_runtime.days import US_PER_DAY
from headwater_schemas.events import VersionPurged
from headwater_schemas.names import CollectionName
from headwater_schemas.positions import position_of

from headwater_consumer.database import Database
from headwater_consumer.queries.deletions import Deletion, deletions
from headwater_consumer.queries.projects import restore_days

PURGED_PER_STEP = 500  # versions; each step is confirmed before the next


@dataclass(frozen=True, slots=True)
class DatedDeletion:
    """A version that is deleted, and until when it can be restored."""

    deletion: Deletion
    until_us: int  # microseconds since 1970, UTC

    @property
    def version(self) -> tuple[str, int]:
        """Its collection and number."""
        return self.deletion.collection, self.deletion.version

    @property
    def project(self) -> str:
        """ "entity/project"."""
        return CollectionName.parse(self.deletion.collection).namespace


def dated_deletions(database: Database) -> Iterator[DatedDeletion]:
    """All versions that are deleted and not purged, by name."""
    days_of: dict[str, int] = {}
    for page in deletions(database):
        for deletion in page:
            project = CollectionName.parse(deletion.collection).namespace
            if project not in days_of:
                days_of[project] = restore_days(database, project)
            yield DatedDeletion(deletion, deletion.time_us + days_of[project] * US_PER_DAY)


def purge(producer: Producer, due: Iterable[DatedDeletion]) -> int:
    """Send and confirm the event that purges each of these, and return how many that were.

    One that was restored meanwhile stays: the event names the deletion, and is refused then. Raises: as
    `Producer.confirm`; the next run purges the rest.
    """
    count = 0
    for one in due:
        at, (collection, version) = position_of(one.deletion.position), one.version
        event = VersionPurged(
            collection=collection, version=version, epoch=at.epoch, partition=at.partition, offset=at.offset
        )
        producer.send([event], message="deleted for longer than it can be restored")
        count += 1
        if count % PURGED_PER_STEP == 0:
            producer.confirm()
    producer.confirm()
    return count
