"""The records of a log as an Avro object container file, and back."""

import io
import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import chain
from typing import Any

import fastavro
from fastavro.schema import to_parsing_canonical_form
from headwater_eventlog.port import EventLog, LogIdentity, Record
from headwater_schemas.archive_files import ManifestName, record_schema_text, records_path
from headwater_schemas.errors import BlobCorrupt
from headwater_schemas.positions import Position

from headwater_consumer.archive.avro_blocks import BLOCK_BYTES, encode, pack
from headwater_consumer.archive.avro_records import Fields, RecordDecoder
from headwater_consumer.archive.manifests import RESTORE, Manifest
from headwater_consumer.writing.log_check import record_hash

RECORDS_PER_FILE_MAX = 100_000
BYTES_PER_FILE_MAX = 32 * 1024 * 1024  # of keys, payloads and headers; a file is in memory while it is written
CODEC = "deflate"  # which every implementation of Avro has

_SCHEMA = fastavro.parse_schema(json.loads(record_schema_text()))
_ENCODING = to_parsing_canonical_form(_SCHEMA)
_MARKER_BYTES = 16


class Portion:
    """The records of one file, counted while they are written."""

    def __init__(self, first: Record, others: Iterator[Record]) -> None:
        """Takes from `others` what goes into the same file."""
        self.first = self.last = first
        self.records = 0
        self._size = 0
        self._source = chain((first,), others)

    def blocks(self) -> Iterator[bytes]:
        """The records, encoded, some in each block."""
        encoded: list[bytes] = []
        size = 0
        for record in self._source:
            encoded.append(encode(record))
            size += len(encoded[-1])
            self.last = record
            self.records += 1
            if self.records >= RECORDS_PER_FILE_MAX or self._size + size >= BYTES_PER_FILE_MAX:
                break
            if size >= BLOCK_BYTES:
                yield pack(encoded)
                self._size += size
                encoded, size = [], 0
        if encoded:
            yield pack(encoded)


def write_container(portion: Portion, log: LogIdentity) -> bytes:
    """The file of a portion. The same records give the same bytes, with the same libraries."""
    position, out = portion.first.position, io.BytesIO()
    about = {
        "headwater.generation": log.generation,
        "headwater.partition": str(position.partition),
        "headwater.ancestors": ",".join(log.ancestors),
    }
    marker = sha256(f"{log.generation}/{position.partition}/{position.offset}".encode()).digest()[:_MARKER_BYTES]
    fastavro.writer(out, _SCHEMA, (), codec=CODEC, sync_marker=marker, metadata=about)
    for block in portion.blocks():
        out.write(block)
        out.write(marker)
    return out.getvalue()


def manifest_of(portion: Portion, content: bytes, log: LogIdentity, *, after: int) -> Manifest:
    """The manifest of a file, whose portion was written to its end; `after`: the offset of the record before it."""
    first, last, digest = portion.first, portion.last, sha256(content).hexdigest()
    partition = first.position.partition
    name = ManifestName(log.generation, partition, first.position.offset, last.position.offset)
    return Manifest(
        generation=log.generation,
        ancestors=log.ancestors,
        partitions=log.partitions,
        partition=partition,
        after=after,
        first_offset=name.first,
        last_offset=name.last,
        first_time_us=first.time_us,
        last_time_us=last.time_us,
        records=portion.records,
        file=records_path(name, digest),
        size=len(content),
        sha256=digest,
        last_record=record_hash(last).hex(),
    )


def read_container(content: bytes, manifest: Manifest, archive: str) -> Iterator[Record]:
    """The records of a file, as the log had them. Raises: BlobCorrupt where it has others than its manifest says."""
    for block in read_blocks(content, manifest, archive):
        for fields in block:
            yield _as_record(fields, manifest)


def read_blocks(content: bytes, manifest: Manifest, archive: str) -> Iterator[Sequence[Fields]]:
    """The same, block by block, and not as objects."""
    last: Fields | None = None
    count = 0
    try:
        for block in _decoded(content):
            yield block
            count += len(block)
            last = block[-1] if block else last
    except (ValueError, KeyError, TypeError, EOFError, IndexError) as error:
        raise BlobCorrupt(f"{manifest.file} in {archive} cannot be read: {type(error).__name__}. {RESTORE}") from error
    if (
        last is None
        or count != manifest.records
        or record_hash(_as_record(last, manifest)).hex() != manifest.last_record
    ):
        raise BlobCorrupt(f"{manifest.file} in {archive} has other records than its manifest says. {RESTORE}")


def has_last_record(log: EventLog, manifest: Manifest) -> bool:
    """Whether a log has the last record of a file at its place. Raises: RecordsGone, StoreUnavailable."""
    found = log.read(manifest.partition, after=manifest.last_offset - 1, limit=1)
    at_place = found and found[0].position.offset == manifest.last_offset
    return bool(at_place) and record_hash(found[0]).hex() == manifest.last_record


def _decoded(content: bytes) -> Iterator[Sequence[Fields]]:
    blocks: Any = fastavro.block_reader(io.BytesIO(content))
    if to_parsing_canonical_form(blocks.writer_schema) == _ENCODING:
        decoder = RecordDecoder()
        for block in blocks:
            yield decoder.decode(block.bytes_.getvalue(), block.num_records)
    else:  # it is of another release
        for block in blocks:
            yield [_fields(found) for found in block]


def _fields(found: Any) -> Fields:
    names, values = (tuple(header[part] for header in found["headers"]) for part in ("name", "value"))
    return found["offset"], found["time_us"], found["key"], found["payload"], names, values


def _as_record(fields: Fields, manifest: Manifest) -> Record:
    offset, time_us, key, payload, names, values = fields
    position = Position(len(manifest.ancestors), manifest.partition, offset)
    return Record(position, time_us, key, payload, tuple(zip(names, values, strict=True)))
