"""What `artifact.add` takes and `artifact.get` returns: which entry stores it, and in what form.

    NAME.table.parquet              a table
    NAME.partitioned-table.json     a partitioned table, which names the folder of its parts

A name that already ends this way is taken as it is. A name stands for one value: adding a value of the other kind under
it removes the first.
"""

import json
from dataclasses import dataclass
from pathlib import PurePath

from headwater_schemas.errors import ContentError, HeadwaterError, InvalidInput, InvalidPath
from headwater_schemas.paths import as_stored, normalize

from headwater._tables.cells import describe_type
from headwater._tables.frames import is_frame
from headwater._tables.partitioned import PartitionedTable, partitions_of
from headwater._tables.table import Table, copy_table
from headwater._tables.table_entries import (
    TABLE_SUFFIX,
    TableSource,
    encode_table,
    path_with_suffix,
    read_table,
    stored_path,
)

PARTITIONED_SUFFIX = ".partitioned-table.json"
PARTITIONED_FORMAT = 1
PARTITIONED_BYTES_MAX = 65_536  # far more than the longest path; a larger entry was not written by headwater


@dataclass(frozen=True, slots=True)
class EncodedValue:
    """A value as one entry."""

    path: str
    content: bytes
    replaces: str  # the entry that a value of the other kind has under the same name


def encode_value(value: object, name: str | PurePath) -> EncodedValue:
    """The entry that stores `value` under `name`.

    Raises: InvalidInput naming the type of what cannot be added, or row, column and type of what a table cannot store;
    InvalidPath.
    """
    if isinstance(value, Table):
        suffix, other, content = TABLE_SUFFIX, PARTITIONED_SUFFIX, encode_table(value, str(name))
    elif isinstance(value, PartitionedTable):
        fields = {"format": PARTITIONED_FORMAT, "parts_path": value.parts_path}
        suffix, other, content = PARTITIONED_SUFFIX, TABLE_SUFFIX, json.dumps(fields, ensure_ascii=False).encode()
    else:
        raise InvalidInput(_cannot_be_added(value))
    return EncodedValue(path_with_suffix(name, suffix), content, path_with_suffix(name, other))


def read_value(source: TableSource, name: str | PurePath) -> object | None:
    """What was added under `name`, or None. Raises: ContentError naming an entry that does not hold it."""
    table, partitioned = stored_path(source, name, TABLE_SUFFIX), stored_path(source, name, PARTITIONED_SUFFIX)
    if source.has(table):
        return read_table(source, table)
    if source.has(partitioned):
        return partitions_of(source, _parts_path(source, partitioned))
    return None


def entry_of_value(source: TableSource, name: str) -> str | None:
    """The entry of the value that was added under `name`, where there is one."""
    paths = (as_stored(name + suffix, source.has) for suffix in (TABLE_SUFFIX, PARTITIONED_SUFFIX))
    return next((path for path in paths if source.has(path)), None)


def copy_of(value: object) -> object:
    """`value` as it is now: later changes of it are not in the entry either."""
    return copy_table(value) if isinstance(value, Table) else value


def _cannot_be_added(value: object) -> str:
    if is_frame(value):
        return "a pandas DataFrame is added as a table: `artifact.add(headwater.Table(dataframe=frame), name)`."
    return (
        f"{describe_type(value)} cannot be added: `add` takes a headwater.Table or a headwater.PartitionedTable. "
        "Add a file with `add_file`, and write anything else with `new_file`."
    )


def _parts_path(source: TableSource, path: str) -> str:
    added = source.added_value(path)
    if isinstance(added, PartitionedTable):
        return added.parts_path
    content = source.read(path)
    try:
        fields = json.loads(content[: PARTITIONED_BYTES_MAX + 1])
        if fields["format"] == PARTITIONED_FORMAT:
            return normalize(fields["parts_path"])
    except (ValueError, TypeError, LookupError, RecursionError, InvalidPath) as error:
        raise _not_partitioned(source, path) from error
    raise _not_partitioned(source, path)


def _not_partitioned(source: TableSource, path: str) -> HeadwaterError:
    return ContentError(
        f"{path!r} of {source.name} does not name the folder of a partitioned table in a form that this release "
        "reads. Upgrade headwater, or add the PartitionedTable again."
    )
