"""Tables as Parquet, and back. The only place that imports pyarrow.

Each column is a Parquet column of the type that belongs to its kind, which any reader understands. The kinds are
written under the key `headwater` of the file's metadata. Every option of the writer is fixed, so that equal tables are
equal bytes, for one release of pyarrow: it writes its own name into each file.
"""

import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headwater._tables.column_codec import DECIMAL_DIGITS_MAX, LIST_DEPTH_MAX, kind_of, scale_of, turning_of
from headwater._tables.table import COLUMNS_MAX

FORMAT = 1  # of what is said under KEY
KEY = b"headwater"

DECODED_BYTES_MAX = 2**30  # of one table; as Python's values it is several times that. Parts have no such end together
CELLS_MAX = DECODED_BYTES_MAX // 8  # the least that a cell takes in memory, however well it is packed in the file
BATCH_ROWS = 65_536  # decoded at a time, so that the bound is met early

_WRITER_OPTIONS: dict[str, Any] = {
    "version": "2.6",
    "compression": "snappy",  # every reader has it
    "row_group_size": 131_072,
    "data_page_size": 1_048_576,
    "dictionary_pagesize_limit": 1_048_576,
    "write_batch_size": 1024,
    "data_page_version": "1.0",
    "use_dictionary": True,
    "write_statistics": True,
    "use_compliant_nested_type": True,
    "store_schema": True,  # which also writes what is under KEY
}
_TYPES = {
    "null": pa.null(),
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "bytes": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timedelta": pa.int64(),  # Parquet has no type for durations
    "datetime": pa.timestamp("us"),
    "json": pa.string(),
}
_MOMENTS = pa.timestamp("us", tz="UTC")
# What pyarrow and our own decoding raise for bytes that make no sense.
_UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError, LookupError, RecursionError)


class TableTooLarge(Exception):
    """More than one table may hold; says what was found."""


class NotATable(Exception):
    """Bytes that are not a table that we wrote; says why."""


