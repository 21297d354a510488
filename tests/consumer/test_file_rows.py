"""The files of one event in columns are written as the same rows one by one are."""

import pytest
from headwater_consumer.database.sqlite.bulk import RUN_MIN
from headwater_consumer.rows import EXECUTABLE, FILE, REMOVED, EntryTuple, FileRows
from headwater_consumer.writing.held_layers import HeldLayer
from headwater_schemas import digests
from headwater_schemas.entries import FileRow

from tests.consumer.inspection import rows_of
from tests.support.entries import of_rows
from tests.support.history import History

LAYER, WRITER = 7, 2


def files(count: int, *, ordinal: int = 8, executable: range = range(0), first: int = 0) -> FileRows:
    rows = [
        FileRow(f"{n:05d}", digests.pack(digests.XXH3, n.to_bytes(16, "big")), n, f"o{n % 3}", 10 * n, n in executable)
        for n in range(first, first + count)
    ]
    columns = of_rows(rows, digests.XXH3)
    return FileRows(LAYER, ordinal, WRITER, columns, columns.packed_digests())


def as_row(n: int, kind: int, ordinal: int = 8) -> EntryTuple:
    digest = digests.pack(digests.XXH3, n.to_bytes(16, "big"))
    return (LAYER, f"{n:05d}", ordinal, WRITER, kind, n, digest, f"o{n % 3}", 10 * n, None, None, None)


@pytest.mark.parametrize("count", [1, RUN_MIN - 1, RUN_MIN, 3 * RUN_MIN])
@pytest.mark.parametrize("executable", [range(0), range(1, 4), range(10_000)], ids=["none", "some", "all"])
def test_rows_in_columns_are_stored_as_they_read(history: History, count: int, executable: range) -> None:
    rows = files(count, executable=executable)
    removed: EntryTuple = (LAYER, "removed", 9, WRITER, REMOVED, *[None] * 7)
    wanted = [as_row(n, EXECUTABLE if n in executable else FILE) for n in range(count)]

    database = history.database
    with database.transaction() as connection:
        database.adapter.insert_entries(connection, [rows, [removed]])

    assert (len(rows), list(rows)) == (count, wanted)
    assert sorted(rows_of(database, "SELECT * FROM entries")) == sorted([*wanted, removed])
    assert wanted[0] in rows
    assert removed not in rows


def test_paths_that_two_batches_name_are_found_and_settled() -> None:
    layer = HeldLayer(is_whole=True)
    layer.add(files(10, ordinal=8))
    assert layer.duplicates() == []
    layer.add(files(10, ordinal=6, first=8))

    twice = [as_row(n, FILE, ordinal) for n in (8, 9) for ordinal in (6, 8)]
    assert layer.duplicates() == twice
    layer.remove_duplicates()
    assert (layer.count, layer.duplicates()) == (18, [])
    assert layer.by_path()["00008"] == as_row(8, FILE, 8)
