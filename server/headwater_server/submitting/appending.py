"""Append what several clients sent, at once: their contents in few objects, their events in one round to the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headwater_eventlog.port import NewRecord
from headwater_producer.batches import move_events
from headwater_producer.producer import Producer
from headwater_producer.stored_content import StoredContent
from headwater_schemas import codec, headers
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import HeadwaterError, InvalidInput, StoreFull
from headwater_schemas.events import Stamped
from headwater_schemas.positions import Position
from headwater_schemas.problems import word_of
from headwater_schemas.submissions import EventsRefused, Refusal
from headwater_stores.stores import Stores

from headwater_server.full_disk import frees_room
from headwater_server.limits import APPEND_TIMEOUT_S
from headwater_server.submitting.places import ContentPlaces, Place, Prepared, with_places

AUTHOR = "headwater server"  # of what it writes by itself


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of one client's submission on the log."""

    positions: Sequence[Position]
    stored_before: Sequence[tuple[bytes, int]]  # digest and size of content that came along, and was there already


Outcome = Appended | HeadwaterError  # of one client; or why its events are not on the log


class GroupAppender:
    """Appends groups to one server's stores. One group at a time, in any thread."""

    def __init__(self, stores: Stores, stored: StoredContent) -> None:
        self.places = ContentPlaces(stores, stored)
        self._stores = stores
        self._producer = Producer(stores.log, author=AUTHOR, watch_append=stores.projection.watch_append)

    def append(self, group: Sequence[Prepared]) -> list[Outcome]:
        """Store and append all of a group; what became of each member. One whose content is nowhere is left out.

        On a full disk those are appended that only free room.

        Raises: nothing for one member alone; StoreUnavailable, StoreReadOnly when nothing was written;
        DurabilityUnknown when it is not known what was.
        """
        try:
            return self._append_all(group)
        except StoreFull as full:
            freeing = [member for member in group if frees_room(member.events)]
            if not freeing:
                raise
            with self._stores.reserve_released():
                appended = iter(self._append_all(freeing))
            return [next(appended) if frees_room(member.events) else full for member in group]

    def _append_all(self, group: Sequence[Prepared]) -> list[Outcome]:
        wanted = {place: None for member in group for place in member.wanted}
        before = self._stored(group, wanted)
        along = {place: c for one in group for place, c in one.contents.items() if place in wanted}
        places = before | self.places.put({place: c for place, c in along.items() if place not in before})
        self._heal(places)
        records: list[list[NewRecord]] = []
        outcomes: list[Outcome] = []
        for member in group:
            try:
                records.append(_records(with_places(member.events, places)))
                known = [(place[1], len(content)) for place, content in member.contents.items() if place in before]
                outcomes.append(Appended([], known))
            except EventsRefused as refused:
                records.append([])
                outcomes.append(refused)
        positions = iter(self._append([record for of_member in records for record in of_member]))
        for index, of_member in enumerate(records):
            outcome = outcomes[index]
            if isinstance(outcome, Appended):
                outcomes[index] = replace(outcome, positions=[next(positions) for _ in of_member])
        return outcomes

    def _stored(self, group: Sequence[Prepared], wanted: Mapping[Place, None]) -> dict[Place, BlobLocation]:
        """Where content is stored already that the group's events name: uploaded before, or in the project."""
        if not wanted:
            return {}
        uploaded = {place: at for member in group for place, at in member.receipts.items() if place in wanted}
        found = self.places.still_there(uploaded)
        return found | self.places.find(place for place in wanted if place not in found)

    def _heal(self, placed: Mapping[Place, BlobLocation]) -> None:
        """What was found lost and is stored anew: the reads of all versions that need it are redirected."""
        for project, moves in self.places.moves(placed):
            self._producer.send(list(move_events(project, moves)))
        if self._producer.pending:
            self._producer.confirm(timeout_s=APPEND_TIMEOUT_S)

    def _append(self, records: Sequence[NewRecord]) -> list[Position]:
        if not records:
            return []
        check = self._stores.projection.watch_append()
        positions = self._stores.log.append(records, timeout_s=APPEND_TIMEOUT_S)
        check(positions)
        return positions


def _records(events: Sequence[Stamped]) -> list[NewRecord]:
    """Raises: EventsRefused for what is too large, with its places."""
    records, refusals = list[NewRecord](), list[Refusal]()
    for index, stamped in enumerate(events):
        try:
            records.append(NewRecord(stamped.event.key, codec.encode(stamped), headers.of_event(stamped)))
        except InvalidInput as error:
            refusals.append(Refusal(index, word_of(error), str(error)))
    if refusals:
        raise EventsRefused(refusals)
    return records
