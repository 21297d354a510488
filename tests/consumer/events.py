"""Short words for what the rules are tried with: events about one collection, and what became of it."""

from headwater_schemas.events import DraftOpened, EntryAdded, VersionCommitted, VersionPurged, shared_draft
from headwater_schemas.positions import position_of

from tests.consumer.inspection import listing_of, rows_of
from tests.support.history import History, files_of

PROJECT = "team/vision"
DIGITS = f"{PROJECT}/digits"
MODEL = f"{PROJECT}/model"
SHARED = shared_draft("epoch-1")


def added(draft: str, contents: dict[str, bytes], *, pack: int = 0) -> EntryAdded:
    return EntryAdded(collection=DIGITS, draft=draft, files=files_of(PROJECT, contents, pack=pack))


def committed(draft: str, **more: object) -> VersionCommitted:
    return VersionCommitted(collection=DIGITS, draft=draft, **more)  # type: ignore[arg-type] # each test knows its fields


def opened(draft: str = SHARED, **more: object) -> DraftOpened:
    return DraftOpened(**{"collection": DIGITS, "draft": draft, "type": "dataset", **more})  # type: ignore[arg-type]


def version_of(history: History, draft: str) -> int | None:
    ((version,),) = rows_of(history.database, "SELECT version FROM drafts WHERE draft = ?", draft)
    return version  # type: ignore[no-any-return]


def aliases(history: History, collection: str = DIGITS) -> dict[str, int]:
    open_rows = "SELECT alias, version FROM aliases WHERE collection = ? AND to_position IS NULL"
    return dict(rows_of(history.database, open_rows, collection))


def attributes(history: History, version: int) -> dict[str, str]:
    open_rows = (
        "SELECT field, value FROM version_attributes WHERE collection = ? AND version = ? AND to_position IS NULL"
    )
    return dict(rows_of(history.database, open_rows, DIGITS, version))


def paths(history: History, version: int) -> set[str]:
    return set(listing_of(history.database, DIGITS, version))


def purge_of(history: History, collection: str, version: int) -> VersionPurged:
    """The event that purges a deleted version, by the deletion that holds."""
    open_row = (
        "SELECT from_position FROM version_attributes "
        "WHERE collection = ? AND version = ? AND field = 'deleted' AND to_position IS NULL"
    )
    ((number,),) = rows_of(history.database, open_row, collection, version)
    at = position_of(number)
    return VersionPurged(
        collection=collection, version=version, epoch=at.epoch, partition=at.partition, offset=at.offset
    )
