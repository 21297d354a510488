"""What projectors announce after a commit: how far they got, so that who waits for that need not look again and again.

An announcement is a hint. It is sent after the transaction and apart from it, and no failure of it counts.
"""

from collections.abc import Mapping

from headwater_schemas.positions import BEFORE_FIRST, Cut

from headwater_consumer.database import Database


def announce(database: Database, generation: str, offsets: Mapping[int, int]) -> None:
    """Tell those who wait that partitions of a log are projected up to these offsets. Raises nothing of the store's."""
    places = [f"{partition}:{offset}" for partition, offset in sorted(offsets.items()) if offset > BEFORE_FIRST]
    database.announce(" ".join([generation, *places]))


def announced(text: str, generation: str) -> Cut | None:
    """How far partitions of a log are, as an announcement says; None where it says nothing and one has to look.

    Announcements of other logs, and texts that are none, are about nothing.
    """
    if not text:
        return None
    of, *places = text.split(" ")
    pairs = [place.partition(":") for place in places]
    if of != generation or not all(p.isdecimal() and o.isdecimal() for p, _, o in pairs):
        return Cut(generation)
    return Cut(generation, {int(partition): int(offset) for partition, _, offset in pairs})
