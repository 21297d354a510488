"""What is shown of one file: which kind of preview it gets, and that preview."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headwater_server.web.previews.bounded import Failed, decoded
from headwater_server.web.previews.contents import Contents
from headwater_server.web.previews.images import HEAD_BYTES, IMAGE_BYTES_MAX, image_of
from headwater_server.web.previews.texts import TEXT_BYTES_MAX, indented, text_of

_TABLES = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet"}
_PARQUET = b"PAR1"
_WHY = {
    "no-library": "the server has no library that reads Parquet. Its operator installs headwater[server,tables].",
    "too-much": "showing it would take more time, or memory, than a preview gets. Download it.",
    "unreadable": "it is not what its name says. Download it to look.",
}
_BINARY = "it is neither text, nor a table, nor an image that a browser draws. Download it."
_LARGE_IMAGE = "it is an image that is too large to show. Download it."


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table."""

    name: str
    type: str  # "" where the file does not say


@dataclass(frozen=True, slots=True)
class Table:
    """The first rows of a table."""

    columns: Sequence[TableColumn]  # the first ones
    column_count: int
    rows: Sequence[Sequence[str | None]]
    row_count: int | None  # None: nobody counted


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that the page shows."""

    media_type: str
    width: int  # pixels
    height: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown of a file: one of these, or why there is nothing to show."""

    text: str | None = None
    is_json: bool = False
    is_cut: bool = False  # the text goes on
    table: Table | None = None
    image: Picture | None = None
    why_not: str | None = None
    detail: str | None = None  # of what is wrong


def preview(contents: Contents, path: str) -> Preview:
    """The preview of a file. It says why where there is none. Raises: StoreError, BlobCorrupt."""
    head = contents.read(0, HEAD_BYTES)
    action = _TABLES.get(_suffix(path)) or ("parquet" if head.startswith(_PARQUET) else None)
    if action is not None:
        found = _table(contents, action)
        if found.table is not None or action == "parquet":
            return found
    if (image := image_of(head)) is not None:
        if contents.size > IMAGE_BYTES_MAX or not image.is_drawable:
            return Preview(why_not=_LARGE_IMAGE)
        return Preview(image=Picture(image.media_type, image.width, image.height))
    return _text(contents, head)


def _text(contents: Contents, head: bytes) -> Preview:
    if text_of(head, is_whole=len(head) == contents.size) is None:
        return Preview(why_not=_BINARY)
    shown = head if contents.size <= len(head) else contents.read(0, TEXT_BYTES_MAX)
    is_cut = len(shown) < contents.size
    text = text_of(shown, is_whole=not is_cut)
    if text is None:
        return Preview(why_not=_BINARY)
    as_json = None if is_cut else indented(text)
    return Preview(text=text if as_json is None else as_json, is_json=as_json is not None, is_cut=is_cut)


def _table(contents: Contents, action: str) -> Preview:
    try:
        found = decoded(contents.read, action=action, size=contents.size)
    except Failed as failed:
        return Preview(why_not=_WHY[failed.reason], detail=failed.detail or None)
    return Preview(table=_table_of(found))


def _table_of(found: Any) -> Table:
    columns = [TableColumn(one["name"], one["type"]) for one in found["columns"]]
    return Table(columns, found["column_count"], found["rows"], found["row_count"])


def _suffix(path: str) -> str:
    name = path.rpartition("/")[2]
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""
