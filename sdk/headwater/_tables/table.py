"""Tables: named columns and rows of plain values, in memory.

A table does not depend on artifacts or files: `table_entries` stores it, `parquet` defines its file format.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from headwater_schemas.errors import InvalidInput, NotFound

from headwater._fixed_attributes import FixedAttributes
from headwater._tables.canonical import to_canonical
from headwater._tables.cells import describe_type, normalize_cell
from headwater._tables.frames import frame_columns, is_frame, to_frame

COLUMNS_MAX = 10_000  # Parquet readers need a few hundred bytes per column and row group
COLUMNS_SHOWN = 6  # in a `repr`, which is one line

TableRow = list[Any]


class Table(FixedAttributes):
    """Columns with unique names, and rows of values.

    A value is None, bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, or a list, tuple or dict of
    these. Scalars of NumPy and pandas are converted to Python values and arrays to lists. Add a table to an artifact
    with `artifact.add(table, "name")`; `artifact.get("name")` returns an equal table.
    """

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __init__(
        self,
        columns: Iterable[str] | None = None,
        data: Iterable[Iterable[Any]] | Any | None = None,
        dataframe: Any | None = None,
    ) -> None:
        """Takes column names and rows, or a pandas data frame as `data` or `dataframe`.

        With a data frame, `columns` selects columns and their order; the index is ignored.
        Raises: InvalidInput naming a row with the wrong number of values or a value that cannot be stored, or if column
        names are not unique strings.
        """
        if dataframe is not None and data is not None:
            raise InvalidInput("a table is made from `data` or from `dataframe`, not from both. Leave one out.")
        frame = data if dataframe is None else dataframe
        if is_frame(frame):
            found = frame_columns(frame)
            self._columns = _checked_columns(list(found) if columns is None else columns)
            data = zip(*(_frame_column(found, name) for name in self._columns), strict=True)
        elif dataframe is not None:
            raise InvalidInput(
                f"`dataframe` must be a pandas DataFrame, not {describe_type(dataframe)}. Give rows as `data`."
            )
        else:
            self._columns = _checked_columns(() if columns is None else columns)
        self._rows: list[TableRow] = []
        for row in _checked_data(() if data is None else data):
            self._rows.append(_checked_row(row, len(self._rows), self._columns))

    @property
    def columns(self) -> list[str]:
        """A copy of the column names, in order."""
        return list(self._columns)

    @property
    def data(self) -> list[TableRow]:
        """The rows, each a list. Changes made in place are checked when the table is stored."""
        return self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def add_data(self, *data: Any) -> None:
        """Append a row, one value per column. Raises: InvalidInput."""
        self._rows.append(_checked_row(data, len(self._rows), self._columns))

    def add_column(self, name: str, data: Iterable[Any]) -> None:
        """Append a column, one value per row; the first column also creates the rows. Raises: InvalidInput."""
        columns = _checked_columns([*self._columns, name])
        values = _values_of_column(name, data)
        rows: list[TableRow] = self._rows if self._columns else [[] for _ in values]
        if len(values) != len(rows):
            raise InvalidInput(
                f"column {name!r} has {_counted(len(values), 'value')}, but the table has "
                f"{_counted(len(rows), 'row')}. Give one value for each row."
            )
        normalized = [normalize_cell(value, number, name) for number, value in enumerate(values)]
        for row, value in zip(rows, normalized, strict=True):
            row.append(value)
        self._columns, self._rows = columns, rows

    def get_column(self, name: str) -> list[Any]:
        """The values of one column, from top to bottom. Raises: NotFound naming the existing columns."""
        if name not in self._columns:
            raise NotFound(f"the table has no column {name!r}. It has {_list_names(self._columns)}.")
        position = self._columns.index(name)
        return [row[position] for row in self._rows]

    def iterrows(self) -> Iterator[tuple[int, TableRow]]:
        """Each row with its number, starting at 0."""
        yield from enumerate(self._rows)

    def get_dataframe(self) -> Any:
        """A pandas DataFrame. Columns that contain None get nullable types. Raises: InvalidInput without pandas."""
        return to_frame(self._columns, checked_rows(self))

    to_pandas = get_dataframe

    def __eq__(self, other: object) -> bool:
        """Whether columns and rows are equal, in order, including types: 1 differs from 1.0, and NaN equals NaN."""
        if not isinstance(other, Table):
            return NotImplemented
        if self._columns != other._columns or len(self) != len(other):
            return False
        pairs = zip(checked_rows(self), checked_rows(other), strict=True)
        return all(to_canonical(mine) == to_canonical(theirs) for mine, theirs in pairs)

    def __repr__(self) -> str:
        size = f"{_counted(len(self), 'row')} of {_counted(len(self._columns), 'column')}"
        return f"<Table {size}: {_list_names(self._columns)}>"


def table_from_rows(columns: list[str], rows: Iterable[TableRow]) -> Table:
    """A table of rows that were checked before."""
    table = Table(columns)
    table.data.extend(rows)
    return table


def copy_table(table: Table) -> Table:
    """An equal, independent table."""
    return table_from_rows(table.columns, map(list, table.data))


def checked_rows(table: Table) -> list[TableRow]:
    """The rows, checked again because callers can change them in place. Raises: InvalidInput."""
    columns = table.columns
    return [_checked_row(row, number, columns) for number, row in enumerate(table.data)]


def _checked_columns(columns: Any) -> list[str]:
    if isinstance(columns, str):
        raise InvalidInput(f"columns must be a list of names, not the text {columns!r}. Write [{columns!r}].")
    if not _is_ordered(columns) or getattr(columns, "ndim", 1) != 1:  # iterating a data frame gives its column names
        raise InvalidInput(f"columns must be a list of names, not {describe_type(columns)}. Rows are given as `data`.")
    names = list(columns)
    if len(names) > COLUMNS_MAX:
        raise InvalidInput(
            f"a table has at most {COLUMNS_MAX:,} columns, not {len(names):,}. Transpose it, or split it."
        )
    for position, name in enumerate(names):
        if not isinstance(name, str):
            raise InvalidInput(f"column {position} is named {name!r}, {describe_type(name)}. Column names are text.")
    return _checked_names([str.__str__(name) for name in names])


def _checked_names(names: list[str]) -> list[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidInput(f"two columns are named {name!r}. Rename one of them.")
        seen.add(name)
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InvalidInput(f"column {name!r} is not valid Unicode. Rename it.") from None
    return names


def _checked_data(data: Any) -> Iterable[Any]:
    if isinstance(data, str) or not _is_ordered(data):
        raise InvalidInput(f"data must be a list of rows, or a pandas DataFrame, not {describe_type(data)}.")
    rows: Iterable[Any] = data
    return rows


def _checked_row(row: Any, number: int, columns: Sequence[str]) -> TableRow:
    if isinstance(row, str) or not _is_ordered(row):
        raise InvalidInput(f"row {number} must be a list of values, one for each column, not {describe_type(row)}.")
    values = list(row)
    if len(values) != len(columns) or not columns:
        raise InvalidInput(
            f"row {number} has {_counted(len(values), 'value')}, but the table has "
            f"{_counted(len(columns), 'column')}: {_list_names(columns)}. Give one value for each column."
        )
    return [normalize_cell(value, number, column) for value, column in zip(values, columns, strict=True)]


def _values_of_column(name: str, data: Iterable[Any]) -> list[Any]:
    if isinstance(data, str) or not _is_ordered(data):
        raise InvalidInput(f"column {name!r} must be given as a list of values, not as {describe_type(data)}.")
    return list(data)


def _is_ordered(value: object) -> bool:
    """Whether it is iterable in a meaningful order."""
    return isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | dict | set | frozenset)


def _frame_column(found: dict[str, list[Any]], name: str) -> list[Any]:
    if name not in found:
        raise InvalidInput(f"the data frame has no column {name!r}. It has {_list_names(list(found))}.")
    return found[name]


def _list_names(columns: Sequence[str]) -> str:
    names = ", ".join(columns[:COLUMNS_SHOWN]) or "none"
    return names if len(columns) <= COLUMNS_SHOWN else f"{names}, …"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
