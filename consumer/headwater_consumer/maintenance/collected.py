"""What collections remember, in a file beside the content: how far they have looked, and which log they have seen.

Without it, a collection looks at everything that was ever purged, and trusts the log that it finds.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from headwater_blobs.file_places import FilePlace
from headwater_schemas.errors import FormatTooNew

from headwater_consumer.database import Database
from headwater_consumer.maintenance.seen_log import merged
from headwater_consumer.queries.store_health import log_cursors
from headwater_consumer.rows import LogPositionRow

PATH = "collected.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Collected:
    """What the last collections found."""

    examined: Mapping[int, int] = field(default_factory=dict)  # partition → position of the last purge looked at
    held: tuple[str, ...] = ()  # objects that only open drafts needed, by name
    seen: tuple[LogPositionRow, ...] = ()  # the last record of each partition that any collection has seen

    @classmethod
    def load(cls, place: FilePlace) -> "Collected":
        """What was remembered last; nothing where the file is missing or damaged. Raises: StoreUnavailable,
        FormatTooNew."""
        content = place.get(PATH)
        try:
            told = {} if content is None else json.loads(content)
            if int(told.get("format", FORMAT)) > FORMAT:
                raise FormatTooNew(
                    f"{place.url}/{PATH} has format {told['format']}; this release knows {FORMAT}. Upgrade headwater."
                )
            examined = {int(partition): int(position) for partition, position in told.get("examined", {}).items()}
            seen = [_cursor(*one) for one in told.get("seen", ())]
            return cls(examined, tuple([str(name) for name in told.get("held", ())]), tuple(seen))
        except (ValueError, TypeError, AttributeError):
            return cls()

    def save(self, place: FilePlace) -> None:
        """Raises: StoreUnavailable, StoreReadOnly."""
        told = {"format": FORMAT, "examined": self.examined, "held": self.held, "seen": list(map(_told, self.seen))}
        place.put(PATH, json.dumps(told, sort_keys=True).encode())

    def after(self, examined: Mapping[int, int], held: Iterable[str]) -> "Collected":
        """What is known after another collection."""
        return replace(self, examined={**self.examined, **examined}, held=tuple(sorted(set(held))))

    def seeing(self, cursors: Iterable[LogPositionRow]) -> "Collected":
        """The log was seen up to these."""
        return replace(self, seen=tuple(merged(self.seen, cursors)))


def note_seen(place: FilePlace, database: Database) -> None:
    """Remember the log as far as a projection has it, which is about to be replaced. Raises: as `load` and `save`."""
    before = Collected.load(place)
    after = before.seeing(log_cursors(database))
    if after != before:
        after.save(place)


def _told(cursor: LogPositionRow) -> list[object]:
    return [cursor.partition, cursor.generation, cursor.offset, cursor.time_us, cursor.record.hex()]


def _cursor(partition: object, generation: object, offset: object, time_us: object, record: object) -> LogPositionRow:
    """Raises: ValueError."""
    numbers = [int(str(number)) for number in (partition, offset, time_us)]
    return LogPositionRow(numbers[0], str(generation), numbers[1], numbers[2], bytes.fromhex(str(record)))
