"""Drafts: open, sealed and discarded."""

from typing import TYPE_CHECKING, Any

from headwater_schemas.events import VersionCommitted
from headwater_schemas.paths import range_of_folder

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import and_, bindparam, func, or_, select
from headwater_consumer.database.tables import DRAFTS, LAYERS
from headwater_consumer.queries.results import DraftInfo

if TYPE_CHECKING:
    from sqlalchemy import Select


def open_drafts(
    database: Database,
    project: str | None,
    *,
    collection: str | None = None,
    after: tuple[str, str] | None = None,
    limit: int = 100,
) -> list[DraftInfo]:
    """The open drafts of "entity/project", or of all, by collection and draft and at most `limit`.

    `collection` selects those of one. The next page: `after` = the last one's collection and draft.
    """
    start, end = range_of_folder(project) if project is not None else ("", None)
    of_collection, of_draft = after if after is not None else ("", "")
    statement = _page(end is not None, collection is not None)
    with database.autocommit() as connection:
        rows = statement.rows(
            connection,
            start=start,
            end=end,
            collection=collection,
            after_collection=of_collection,
            after_draft=of_draft,
            limit=limit,
        )
    return [_info(row) for row in rows]


def draft_info(database: Database, collection: str, draft: str) -> DraftInfo | None:
    """A draft, even if it was sealed or discarded; None when it never existed."""
    with database.autocommit() as connection:
        row = _one().first(connection, collection=collection, draft=draft)
    return None if row is None else _info(row)


def _info(row: Any) -> DraftInfo:
    return DraftInfo(
        collection=row.collection,
        draft=row.draft,
        type=row.type,
        base=row.base,
        layer=row.layer,
        row_count=row.row_count,
        writers=row.writers,
        writers_done=row.writers_done,
        waiting_for=_writers_of(row.commit_payload),
        last_event=row.last_event,
        last_event_us=row.last_event_us,
        version=row.version,
        discarded=row.closed_position is not None and row.version is None,
    )


def _writers_of(commit_payload: bytes | None) -> int | None:
    if commit_payload is None:
        return None
    from headwater_schemas import codec  # deferred: fastavro

    commit = codec.decode(bytes(commit_payload)).event
    assert isinstance(commit, VersionCommitted)
    return commit.writers


# --- statements -------------------------------------------------------------------------------------------------


def _with_rows() -> "Select[Any]":
    names = (
        "collection",
        "draft",
        "type",
        "base",
        "layer",
        "writers",
        "writers_done",
        "commit_payload",
        "last_event",
        "last_event_us",
        "version",
        "closed_position",
    )
    joined = DRAFTS.outerjoin(LAYERS, LAYERS.c.layer == DRAFTS.c.layer)
    row_count = func.coalesce(LAYERS.c.row_count, 0).label("row_count")
    return select(*[DRAFTS.c[name] for name in names], row_count).select_from(joined)


@compiled
def _one() -> Statement:
    return _with_rows().where(DRAFTS.c.collection == bindparam("collection"), DRAFTS.c.draft == bindparam("draft"))


@compiled
def _page(of_project: bool, of_collection: bool) -> Statement:
    after: Any = bindparam("after_collection")
    later = or_(
        DRAFTS.c.collection > after, and_(DRAFTS.c.collection == after, DRAFTS.c.draft > bindparam("after_draft"))
    )
    # The second condition follows from the third, but an index can continue with it.
    statement = _with_rows().where(DRAFTS.c.closed_position.is_(None), DRAFTS.c.collection >= after, later)
    if of_project:
        in_project = and_(DRAFTS.c.collection >= bindparam("start"), DRAFTS.c.collection < bindparam("end"))
        statement = statement.where(in_project)
    if of_collection:
        statement = statement.where(DRAFTS.c.collection == bindparam("collection"))
    return statement.order_by(DRAFTS.c.collection, DRAFTS.c.draft).limit(bindparam("limit"))
