"""What an import adds once versions are there: runs, what they logged and used, aliases, recalls and deletions."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from headwater_consumer import queries
from headwater_consumer.queries.alias_history import alias_moves
from headwater_schemas.events import (
    RUN_STATES_FINAL,
    AliasMoved,
    ArtifactUsed,
    DraftOpened,
    Event,
    RunFinished,
    RunStarted,
    RunUpdated,
    VersionCommitted,
    VersionDeleted,
    VersionRecalled,
)

from headwater_stores.portable.placing import Placing, VersionRecord
from headwater_stores.portable.records import Plain
from headwater_stores.portable.writing import Writer
from headwater_stores.stores import Stores


class LineageImport:
    """Adds what is not there yet."""

    def __init__(self, stores: Stores, placing: Placing, writer: Writer) -> None:
        self._stores, self._placing, self._writer = stores, placing, writer

    def add_runs(self, runs: Iterable[Plain]) -> int:
        """How many are new. A run that went on since it was imported is ended as it ended."""
        count = 0
        for found in runs:
            name = self._placing.run_of(found["run"])
            known = queries.run_info(self._stores.database, name)
            events: list[Event] = []
            if known is None:
                events += _run_events(name, found)
                count += 1
            if found["state"] in RUN_STATES_FINAL and (known is None or known.state not in RUN_STATES_FINAL):
                events.append(RunFinished(run=name, state=found["state"]))
            started = datetime.fromtimestamp(found["started_us"] / 1_000_000, UTC)
            self._writer.write(events, message=f"imported: {found['run']}, started {started:%Y-%m-%d %H:%M} UTC")
        return count

    def add_outputs(self) -> None:
        """Link versions to the other runs that logged them: a commit of the same content does."""
        for record in self._placing.versions:
            version = self._placing.here.get(record.number)
            if version is None:
                continue
            collection = self._placing.collection_of(record)
            for name in map(self._placing.run_of, record.runs):
                if not self._placing.has_logged(name, collection, version):
                    self._link(record, collection, version, name)

    def _link(self, record: VersionRecord, collection: str, version: int, run: str) -> None:
        info = queries.version_info(self._stores.database, collection, version)
        if info is None or info.deleted:
            return
        draft = self._writer.producer.new_draft()
        self._writer.write(
            [
                DraftOpened(collection=collection, draft=draft, type=record.type, base=version),
                VersionCommitted(
                    collection=collection,
                    draft=draft,
                    run=run,
                    expected_digest=record.digest,
                    rights=(),
                    imported=record.imported,
                ),
            ]
        )

    def add_uses(self, uses: Iterable[Plain]) -> int:
        """How many are new. Versions that were not imported, or were deleted here, cannot be used."""
        count = 0
        for found in uses:
            version = self._placing.version_of(found["collection"], found["version"])
            collection, run = self._placing.collection_named(found["collection"]), self._placing.run_of(found["run"])
            if version is None or self._is_deleted(collection, version):
                continue
            known = queries.input_of(self._stores.database, run, collection, version)
            purposes = found["use_as"] or [None]
            events = [
                ArtifactUsed(collection=collection, version=version, run=run, requested=requested, use_as=purpose)
                for requested in found["requested"]
                for purpose in purposes
                if requested not in known.requested or (purpose is not None and purpose not in known.use_as)
            ]
            self._writer.write(events)
            count += bool(events)
        return count

    def add_recalls(self) -> None:
        """Versions that were recalled there are recalled here."""
        for record in self._placing.versions:
            version = self._placing.here.get(record.number)
            if record.recalled is None or version is None:
                continue
            collection = self._placing.collection_of(record)
            info = queries.version_info(self._stores.database, collection, version)
            if info is not None and info.recalled is None:
                self._writer.write([VersionRecalled(collection=collection, version=version, reason=record.recalled)])

    def add_aliases(self, moves: Iterable[Plain], *, move: bool) -> tuple[int, list[str]]:
        """How many moves were written, and the aliases that are elsewhere here and stay there.

        An alias that this store never had gets all its moves, in order and at once; another one is moved to where it
        is there, with `move`.
        """
        count, kept = 0, list[str]()
        for (there, alias), versions in self._targets(moves).items():
            collection = self._placing.collection_named(there)
            wanted = versions[-1]
            if not alias_moves(self._stores.database, collection, alias, limit=1):
                steps = versions
            elif queries.resolve_version(self._stores.database, collection, alias) == wanted:
                continue
            elif move:
                steps = [wanted]
            else:
                kept.append(f"{collection}:{alias}")
                continue
            self._writer.write([AliasMoved(collection=collection, alias=alias, version=one) for one in steps])
            count += len(steps)
        return count, kept

    def _targets(self, moves: Iterable[Plain]) -> dict[tuple[str, str], list[int | None]]:
        """Collection there and alias → the versions here that it is on, one after the other."""
        found: dict[tuple[str, str], list[int | None]] = {}
        for one in moves:
            there = one["collection"], one["alias"]
            version = None
            if one["version"] is not None:
                version = self._placing.version_of(one["collection"], one["version"])
                if version is None or self._is_deleted(self._placing.collection_named(one["collection"]), version):
                    continue
            if version is not None or found.get(there):
                found.setdefault(there, []).append(version)
        return found

    def add_deletions(self) -> None:
        """Versions that were deleted there are deleted here, if they are new and nobody needs them."""
        needed = {
            (self._placing.collection_of(one), self._placing.here[one.number])
            for one in self._placing.versions
            if one.number in self._placing.here and not one.deleted
        }
        for record in self._placing.versions:
            version = self._placing.here.get(record.number)
            if not record.deleted or version is None:
                continue
            collection = self._placing.collection_of(record)
            info = queries.version_info(self._stores.database, collection, version)
            untouched = info is not None and not info.deleted and len(info.imported) > 0
            is_new = record.number in self._placing.made or (info is not None and info.updated_us == info.created_us)
            if untouched and is_new and (collection, version) not in needed:
                self._writer.write([VersionDeleted(collection=collection, version=version, delete_aliases=True)])

    def _is_deleted(self, collection: str, version: int) -> bool:
        info = queries.version_info(self._stores.database, collection, version)
        return info is None or info.deleted


def _run_events(name: str, found: Plain) -> Iterator[Event]:
    yield RunStarted(
        run=name,
        job_type=found["job_type"],
        group=found["group"],
        display_name=found["display_name"],
        config=found["config"],
        tags=tuple(found["tags"]),
    )
    if found["summary"] != "{}":
        yield RunUpdated(run=name, summary_set=found["summary"])
