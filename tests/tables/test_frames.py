"""Tables from pandas' data frames, and back."""

import math
import subprocess
import sys
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from headwater import Table
from headwater.errors import InvalidInput

from tests.tables.holder import read, stored


def frame() -> Any:
    return pd.DataFrame(
        {
            "n": [1, 2, 3],
            "x": [1.5, math.nan, -0.0],
            "yes": [True, False, True],
            "s": ["a", None, "c"],
            "t": pd.to_datetime(["2020-01-01", None, "2020-01-03"]),
            "z": pd.to_datetime(["2020-01-01", "2020-06-01", "2020-01-03"]).tz_localize("Europe/Berlin"),
            "dt": pd.to_timedelta(["1h", None, "2h"]),
            "N": pd.array([1, None, 3], dtype="Int64"),
            "X": pd.array([1.5, None, 3.0], dtype="Float64"),
            "B": pd.array([True, None, False], dtype="boolean"),
            "o": pd.Series([1, "a", None], dtype=object),
            "l": [[1], [], [2, 3]],
        }
    )


@pytest.mark.parametrize("given", ["data", "dataframe"])
def test_a_data_frame_becomes_a_table_and_the_same_data_frame_again(given: str) -> None:
    original = frame()

    table = Table(**{given: original})

    assert table.columns == list(original.columns)
    back = read(stored(table)).get_dataframe()
    for name in ("t", "z"):  # whatever unit it was in: a table keeps microseconds
        original[name] = original[name].dt.as_unit("us")
        back[name] = back[name].dt.as_unit("us")
    original["dt"], back["dt"] = original["dt"].dt.as_unit("us"), back["dt"].dt.as_unit("us")
    pd.testing.assert_frame_equal(back, original)


def test_what_is_missing_in_a_frame_is_none_except_nan_among_floats() -> None:
    table = Table(dataframe=frame())

    row = dict(zip(table.columns, table.data[1], strict=True))
    assert math.isnan(row.pop("x"))
    assert {name for name, value in row.items() if value is None} == {"s", "t", "dt", "N", "X", "B"}
    assert table.get_column("o") == [1, "a", None]


def test_columns_choose_some_of_a_frame_in_their_order() -> None:
    table = Table(["s", "n"], dataframe=frame())

    assert table == Table(["s", "n"], [["a", 1], [None, 2], ["c", 3]])
    with pytest.raises(InvalidInput, match=r"no column 'q'. It has n, x"):
        Table(["q"], dataframe=frame())


def test_rows_become_a_data_frame() -> None:
    table = Table(["n", "d", "big"], [[1, date(2020, 1, 2), 10**30], [None, None, 1]])

    found = table.to_pandas()

    assert found["n"].tolist() == [1, pd.NA]
    assert found["d"].tolist() == [date(2020, 1, 2), None]
    assert found["big"].tolist() == [10**30, 1]


def test_a_column_with_none_and_nan_keeps_both_on_the_way_to_pandas_and_back() -> None:
    table = Table(["x"], [[1.0], [None], [math.nan]])

    assert Table(dataframe=table.get_dataframe()) == table


def test_a_reading_that_no_clock_showed_stays_on_the_way_to_pandas_and_back() -> None:
    skipped = datetime(2020, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    table = Table(["t"], [[skipped], [None]])

    assert table.get_dataframe()["t"].tolist() == [skipped, None]
    assert Table(dataframe=table.get_dataframe()) == table


def test_a_table_without_rows_is_a_data_frame_with_its_columns() -> None:
    found = Table(["a", "b"]).get_dataframe()

    assert list(found.columns) == ["a", "b"]
    assert len(found) == 0
    assert Table(dataframe=found) == Table(["a", "b"])
    assert Table(dataframe=Table().get_dataframe()) == Table()


def test_rows_may_be_an_array() -> None:
    assert Table(["a", "b"], np.array([[1, 2], [3, 4]])) == Table(["a", "b"], [[1, 2], [3, 4]])


def test_what_pandas_has_in_nanoseconds_is_refused_where_it_is() -> None:
    times = pd.DataFrame({"t": [pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-01 00:00:00.000000001")]})

    with pytest.raises(InvalidInput, match=r"row 1, column 't' .*finer than a microsecond"):
        Table(dataframe=times)
    assert Table(dataframe=times[:1]).data == [[datetime(2020, 1, 1)]]


def test_columns_of_a_frame_are_unique_text() -> None:
    with pytest.raises(InvalidInput, match=r"column named 0, an int.*map\(str\)"):
        Table(dataframe=pd.DataFrame([[1, 2]]))
    with pytest.raises(InvalidInput, match="two columns named 'a'"):
        Table(dataframe=pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_rows_and_a_frame_together_are_refused_and_so_is_what_is_no_frame() -> None:
    with pytest.raises(InvalidInput, match="not from both"):
        Table(data=[[1]], dataframe=frame())
    with pytest.raises(InvalidInput, match="must be a pandas DataFrame, not a list"):
        Table(dataframe=[[1]])


def test_without_pandas_a_table_works_and_a_data_frame_is_an_error_that_says_how_to_get_it() -> None:
    script = (
        "import sys; sys.modules['pandas'] = None; import headwater\n"
        "table = headwater.Table(['a'], [[1]])\n"
        "try: table.get_dataframe()\n"
        "except headwater.errors.InvalidInput as error: print(len(table), error)"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert printed.stdout.startswith("1 a data frame needs pandas")
    assert "pip install pandas" in printed.stdout


def test_a_table_loads_none_of_the_libraries_that_it_understands() -> None:
    script = (
        "import sys, headwater; headwater.Table(['a'], [[1]]); headwater.PartitionedTable('p')\n"
        "print(sorted({'pandas', 'numpy', 'pyarrow', 'sqlalchemy'} & set(sys.modules)))"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "[]"
