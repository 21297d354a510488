"""Tables as Parquet: what is put in comes out, equal tables are equal bytes, and anybody's reader can read them."""

import io
import math
import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from headwater import Table
from headwater._download.download import READ_ENTRY_BYTES_MAX
from headwater._tables import parquet
from headwater.errors import ContentError, InvalidInput
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.strategies import texts
from tests.tables.holder import read, stored

ROOT = Path(__file__).parents[2]
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = (None, UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(seconds=1)), BERLIN)
INT64 = st.integers(-(2**63), 2**63 - 1)

SCALARS: tuple[SearchStrategy[Any], ...] = (
    st.none(),
    st.booleans(),
    INT64,
    st.integers(),
    st.floats(),
    texts() | st.sampled_from(["", "null", "{}", "$bytes", '{"$bytes":""}']),
    st.binary(max_size=8),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(),
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
    *(st.datetimes(timezones=st.just(zone)) for zone in ZONES),
)


def nested(below: SearchStrategy[Any]) -> SearchStrategy[Any]:
    keys = texts(max_size=3) | st.sampled_from(["$bytes", "$dict", "$"])
    return st.lists(below, max_size=3) | st.lists(below, max_size=3).map(tuple) | st.dictionaries(keys, below)


ANYTHING = st.recursive(st.one_of(*SCALARS), nested, max_leaves=6)
# Of one type, with and without what is missing; and of any.
COLUMNS = [
    *SCALARS,
    *(kind | st.none() for kind in SCALARS),
    *(st.lists(kind, max_size=3) for kind in SCALARS),
    ANYTHING,
]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    names = draw(st.lists(texts(max_size=4), unique=True, max_size=4))
    count = draw(st.integers(0, 4)) if names else 0
    columns = [draw(st.lists(draw(st.sampled_from(COLUMNS)), min_size=count, max_size=count)) for _ in names]
    return Table(names, zip(*columns, strict=True))


@given(table=tables())
@example(table=Table(["a.list.element", "a"], [["x", ["y"]], ["x", ["y", None]]]))
@example(table=Table(["a"], [[datetime(2020, 3, 29, 2, 30, tzinfo=BERLIN)]]))  # a reading that no clock showed
@example(table=Table(["a"], [[datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=BERLIN)]]))
@example(table=Table(["a"], [[Decimal("-0.0")], [Decimal("1.0")]]))
@example(table=Table(["a"], [[10**640 - 1]]))
def test_what_is_put_in_comes_out(table: Table) -> None:
    back = read(stored(table))

    assert back == table
    assert [list(map(type, row)) for row in back.data] == [list(map(type, row)) for row in table.data]


@given(table=tables())
def test_equal_tables_are_equal_bytes(table: Table) -> None:
    assert stored(Table(table.columns, table.data)) == stored(table)
    assert stored(read(stored(table))) == stored(table)


def test_equal_tables_are_equal_bytes_in_every_process() -> None:
    """Whatever the order of its hashes, however many threads it has, and in whatever order keys were put in."""
    script = (
        "import hashlib, sys; from headwater import Table; from tests.tables.holder import stored\n"
        "keys = sys.argv[1].split()\n"
        "rows = [[i, str(i % 7), {key: [i, None] for key in keys}, float(i)] for i in range(3000)]\n"
        "print(hashlib.sha256(stored(Table(list('abcd'), rows))).hexdigest())"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", script, keys],
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for keys, seed, threads in (("x y", "1", "1"), ("y x", "2", "4"))
    ]

    assert printed[0] == printed[1]


@given(one=tables(), other=tables())
def test_tables_that_differ_differ_in_bytes(one: Table, other: Table) -> None:
    assert (stored(one) == stored(other)) == (one == other)


def test_mixed_and_missing_values_come_back_as_they_were() -> None:
    rows = [[1, None], [1.0, math.nan], [True, "NaN"], ["1", ""], [None, "None"]]

    back = read(stored(Table(["mixed", "missing"], rows)))

    assert [type(value) for value in back.get_column("mixed")] == [int, float, bool, str, type(None)]
    assert back.get_column("missing")[0] is None
    assert math.isnan(back.get_column("missing")[1])
    assert back.get_column("missing")[2:] == ["NaN", "", "None"]


