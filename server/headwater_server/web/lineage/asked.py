"""What an address asks of a picture of lineage, and the address that asks for it."""

from dataclasses import dataclass, replace
from enum import StrEnum

from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted

DEPTH_MAX, DEPTH_DEFAULT = 50, 2  # runs on each side
OPENED_MAX = 64
ID_LENGTH_MAX = 2048


class Level(StrEnum):
    """How much of the lineage is a node of its own."""

    PIPELINE = "pipeline"  # collections, and job types
    AROUND = "around"  # versions and runs that are near
    EXECUTIONS = "executions"  # all versions and runs


class Direction(StrEnum):
    """Which side of its subject."""

    BOTH = "both"
    UP = "up"  # what it was made from
    DOWN = "down"  # what was made of it


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked."""

    level: Level | None = None  # None: by the size of what is there
    direction: Direction = Direction.BOTH
    depth: int = DEPTH_DEFAULT
    opened: tuple[str, ...] = ()  # the ids of parts whose hidden ones are shown; of those opened again, still more
    path: tuple[str, str] | None = None  # only what connects these two

    def opening(self, part: str) -> "Asked":
        """The same, with what this part hides."""
        return replace(self, opened=(*self.opened, part)[-OPENED_MAX:])

    def closing(self, part: str) -> "Asked":
        """The same, without what was opened of this part."""
        return replace(self, opened=tuple(one for one in self.opened if one != part))

    def query(self) -> dict[str, str | int | None]:
        """The parameters of its address."""
        first, last = self.path or (None, None)
        return {
            "level": self.level,
            "direction": None if self.direction is Direction.BOTH else self.direction,
            "depth": None if self.depth == DEPTH_DEFAULT else self.depth,
            "open": ",".join(self.opened) or None,
            "from": first,
            "to": last,
        }


def read_asked(
    level: Level | None, direction: Direction, depth: int, opened: str | None, first: str | None, last: str | None
) -> Asked:
    """The same from the parameters of an address. Raises: InvalidInput."""
    parts = tuple((opened or "").split(",")) if opened else ()
    if len(parts) > OPENED_MAX:
        raise InvalidInput(f"open= names {len(parts)} nodes; {OPENED_MAX} are possible. Close some.")
    if (first is None) != (last is None):
        raise InvalidInput("from= and to= belong together: give the ids of two nodes.")
    if first is not None and first == last:
        raise InvalidInput(f"from= and to= are both {quoted(first)}. Give the ids of two nodes.")
    path = None if first is None or last is None else (first, last)
    return Asked(level, direction, depth, parts, path)
