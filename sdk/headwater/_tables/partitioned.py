"""Partitioned tables: all tables below one folder of an artifact, from any writer, read as one."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.paths import as_stored, normalize

from headwater._tables.table import Table, TableRow, table_from_rows
from headwater._tables.table_entries import TableSource, is_table, name_of_table, read_schema, read_table


class PartitionedTable:
    """All tables below a folder of an artifact, concatenated in the order of their names.

    Names are compared character by character, so `table_10` comes before `table_2`: pad numbers with zeros. All parts
    have the same columns, in the order of the first part. Add it to an artifact with
    `artifact.add(PartitionedTable("parts"), "name")`; `artifact.get("name")` returns one that can be read, part by
    part.
    """

    def __init__(self, parts_path: str | PurePath) -> None:
        """The folder of the parts, a path inside the artifact. Raises: InvalidPath."""
        self._parts_path = normalize(parts_path)
        self._source: TableSource | None = None

    @property
    def parts_path(self) -> str:
        """The folder of the parts."""
        return self._parts_path

    @property
    def parts(self) -> list[str]:
        """The names of the parts, in order.

        Raises: NotFound if there are none; InvalidInput if it was not read from an artifact.
        """
        return [name for name, _ in self._found()]

    @property
    def columns(self) -> list[str]:
        """The columns of the first part. Raises: see `parts`, ContentError."""
        return read_schema(self._bound(), self._found()[0][1])[0]

    def __len__(self) -> int:
        """The number of rows in all parts. Cost: fetches each part without decoding it. Raises: see `iterrows`."""
        columns: list[str] | None = None
        length = 0
        for name, path in self._found():
            found, count = read_schema(self._bound(), path)
            columns = found if columns is None else columns
            _check_same(columns, found, name)
            length += count
        return length

    def __bool__(self) -> bool:
        """Always True, even without rows: calling `len` would fetch all parts."""
        return True

    def iterrows(self) -> Iterator[tuple[int, TableRow]]:
        """Each row with its number, counted from 0 across all parts. Loads one part at a time.

        Raises: NotFound if there are no parts; InvalidInput naming a part with different columns, or if it was not read
        from an artifact; ContentError naming a part that cannot be read.
        """
        yield from enumerate(self._rows())

    def to_table(self) -> Table:
        """One table with all rows, in memory. Raises: see `iterrows`."""
        return table_from_rows(self.columns, self._rows())

    def get_dataframe(self) -> Any:
        """A pandas DataFrame with all rows. Raises: see `iterrows`; InvalidInput without pandas."""
        return self.to_table().get_dataframe()

    to_pandas = get_dataframe

    def __repr__(self) -> str:
        where = "" if self._source is None else f" of {self._source.name}"
        return f"<PartitionedTable of the tables under {self._parts_path!r}{where}>"

    def _bound(self) -> TableSource:
        """The artifact to read from. Raises: InvalidInput before there is one."""
        if self._source is None:
            raise InvalidInput(
                f"this PartitionedTable only names the folder {self._parts_path!r}. Add it to an artifact, and read "
                "the table that `artifact.get(name)` returns."
            )
        self._source.wait_for_seal()
        return self._source

    def _found(self) -> list[tuple[str, str]]:
        """Name and entry of each part, by name."""
        source = self._bound()
        folder = as_stored(self._parts_path, lambda form: next(source.paths_under(form), None) is not None)
        found = [(name_of_table(path), path) for path in source.paths_under(folder) if is_table(path)]
        if not found:
            raise NotFound(
                f"{source.name} has no table under {self._parts_path!r}, so there is nothing to read. Add the parts "
                f"with `artifact.add(table, '{self._parts_path}/…')`, or give another folder."
            )
        return sorted(found)

    def _rows(self) -> Iterator[TableRow]:
        columns: list[str] | None = None
        for name, path in self._found():
            part = read_table(self._bound(), path)
            columns = part.columns if columns is None else columns
            _check_same(columns, part.columns, name)
            if part.columns == columns:
                yield from part.data
            else:
                order = [part.columns.index(column) for column in columns]
                yield from ([row[column] for column in order] for row in part.data)


def partitions_of(source: TableSource, parts_path: str) -> PartitionedTable:
    """A partitioned table that reads from an artifact."""
    bound = PartitionedTable(parts_path)
    bound._source = source
    return bound


def _check_same(columns: list[str], found: list[str], part: str) -> None:
    """Raises: InvalidInput if a part's columns differ from those of the first, other than in order."""
    missing = [column for column in columns if column not in set(found)]
    more = [column for column in found if column not in set(columns)]
    if missing or more:
        lacks = f" lacks {', '.join(map(repr, missing))}" if missing else ""
        has = f" also has {', '.join(map(repr, more))}" if more else ""
        raise InvalidInput(
            f"the part {part!r}{lacks}{' and' if lacks and has else ''}{has}: all parts need the columns of the first, "
            f"which are {', '.join(map(repr, columns)) or 'none'}. Correct that part, or move it elsewhere."
        )
