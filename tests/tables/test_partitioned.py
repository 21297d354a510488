"""Partitioned tables: all tables under one folder, as one."""

from collections.abc import Iterator

import pytest
from headwater import PartitionedTable, Table
from headwater.errors import ContentError, InvalidInput, InvalidPath, NotFound

from tests.tables.holder import Holder, joined


def row(*values: object) -> Table:
    return Table(["a", "b"], [values])


def test_a_partitioned_table_joins_the_tables_under_its_folder_by_name() -> None:
    found = joined({"second": row(2, "y"), "first": row(1, "x"), "deep/er": row(0, None)})

    assert found.parts == ["parts/deep/er", "parts/first", "parts/second"]
    assert found.columns == ["a", "b"]
    assert list(found.iterrows()) == [(0, [0, None]), (1, [1, "x"]), (2, [2, "y"])]
    assert len(found) == 3
    assert found.to_table() == Table(["a", "b"], [[0, None], [1, "x"], [2, "y"]])
    assert found.to_pandas()["a"].tolist() == [0, 1, 2]


def test_names_are_ordered_by_their_characters() -> None:
    parts = {name: row(name, 0) for name in ("table_2", "table_10", "table_1", "table_1-b", "Z", "é", "z")}

    found = joined(parts)

    assert [name for _, (name, _) in found.iterrows()] == sorted(parts)
    assert sorted(parts) == ["Z", "table_1", "table_1-b", "table_10", "table_2", "z", "é"]


def test_what_is_beside_the_folder_and_what_is_no_table_is_not_a_part() -> None:
    holder = Holder()
    holder.put(row(1, 1), "parts/one")
    holder.put(row(2, 2), "parts2/two")
    holder.put(row(3, 3), "parts")
    holder.put(PartitionedTable("parts"), "parts/all")
    holder.entries["parts/readme.txt"] = b"not a table"

    assert holder.get("parts/all").parts == ["parts/one"]


def test_columns_may_stand_in_another_order_in_a_part() -> None:
    found = joined({"1": Table(["a", "b"], [[1, 2]]), "2": Table(["b", "a"], [[4, 3]])})

    assert found.to_table() == Table(["a", "b"], [[1, 2], [3, 4]])


def test_a_part_with_other_columns_is_an_error_that_names_it_and_the_difference() -> None:
    found = joined({"1": row(1, 2), "2": Table(["a", "c", "d"], [[1, 2, 3]])})

    message = r"the part 'parts/2' lacks 'b' and also has 'c', 'd': .* which are 'a', 'b'"
    with pytest.raises(InvalidInput, match=message):
        list(found.iterrows())
    with pytest.raises(InvalidInput, match=message):
        len(found)


def test_a_folder_without_any_table_is_an_error_that_names_it() -> None:
    holder = Holder()
    holder.put(PartitionedTable("nowhere"), "all")
    found = holder.get("all")

    for ask in (lambda: list(found.iterrows()), lambda: len(found), lambda: found.columns, found.to_table):
        with pytest.raises(NotFound, match="held:v0 has no table under 'nowhere'"):
            ask()


def test_a_part_that_cannot_be_read_is_an_error_that_names_it() -> None:
    holder = Holder()
    holder.put(row(1, 1), "parts/1")
    holder.put(PartitionedTable("parts"), "all")
    holder.entries["parts/2.table.parquet"] = b"torn"

    with pytest.raises(ContentError, match=r"'parts/2.table.parquet' of held:v0"):
        list(holder.get("all").iterrows())


def test_parts_are_read_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = Holder()
    for number in range(5):
        holder.put(row(number, 0), f"parts/{number}")
    holder.put(PartitionedTable("parts"), "all")
    read: list[str] = []

    def reading(path: str) -> bytes:
        read.append(path)
        return holder.entries[path]

    monkeypatch.setattr(holder, "read", reading)
    rows: Iterator[tuple[int, list[object]]] = holder.get("all").iterrows()
    next(rows)

    assert [path for path in read if path.startswith("parts/")] == ["parts/0.table.parquet"]


def test_the_folder_has_one_spelling() -> None:
    assert PartitionedTable("./parts//x/").parts_path == "parts/x"
    for wrong in ("", ".", "/parts", "../parts"):
        with pytest.raises(InvalidPath):
            PartitionedTable(wrong)


def test_a_part_that_is_added_meanwhile_counts() -> None:
    holder = Holder()
    holder.put(row(1, 1), "parts/1")
    holder.put(PartitionedTable("parts"), "all")
    found = holder.get("all")
    assert len(found) == 1

    holder.put(row(2, 2), "parts/2")

    assert len(found) == 2


def test_one_that_cannot_be_read_is_still_something() -> None:
    assert PartitionedTable("parts")


def test_one_that_is_not_from_an_artifact_says_so() -> None:
    with pytest.raises(InvalidInput, match=r"only names the folder 'parts'.*artifact\.get"):
        list(PartitionedTable("parts").iterrows())


def test_it_shows_its_folder_and_where_it_is_from() -> None:
    assert repr(PartitionedTable("parts")) == "<PartitionedTable of the tables under 'parts'>"
    assert repr(joined({})) == "<PartitionedTable of the tables under 'parts' of held:v0>"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"format":2,"parts_path":"parts"}', b'{"format":1,"parts_path":"../x"}', b"[" * 100_000,
     b'{"format":1,"parts_path":7}', b'{"format":1,"parts_path":"' + b"x" * 100_000 + b'"}', b"\xff"],
    ids=lambda content: content[:30].decode("utf-8", "replace"),
)  # fmt: skip
def test_an_entry_that_does_not_name_a_folder_is_an_error_that_names_the_entry(content: bytes) -> None:
    holder = Holder()
    holder.entries["all.partitioned-table.json"] = content

    with pytest.raises(ContentError, match=r"'all.partitioned-table.json' of held:v0"):
        holder.get("all")