NATIVE: list[tuple[list[Any], pa.DataType]] = [
    ([1, None], pa.int64()),
    ([1.5, math.nan], pa.float64()),
    ([True, None], pa.bool_()),
    (["a", None], pa.string()),
    ([b"a", None], pa.binary()),
    ([date(2020, 1, 2), None], pa.date32()),
    ([time(1, 2), None], pa.time64("us")),
    ([datetime(2020, 1, 2), None], pa.timestamp("us")),
    ([datetime(2020, 1, 2, tzinfo=UTC), None], pa.timestamp("us", tz="UTC")),
    ([datetime(2020, 1, 2, tzinfo=BERLIN), None], pa.timestamp("us", tz="UTC")),
    ([Decimal("1.50"), Decimal("20.00")], pa.decimal128(38, 2)),
    ([[1.0, 2.0], []], pa.list_(pa.float64())),
]


@pytest.mark.parametrize(("values", "expected"), NATIVE, ids=[str(expected) for _, expected in NATIVE])
def test_a_column_of_one_type_is_of_that_type_to_any_reader(values: list[Any], expected: pa.DataType) -> None:
    found = pq.read_table(io.BytesIO(stored(Table(["a"], [[value] for value in values]))))

    assert found.schema.field("a").type == expected
    for value, theirs in zip(values, found.column("a").to_pylist(), strict=True):
        assert theirs == value or (theirs != theirs and value != value)


def test_another_reader_sees_mixed_values_as_their_json() -> None:
    table = Table(["a"], [[1], ["x"], [None], [[1, {"b": math.inf}]], [b"\x00"]])

    found = pd.read_parquet(io.BytesIO(stored(table)))["a"]

    assert found.dropna().tolist() == ["1", '"x"', '[1,{"b":{"$float":"inf"}}]', '{"$bytes":"AA=="}']


def test_a_long_table_of_several_groups_of_rows_comes_back() -> None:
    rows = [[number, f"s{number % 7}", [number, None], {"n": number}] for number in range(140_000)]
    table = Table(["a", "b", "c", "d"], rows)

    assert read(stored(table)).data == rows


# --- what others wrote


def test_parquet_of_somebody_else_is_an_error_that_says_so() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), sink)

    with pytest.raises(ContentError, match=r"'t.table.parquet' of held:v0 .*headwater did not write"):
        read(sink.getvalue())


def written(table: pa.Table, said: str) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"headwater": said}), sink)
    return sink.getvalue()


SAID = [
    ('{"format":2,"kinds":["int"]}', "of format 2, and this release reads format 1"),
    ('{"format":1,"kinds":["colour"]}', "kind 'colour'"),
    ('{"format":1,"kinds":["decimal:39"]}', "kind 'decimal:39'"),
    ('{"format":1,"kinds":["text"]}', "column 'a' is int64, but string"),
    ('{"format":1,"kinds":["datetime:Mars/Olympus"]}', "but timestamp"),
    ('{"format":1,"kinds":["int","int"]}', "it declares 2 kinds for the columns a"),
    ('{"format":1,"kinds":["' + "list:" * 100_000 + 'int"]}', "kind 'list:"),
    ('{"format":1}', "format"),
    ("[" * 100_000, "t.table.parquet"),
    ("{", "t.table.parquet"),
]


@pytest.mark.parametrize(("said", "message"), SAID, ids=[said[:40] for said, _ in SAID])
def test_a_table_that_says_what_is_not_so_is_an_error_that_names_the_entry(said: str, message: str) -> None:
    with pytest.raises(ContentError, match=message):
        read(written(pa.table({"a": [1]}), said))


