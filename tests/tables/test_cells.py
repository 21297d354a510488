"""What a cell may hold: Python's values as they are, numpy's and pandas' as Python's; all else is refused by type."""

import enum
import math
from collections import OrderedDict, namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from headwater import Table
from headwater.errors import InvalidInput

Point = namedtuple("Point", "x y")
BERLIN = ZoneInfo("Europe/Berlin")


class Size(enum.IntEnum):
    SMALL = 1


class Colour(enum.StrEnum):
    RED = "red"


def cell(value: object) -> Any:
    return Table(["a"], [[value]]).data[0][0]


TAKEN: list[tuple[object, object]] = [
    (np.int64(3), 3),
    (np.uint64(2**63), 2**63),
    (np.float32(0.5), 0.5),
    (np.float64(0.1), 0.1),
    (np.bool_(True), True),
    (np.str_("x"), "x"),
    (np.bytes_(b"x"), b"x"),
    (np.array(5), 5),
    (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (np.datetime64("2020-01-02"), date(2020, 1, 2)),
    (np.datetime64("2020-01-02T03:04:05.000006"), datetime(2020, 1, 2, 3, 4, 5, 6)),
    (np.datetime64("2020-01-02T03:04:05.000006000", "ns"), datetime(2020, 1, 2, 3, 4, 5, 6)),
    (np.array(["2020-01-02T03"], "M8[ns]"), [datetime(2020, 1, 2, 3)]),
    (np.timedelta64(3, "s"), timedelta(seconds=3)),
    (np.datetime64("NaT"), None),
    (np.datetime64("NaT", "ns"), None),
    (np.timedelta64("NaT"), None),
    (np.timedelta64(3_000_000, "ps"), timedelta(microseconds=3)),
    (np.ma.masked, None),
    (np.ma.array(5, mask=True), None),
    (np.ma.array([1, 2], mask=[True, False]), [None, 2]),
    (np.ma.array(["2020-01-02", "2020-01-03"], "M8[s]", mask=[True, False]), [None, datetime(2020, 1, 3)]),
    (pd.NA, None),
    (pd.NaT, None),
    (pd.Timestamp("2020-01-02 03:04", tz="UTC"), datetime(2020, 1, 2, 3, 4, tzinfo=UTC)),
    (pd.Timedelta(1, "h"), timedelta(hours=1)),
    (Size.SMALL, 1),
    (Colour.RED, "red"),
    (bytearray(b"ab"), b"ab"),
    (memoryview(b"ab"), b"ab"),
    (OrderedDict(b=1, a=np.int8(2)), {"b": 1, "a": 2}),
    (Point(1, 2), (1, 2)),
    (time(1, 2), time(1, 2)),
    (Decimal("1.50"), Decimal("1.50")),
    (datetime(2020, 1, 1, tzinfo=timezone(timedelta(0), "zero")), datetime(2020, 1, 1, tzinfo=UTC)),
    (datetime(2020, 1, 1, tzinfo=ZoneInfo("UTC")), datetime(2020, 1, 1, tzinfo=UTC)),
    (datetime(2020, 1, 1, tzinfo=BERLIN), datetime(2020, 1, 1, tzinfo=BERLIN)),
]


@pytest.mark.parametrize(("given", "expected"), TAKEN, ids=lambda value: f"{type(value).__name__}")
def test_what_libraries_hand_over_becomes_plain_python(given: object, expected: object) -> None:
    taken = cell(given)

    assert taken == expected
    assert type(taken) is type(expected)
    assert getattr(taken, "tzinfo", None) is getattr(expected, "tzinfo", None)


def test_every_nan_is_the_same_and_stays_apart_from_none() -> None:
    assert math.isnan(cell(np.float64("nan")))
    assert cell(None) is None


class InABerlinOfItsOwn(tzinfo):
    """As older libraries have it: one object for each offset, and `fold` is not set."""

    zone = "Europe/Berlin"

    def __init__(self, minutes: int) -> None:
        self.offset = timedelta(minutes=minutes)

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return self.offset

    def dst(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, moment: datetime | None) -> str:
        return self.zone


@pytest.mark.parametrize(
    ("minutes", "zone"),
    [(120, BERLIN), (60, BERLIN), (53, timezone(timedelta(minutes=53)))],
    ids=["in summer", "an hour later", "before there were zones"],
)
def test_a_moment_stays_the_same_whatever_library_its_zone_is_from(minutes: int, zone: tzinfo) -> None:
    twice = datetime(2020, 10, 25, 2, 30, tzinfo=InABerlinOfItsOwn(minutes))

    taken = cell(twice)

    assert (taken.utcoffset(), taken.tzinfo) == (twice.utcoffset(), zone)
    assert taken.replace(tzinfo=None) == twice.replace(tzinfo=None)


def test_fold_is_kept_only_where_it_tells_two_readings_apart() -> None:
    assert cell(datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=BERLIN)).fold == 1
    assert Table(["a"], [[datetime(2020, 1, 1, fold=1, tzinfo=BERLIN)]]) == Table(
        ["a"], [[datetime(2020, 1, 1, tzinfo=BERLIN)]]
    )


REFUSED: list[tuple[object, str]] = [
    (object(), "holds an object"),
    ({1, 2}, "holds a set"),
    (Path("a"), "holds a PosixPath"),
    (1j, "holds a complex"),
    (np.complex128(1j), "holds a complex"),
    (np.longdouble(1), "holds a longdouble"),
    (iter([1]), "holds a list_iterator"),
    ([1, {"x": object()}], "holds an object"),
    ({1: 2}, "dictionary with the key 1, an int"),
    ("\ud800", "not valid Unicode"),
    ({"\ud800": 1}, "not valid Unicode"),
    (10**640, "more than 640 digits"),
    (pd.Timestamp(1, unit="ns"), "finer than a microsecond"),
    (pd.Timedelta(1, "ns"), "finer than a microsecond"),
    (np.datetime64(1, "ns"), "finer than a microsecond"),
    (np.datetime64("20000-01-01"), "out of range"),
    (np.timedelta64(10**15, "D"), "out of range"),
    (np.timedelta64(1, "M"), "no fixed length"),
    (np.timedelta64(3, "Y"), "no fixed length"),
    (np.timedelta64(3), "no fixed length"),
    (pd.Timestamp(np.datetime64("20000-01-01", "s")), "out of range"),
    (pd.Timedelta(np.timedelta64(2**62, "s")), "out of range"),
    (time(1, tzinfo=UTC), "Use a datetime"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=lambda value: f"{type(value).__name__}")
def test_what_cannot_be_kept_is_an_error_that_names_row_column_and_type(given: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=f"row 1, column 'b' .*({message})"):
        Table(["a", "b"], [[1, 2], [3, given]])


def test_what_is_nested_too_deep_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(32):
        deep = [deep]
    endless: list[Any] = []
    endless.append(endless)

    for value in (deep, endless):
        with pytest.raises(InvalidInput, match="deeper than 32 levels"):
            cell(value)
    assert cell(deep[0]) == deep[0]
