"""What a collection freed, or would free: by kind and by whose it was."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from headwater_blobs.port import StoredObject
from headwater_schemas.object_names import project_of

from headwater_consumer.database import Database
from headwater_consumer.queries.needed_objects import unnamed_objects
from headwater_consumer.queries.unneeded_objects import collections_of, rewritten_objects

OF_VERSIONS = "deleted_versions"  # content of versions that were purged
REWRITTEN = "rewritten_packs"  # of which the rest was stored anew
UNNAMED = "unnamed_objects"  # published by a writer that died, or only named by drafts that were discarded
KINDS = (OF_VERSIONS, REWRITTEN, UNNAMED)


@dataclass(slots=True)
class Sum:
    """Objects and their bytes."""

    objects: int = 0
    size_bytes: int = 0

    def add(self, size: int) -> None:
        """One more object."""
        self.objects += 1
        self.size_bytes += size

    def as_json(self) -> dict[str, int]:
        """For scripts."""
        return {"objects": self.objects, "bytes": self.size_bytes}


@dataclass(slots=True)
class Restorable:
    """Deleted versions of a project that can be restored still, and what they alone need."""

    days: int
    versions: int = 0
    from_us: int = 0  # when the first of them is due: microseconds since 1970, UTC
    until_us: int = 0  # and the last
    sum: Sum = field(default_factory=Sum)


@dataclass(slots=True)
class Freed:
    """The sums of a collection."""

    purged: int = 0  # versions
    kinds: dict[str, Sum] = field(default_factory=lambda: {kind: Sum() for kind in KINDS})
    owners: dict[str, Sum] = field(default_factory=lambda: defaultdict(Sum))  # collection, or project where it has none
    recent: Sum = field(default_factory=Sum)  # objects that nothing names yet: a writer may be about to
    packs_left: int = 0  # that are worth to be rewritten, and were not: the store has no room for it
    unfinished: int = 0  # objects that not all partitions have condemned, as a dead letter holds that up
    parked: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # project → objects, see `without_parked`
    refused: dict[str, int] = field(default_factory=dict)  # why the store kept objects, and how many
    restorable: dict[str, Restorable] = field(default_factory=dict)  # by project

    def add(self, database: Database, found: Iterable[StoredObject]) -> None:
        """These objects are free."""
        objects = list(found)
        for one, kind, owner in _described(database, objects):
            self.kinds[kind].add(one.size)
            self.owners[owner].add(one.size)

    def add_rewritten(self, database: Database, freed: Mapping[str, int]) -> None:
        """Of these packs so many bytes are free: all but what was stored anew."""
        collections = collections_of(database, freed)
        for name, size in freed.items():
            self.kinds[REWRITTEN].add(size)
            self.owners[collections.get(name) or project_of(name)].add(size)

    def without_parked(self, objects: Iterable[StoredObject], projects: Collection[str]) -> list[StoredObject]:
        """Those that no event which waits behind a dead letter can name; the others are noted as kept.

        Such an event counts as of when it was written, and so before what was condemned since.
        """
        free: list[StoredObject] = []
        for one in objects:
            project = project_of(one.name)
            if project in projects:
                self.parked[project] += 1
            else:
                free.append(one)
        return free

    @property
    def total(self) -> Sum:
        """Of all kinds."""
        sums = self.kinds.values()
        return Sum(sum(one.objects for one in sums), sum(one.size_bytes for one in sums))


def _described(database: Database, objects: list[StoredObject]) -> Iterator[tuple[StoredObject, str, str]]:
    """Each object with its kind and whose it is."""
    names = [one.name for one in objects]
    unnamed, rewritten = unnamed_objects(database, names), rewritten_objects(database, names)
    collections = collections_of(database, names)
    for one in objects:
        kind = REWRITTEN if one.name in rewritten else UNNAMED if one.name in unnamed else OF_VERSIONS
        yield one, kind, collections.get(one.name) or project_of(one.name)
