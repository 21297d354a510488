"""One process's stay on the log: what it sends, and what becomes of it."""

from collections.abc import Sequence

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_producer.producer import Producer, SentEvent
from headwater_schemas.errors import EventRejected, Reason
from headwater_schemas.keys import collection_key

from headwater._stores.stores import Stores

CATCH_UP_TIMEOUT_S = 120.0
REJECTIONS_MAX = 10_000  # of one session, read after each batch; there are hardly ever any


class WriteSession:
    """The producer of one process and store, and the outcomes of what it sent."""

    def __init__(self, stores: Stores, producer: Producer, *, quiet: bool) -> None:
        self.producer = producer
        self.quiet = quiet  # nothing is printed about what was logged
        self._stores = stores
        self._outcomes: dict[tuple[str, str], queries.Outcome] = {}
        self._rejections: dict[tuple[str, int], queries.RejectionInfo] = {}

    @property
    def database(self) -> Database:
        """The projection."""
        return self._stores.database

    def confirm(self, *, projected: bool) -> None:
        """Wait until what was sent is durable, and where asked until it is projected."""
        cut = self.producer.confirm()
        if projected:
            self._stores.projection.catch_up(cut, timeout_s=CATCH_UP_TIMEOUT_S)

    def catch_up(self) -> None:
        """Wait until everything that anybody has written by now is projected."""
        if not self._stores.read_only:
            self._stores.projection.catch_up(timeout_s=CATCH_UP_TIMEOUT_S)

    def catch_up_on(self, collection: str) -> None:
        """Wait until everything that has been written about one collection is projected."""
        if not self._stores.read_only:
            self._stores.projection.catch_up_on(collection_key(collection), timeout_s=CATCH_UP_TIMEOUT_S)

    def look_up_outcomes(self, drafts: Sequence[tuple[str, str]]) -> None:
        """Ask once what became of these drafts, (collection, draft) each, and which events were rejected."""
        self._outcomes = queries.outcomes(self.database, drafts) if drafts else {}
        found = queries.rejections_of(self.database, self.producer.session, limit=REJECTIONS_MAX)
        self._rejections = {(rejection.key, rejection.sequence): rejection for rejection in found}

    def outcome_of(self, collection: str, draft: str) -> queries.Outcome | None:
        """The outcome of a draft, as last looked up."""
        return self._outcomes.get((collection, draft))

    def raise_rejection(self, sent: Sequence[SentEvent]) -> None:
        """Raises: EventRejected for the first of these events that was rejected, as last looked up."""
        for event in sent if self._rejections else ():
            rejection = self._rejections.get((event.key, event.sequence))
            if rejection is not None:
                raise EventRejected(rejection.message, reason=Reason(rejection.reason))