TEXTS = [
    "",
    "{",
    '{"$colour":1}',
    '{"$bytes":1}',
    '{"$bytes":"?"}',
    '{"$bytes":"","x":1}',
    '{"$dict":[]}',
    '{"$datetime":["2020-01-01",0]}',
    '{"$datetime":["2020-01-01",0,"Mars/Olympus"]}',
    '{"$datetime":["2020-01-01",0,"../../etc/passwd"]}',
    '{"$datetime":["2020-01-01",9,"UTC"]}',
    '{"$timedelta":1e99}',
    '{"$decimal":"x"}',
    "[" * 100_000,
    "1" * 5000,
]


@pytest.mark.parametrize("text", TEXTS, ids=[text[:40] for text in TEXTS])
def test_text_that_is_no_cell_is_an_error_that_names_the_entry(text: str) -> None:
    with pytest.raises(ContentError, match=r"'t.table.parquet' of held:v0 is not a table"):
        read(written(pa.table({"a": [text]}), '{"format":1,"kinds":["json"]}'))


def test_a_moment_outside_the_years_that_python_has_is_an_error() -> None:
    moments = pa.table({"a": pa.array([2**62]).cast(pa.timestamp("us"))})

    with pytest.raises(ContentError, match=r"t\.table\.parquet"):
        read(written(moments, '{"format":1,"kinds":["datetime"]}'))


WHOLE = stored(Table(["n", "s", "j"], [[number, f"text {number % 3}", [number, "x"]] for number in range(50)]))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"{}", WHOLE[:-1], WHOLE[1:], WHOLE[: len(WHOLE) // 2]])
def test_bytes_that_are_no_parquet_are_an_error_that_names_the_entry(content: bytes) -> None:
    with pytest.raises(ContentError, match=r"'t.table.parquet' of held:v0"):
        read(content)


@given(data=st.data())
def test_flipped_bits_give_a_table_or_an_error_that_names_the_entry(data: st.DataObject) -> None:
    damaged = bytearray(WHOLE)
    for index in data.draw(st.lists(st.integers(0, len(WHOLE) - 1), min_size=1, max_size=4)):
        damaged[index] ^= data.draw(st.integers(1, 255))

    assert outcome_of(bytes(damaged)) in ("a table", "an error")


def outcome_of(content: bytes) -> str:
    try:
        read(content)
    except ContentError as error:
        return "an error" if "'t.table.parquet' of held:v0" in str(error) else str(error)
    return "a table"


# --- bounds


def test_a_table_as_large_as_can_be_added_can_be_read_again() -> None:
    """Also of numbers without any pattern, which take up more in the file than in memory: a group of rows of each."""
    random = Random(1)
    rows = [[random.getrandbits(62), random.random(), random.randbytes(8)] for _ in range(131_072)]

    content = stored(Table(["a", "b", "c"], rows))

    ratio = len(content) / pq.read_table(io.BytesIO(content)).nbytes
    assert 1 < ratio < READ_ENTRY_BYTES_MAX / parquet.DECODED_BYTES_MAX


def test_more_than_a_table_holds_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "CELLS_MAX", 149)

    with pytest.raises(ContentError, match=r"'t.table.parquet' of held:v0 has 150 cells; one table holds at most 149"):
        read(WHOLE)
    with pytest.raises(InvalidInput, match=r"'t' has 150 cells; .*PartitionedTable"):
        stored(Table(["a"], [[None]] * 150))


def test_a_small_file_that_holds_a_huge_table_is_refused() -> None:
    rows = 200_000_000
    content = written(pa.table({"a": pa.nulls(rows)}), '{"format":1,"kinds":["null"]}')

    assert len(content) < 1_000_000
    with pytest.raises(ContentError, match="200,000,000 cells"):
        read(content)


def test_text_that_a_file_repeats_is_one_value_in_memory() -> None:
    table = read(stored(Table(["a"], [["long " * 1000]] * 1000)))

    assert len({id(value) for value in table.get_column("a")}) == 1


def test_json_that_a_file_repeats_counts_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    content = stored(Table(["a"], [[{"k": "long " * 1000}]] * 1000))
    assert len(content) < 20_000
    monkeypatch.setattr(parquet, "DECODED_BYTES_MAX", 1_000_000)

    with pytest.raises(ContentError, match="bytes; one table holds at most"):
        read(content)
