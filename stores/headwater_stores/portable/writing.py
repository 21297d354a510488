"""Writes events of an import, and waits for what became of them."""

from collections.abc import Sequence

from headwater_producer.commits import SentCommit
from headwater_producer.producer import Producer, SentEvent, author_of_process
from headwater_schemas.errors import EventRejected, Reason
from headwater_schemas.events import Event

from headwater_stores.stores import Stores


class Writer:
    """One writer, who waits for each thing that it writes."""

    def __init__(self, stores: Stores, *, wait_s: float) -> None:
        self._stores, self._wait_s = stores, wait_s
        self.producer = Producer(stores.log, author=author_of_process(), watch_append=stores.projection.watch_append)

    def write(self, events: Sequence[Event], *, message: str | None = None) -> None:
        """Returns once they count. Raises: EventRejected; as `Producer.send` and `confirm`."""
        if events:
            self._settle(self.producer.send(events, message=message))

    def settle_commit(self, sent: SentCommit) -> int:
        """The number of the version. Raises: as `write`."""
        self._settle(sent.events)
        outcome = self._stores.reads.draft_info(sent.collection, sent.draft)
        assert outcome is not None
        assert outcome.version is not None, "a commit that was not refused seals its draft"
        return outcome.version

    def _settle(self, sent: Sequence[SentEvent]) -> None:
        self.producer.confirm(timeout_s=self._wait_s)
        refusals = [error for event in sent for error in event.refusals]
        if refusals:
            raise refusals[0]
        self._stores.projection.catch_up(self.producer.cut_of(sent), timeout_s=self._wait_s)
        for session, key in dict.fromkeys((event.session, event.key) for event in sent):
            numbers = [event.sequence for event in sent if (event.session, event.key) == (session, key)]
            found = self._stores.reads.first_rejection(session, key, min(numbers), max(numbers))
            if found is not None:
                raise EventRejected(found.message, reason=Reason(found.reason))
