"""Batches of files from rows, which tests write more easily than columns."""

from collections.abc import Iterable

from headwater_schemas.entries import FileEntries, FileRow


def of_rows(rows: Iterable[FileRow], algorithm: str) -> FileEntries:
    """Columns from rows. The rows' digests must all be of `algorithm`."""
    columns = list(zip(*rows, strict=True)) or [(), (), (), (), (), ()]
    *plain, executable = columns
    return FileEntries.of_columns(algorithm, *plain, [row for row, is_set in enumerate(executable) if is_set])
