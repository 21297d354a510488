"""Encode tables as Parquet, and decode them. The only module that imports pyarrow.

Each column is a Parquet column of the type of its kind, which any reader understands. The kinds are in the file's
metadata under the key `headwater`. Every option of the writer is fixed, so that equal tables have equal bytes, for one
release of pyarrow: it writes its version into each file.
"""

import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headwater._tables.column_codec import DECIMAL_DIGITS_MAX, LIST_DEPTH_MAX, codec_for, column_kind, decimal_scale
from headwater._tables.table import COLUMNS_MAX

FORMAT = 1  # of the metadata under KEY
KEY = b"headwater"

DECODED_BYTES_MAX = 2**30  # of one table; as Python values several times that. A partitioned table has no limit
CELLS_MAX = DECODED_BYTES_MAX // 8  # a cell takes at least 8 bytes in memory, however well the file is compressed
BATCH_ROWS = 65_536  # decoded at a time, so that the limit is noticed early

_WRITER_OPTIONS: dict[str, Any] = {
    "version": "2.6",
    "compression": "snappy",  # supported by every reader
    "row_group_size": 131_072,
    "data_page_size": 1_048_576,
    "dictionary_pagesize_limit": 1_048_576,
    "write_batch_size": 1024,
    "data_page_version": "1.0",
    "use_dictionary": True,
    "write_statistics": True,
    "use_compliant_nested_type": True,
    "store_schema": True,  # also writes the metadata under KEY
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
_UTC_TIMESTAMP = pa.timestamp("us", tz="UTC")
# What pyarrow and our own decoding raise for malformed bytes.
_UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError, LookupError, RecursionError)


class TableTooLarge(Exception):
    """A table exceeds a limit; the text names the size."""


class NotATable(Exception):
    """The bytes are not a table that headwater wrote; the text says why."""


