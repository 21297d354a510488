"""The rules for drafts and their entries. Each check raises RuleViolation, or an error of the names' grammar."""

from collections import Counter
from collections.abc import Sequence

from headwater_schemas.errors import Reason
from headwater_schemas.events import SHARED_DRAFT, DraftEvent, DraftOpened, EntryAdded
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import ENTRIES_PER_EVENT_MAX
from headwater_schemas.lthash import ContentSum
from headwater_schemas.names import CollectionName
from headwater_schemas.object_names import project_of
from headwater_schemas.paths import (
    colliding_forms,
    conflict_reason,
    file_and_folder,
    file_and_folder_text,
    find_invalid,
    look_alike_text,
)

from headwater_consumer.projector.event_context import EventContext, RuleViolation
from headwater_consumer.projector.state import State
from headwater_consumer.rows import DELETED, CollectionRow, CondemnedObjectRow, VersionAttributeRow, VersionRow

SIZE_BYTES_MAX = 2**63 - 1  # of a whole version: what a column of the database can hold


def describe(event: DraftEvent) -> str:
    """A draft's name in messages."""
    if event.draft.startswith(SHARED_DRAFT):
        return f"the draft {quoted(event.draft.removeprefix(SHARED_DRAFT))} of {event.collection}"
    return f"a draft of {event.collection}"


def check_shared(event: DraftEvent) -> None:
    """Raises: RuleViolation for a draft that has one writer, where several are meant."""
    if not event.draft.startswith(SHARED_DRAFT):
        raise RuleViolation(
            Reason.INVALID,
            f"{describe(event)} has one writer, so none can be waited for. Use a distributed_id for several writers.",
        )


def check_size(event: DraftEvent, total: ContentSum) -> None:
    """Raises: RuleViolation when the sum of all sizes is more than can be stored, which no real sizes reach."""
    if total.size_bytes > SIZE_BYTES_MAX:
        raise RuleViolation(
            Reason.INVALID,
            f"{describe(event)} would have {total.size_bytes:,} bytes; at most {SIZE_BYTES_MAX:,} can be stored. "
            "Check the sizes of its entries.",
        )


def check_type_of_collection(collection: CollectionRow | None, type_name: str) -> None:
    """Raises: RuleViolation when a collection already has another type than a draft of it."""
    if collection is not None and collection.type != type_name:
        raise RuleViolation(
            Reason.TYPE_MISMATCH,
            f"{collection.collection} is of type {quoted(collection.type)}, not {quoted(type_name)}. "
            "Use that type or another name.",
        )


def check_base(event: DraftOpened, base: int, state: State) -> None:
    exists = state.get(VersionRow, event.collection, base) is not None
    if not exists or state.get(VersionAttributeRow, event.collection, base, DELETED) is not None:
        found = "was deleted" if exists else "does not exist"
        raise RuleViolation(
            Reason.BASE_UNKNOWN,
            f"{event.collection}:v{base} {found}, so no draft can start from it. Choose another base.",
        )


def check_batch(event: EntryAdded, paths: list[str]) -> None:
    event.files.check()
    if len(paths) > ENTRIES_PER_EVENT_MAX:
        raise RuleViolation(
            Reason.INVALID,
            f"an event adds {len(paths):,} entries to {describe(event)}; at most {ENTRIES_PER_EVENT_MAX:,} are "
            "allowed. Send them as several events.",
        )
    check_grammar(paths)
    _check_forms(paths)
    if len(set(paths)) != len(paths):
        twice = next(path for path, times in Counter(paths).items() if times > 1)
        raise RuleViolation(
            Reason.INVALID, f"an event adds {quoted(twice)} to {describe(event)} twice. Send each path once."
        )
    if (path := file_and_folder(paths)) is not None:
        raise RuleViolation(Reason.PATH_CONFLICT, f"{file_and_folder_text(path)}. Rename one of them.")


def check_grammar(paths: Sequence[str]) -> None:
    if (wrong := find_invalid(paths)) is not None:
        raise RuleViolation(
            Reason.INVALID,
            f"{quoted(wrong)} is not a path inside a version. Send paths as `headwater_schemas.paths` has them.",
        )


def _check_forms(paths: Sequence[str]) -> None:
    if collision := colliding_forms(paths):
        raise RuleViolation(Reason.PATH_CONFLICT, f"{look_alike_text(*collision)}. Rename one of them.")


def check_conflicts(event: EntryAdded, layers: Sequence[int], paths: Sequence[str], state: State) -> None:
    conflict = state.path_conflict(layers, paths)
    if conflict is None:
        return
    path, other = conflict
    raise RuleViolation(
        Reason.PATH_CONFLICT,
        f"{quoted(path)} cannot join {describe(event)}, which has {quoted(other)}: {conflict_reason(path, other)}. "
        "Rename one of them.",
    )


def is_condemned(context: EventContext, object_name: str, state: State) -> bool:
    """Whether an object was condemned before this event was written, even if the event was parked meanwhile."""
    condemned = state.get(CondemnedObjectRow, object_name, context.position.partition)
    return condemned is not None and condemned.position < context.position_number


def check_objects(context: EventContext, event: EntryAdded, state: State) -> None:
    project = CollectionName.parse(event.collection).namespace
    for name in event.files.objects:
        if project_of(name) != project:
            raise RuleViolation(
                Reason.INVALID,
                f"object {name} does not belong to {project}: projects do not share content. Store it there.",
            )
        if is_condemned(context, name, state):
            raise RuleViolation(  # does not name it: who writes through a server is told this, too
                Reason.BLOB_CONDEMNED,
                f"{describe(event)} needs an object that is about to be deleted. Store its content again.",
            )
