"""One process's stay on the log: what it sends, and what becomes of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_producer.producer import Producer, SentEvent
from headwater_schemas.errors import EventRejected, Reason
from headwater_schemas.keys import collection_key
from headwater_schemas.names import CollectionName
from headwater_schemas.positions import Cut

from headwater._commit.project_algorithms import ProjectAlgorithms
from headwater._commit.whole_versions import WholeVersions
from headwater._stores.stores import Stores

CATCH_UP_TIMEOUT_S = 120.0


class WriteSession:
    """The producer of one process and store, and the outcomes of what it sent."""

    def __init__(self, stores: Stores, producer: Producer, *, entity: str, quiet: bool) -> None:
        self.producer = producer
        self.entity = entity  # whose names are printed without it
        self.quiet = quiet  # nothing is printed about what was logged
        self.whole_versions = WholeVersions(stores.database)
        self.algorithms = ProjectAlgorithms(stores.database, producer)
        self._stores = stores
        self._outcomes: dict[tuple[str, str], queries.Outcome] = {}
        self._rejections: dict[SentEvent, queries.RejectionInfo] = {}

    def shown(self, collection: str) -> str:
        """A collection for a message, as any command takes it."""
        return CollectionName.parse(collection).shown_to(self.entity)

    @property
    def database(self) -> Database:
        """The projection."""
        return self._stores.database

    @property
    def timeout_s(self) -> float:
        """For how long the projection may make no progress."""
        return CATCH_UP_TIMEOUT_S

    def confirm(self, *, projected: bool = False) -> None:
        """Wait until what was sent is durable, and where asked until all of it is projected."""
        cut = self.producer.confirm()
        if projected:
            self._stores.projection.catch_up(cut, timeout_s=CATCH_UP_TIMEOUT_S)

    def cut_of(self, sent: Iterable[SentEvent]) -> Cut:
        """The smallest cut that holds these events, which are durable."""
        return self.producer.cut_of(sent)

    def reach(self, cut: Cut, *, patience_s: float) -> Cut:
        """Wait until `cut` is projected, and return how far the projection is.

        Where other processes project, at most `patience_s`. Raises: StoreUnavailable where this one cannot.
        """
        return self._stores.projection.reach(cut, patience_s=patience_s, timeout_s=CATCH_UP_TIMEOUT_S)

    def raise_overdue(self, cut: Cut) -> None:
        """Raises: StoreUnavailable, which says how far the projection is, unless it has `cut` by now."""
        self._stores.projection.catch_up(cut, timeout_s=0.0, waited_s=CATCH_UP_TIMEOUT_S)

    def catch_up(self) -> None:
        """Wait until everything that anybody has written by now is projected."""
        if not self._stores.read_only:
            self._stores.projection.catch_up(timeout_s=CATCH_UP_TIMEOUT_S)

    def catch_up_on(self, collection: str) -> None:
        """Wait until everything that has been written about one collection is projected."""
        if not self._stores.read_only:
            self._stores.projection.catch_up_on(collection_key(collection), timeout_s=CATCH_UP_TIMEOUT_S)

    def look_up(self, drafts: Sequence[tuple[str, str]], sent: Iterable[SentEvent]) -> None:
        """Ask once what became of these drafts, (collection, draft) each, and which of these events were rejected."""
        self._outcomes = queries.outcomes(self.database, drafts) if drafts else {}
        found = queries.rejections(self.database, list(_ranges(sent)))
        self._rejections = {SentEvent(one.session, one.key, one.sequence): one for one in reversed(found)}

    def outcome_of(self, collection: str, draft: str) -> queries.Outcome | None:
        """The outcome of a draft, as last looked up."""
        return self._outcomes.get((collection, draft))

    def raise_rejection(self, sent: Sequence[SentEvent]) -> None:
        """Raises: EventRejected for the first of these events that was rejected, as last looked up."""
        for event in sent if self._rejections else ():
            rejection = self._rejections.get(event)
            if rejection is not None:
                raise EventRejected(rejection.message, reason=Reason(rejection.reason))


def _ranges(sent: Iterable[SentEvent]) -> Iterator[queries.SentRange]:
    """These events and no others, in few ranges."""
    by_key: dict[tuple[str, str], list[int]] = defaultdict(list)
    for event in sent:
        by_key[event.session, event.key].append(event.sequence)
    for (session, key), sequences in by_key.items():
        first = last = min(sequences)
        for sequence in sorted(sequences)[1:]:
            if sequence > last + 1:
                yield queries.SentRange(session, key, first, last)
                first = sequence
            last = sequence
        yield queries.SentRange(session, key, first, last)
