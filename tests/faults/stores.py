"""Look at what is in a store after a fault: every promise that can be checked from the outside, checked.

Not by way of the SDK, so that a bug in it cannot hide here what it did there.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.database.fingerprint import table_fingerprints
from headwater_consumer.queries import VersionInfo
from headwater_consumer.writing.runner import Projector
from headwater_schemas.entries import BlobLocation, file_leaves
from headwater_schemas.errors import Reason
from headwater_schemas.lthash import sum_of
from headwater_stores.config.settings import read_settings
from headwater_stores.opening import open_stores
from headwater_stores.stores import Stores

from tests.consumer.inspection import rejections_of
from tests.faults.processes import NAMESPACE
from tests.support.projections import project_all

ROWS_MAX = 10_000
CATCH_UP_S = 60.0
STORED_AGAIN = {Reason.BLOB_CONDEMNED, Reason.DIGEST_MISMATCH}  # the commit's own, as it lacks the refused entries
COMPARISONS_MAX = 10  # until nobody wrote during one


@dataclass(frozen=True)
class Version:
    """What must be the same however often a writer was killed."""

    digest: str
    files: int
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class StoreState:
    """All that a store answers."""

    versions: dict[str, list[Version]]  # by artifact, in order of their numbers
    runs: dict[str, str]  # id → state
    uses: set[tuple[str, str, int]]  # run id, artifact, version
    outputs: set[tuple[str, str, int]]

    def numbers(self, name: str) -> int:
        """How many versions an artifact has."""
        return len(self.versions.get(name, ()))


StoreLocation = Path | Mapping[str, str]  # a store's folder, or the settings that name it


@contextmanager
def opened(where: StoreLocation) -> Iterator[Stores]:
    """The store, caught up."""
    settings = where if isinstance(where, Mapping) else {"HEADWATER_URL": str(where)}
    with closing(open_stores(read_settings(settings), create=False)) as stores:
        stores.projection.catch_up(timeout_s=CATCH_UP_S)
        yield stores


def inspect_store(where: StoreLocation, *, refused: bool = False, was_collected: bool = False) -> StoreState:
    """What is there, after checking that it is whole: digests, bytes, numbers, and that a replay agrees.

    `refused` says that events were refused, which is on record. `was_collected`: a collection without grace ran beside
    writers, which store again by themselves what it condemned, so that such a refusal is none that anybody notices.
    """
    with opened(where) as stores:
        database = stores.database
        collections = queries.collections(database, NAMESPACE, limit=ROWS_MAX)
        infos = {c.collection: queries.version_infos(database, c.collection, limit=ROWS_MAX) for c in collections}
        for name, versions in infos.items():
            assert sorted(info.version for info in versions) == list(range(len(versions))), f"{name} has gaps"
            for info in versions:
                read_back(stores, contents_of(database, info))
        noticed = set(rejections_of(database)) - (STORED_AGAIN if was_collected else set())
        assert bool(noticed) == refused, noticed
        assert queries.health(database).open_dead_letters == 0
        check_replay(stores)
        return _seen(database, infos)


def check_replay(stores: Stores) -> None:
    """A projection made anew from the log says the same. Processes that still run may write meanwhile."""
    with tempfile.TemporaryDirectory() as scratch, closing(Database.open_sqlite(Path(scratch, "anew.db"))) as anew:
        projector = Projector(stores.log, anew)
        for _ in range(COMPARISONS_MAX):
            ends = stores.log.ends()
            stores.projection.catch_up(timeout_s=CATCH_UP_S)
            project_all(stores.log, projector)
            found, expected = _fingerprints(stores.database), _fingerprints(anew)
            if stores.log.ends() == ends:
                break

        assert found == expected


def digest_of_listing(database: Database, info: VersionInfo) -> str:
    """The version's digest, computed from the rows of its listing."""
    rows = [
        (entry.path, entry.digest, entry.size, entry.executable)
        for page in queries.all_entries(database, info.layers)
        for entry in page
        if entry.digest is not None and entry.size is not None
    ]
    paths, digests, sizes, bits = zip(*rows, strict=True) if rows else ((), (), (), ())
    executable = [row for row, bit in enumerate(bits) if bit]
    return sum_of(file_leaves(paths, digests, sizes, executable), sum(sizes)).digest()


def contents_of(database: Database, info: VersionInfo) -> Iterator[tuple[BlobLocation, bytes]]:
    """The location and digest of each file of a version, after checking the version's digest."""
    assert digest_of_listing(database, info) == info.digest, f"{info.collection}:v{info.version} is half there"
    for page in queries.all_entries(database, info.layers):
        for entry in page:
            assert entry.digest is not None
            assert entry.object_name is not None
            assert entry.object_offset is not None
            assert entry.size is not None
            yield BlobLocation(entry.object_name, entry.object_offset, entry.size), entry.digest


def read_back(stores: Stores, contents: Iterable[tuple[BlobLocation, bytes]]) -> None:
    """Each content is there, and is what it was."""
    for place, digest in contents:
        for _ in stores.blobs.stream(place, digest):
            pass  # reading to the end verifies


def _fingerprints(database: Database) -> dict[str, str]:
    with database.snapshot() as connection:
        return dict(table_fingerprints(connection))


def _seen(database: Database, infos: dict[str, list[VersionInfo]]) -> StoreState:
    runs = queries.runs(database, NAMESPACE, limit=ROWS_MAX)
    return StoreState(
        versions={
            _last(name): [
                Version(info.digest, info.entry_count, tuple(sorted(info.aliases)))
                for info in sorted(versions, key=lambda info: info.version)
            ]
            for name, versions in infos.items()
        },
        runs={_last(run.run): run.state for run in runs},
        uses={
            (_last(run.run), _last(use.collection), use.version)
            for run in runs
            for use in queries.inputs_of(database, run.run)
        },
        outputs={
            (_last(run.run), _last(collection), version)
            for run in runs
            for collection, version in queries.outputs_of(database, run.run)
        },
    )


def _last(name: str) -> str:
    return name.rpartition("/")[2]
