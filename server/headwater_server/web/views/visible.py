"""What views share: the runs beside a version, as far as somebody may read those."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries.uses import ALL_RUNS, Ranges, count_runs_of_version, runs_of_version
from headwater_schemas.paths import range_of_folder

from headwater_server.access.caller import Caller
from headwater_server.access.visible import scopes_seen
from headwater_server.resources.naming import may_read

SOURCES_READ_MAX = 1000  # of one run
RUNS_COUNTED_MAX = 1000  # of one version; the exact number of more helps nobody


@dataclass(frozen=True, slots=True)
class Counted:
    """Some of a list, and how many there are."""

    items: Sequence[str]  # the first ones, by name
    count: int  # of all; counting stops at `counted_max`
    counted_max: int = RUNS_COUNTED_MAX


@dataclass(frozen=True, slots=True)
class Named:
    """A version that another page is about."""

    collection: str
    version: int


@dataclass(frozen=True, slots=True)
class Sources:
    """What a run used."""

    items: Sequence[Named]  # the first ones, by name
    more: int  # others; counting stops at SOURCES_READ_MAX


def runs_beside(
    database: Database, caller: Caller, collection: str, version: int, *, used: bool, shown: int
) -> Counted:
    """The runs that used a version, or logged it, as far as `caller` may read them."""
    within = run_ranges(caller)
    found = runs_of_version(database, collection, version, within, used=used, limit=shown + 1)
    if len(found) <= shown:
        return Counted(found, len(found))
    count = count_runs_of_version(database, collection, version, within, used=used, limit=RUNS_COUNTED_MAX)
    return Counted(found[:shown], count)


def run_ranges(caller: Caller) -> Ranges:
    """The ranges of names of the runs that `caller` may read."""
    scopes = scopes_seen(caller)
    return ALL_RUNS if scopes is None else sorted(map(range_of_folder, scopes))


def sources_of(database: Database, caller: Caller, run: str | None, *, shown: int) -> Sources:
    """What a run used, as far as `caller` may read it. None: nobody knows of a run."""
    used = [] if run is None else queries.inputs_of(database, run, limit=SOURCES_READ_MAX)
    seen = [Named(one.collection, one.version) for one in used if may_read(caller, one.collection)]
    return Sources(seen[:shown], max(0, len(seen) - shown))


def run_seen(caller: Caller, run: str | None) -> str | None:
    """A run's name, where `caller` may read it."""
    return run if run is not None and may_read(caller, run) else None