def encode(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """The Parquet file of rows whose values `_cells.keep` gave. Raises: TableTooLarge."""
    _check_size(len(columns) * len(rows), 0)
    kinds: list[str] = []
    arrays: list[Any] = []
    for values in zip(*rows, strict=True) if rows else [()] * len(columns):
        kinds.append(kind_of(values))
        arrays.append(pa.array(turning_of(kinds[-1]).packed(values), _type_of(kinds[-1])))
        _check_size(0, sum(array.nbytes for array in arrays))
    said = json.dumps({"format": FORMAT, "kinds": kinds}, separators=(",", ":")).encode()
    fields = [pa.field(name, array.type) for name, array in zip(columns, arrays, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={KEY: said}))
    sink = io.BytesIO()
    pq.write_table(table, sink, **_WRITER_OPTIONS)
    return sink.getvalue()


def decode(content: bytes) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of what `encode` wrote. Raises: NotATable, TableTooLarge."""
    try:
        return _decoded(content)
    except _UNREADABLE as error:
        raise NotATable(str(error)) from error


def head(content: bytes) -> tuple[list[str], int]:
    """The columns and the number of rows, without reading the values. Raises: NotATable, TableTooLarge."""
    try:
        file, _ = _opened(content)
    except _UNREADABLE as error:
        raise NotATable(str(error)) from error
    return list(file.schema_arrow.names), file.metadata.num_rows


def _decoded(content: bytes) -> tuple[list[str], list[list[Any]]]:
    announced, kinds = _opened(content)
    # Repeated text is one value in memory, as it is in the file: a small file cannot claim a large amount of it.
    leaves = [announced.schema.column(i) for i in range(len(announced.schema))]
    repeated = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    file = pq.ParquetFile(io.BytesIO(content), read_dictionary=repeated)
    turnings = [turning_of(kind) for kind in kinds]
    rows: list[list[Any]] = []
    size = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
        listed = [_listed(array) for array in batch.columns]
        # Text that becomes lists and dictionaries does so each time that it is repeated.
        size += batch.nbytes + sum(_length(texts) for texts, kind in zip(listed, kinds, strict=True) if kind == "json")
        _check_size(0, size)
        columns = [turning.unpacked(values) for turning, values in zip(turnings, listed, strict=True)]
        rows.extend(map(list, zip(*columns, strict=True)))
    if len(rows) != announced.metadata.num_rows:
        raise NotATable(f"{len(rows):,} rows are there, where {announced.metadata.num_rows:,} are announced")
    return list(announced.schema_arrow.names), rows


def _opened(content: bytes) -> tuple[Any, list[str]]:
    """The file, and the kind of each of its columns, checked against each other and against the bounds."""
    file = pq.ParquetFile(io.BytesIO(content))
    _check_announced(file.metadata)
    schema = file.schema_arrow
    kinds = _said(schema.metadata)
    if len(kinds) != len(schema.names) or len(set(schema.names)) != len(schema.names):
        raise NotATable(f"{len(kinds)} kinds are said of the columns {', '.join(schema.names)[:200]}")
    for field, kind in zip(schema, kinds, strict=True):
        if field.type != _type_of(kind):
            raise NotATable(f"column {field.name!r} is {field.type}, where {_type_of(kind)} was announced")
    return file, kinds


def _check_announced(metadata: Any) -> None:
    """Raises: TableTooLarge for more than a table may hold, before any of it is decoded.

    Not asked for what it knows of single columns: a damaged file ends the process there, inside pyarrow.
    """
    if metadata.num_columns > COLUMNS_MAX:
        raise TableTooLarge(f"{metadata.num_columns:,} columns; one table has at most {COLUMNS_MAX:,}")
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    _check_size(metadata.num_rows * metadata.num_columns, size)


def _said(metadata: dict[bytes, bytes] | None) -> list[str]:
    """The kinds that the file says its columns are."""
    said = json.loads((metadata or {}).get(KEY, b"null"))
    if not isinstance(said, dict):
        raise NotATable(
            "it is Parquet that headwater did not write; download it, and read it with a reader of your own"
        )
    kinds = said.get("kinds")
    if said.get("format") != FORMAT or not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        raise NotATable(f"it is of format {said.get('format')!r}, and this release reads format {FORMAT}")
    return kinds


def _type_of(kind: str) -> Any:
    """pyarrow's type for a kind. Raises: UnknownKind."""
    if kind in _TYPES:
        return _TYPES[kind]
    family, _, rest = kind.partition(":")
    if family == "datetime":
        return _MOMENTS
    if family == "list" and kind.count("list:") <= LIST_DEPTH_MAX:
        return pa.list_(_type_of(rest))
    return pa.decimal128(DECIMAL_DIGITS_MAX, scale_of(kind))


def _listed(array: Any) -> list[Any]:
    """What pyarrow read, as Python's values; times as numbers, and what is there often as one object."""
    if pa.types.is_dictionary(array.type):
        known = array.dictionary.to_pylist()
        return [None if place is None else known[place] for place in array.indices.to_pylist()]
    if pa.types.is_list(array.type):
        return _lists(array)
    listed: list[Any] = (array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array).to_pylist()
    return listed


def _lists(array: Any) -> list[list[Any] | None]:
    offsets = array.offsets.to_pylist()
    first = offsets[0]
    items = _listed(array.values.slice(first, offsets[-1] - first))
    spans = zip(offsets, offsets[1:], array.is_valid().to_pylist(), strict=False)
    return [items[start - first : end - first] if valid else None for start, end, valid in spans]


def _length(texts: list[Any]) -> int:
    return sum(len(text) for text in texts if text is not None)


def _check_size(cells: int, size: int) -> None:
    if cells > CELLS_MAX or size > DECODED_BYTES_MAX:
        found = f"{cells:,} cells" if cells > CELLS_MAX else f"{size:,} bytes"
        raise TableTooLarge(f"{found}; one table holds at most {CELLS_MAX:,} cells and {DECODED_BYTES_MAX:,} bytes")
