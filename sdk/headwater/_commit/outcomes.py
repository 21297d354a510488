"""What became of what a process sent, as the projection told it at one moment."""

from collections.abc import Mapping, Sequence

from headwater_consumer import queries
from headwater_producer.producer import SentEvent
from headwater_schemas.errors import EventRejected, Reason
from headwater_schemas.positions import Cut


class Outcomes:
    """How far the projection was, and the outcomes of the drafts and events that were asked about."""

    def __init__(
        self,
        reached: Cut,
        drafts: Mapping[tuple[str, str], queries.Outcome],
        rejections: Sequence[queries.RejectionInfo] = (),
    ) -> None:
        """`drafts` by collection and id; `rejections` in the order of the events."""
        self.reached = reached
        self._drafts = drafts
        self._rejections = {SentEvent(one.session, one.key, one.sequence): one for one in reversed(rejections)}

    def of_draft(self, collection: str, draft: str) -> queries.Outcome | None:
        """What became of a draft; None where it was never opened."""
        return self._drafts.get((collection, draft))

    def raise_rejection(self, sent: Sequence[SentEvent]) -> None:
        """Raises: EventRejected for the first of these events that was rejected."""
        for event in sent if self._rejections else ():
            rejection = self._rejections.get(event)
            if rejection is not None:
                raise EventRejected(rejection.message, reason=Reason(rejection.reason))


NOTHING_TOLD = Outcomes(Cut(""), {})
