"""A table as one entry of an artifact, `NAME.table.parquet`: its path, its bytes, and how it is read back."""

from collections.abc import Iterator
from pathlib import PurePath
from types import ModuleType
from typing import Any, Protocol

from headwater_schemas.errors import ContentError, InvalidInput
from headwater_schemas.paths import as_stored, normalize

from headwater._tables.table import Table, checked_rows, copy_table, table_from_rows

TABLE_SUFFIX = ".table.parquet"


class TableSource(Protocol):
    """The artifact that tables are read from, while it is filled and once it is a version."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def has(self, path: str) -> bool:
        """Whether there is an entry."""
        ...

    def read(self, path: str) -> bytes:
        """The content of a small entry. Raises: NotFound; InvalidInput for what was not logged yet."""
        ...

    def paths_under(self, folder: str) -> Iterator[str]:
        """The entries under a folder, by path."""
        ...

    def added_value(self, path: str) -> object | None:
        """The table that was added as this entry, while the artifact is filled; None for any other entry."""
        ...

    def wait_for_seal(self) -> None:
        """Where the artifact seals a shared draft, wait for the version, which has the other writers' entries."""
        ...


def is_table(path: str) -> bool:
    """Whether an entry is a table, by its name."""
    return path.endswith(TABLE_SUFFIX)


def name_of_table(path: str) -> str:
    """The name under which a table was added."""
    return path.removesuffix(TABLE_SUFFIX)


def stored_path(source: TableSource, name: str | PurePath, suffix: str) -> str:
    """As `path_with_suffix`, as the artifact spells it where it has it."""
    return as_stored(path_with_suffix(name, suffix), source.has)


def path_with_suffix(name: str | PurePath, suffix: str) -> str:
    """The entry of what is added under `name`; a name that has the suffix already is taken as it is."""
    path = normalize(name)
    return path if path.endswith(suffix) else path + suffix


def encode_table(table: Table, name: str) -> bytes:
    """The content of a table's entry. Raises: InvalidInput naming row, column and type of what cannot be stored."""
    parquet = _parquet()
    try:
        content: bytes = parquet.encode(table.columns, checked_rows(table))
    except parquet.TableTooLarge as error:
        raise InvalidInput(
            f"the table {name!r} has {error}. Add it in parts, and a PartitionedTable that joins them."
        ) from None
    return content


def read_table(source: TableSource, path: str) -> Table:
    """The table at an entry. Raises: ContentError naming the entry; InvalidInput without pyarrow."""
    added = source.added_value(path)
    if isinstance(added, Table):
        return copy_table(added)
    return table_from_rows(*_decoded(source, path, "decode"))


def read_schema(source: TableSource, path: str) -> tuple[list[str], int]:
    """The columns of the table at an entry, and the number of its rows. Raises: as `read_table`."""
    added = source.added_value(path)
    if isinstance(added, Table):
        return added.columns, len(added)
    columns, count = _decoded(source, path, "read_schema")
    return columns, count


def _decoded(source: TableSource, path: str, what: str) -> Any:
    parquet = _parquet()
    content = source.read(path)
    try:
        return getattr(parquet, what)(content)
    except parquet.NotATable as error:
        raise ContentError(f"{path!r} of {source.name} is not a table that can be read: {error}.") from error
    except parquet.TableTooLarge as error:
        raise ContentError(
            f"{path!r} of {source.name} has {error}. Download it, and read it piece by piece with a Parquet reader."
        ) from None


def _parquet() -> ModuleType:
    try:
        from headwater._tables import parquet  # deferred: pyarrow
    except ImportError as error:
        raise InvalidInput(
            f"tables are stored as Parquet, which needs pyarrow ({error}). Get it with: pip install 'headwater[tables]'"
        ) from error
    return parquet
