"""The rules of writing: which events clients may send, and what each needs. One table, and what it cannot say.

What depends on what is recorded, such as whose version it is, is judged by `judging`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from headwater_schemas import metadata
from headwater_schemas.access import ADMIN, MAINTAINER, READER, WRITER
from headwater_schemas.errors import EventRejected, NotFound, Reason
from headwater_schemas.events import (
    EDIT_EXISTING,
    MOVE_ALIASES,
    OWN_DRAFT,
    SHARED_DRAFT,
    AccessGranted,
    AccessRevoked,
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    BlobsMoved,
    CollectionEvent,
    DeadLetterResolved,
    DraftDiscarded,
    DraftEvent,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    ProjectEvent,
    RulesChanged,
    RunEvent,
    RunFinished,
    RunHeartbeat,
    RunStarted,
    RunUpdated,
    ScopeEvent,
    SessionsRetired,
    SettingsChanged,
    SubscriptionAdded,
    SubscriptionRemoved,
    TokenCreated,
    TokenRevoked,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    VersionPurged,
    VersionRecalled,
    VersionRestored,
    WriterDone,
)
from headwater_schemas.keys import is_session_of
from headwater_schemas.names import CollectionName, RunName
from headwater_schemas.settings import DIGEST_ALGORITHM

from headwater_server.access.caller import Caller

Need = tuple[str, str]  # a role, and the scope in which it is needed


def check(event: Event, caller: Caller) -> None:
    """Raises: EventRejected, and NotFound where the caller may not know that the scope is there. Names were checked."""
    known = _NEEDS[type(event)]
    if known is None:
        raise not_permitted(
            f"{event.name} events are not taken from clients. Whoever has the store itself writes them."
        )
    doing, needs = known
    for role, scope in needs(event):
        require(caller, role, scope, doing)
    if isinstance(event, DraftEvent):
        _check_own(event, caller, doing)


def require(caller: Caller, role: str, scope: str, what: str) -> None:
    """Raises: EventRejected where the caller has not this role; NotFound where it may not even read there."""
    if caller.may(role, scope):
        return
    if not caller.may(READER, scope):
        raise hidden(f"project {scope}" if "/" in scope else f"entity {scope}")
    raise not_permitted(f"{what} needs the role {role} in {scope}, which you do not have. Ask an admin there.")


def rights_of(event: VersionCommitted, caller: Caller) -> tuple[str, ...]:
    """What a commit may do to a version that has its content already. That a client asks for less is respected.

    Its aliases are judged as moves, see `judging`, so whoever may commit at all may move those.
    """
    may_edit = caller.may(MAINTAINER, project_of(event))
    rights = (EDIT_EXISTING, MOVE_ALIASES) if may_edit else (MOVE_ALIASES,)
    return rights if event.rights is None else tuple(right for right in rights if right in event.rights)


def run_named(event: Event) -> str | None:
    """The run that there must be for an event to mean anything."""
    match event:
        case ArtifactUsed() | VersionCommitted() | RunUpdated() | RunHeartbeat() | RunFinished():
            return event.run
        case EntryAdded() | EntryRemoved() | WriterDone():
            return event.writer
        case _:
            return None


def project_of(event: Event) -> str:
    """The "entity/project" that an event is about; of one about access, its scope."""
    if isinstance(event, CollectionEvent):
        return CollectionName.parse(event.collection).namespace
    if isinstance(event, RunEvent):
        return RunName.parse(event.run).namespace
    if isinstance(event, ScopeEvent):
        return event.scope
    assert isinstance(event, ProjectEvent), f"{event.name} is of no project"
    return event.project


def not_permitted(message: str) -> EventRejected:
    """The refusal of what a caller may know of, and not do."""
    return EventRejected(message, reason=Reason.NOT_PERMITTED)


def hidden(thing: str) -> NotFound:
    """The refusal of what is not there, and of what a caller may not know of."""
    return NotFound(f"there is no {thing}, or you may not read it. Check the name, or ask an admin there for access.")


def _check_own(event: DraftEvent, caller: Caller, doing: str) -> None:
    """A draft that is not shared takes events of one principal alone, whom its id names as that of a session does.

    A maintainer discards those that others left behind.
    """
    if event.draft.startswith(SHARED_DRAFT) or is_session_of(event.draft.removeprefix(OWN_DRAFT), caller.principal):
        return
    if isinstance(event, DraftDiscarded):
        require(caller, MAINTAINER, project_of(event), f"{doing} of another writer")
        return
    raise not_permitted(
        f"{doing} is refused: this draft of {event.collection} is another's. Share one by a distributed_id, or begin "
        "one of your own."
    )


# --- the table ----------------------------------------------------------------------------------------------------


def _reads(event: Event) -> Iterator[Need]:
    yield READER, project_of(event)


def _writes(event: Event) -> Iterator[Need]:
    yield WRITER, project_of(event)


def _maintains(event: Event) -> Iterator[Need]:
    yield MAINTAINER, project_of(event)


def _administers(event: Event) -> Iterator[Need]:
    yield ADMIN, project_of(event)


def _adds(event: EntryAdded | EntryRemoved | WriterDone) -> Iterator[Need]:
    yield from _writes(event)
    if event.writer is not None:
        yield WRITER, RunName.parse(event.writer).namespace


def _commits(event: VersionCommitted) -> Iterator[Need]:
    yield from _writes(event)
    if event.run is not None:
        yield WRITER, RunName.parse(event.run).namespace


def _uses(event: ArtifactUsed) -> Iterator[Need]:
    yield from _reads(event)
    yield WRITER, RunName.parse(event.run).namespace


def _discards(event: DraftDiscarded) -> Iterator[Need]:
    """Others work on a shared draft, too."""
    yield from _maintains(event) if event.draft.startswith(SHARED_DRAFT) else _writes(event)


def _sets(event: SettingsChanged) -> Iterator[Need]:
    """Whoever logs the first content of a project says with which digests; all else is for admins."""
    is_claim = metadata.decode(event.settings).keys() == {DIGEST_ALGORITHM}
    yield WRITER if is_claim else ADMIN, event.project


_NEEDS: Mapping[type, tuple[str, Callable[[Any], Iterator[Need]]] | None] = {
    DraftOpened: ("opening a draft", _writes),
    EntryAdded: ("adding files", _adds),
    EntryRemoved: ("removing files", _adds),
    WriterDone: ("ending a part of a draft", _adds),
    VersionCommitted: ("logging a version", _commits),
    DraftDiscarded: ("discarding a draft", _discards),
    AliasMoved: ("moving an alias", _writes),  # a protected one: a maintainer
    ArtifactUsed: ("using a version", _uses),
    VersionDescribed: ("describing a version", _writes),  # another's: a maintainer
    VersionDeleted: ("deleting a version", _maintains),
    VersionRestored: ("restoring a version", _maintains),
    VersionRecalled: ("recalling a version", _maintains),
    RunStarted: ("starting a run", _writes),
    RunUpdated: ("changing a run", _writes),
    RunHeartbeat: ("showing that a run is alive", _writes),
    RunFinished: ("ending a run", _writes),
    SettingsChanged: ("changing a project's settings", _sets),
    AccessGranted: ("giving a role", _administers),
    AccessRevoked: ("taking a role", _administers),
    TokenCreated: ("making a token", _administers),
    TokenRevoked: ("revoking a token", _administers),
    SubscriptionAdded: ("adding or changing a webhook", _administers),
    SubscriptionRemoved: ("removing a webhook", _administers),
    # Of the store itself: they say where bytes are, what will be deleted, and what counts.
    BlobsCondemned: None,
    VersionPurged: None,
    BlobsMoved: None,
    DeadLetterResolved: None,
    RulesChanged: None,
    SessionsRetired: None,
}


def kinds() -> Sequence[type]:
    """Every kind of event that the table speaks of."""
    return [*_NEEDS]
