"""Partitioned tables: all tables under one folder of an artifact, whoever added them, as one."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.paths import normalize

from headwater._tables.table import Row, Table

if TYPE_CHECKING:
    from headwater._artifact.artifact import Artifact


class PartitionedTable:
    """The tables under a folder of an artifact and its subfolders, joined in the order of their names.

    Names are ordered by their characters, so `table_10` comes before `table_2`: write `table_02` where that matters.
    All parts have the same columns; their order is that of the first part. Put it into an artifact with
    `artifact.add(PartitionedTable("parts"), "name")`. What `artifact.get("name")` gives can be read, part after part.
    """

    def __init__(self, parts_path: str | PurePath) -> None:
        """The folder of the parts, a path inside the artifact. Raises: InvalidPath."""
        self._parts_path = normalize(parts_path)
        self._artifact: Artifact | None = None

    @property
    def parts_path(self) -> str:
        """The folder of the parts."""
        return self._parts_path

    @property
    def parts(self) -> list[str]:
        """The names of the parts, in order. Raises: NotFound without any; InvalidInput before it was got."""
        return [name for name, _ in self._found()]

    @property
    def columns(self) -> list[str]:
        """The columns of the first part. Raises: as `parts`, ContentError."""
        from headwater._tables.table_entries import read_head

        return read_head(self._known(), self._found()[0][1])[0]

    def __len__(self) -> int:
        """The rows of all parts. Cost: each part is fetched, its values are not decoded. Raises: as `iterrows`."""
        from headwater._tables.table_entries import read_head

        columns: list[str] | None = None
        length = 0
        for name, path in self._found():
            found, count = read_head(self._known(), path)
            columns = found if columns is None else columns
            _check_same(columns, found, name)
            length += count
        return length

    def __bool__(self) -> bool:
        """True: whether there are rows is for `len`, which has to look."""
        return True

    def iterrows(self) -> Iterator[tuple[int, Row]]:
        """Each row with its number, which counts from 0 through all parts. One part is in memory at a time.

        Raises: NotFound without any part; InvalidInput for a part with other columns, naming it and the difference, and
        before it was got from an artifact; ContentError naming a part that cannot be read.
        """
        yield from enumerate(self._rows())

    def to_table(self) -> Table:
        """One table of all rows, in memory. Raises: as `iterrows`."""
        return Table._of_rows(self.columns, self._rows())

    def get_dataframe(self) -> Any:
        """A pandas DataFrame of all rows. Raises: as `iterrows`; InvalidInput without pandas."""
        return self.to_table().get_dataframe()

    to_pandas = get_dataframe

    def __repr__(self) -> str:
        where = "" if self._artifact is None else f" of {self._artifact.name}"
        return f"<PartitionedTable of the tables under {self._parts_path!r}{where}>"

    # --- for the rest of this package

    def _of(self, artifact: "Artifact") -> "PartitionedTable":
        """The same, to be read from `artifact`."""
        bound = PartitionedTable(self._parts_path)
        bound._artifact = artifact
        return bound

    def _known(self) -> "Artifact":
        if self._artifact is None:
            raise InvalidInput(
                f"this PartitionedTable only names the folder {self._parts_path!r}. Add it to an artifact, and read "
                "what `artifact.get(name)` gives."
            )
        self._artifact._await_seal()
        return self._artifact

    def _found(self) -> list[tuple[str, str]]:
        """Name and entry of each part, by name."""
        from headwater._tables.table_entries import is_table, name_of_table

        artifact = self._known()
        found = [(name_of_table(path), path) for path in artifact._paths_under(self._parts_path) if is_table(path)]
        if not found:
            raise NotFound(
                f"{artifact.name} has no table under {self._parts_path!r}, so there is nothing to join. Add the parts "
                f"with `artifact.add(table, '{self._parts_path}/…')`, or give another folder."
            )
        return sorted(found)

    def _rows(self) -> Iterator[Row]:
        from headwater._tables.table_entries import read_table

        columns: list[str] | None = None
        for name, path in self._found():
            part = read_table(self._known(), path)
            columns = part.columns if columns is None else columns
            _check_same(columns, part.columns, name)
            if part.columns == columns:
                yield from part.data
            else:
                order = [part.columns.index(column) for column in columns]
                yield from ([row[place] for place in order] for row in part.data)


def _check_same(columns: list[str], found: list[str], part: str) -> None:
    """Raises: InvalidInput when a part's columns are not those of the first, in whatever order."""
    missing = [column for column in columns if column not in set(found)]
    more = [column for column in found if column not in set(columns)]
    if missing or more:
        lacks = f" lacks {', '.join(map(repr, missing))}" if missing else ""
        has = f" has {', '.join(map(repr, more))} besides" if more else ""
        raise InvalidInput(
            f"the part {part!r}{lacks}{' and' if lacks and has else ''}{has}: all parts need the columns of the first, "
            f"which are {', '.join(map(repr, columns)) or 'none'}. Correct that part, or move it elsewhere."
        )
