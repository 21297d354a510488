"""The contents of versions in an export: those that the store lacks are verified and staged."""

import tempfile
from collections.abc import Iterable

from headwater_blobs.port import CHUNK_BYTES, PACKED_FILE_BYTES_MAX
from headwater_consumer import queries
from headwater_producer.stager import BlobStager
from headwater_schemas import digests, metadata
from headwater_schemas.errors import InvalidInput
from headwater_schemas.events import SettingsChanged
from headwater_schemas.settings import DIGEST_ALGORITHM

from headwater_stores.portable.archive import ExportArchive
from headwater_stores.portable.listings import Listing
from headwater_stores.portable.placing import VersionRecord
from headwater_stores.portable.writing import Writer
from headwater_stores.stores import Stores

BATCH_BYTES = 4 * 1024 * 1024  # that are ingested at once


class Contents:
    """Brings contents to where versions need them."""

    def __init__(self, stores: Stores, archive: ExportArchive, writer: Writer) -> None:
        self._stores, self._archive, self._writer = stores, archive, writer
        self._stagers: dict[str, BlobStager] = {}  # by project

    def bring(self, record: VersionRecord, listing: Listing, project: str) -> BlobStager:
        """Stage what the store lacks of a version. Raises: InvalidFile, InvalidInput; StoreUnavailable, StoreFull."""
        sizes = dict(listing.files.values())
        stager = self._stager(project, sizes)
        missing = stager.missing(list(sizes))
        numbers = [record.number, *(number for number in range(record.number))]  # most are with their version
        for number in numbers:
            if not missing:
                return stager
            self._ingest_small(number, missing, sizes, stager)
            self._ingest_large(number, missing, sizes, stager)
        if missing:
            raise self._archive.damaged(
                f"it lacks {digests.to_text(min(missing))}, which version {record.number} needs"
            )
        return stager

    def forget(self, project: str) -> None:
        """Take nothing for stored any more that was there before: a collector has condemned some of it."""
        if (stager := self._stagers.pop(project, None)) is not None:
            stager.close()

    def close(self) -> None:
        """Discard what was staged and not used."""
        for stager in self._stagers.values():
            stager.close()

    def _ingest_small(self, number: int, missing: set[bytes], sizes: dict[bytes, int], stager: BlobStager) -> None:
        batch, size = list[bytes](), 0
        for digest, content in self._archive.small_contents(number):
            if digest not in missing:
                continue
            if len(content) != sizes[digest] or len(content) > PACKED_FILE_BYTES_MAX:
                raise self._archive.damaged(f"{digests.to_text(digest)} has another size than its entry says")
            missing.discard(digest)
            batch.append(content)
            size += len(content)
            if size > BATCH_BYTES:
                stager.ingest(batch)
                batch, size = [], 0
        if batch:
            stager.ingest(batch)

    def _ingest_large(self, number: int, missing: set[bytes], sizes: dict[bytes, int], stager: BlobStager) -> None:
        for digest in list(self._archive.large_contents(number)):
            if digest not in missing:
                continue
            with self._archive.large(number, digest) as source, tempfile.TemporaryFile(buffering=0) as copy:
                hasher, left = digests.new_hasher(digests.algorithm_of(digest)), sizes[digest]
                while left >= 0 and (piece := source.read(CHUNK_BYTES)):
                    hasher.update(piece)
                    copy.write(piece)
                    left -= len(piece)
                if left != 0 or hasher.digest() != digest[1:]:
                    raise self._archive.damaged(f"{digests.to_text(digest)} has other bytes than its name says")
                copy.seek(0)
                stager.ingest_file(copy)
            missing.discard(digest)

    def _stager(self, project: str, wanted: Iterable[bytes]) -> BlobStager:
        """Of a project, with its digest algorithm, by which all contents of it are named. Raises: InvalidInput."""
        algorithms = {digests.algorithm_of(digest) for digest in wanted}
        if project not in self._stagers:
            chosen = queries.chosen_algorithm(self._stores.database, project)
            if chosen is None and algorithms:
                chosen = min(algorithms)
                settings = metadata.encode({DIGEST_ALGORITHM: chosen}, "settings")
                self._writer.write([SettingsChanged(project=project, settings=settings)])
            algorithm = chosen or self._stores.default_algorithm
            stager = BlobStager(
                self._stores.blobs, self._stores.reads.stored_locations, algorithm=algorithm, project=project
            )
            if not algorithms and chosen is None:
                return stager  # nothing to store; another version chooses
            self._stagers[project] = stager
        found = self._stagers[project]
        if algorithms - {found.algorithm}:
            raise InvalidInput(
                f"{project} names contents by {found.algorithm}, and what is imported by "
                f"{', '.join(sorted(algorithms))}: one content would have two names. Import it into another project, "
                "with --project."
            )
        return found
