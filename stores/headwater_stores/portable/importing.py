"""Read an export into a store: by ordinary events, under numbers of its own.

A version is found again by where it was committed first, so importing again adds nothing, and an import that was
interrupted goes on. All of a version is verified before anything about it is on the log.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field

from headwater_producer.commits import CommitVersion, send_commit
from headwater_schemas.errors import EventRejected, Reason
from headwater_schemas.names import CollectionName

from headwater_stores.portable import records
from headwater_stores.portable.archive import ExportArchive
from headwater_stores.portable.contents import Contents
from headwater_stores.portable.lineage_import import LineageImport
from headwater_stores.portable.listings import Listing, Listings
from headwater_stores.portable.placing import Placing, VersionRecord
from headwater_stores.portable.writing import Writer
from headwater_stores.stores import Stores
from headwater_stores.telling.progress import Progress, counted

ATTEMPTS_MAX = 3  # at a version whose content a collector condemns meanwhile
KEEP, MOVE, NONE = ALIASES = ("keep", "move", "none")  # what is done with aliases that are elsewhere in the store


@dataclass(slots=True)
class ImportReport:
    """What was imported."""

    log: str  # generation of the log that the export is of
    imported: list[str] = field(default_factory=list)  # versions here
    present: int = 0  # versions that were here already
    without_content: int = 0  # versions of which the export has no content
    runs: int = 0
    uses: int = 0
    aliases: int = 0  # that were moved
    aliases_kept: list[str] = field(default_factory=list)  # that are elsewhere here

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield (
            f"imported {counted(len(self.imported), 'version')}, {counted(self.runs, 'run')}, "
            f"{counted(self.uses, 'use')} and {counted(self.aliases, 'alias move')}; "
            f"{counted(self.present, 'version')} had been imported before"
        )
        if self.without_content:
            yield f"{counted(self.without_content, 'deleted version')} left out, whose content is gone"
        for alias in self.aliases_kept:
            yield f"{alias} stays where it is; give --aliases move to move it"


def import_versions(
    stores: Stores, archive: ExportArchive, *, project: str | None, aliases: str, wait_s: float, quiet: bool
) -> ImportReport:
    """Import all that an export has. `project`, "entity/project": where, instead of where it was; `aliases`: one of
    ALIASES.

    Memory: the listing of a version. Raises: InvalidFile for a damaged export, before anything of the damaged version
    is written; InvalidInput where the project has another digest algorithm; EventRejected; StoreUnavailable, StoreFull.
    """
    placing = Placing(stores, archive, project)
    report = ImportReport(str(archive.manifest.get("log", "")))
    writer = Writer(stores, wait_s=wait_s)
    with closing(Contents(stores, archive, writer)) as contents:
        importer = _VersionImport(stores, placing, Listings(stores, archive), contents, writer)
        with Progress("importing", total=sum(one.size for one in placing.versions), unit="B", quiet=quiet) as progress:
            for record in placing.versions:
                importer.add(record, report)
                progress.advance(record.size)
    lineage = LineageImport(stores, placing, writer)
    report.runs = lineage.add_runs(archive.records_of(records.RUNS, "run"))
    lineage.add_outputs()
    report.uses = lineage.add_uses(archive.records_of(records.USES, "use"))
    lineage.add_recalls()
    if aliases != NONE:
        found = lineage.add_aliases(archive.records_of(records.ALIASES, "alias"), move=aliases == MOVE)
        report.aliases, report.aliases_kept = found
    lineage.add_deletions()
    return report


class _VersionImport:
    """Imports versions one by one."""

    def __init__(
        self, stores: Stores, placing: Placing, listings: Listings, contents: Contents, writer: Writer
    ) -> None:
        self._stores, self._placing, self._listings = stores, placing, listings
        self._contents, self._writer = contents, writer

    def add(self, record: VersionRecord, report: ImportReport) -> None:
        """Import a version, unless it is here. Raises: as `import_versions`."""
        if record.number in self._placing.here:
            report.present += 1
            return
        if not record.complete:
            report.without_content += 1
            return
        base = None if record.base is None else self._placing.here.get(record.base)
        listing = self._listings.read(record, self._placing.collection_of(record), base)
        for attempt in range(ATTEMPTS_MAX):
            try:
                self._commit(record, listing, report)
            except EventRejected as error:
                if error.reason != Reason.BLOB_CONDEMNED or attempt == ATTEMPTS_MAX - 1:
                    raise
                self._contents.forget(self._project_of(record))
            else:
                return

    def _project_of(self, record: VersionRecord) -> str:
        return CollectionName.parse(self._placing.collection_of(record)).namespace

    def _commit(self, record: VersionRecord, listing: Listing, report: ImportReport) -> None:
        stager = self._contents.bring(record, listing, self._project_of(record))
        command = CommitVersion(
            collection=self._placing.collection_of(record),
            type=record.type,
            base=listing.base,
            files=listing.files,
            executable=listing.executable,
            references=listing.references,
            removed=listing.removed,
            message=record.message,
            description=record.description,
            metadata=record.metadata,
            tags=record.tags,
            run=self._placing.run_of(record.runs[0]) if record.runs else None,
            ttl_seconds=record.ttl_seconds,
            expected_digest=record.digest,
            rights=(),  # of a version that was here with this content, nothing changes
            imported=record.imported,
        )
        version = self._writer.settle_commit(send_commit(command, stager, self._writer.producer))
        stager.forget(listing.files.digests.values())
        self._placing.is_here(record, version)
        report.imported.append(f"{command.collection}:v{version}")
