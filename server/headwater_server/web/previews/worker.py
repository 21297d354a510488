"""A process that decodes what nobody vouches for, and has little to lose: little memory, time and output, and no files.

It imports nothing of ours, and is run by its path: `python -I worker.py`. It is told what to do by one line of JSON,
asks for ranges of the file by a line of JSON each, and ends with one that has the result or says what is wrong.
"""

import csv
import difflib
import io
import json
import resource
import sys
from itertools import islice
from typing import Any

MEMORY_BYTES = 2 * 1024**3  # of addresses: a library for tables reserves more than it uses
CPU_S = 4
ROWS_MAX = 50
COLUMNS_MAX = 50
CELL_LENGTH_MAX = 200  # characters
TYPE_LENGTH_MAX = 60  # characters
CSV_BYTES = 256 * 1024  # the beginning, in which the first rows are
DIFF_LINES_MAX = 2000
CONTEXT_LINES = 3
FILE_NAMES = 2  # lines at the beginning of a unified difference
LINE_LENGTH_MAX = 1000  # characters
PAGE_BYTES = 64 * 1024  # that a reader of Parquet fetches at once
TEXT_BYTES_MAX = 1024 * 1024  # of a name in the schema of a Parquet file


def main() -> None:
    """Do what the first line says."""
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    asked = json.loads(sys.stdin.buffer.readline())
    try:
        result = _ACTIONS[asked["action"]](asked)
    except ImportError:
        result = {"error": "no-library"}
    except MemoryError:
        result = {"error": "too-much"}
    except Unreadable as error:
        result = {"error": "unreadable", "detail": str(error)[:CELL_LENGTH_MAX]}
    _say(result)


class Unreadable(Exception):
    """The file is not what its name says."""


class Ranges(io.RawIOBase):
    """The file, of which each range that is read is asked for."""

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """See `io`."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io`."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """See `io`."""
        length = self._size - self._at if size < 0 else min(size, self._size - self._at)
        data = fetch(self._at, max(0, length))
        self._at += len(data)
        return data


def fetch(first: int, length: int) -> bytes:
    """A range of the file."""
    if length <= 0:
        return b""
    _say({"read": [first, length]})
    data = sys.stdin.buffer.read(length)
    if len(data) < length:
        sys.exit(1)  # nobody listens any more
    return data


def rows_of_csv(asked: dict[str, Any]) -> dict[str, Any]:
    """The first rows of a file of comma-separated values, or of values separated otherwise."""
    head = fetch(0, min(asked["size"], CSV_BYTES))
    is_cut = len(head) < asked["size"]
    text = head.decode("utf-8-sig", "replace")
    if is_cut:  # the last line is not whole
        text = text[: text.rfind("\n") + 1] or text
    first_line = text.partition("\n")[0]
    separator = max(",;\t|", key=first_line.count)
    csv.field_size_limit(CSV_BYTES)
    try:
        rows = list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), ROWS_MAX + 1))
    except csv.Error as error:
        raise Unreadable(str(error)) from None
    names, body = (rows[0], rows[1:]) if rows else ([], [])
    width = max(map(len, rows), default=0)
    shown = min(width, COLUMNS_MAX)
    padded = [*names, *[""] * (width - len(names))]
    return {
        "columns": [{"name": name[:CELL_LENGTH_MAX], "type": ""} for name in padded[:shown]],
        "column_count": width,
        "rows": [[_cut(cell) for cell in (*row, *[None] * (width - len(row)))][:shown] for row in body],
        "row_count": None if is_cut or len(body) == ROWS_MAX else len(body),
    }


def rows_of_parquet(asked: dict[str, Any]) -> dict[str, Any]:
    """The first rows of a Parquet file."""
    import pyarrow as arrow
    from pyarrow import parquet

    arrow.set_cpu_count(1)
    try:
        file = parquet.ParquetFile(
            arrow.PythonFile(Ranges(asked["size"]), mode="r"),
            pre_buffer=False,  # or whole groups of rows are fetched
            buffer_size=PAGE_BYTES,
            thrift_string_size_limit=TEXT_BYTES_MAX,
            thrift_container_size_limit=TEXT_BYTES_MAX,
        )
        fields = list(file.schema_arrow)
        plain = [field.name for field in fields[:COLUMNS_MAX]]
        chosen = None if any("." in name for name in plain) else plain  # a dot would name an inner field
        batches = file.iter_batches(batch_size=ROWS_MAX, columns=chosen, use_threads=False)
        batch = next(batches, None)
        rows = [] if batch is None else batch.slice(0, ROWS_MAX).to_pylist()
        count = file.metadata.num_rows
    except arrow.ArrowMemoryError:
        raise MemoryError from None
    except (arrow.ArrowException, OSError, ValueError, OverflowError, LookupError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    shown = fields[:COLUMNS_MAX]
    return {
        "columns": [{"name": one.name[:CELL_LENGTH_MAX], "type": str(one.type)[:TYPE_LENGTH_MAX]} for one in shown],
        "column_count": len(fields),
        "rows": [[_cut(row.get(name)) for name in plain] for row in rows],
        "row_count": count,
    }


def lines_that_differ(asked: dict[str, Any]) -> dict[str, Any]:
    """What differs between two texts, line by line: a sign and the line, with some around; "@" begins each stretch."""
    sizes = asked["sizes"]
    both = fetch(0, sum(sizes))
    before, after = (part.decode("utf-8", "replace").splitlines() for part in (both[: sizes[0]], both[sizes[0] :]))
    found: list[list[str]] = []
    of_both = difflib.unified_diff(before, after, n=CONTEXT_LINES, lineterm="")
    for line in islice(of_both, FILE_NAMES, None):
        found.append([line[:1], line[1 : 1 + LINE_LENGTH_MAX]])
        if len(found) > DIFF_LINES_MAX:
            break
    return {"lines": found[:DIFF_LINES_MAX], "is_cut": len(found) > DIFF_LINES_MAX}


def _cut(cell: Any) -> str | None:
    if cell is None:
        return None
    text = cell if isinstance(cell, str) else cell[:CELL_LENGTH_MAX].hex() if isinstance(cell, bytes) else str(cell)
    return text[:CELL_LENGTH_MAX]


def _say(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(line).encode() + b"\n")
    sys.stdout.buffer.flush()


_ACTIONS = {"csv": rows_of_csv, "parquet": rows_of_parquet, "diff": lines_that_differ}

if __name__ == "__main__":
    main()
