"""What `artifact.add` takes and `artifact.get` gives back: which entry holds it, and in what form.

    NAME.table.parquet              a table
    NAME.partitioned-table.json     a partitioned table, which names the folder of its parts

A name that ends so already is taken as it is. One name is one thing: adding another kind under it takes out the first.
"""

import json
from pathlib import PurePath
from types import ModuleType
from typing import TYPE_CHECKING, Any

from headwater_schemas.errors import ContentError, HeadwaterError, InvalidInput, InvalidPath
from headwater_schemas.paths import normalize

from headwater._tables.cells import a_type
from headwater._tables.frames import is_frame
from headwater._tables.partitioned import PartitionedTable
from headwater._tables.table import Table

if TYPE_CHECKING:
    from headwater._artifact.artifact import Artifact
    from headwater._artifact.building import Building

TABLE_SUFFIX = ".table.parquet"
PARTITIONED_SUFFIX = ".partitioned-table.json"
PARTITIONED_FORMAT = 1
PARTITIONED_BYTES_MAX = 65_536  # far more than the longest path; more than that is not ours


def put(artifact: "Artifact", value: object, name: str | PurePath) -> str:
    """Store `value` as one entry of an artifact that is being filled, and return the entry's path.

    Raises: InvalidInput naming the type of what cannot be added, or row, column and type of what a table cannot keep;
    InvalidPath.
    """
    if isinstance(value, Table):
        suffix, other, content = TABLE_SUFFIX, PARTITIONED_SUFFIX, _encoded(value, str(name))
    elif isinstance(value, PartitionedTable):
        said = {"format": PARTITIONED_FORMAT, "parts_path": value.parts_path}
        suffix, other, content = PARTITIONED_SUFFIX, TABLE_SUFFIX, json.dumps(said, ensure_ascii=False).encode()
    else:
        raise InvalidInput(_cannot_be_added(value))
    path = _path_of(name, suffix)
    with artifact.new_file(path, "wb") as file:
        file.write(content)
    if artifact._has(_path_of(name, other)):
        artifact.remove(_path_of(name, other))
    return path


def get(artifact: "Artifact", name: str | PurePath) -> object | None:
    """What was put under `name`, or None. Raises: ContentError naming an entry that does not hold it."""
    table, partitioned = _path_of(name, TABLE_SUFFIX), _path_of(name, PARTITIONED_SUFFIX)
    if artifact._has(table):
        return read_table(artifact, table)
    if artifact._has(partitioned):
        return PartitionedTable(_parts_path(artifact, partitioned))._of(artifact)
    return None


def entry_named(artifact: "Artifact | Building", path: str) -> str | None:
    """The entry of what was put under the name `path`, where there is one."""
    paths = (path + suffix for suffix in (TABLE_SUFFIX, PARTITIONED_SUFFIX))
    return next((entry for entry in paths if artifact._held(entry) is not None), None)


def kept(value: object) -> object:
    """`value` as it is now, to be kept beside the artifact: what is changed in it later is not in the entry either."""
    return value._copy() if isinstance(value, Table) else value


def is_table(path: str) -> bool:
    """Whether an entry is a table, by its name."""
    return path.endswith(TABLE_SUFFIX)


def name_of_table(path: str) -> str:
    """The name under which a table was put."""
    return path.removesuffix(TABLE_SUFFIX)


def read_table(artifact: "Artifact", path: str) -> Table:
    """The table at an entry. Raises: ContentError naming the entry; InvalidInput without pyarrow."""
    known = artifact._objects.get(path)
    if isinstance(known, Table):
        return known._copy()
    return Table._of_rows(*_decoded(artifact, path, "decode"))


def read_head(artifact: "Artifact", path: str) -> tuple[list[str], int]:
    """The columns of the table at an entry, and the number of its rows. Raises: as `read_table`."""
    known = artifact._objects.get(path)
    if isinstance(known, Table):
        return known.columns, len(known)
    columns, count = _decoded(artifact, path, "head")
    return columns, count


def _path_of(name: str | PurePath, suffix: str) -> str:
    path = normalize(name)
    return path if path.endswith(suffix) else path + suffix


def _cannot_be_added(value: object) -> str:
    if is_frame(value):
        return "a pandas DataFrame is added as a table: `artifact.add(headwater.Table(dataframe=frame), name)`."
    return (
        f"{a_type(value)} cannot be added: a headwater.Table or "
        "headwater.PartitionedTable can. Files go through `add_file`, anything else through `new_file`."
    )


def _encoded(table: Table, name: str) -> bytes:
    parquet = _parquet()
    try:
        content: bytes = parquet.encode(table.columns, table._checked())
    except parquet.TableTooLarge as error:
        raise InvalidInput(
            f"the table {name!r} has {error}. Add it in parts, and a PartitionedTable that joins them."
        ) from None
    return content


def _decoded(artifact: "Artifact", path: str, what: str) -> Any:
    parquet = _parquet()
    content = artifact._read(path)
    try:
        return getattr(parquet, what)(content)
    except parquet.NotATable as error:
        raise ContentError(f"{path!r} of {artifact.name} is not a table that can be read: {error}.") from error
    except parquet.TableTooLarge as error:
        raise ContentError(
            f"{path!r} of {artifact.name} has {error}. Download it, and read it piece by piece with a Parquet reader."
        ) from None


def _parquet() -> ModuleType:
    try:
        from headwater._tables import parquet
    except ImportError as error:
        raise InvalidInput(
            f"tables are kept as Parquet, which needs pyarrow ({error}). Get it with: pip install 'headwater[tables]'"
        ) from error
    return parquet


def _parts_path(artifact: "Artifact", path: str) -> str:
    known = artifact._objects.get(path)
    if isinstance(known, PartitionedTable):
        return known.parts_path
    content = artifact._read(path)
    try:
        said = json.loads(content[: PARTITIONED_BYTES_MAX + 1])
        if said["format"] == PARTITIONED_FORMAT:
            return normalize(said["parts_path"])
    except (ValueError, TypeError, LookupError, RecursionError, InvalidPath) as error:
        raise _not_partitioned(artifact, path) from error
    raise _not_partitioned(artifact, path)


def _not_partitioned(artifact: "Artifact", path: str) -> HeadwaterError:
    return ContentError(
        f"{path!r} of {artifact.name} does not name the folder of a partitioned table in a form that this release "
        "reads. Upgrade headwater, or add the PartitionedTable again."
    )
