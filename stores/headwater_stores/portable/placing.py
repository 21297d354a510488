"""Where the versions and runs of an export are in the store that imports it: found again, or to be made."""

from dataclasses import dataclass
from datetime import timedelta

from headwater_consumer import queries
from headwater_consumer.queries.versions import imported_origins
from headwater_schemas import metadata
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.events import Imported
from headwater_schemas.limits import NAME_LENGTH_MAX
from headwater_schemas.names import CollectionName, RunName, check_alias, check_type, parse_version
from headwater_schemas.provenance import Provenance, as_imported, check_imported

from headwater_stores.portable import records
from headwater_stores.portable.archive import ExportArchive
from headwater_stores.portable.closure import VERSIONS_MAX
from headwater_stores.portable.records import Plain
from headwater_stores.stores import Stores

_STORE_DIGITS = 8  # of the other store's id, in the name of a run whose own is taken
_COLUMNS_MAX = timedelta.max.days * 86_400


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """What an export says about a version, checked."""

    number: int  # in the export
    collection: str  # there
    version: int  # there
    type: str
    digest: str
    size: int
    base: int | None  # number in the export
    complete: bool
    imported: Imported
    runs: tuple[str, ...]
    description: str | None
    metadata: str
    tags: tuple[str, ...]
    ttl_seconds: int | None
    deleted: bool
    recalled: str | None
    message: str | None

    @classmethod
    def of(cls, number: int, found: Plain) -> "VersionRecord":
        """Raises: HeadwaterError, ValueError for what no version can have."""
        imported = as_imported(Provenance(**found["origin"]))
        check_imported(imported)
        CollectionName.parse(found["collection"])
        check_type(found["type"])
        metadata.check(found["metadata"])
        for run in found["runs"]:
            RunName.parse(run)
        for tag in found["tags"]:
            check_alias(tag, kind="tag")
        base, ttl = found["base"], found["ttl_seconds"]
        if found["number"] != number or found["size"] < 0 or (base is not None and not 0 <= base < number):
            raise ValueError("numbers")
        if ttl is not None and not 0 < ttl <= _COLUMNS_MAX:
            raise ValueError("time to live")
        return cls(
            number,
            found["collection"],
            found["version"],
            found["type"],
            found["digest"],
            found["size"],
            base,
            found["complete"],
            imported,
            tuple(found["runs"]),
            found["description"],
            found["metadata"],
            tuple(found["tags"]),
            ttl,
            found["deleted"],
            found["recalled"],
            found["message"],
        )


class Placing:
    """What is where."""

    def __init__(self, stores: Stores, archive: ExportArchive, project: str | None) -> None:
        """`project`: where all goes; None: each into the project where it was. Raises: InvalidFile."""
        self._stores, self._project = stores, project
        self.versions = _records(archive)
        self.here: dict[int, int] = {}  # number in the export → version in this store
        self.made: set[int] = set()  # numbers of those that were not here before
        self._find()
        self._store = str(archive.manifest.get("log", ""))[:_STORE_DIGITS]
        self._runs: dict[str, str] = {}
        self.by_name = {(one.collection, one.version): one for one in self.versions}

    def collection_of(self, record: VersionRecord) -> str:
        """Its collection in this store."""
        return self.collection_named(record.collection)

    def collection_named(self, collection: str) -> str:
        """In this store, of one of the other store."""
        return collection if self._project is None else f"{self._project}/{CollectionName.parse(collection).name}"

    def is_here(self, record: VersionRecord, version: int) -> None:
        """It was imported as this version."""
        self.here[record.number] = version
        self.made.add(record.number)

    def version_of(self, collection: str, version: int) -> int | None:
        """The version in this store, of one of the other; None where it was not imported."""
        record = self.by_name.get((collection, version))
        return None if record is None else self.here.get(record.number)

    def run_of(self, run: str) -> str:
        """The run in this store, which may not exist yet: by its name, if no other run has that."""
        if run not in self._runs:
            name = RunName.parse(run)
            here = f"{self._project or name.namespace}/{name.id}"
            if queries.run_info(self._stores.database, here) is not None and not self._is_same(run, here):
                suffix = f"-{self._store}"
                here = f"{self._project or name.namespace}/{name.id[: NAME_LENGTH_MAX - len(suffix)]}{suffix}"
            self._runs[run] = here
        return self._runs[run]

    def _is_same(self, run: str, here: str) -> bool:
        """Whether a run of this store logged a version that was imported of that run."""
        of_run = [one for one in self.versions if run in one.runs and one.number in self.here]
        return any(self.has_logged(here, self.collection_of(one), self.here[one.number]) for one in of_run)

    def has_logged(self, run: str, collection: str, version: int) -> bool:
        """Whether a run of this store logged a version of it."""
        key = collection, version
        return key in queries.outputs_of(self._stores.database, run, after=(collection, version - 1), limit=1)

    def _find(self) -> None:
        """The versions that were imported before."""
        by_collection: dict[str, list[VersionRecord]] = {}
        for one in self.versions:
            by_collection.setdefault(self.collection_of(one), []).append(one)
        for collection, of_collection in by_collection.items():
            known = imported_origins(self._stores.database, collection)
            for one in of_collection:
                version = known.get((one.imported.store, one.imported.version), self._own(one))
                if version is not None and self._has(one, version):
                    self.here[one.number] = version

    def _own(self, record: VersionRecord) -> int | None:
        """The number of a version that comes back to the artifact where it was committed first."""
        log = self._stores.log
        collection, _, selector = record.imported.version.partition(":")
        is_own = record.imported.store in (*log.ancestors, log.generation) and collection == self.collection_of(record)
        return parse_version(selector) if is_own else None

    def _has(self, record: VersionRecord, version: int) -> bool:
        """Whether a version that is said to be imported has the content: whoever imports says what they like."""
        info = queries.version_info(self._stores.database, self.collection_of(record), version)
        return info is not None and info.digest == record.digest


def _records(archive: ExportArchive) -> list[VersionRecord]:
    found: list[VersionRecord] = []
    for number, plain in enumerate(archive.records_of(records.VERSIONS, "version")):
        try:
            record = VersionRecord.of(number, plain)
        except (HeadwaterError, ValueError, OverflowError) as error:
            raise archive.damaged(f"what it says about version {number} cannot be: {error}") from error
        found.append(record)
        if len(found) > VERSIONS_MAX:
            raise archive.damaged(f"it has more than {VERSIONS_MAX:,} versions")
    for one in found:
        if one.base is not None and found[one.base].collection != one.collection:
            raise archive.damaged(f"version {one.number} differs from one of another artifact")
    return found
