"""Tables: named columns and rows of plain values, in memory.

A table knows nothing of artifacts or files: `table_entries` stores it, `parquet` says in what form.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from headwater_schemas.errors import InvalidInput, NotFound

from headwater._tables.canonical import spell
from headwater._tables.cells import a_type, keep
from headwater._tables.frames import columns_of, frame_of, is_frame

COLUMNS_MAX = 10_000  # readers of Parquet keep some hundred bytes for each column of each group of rows
COLUMNS_SHOWN = 6  # in a representation, which is one line

Row = list[Any]


class Table:
    """Columns with unique names, and rows of values.

    A value is None, bool, int, float, str, bytes, datetime, date, time, timedelta, Decimal, or a list or dict of these;
    numpy's and pandas' scalars become Python's, their arrays lists. Put it into an artifact with
    `artifact.add(table, "name")`, and `artifact.get("name")` gives an equal one.
    """

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __init__(
        self,
        columns: Iterable[str] | None = None,
        data: Iterable[Iterable[Any]] | Any | None = None,
        dataframe: Any | None = None,
    ) -> None:
        """Rows with the names of their columns, or a pandas data frame as `data` or `dataframe`.

        With a data frame `columns` chooses some of its columns, in that order; its index is left out.
        Raises: InvalidInput for a ragged row, naming it, for a value that cannot be kept, and for columns that are not
        unique text.
        """
        if dataframe is not None and data is not None:
            raise InvalidInput("a table is made from `data` or from `dataframe`, not from both. Leave one out.")
        frame = data if dataframe is None else dataframe
        if is_frame(frame):
            found = columns_of(frame)
            self._columns = _checked_columns(list(found) if columns is None else columns)
            data = zip(*(_one_of(found, name) for name in self._columns), strict=True)
        elif dataframe is not None:
            raise InvalidInput(f"`dataframe` must be a pandas DataFrame, not {a_type(dataframe)}. Give rows as `data`.")
        else:
            self._columns = _checked_columns(() if columns is None else columns)
        self._rows: list[Row] = []
        for row in _rows_given(() if data is None else data):
            self._rows.append(_checked_row(row, len(self._rows), self._columns))

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order: a copy."""
        return list(self._columns)

    @property
    def data(self) -> list[Row]:
        """The rows themselves, each a list. What is changed in them is checked when the table is stored."""
        return self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def add_data(self, *data: Any) -> None:
        """Add one row, a value for each column. Raises: InvalidInput."""
        self._rows.append(_checked_row(data, len(self._rows), self._columns))

    def add_column(self, name: str, data: Iterable[Any]) -> None:
        """Add a column on the right, a value for each row; the first column brings its rows. Raises: InvalidInput."""
        columns = _checked_columns([*self._columns, name])
        values = _values_of_column(name, data)
        rows: list[Row] = self._rows if self._columns else [[] for _ in values]
        if len(values) != len(rows):
            raise InvalidInput(
                f"column {name!r} has {len(values)} values, but there are {len(rows)} rows. Give one for each row."
            )
        kept = [keep(value, number, name) for number, value in enumerate(values)]
        for row, value in zip(rows, kept, strict=True):
            row.append(value)
        self._columns, self._rows = columns, rows

    def get_column(self, name: str) -> list[Any]:
        """The values of one column, from top to bottom. Raises: NotFound naming the columns that are there."""
        if name not in self._columns:
            raise NotFound(f"the table has no column {name!r}. It has {_named(self._columns)}.")
        place = self._columns.index(name)
        return [row[place] for row in self._rows]

    def iterrows(self) -> Iterator[tuple[int, Row]]:
        """Each row with its number, which counts from 0."""
        yield from enumerate(self._rows)

    def get_dataframe(self) -> Any:
        """A pandas DataFrame. Columns with None get pandas' nullable types. Raises: InvalidInput without pandas."""
        return frame_of(self._columns, checked_rows(self))

    to_pandas = get_dataframe

    def __eq__(self, other: object) -> bool:
        """Same columns and the same values of the same types in the same order; NaN is NaN, and 1 is not 1.0."""
        if not isinstance(other, Table):
            return NotImplemented
        if self._columns != other._columns or len(self) != len(other):
            return False
        pairs = zip(checked_rows(self), checked_rows(other), strict=True)
        return all(spell(mine) == spell(theirs) for mine, theirs in pairs)

    def __repr__(self) -> str:
        return (
            f"<Table {_counted(len(self), 'row')} of {_counted(len(self._columns), 'column')}: {_named(self._columns)}>"
        )


def table_of(columns: list[str], rows: Iterable[Row]) -> Table:
    """A table of rows that were checked when they were stored."""
    table = Table(columns)
    table.data.extend(rows)
    return table


def copy_table(table: Table) -> Table:
    """An equal table: what is changed in one of the two later does not change the other."""
    return table_of(table.columns, map(list, table.data))


def checked_rows(table: Table) -> list[Row]:
    """The rows, checked again, because callers can change them in place. Raises: InvalidInput."""
    columns = table.columns
    return [_checked_row(row, number, columns) for number, row in enumerate(table.data)]


def _checked_columns(columns: Any) -> list[str]:
    if isinstance(columns, str):
        raise InvalidInput(f"columns must be a list of names, not the text {columns!r}. Write [{columns!r}].")
    if not _is_ordered(columns) or getattr(columns, "ndim", 1) != 1:  # a data frame would give its names and no rows
        raise InvalidInput(f"columns must be a list of names, not {a_type(columns)}. Rows are given as `data`.")
    names = list(columns)
    if len(names) > COLUMNS_MAX:
        raise InvalidInput(f"a table has at most {COLUMNS_MAX:,} columns, not {len(names):,}. Turn it, or split it.")
    for place, name in enumerate(names):
        if not isinstance(name, str):
            raise InvalidInput(f"column {place} is named {name!r}, {a_type(name)}. Columns are named by text.")
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


def _rows_given(data: Any) -> Iterable[Any]:
    if isinstance(data, str) or not _is_ordered(data):
        raise InvalidInput(f"data must be a list of rows, or a pandas DataFrame, not {a_type(data)}.")
    rows: Iterable[Any] = data
    return rows


def _checked_row(row: Any, number: int, columns: Sequence[str]) -> Row:
    if isinstance(row, str) or not _is_ordered(row):
        raise InvalidInput(f"row {number} must be a list of values, one for each column, not {a_type(row)}.")
    values = list(row)
    if len(values) != len(columns) or not columns:
        raise InvalidInput(
            f"row {number} has {_counted(len(values), 'value')}, but the table has "
            f"{_counted(len(columns), 'column')}: {_named(columns)}. Give one value for each column."
        )
    return [keep(value, number, column) for value, column in zip(values, columns, strict=True)]


def _values_of_column(name: str, data: Iterable[Any]) -> list[Any]:
    if isinstance(data, str) or not _is_ordered(data):
        raise InvalidInput(f"column {name!r} must be given as a list of values, not as {a_type(data)}.")
    return list(data)


def _is_ordered(value: object) -> bool:
    """Whether it gives one thing after another, in an order that is meant."""
    return isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | dict | set | frozenset)


def _one_of(found: dict[str, list[Any]], name: str) -> list[Any]:
    if name not in found:
        raise InvalidInput(f"the data frame has no column {name!r}. It has {_named(list(found))}.")
    return found[name]


def _named(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:COLUMNS_SHOWN]) or "none"
    return shown if len(columns) <= COLUMNS_SHOWN else f"{shown}, …"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