def encode(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """The Parquet file of rows of normalized cells. Raises: TableTooLarge."""
    _check_size(len(columns) * len(rows), 0)
    kinds: list[str] = []
    arrays: list[Any] = []
    for values in zip(*rows, strict=True) if rows else [()] * len(columns):
        kinds.append(column_kind(values))
        arrays.append(pa.array(codec_for(kinds[-1]).encode(values), _type_of(kinds[-1])))
        _check_size(0, sum(array.nbytes for array in arrays))
    header = json.dumps({"format": FORMAT, "kinds": kinds}, separators=(",", ":")).encode()
    fields = [pa.field(name, array.type) for name, array in zip(columns, arrays, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={KEY: header}))
    sink = io.BytesIO()
    pq.write_table(table, sink, **_WRITER_OPTIONS)
    return sink.getvalue()


def decode(content: bytes) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of what `encode` wrote. Raises: NotATable, TableTooLarge."""
    try:
        return _decoded(content)
    except _UNREADABLE as error:
        raise NotATable(str(error)) from error


def read_schema(content: bytes) -> tuple[list[str], int]:
    """The columns and the number of rows, without reading the values. Raises: NotATable, TableTooLarge."""
    try:
        file, _ = _opened(content)
    except _UNREADABLE as error:
        raise NotATable(str(error)) from error
    return list(file.schema_arrow.names), file.metadata.num_rows


def _decoded(content: bytes) -> tuple[list[str], list[list[Any]]]:
    declared, kinds = _opened(content)
    # Repeated text stays one value in memory, as in the file, so that a small file cannot expand to a large one.
    leaves = [declared.schema.column(i) for i in range(len(declared.schema))]
    repeated = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    file = pq.ParquetFile(io.BytesIO(content), read_dictionary=repeated)
    codecs = [codec_for(kind) for kind in kinds]
    rows: list[list[Any]] = []
    size = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
        lists = [_to_list(array) for array in batch.columns]
        # JSON text is decoded to lists and dictionaries once per repetition, so it counts each time.
        size += batch.nbytes + sum(_length(texts) for texts, kind in zip(lists, kinds, strict=True) if kind == "json")
        _check_size(0, size)
        columns = [codec.decode(values) for codec, values in zip(codecs, lists, strict=True)]
        rows.extend(map(list, zip(*columns, strict=True)))
    if len(rows) != declared.metadata.num_rows:
        raise NotATable(f"it has {len(rows):,} rows, but declares {declared.metadata.num_rows:,}")
    return list(declared.schema_arrow.names), rows


def _opened(content: bytes) -> tuple[Any, list[str]]:
    """The file and the kinds of its columns, checked against each other and against the limits."""
    file = pq.ParquetFile(io.BytesIO(content))
    _check_declared(file.metadata)
    schema = file.schema_arrow
    kinds = _kinds_in(schema.metadata)
    if len(kinds) != len(schema.names) or len(set(schema.names)) != len(schema.names):
        raise NotATable(f"it declares {len(kinds)} kinds for the columns {', '.join(schema.names)[:200]}")
    for field, kind in zip(schema, kinds, strict=True):
        if field.type != _type_of(kind):
            raise NotATable(f"column {field.name!r} is {field.type}, but {_type_of(kind)} was declared")
    return file, kinds


def _check_declared(metadata: Any) -> None:
    """Raises: TableTooLarge for more than a table may hold, before any of it is decoded.

    The metadata of single columns is not used: on a damaged file pyarrow crashes the process there.
    """
    if metadata.num_columns > COLUMNS_MAX:
        raise TableTooLarge(f"{metadata.num_columns:,} columns; one table has at most {COLUMNS_MAX:,}")
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    _check_size(metadata.num_rows * metadata.num_columns, size)


def _kinds_in(metadata: dict[bytes, bytes] | None) -> list[str]:
    """The kinds of the columns, from the file's metadata."""
    header = json.loads((metadata or {}).get(KEY, b"null"))
    if not isinstance(header, dict):
        raise NotATable("it is Parquet that headwater did not write; download it, and read it with a Parquet reader")
    kinds = header.get("kinds")
    if (
        header.get("format") != FORMAT
        or not isinstance(kinds, list)
        or not all(isinstance(kind, str) for kind in kinds)
    ):
        raise NotATable(f"it is of format {header.get('format')!r}, and this release reads format {FORMAT}")
    return kinds


def _type_of(kind: str) -> Any:
    """The pyarrow type of a kind. Raises: UnknownKind."""
    if kind in _TYPES:
        return _TYPES[kind]
    family, _, rest = kind.partition(":")
    if family == "datetime":
        return _UTC_TIMESTAMP
    if family == "list" and kind.count("list:") <= LIST_DEPTH_MAX:
        return pa.list_(_type_of(rest))
    return pa.decimal128(DECIMAL_DIGITS_MAX, decimal_scale(kind))


def _to_list(array: Any) -> list[Any]:
    """An array as Python values; times as numbers, and repeated values as one object."""
    if pa.types.is_dictionary(array.type):
        known = array.dictionary.to_pylist()
        return [None if place is None else known[place] for place in array.indices.to_pylist()]
    if pa.types.is_list(array.type):
        return _nested_lists(array)
    values: list[Any] = (array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array).to_pylist()
    return values


def _nested_lists(array: Any) -> list[list[Any] | None]:
    offsets = array.offsets.to_pylist()
    first = offsets[0]
    items = _to_list(array.values.slice(first, offsets[-1] - first))
    spans = zip(offsets, offsets[1:], array.is_valid().to_pylist(), strict=False)
    return [items[start - first : end - first] if valid else None for start, end, valid in spans]


def _length(texts: list[Any]) -> int:
    return sum(len(text) for text in texts if text is not None)


def _check_size(cells: int, size: int) -> None:
    if cells > CELLS_MAX or size > DECODED_BYTES_MAX:
        found = f"{cells:,} cells" if cells > CELLS_MAX else f"{size:,} bytes"
        raise TableTooLarge(f"{found}; one table holds at most {CELLS_MAX:,} cells and {DECODED_BYTES_MAX:,} bytes")
