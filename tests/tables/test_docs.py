"""The page about tables: its examples run as scripts, and its limits are those of the code."""

import re
import subprocess
import sys
from pathlib import Path

import headwater
import pytest
from headwater._tables.canonical import TAG_DECODERS
from headwater._tables.cells import VALUE_DEPTH_MAX
from headwater._tables.parquet import CELLS_MAX, DECODED_BYTES_MAX
from headwater._tables.table import COLUMNS_MAX
from headwater_schemas.limits import INTEGER_DIGITS_MAX

PAGE = (Path(__file__).parent.parent.parent / "docs" / "tables.md").read_text("utf-8")
SCRIPT_S_MAX = 120  # far more than one takes, on a busy machine too


@pytest.mark.usefixtures("store")
def test_the_examples_do_what_they_say() -> None:
    table, parts = (_said_by(script) for script in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))

    assert table == ["0 ['a.png', 7, 0.93]", "1 ['b.png', 1, None]", "2 ['c.png', 4, 0.51]"]
    assert parts == ["3 [[0, 0.0], [1, 0.1], [2, 0.2]]"]
    assert list(headwater.Api().artifact("digits/results").manifest.entries) == ["test/guesses.table.parquet"]


def _said_by(script: str) -> list[str]:
    Path("example.py").write_text(script, "utf-8")
    done = subprocess.run(
        [sys.executable, "example.py"], stdout=subprocess.PIPE, text=True, timeout=SCRIPT_S_MAX, check=True
    )
    return done.stdout.splitlines()


def test_the_limits_that_it_names_are_those_of_the_code() -> None:
    assert f"up to {VALUE_DEPTH_MAX} levels" in PAGE
    assert f"int of up to {INTEGER_DIGITS_MAX:,} digits" in PAGE
    assert f"at most {COLUMNS_MAX:,} columns, and {DECODED_BYTES_MAX >> 30} GiB or {CELLS_MAX:,} cells" in PAGE


def test_it_names_every_key_that_stands_for_what_json_lacks() -> None:
    assert set(re.findall(r"`(\$\w+)`", PAGE)) == set(TAG_DECODERS)
