"""A table in memory: columns, rows, and what it refuses."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from headwater import Table
from headwater._tables.cells import describe_type
from headwater.errors import InvalidInput, NotFound


def abc() -> Table:
    return Table(columns=["a", "b", "c"], data=[[1, 2, 3], [4, 5, 6]])


def test_a_table_has_columns_rows_and_a_length() -> None:
    table = abc()

    assert table.columns == ["a", "b", "c"]
    assert table.data == [[1, 2, 3], [4, 5, 6]]
    assert len(table) == 2
    assert list(table.iterrows()) == [(0, [1, 2, 3]), (1, [4, 5, 6])]


def test_a_table_may_be_empty_and_is_filled_row_by_row() -> None:
    table = Table(columns=["a", "b"])
    table.add_data(1, "x")
    table.add_data(2, None)

    assert table == Table(["a", "b"], [(1, "x"), (2, None)])


def test_a_column_joins_on_the_right() -> None:
    table = abc()
    table.add_column("d", ["x", "y"])

    assert table.columns == ["a", "b", "c", "d"]
    assert table.get_column("d") == ["x", "y"]
    assert table.get_column("a") == [1, 4]


def test_the_first_column_brings_its_rows() -> None:
    table = Table()
    table.add_column("a", range(3))

    assert table.data == [[0], [1], [2]]


def test_a_ragged_row_is_an_error_that_names_row_length_and_columns() -> None:
    with pytest.raises(InvalidInput, match=r"row 1 has 1 value, but the table has 2 columns: a, b"):
        Table(["a", "b"], [[1, 2], [3]])
    with pytest.raises(InvalidInput, match=r"row 2 has 4 values, but the table has 3 columns"):
        abc().add_data(1, 2, 3, 4)


def test_a_refused_row_leaves_the_table_as_it_was() -> None:
    table = abc()

    with pytest.raises(InvalidInput):
        table.add_data(7, 8, object())
    with pytest.raises(InvalidInput, match=r"column 'd' has 3 values, but the table has 2 rows"):
        table.add_column("d", [1, 2, 3])
    with pytest.raises(InvalidInput, match=r"row 1, column 'd' holds a set"):
        table.add_column("d", [1, {2}])

    assert table == abc()


def test_rows_without_columns_are_an_error() -> None:
    with pytest.raises(InvalidInput, match=r"row 0 has 2 values, but the table has 0 columns"):
        Table(data=[[1, 2]])
    with pytest.raises(InvalidInput, match=r"row 0 has 0 values"):
        Table([], [[]])


@pytest.mark.parametrize("row", ["ab", b"ab", {"a": 1, "b": 2}, {1, 2}, frozenset({1, 2}), 12, None])
def test_a_row_that_is_no_list_of_values_is_refused_by_type(row: object) -> None:
    with pytest.raises(InvalidInput, match=rf"row 0 must be a list of values.* not an? {type(row).__name__}"):
        Table(["a", "b"], [row])


@pytest.mark.parametrize("data", ["ab", {"a": [1]}, {(1,)}, 12])
def test_data_that_is_no_list_of_rows_is_refused_by_type(data: object) -> None:
    with pytest.raises(InvalidInput, match=rf"data must be a list of rows.* not an? {type(data).__name__}"):
        Table(["a"], data)
    with pytest.raises(InvalidInput, match=rf"column 'b' must be given as a list.* an? {type(data).__name__}"):
        Table(["a"]).add_column("b", data)  # type: ignore[arg-type]


def test_columns_are_unique_text() -> None:
    with pytest.raises(InvalidInput, match="two columns are named 'a'"):
        Table(["a", "b", "a"])
    with pytest.raises(InvalidInput, match="two columns are named 'b'"):
        abc().add_column("b", [1, 2])
    with pytest.raises(InvalidInput, match="column 1 is named 7, an int"):
        Table(["a", 7])  # type: ignore[list-item]
    with pytest.raises(InvalidInput, match=r"list of names, not the text 'ab'"):
        Table("ab")
    with pytest.raises(InvalidInput, match="not valid Unicode"):
        Table(["\ud800"])


@pytest.mark.parametrize("columns", [5, b"ab", {"a": [1]}, {"a", "b"}, pd.DataFrame({"a": [1]})], ids=describe_type)
def test_columns_that_are_no_list_of_names_are_refused_by_type(columns: Any) -> None:
    """A set has no order, and what brings rows with it would be a table without any."""
    with pytest.raises(InvalidInput, match=rf"columns must be a list of names, not {describe_type(columns)}"):
        Table(columns)
    with pytest.raises(InvalidInput, match=rf"columns must be a list of names, not {describe_type(columns)}"):
        Table(columns, dataframe=pd.DataFrame({"a": [1], "b": [2]}))


def test_columns_may_be_anything_that_gives_names_in_order() -> None:
    for columns in (("a", "b"), iter(["a", "b"]), {"a": 1, "b": 2}.keys(), pd.Index(["a", "b"]), np.array(["a", "b"])):
        assert Table(columns).columns == ["a", "b"]


def test_a_table_has_a_bounded_number_of_columns() -> None:
    with pytest.raises(InvalidInput, match="at most 10,000 columns, not 10,001"):
        Table([str(number) for number in range(10_001)])


def test_an_unknown_column_is_an_error_that_names_those_that_are_there() -> None:
    with pytest.raises(NotFound, match=r"no column 'x'. It has a, b, c"):
        abc().get_column("x")


def test_tables_are_equal_when_their_columns_and_values_are() -> None:
    assert abc() == abc()
    assert abc() != Table(["a", "c", "b"], abc().data)
    assert abc() != Table(["a", "b", "c"], [[1, 2, 3]])
    assert abc() != "abc"


def test_equality_tells_types_apart_and_takes_every_nan_for_the_same() -> None:
    assert Table(["a"], [[math.nan], [None]]) == Table(["a"], [[float("nan")], [None]])
    assert Table(["a"], [[math.nan]]) != Table(["a"], [[None]])
    assert Table(["a"], [[1]]) != Table(["a"], [[1.0]])
    assert Table(["a"], [[1]]) != Table(["a"], [[True]])
    assert Table(["a"], [["1"]]) != Table(["a"], [[1]])


def test_a_table_shows_itself_in_one_line() -> None:
    wide = Table([f"c{number}" for number in range(9)])

    assert repr(abc()) == "<Table 2 rows of 3 columns: a, b, c>"
    assert repr(wide) == "<Table 0 rows of 9 columns: c0, c1, c2, c3, c4, c5, …>"


def test_what_is_changed_in_the_rows_is_checked_when_they_are_used() -> None:
    table = abc()
    table.data[1][2] = object()

    with pytest.raises(InvalidInput, match="row 1, column 'c' holds an object"):
        table.get_dataframe()
