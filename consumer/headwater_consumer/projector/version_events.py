"""Version events: what subscribers learn of a change. See `rows.version_events`.

A handler announces what it decided. Moves of aliases are read off the changes, whatever caused them: a commit moves
`latest`, and a deletion ends aliases.
"""

from collections.abc import Sequence

from headwater_schemas.version_events import ALIAS_MOVED

from headwater_consumer.projector.event_context import EventContext
from headwater_consumer.projector.state import Change, Put
from headwater_consumer.rows import AliasRow, VersionEventRow


def announce(
    context: EventContext, kind: str, subject: str, *, version: int | None = None, detail: str | None = None
) -> Put:
    """The version event of a handler, which has one at most."""
    return _event(context, 0, kind, subject, version, None, detail)


def alias_moves(context: EventContext, changes: Sequence[Change]) -> list[Put]:
    """The events of the aliases that `changes` move, numbered after what is announced there already."""
    before: dict[tuple[str, str], int] = {}
    after: dict[tuple[str, str], int] = {}
    announced = 0
    for change in changes:
        row = change.row if isinstance(change, Put) else None
        if isinstance(row, AliasRow):
            (after if row.to_position is None else before)[row.collection, row.alias] = row.version
        elif isinstance(row, VersionEventRow):
            announced += 1
    return [
        _event(context, number, ALIAS_MOVED, name[0], after.get(name), before.get(name), name[1])
        for number, name in enumerate({**before, **after}, announced)
    ]


def _event(
    context: EventContext,
    index: int,
    kind: str,
    subject: str,
    version: int | None,
    before: int | None,
    detail: str | None,
) -> Put:
    origin = context.origin
    row = VersionEventRow(
        position=context.effective_position,
        record_index=index,
        kind=kind,
        subject=subject,
        version=version,
        before=before,
        detail=detail,
        event=context.event_id,
        event_index=index,
        author=origin.author,
        message=origin.message,
        time_us=context.time_us,
    )
    return Put(row)
