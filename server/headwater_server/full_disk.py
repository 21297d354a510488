"""On a full disk a server of a folder answers, and takes what frees room, by what the store has in reserve."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from headwater_schemas.errors import StoreFull
from headwater_schemas.events import (
    DeadLetterResolved,
    DraftDiscarded,
    Event,
    SettingsChanged,
    Stamped,
    VersionDeleted,
)
from headwater_stores.stores import Stores

T = TypeVar("T")

# Settings say which versions are kept and until when; what waits behind a dead letter keeps content.
_FREEING: tuple[type[Event], ...] = (VersionDeleted, DraftDiscarded, SettingsChanged, DeadLetterResolved)


def frees_room(events: Sequence[Stamped]) -> bool:
    """Whether all of these events are there to free room. They are small, and bring no content."""
    return all(isinstance(stamped.event, _FREEING) for stamped in events)


def projected(stores: Stores, project: Callable[[], T]) -> T:
    """What `project` returns, which waits for what is on the log: on a full disk, it is projected into the reserve.

    Nobody could look for what to delete otherwise. It is not much, since the log takes hardly anything then.
    """
    try:
        return project()
    except StoreFull:
        with stores.reserve_released():
            return project()
