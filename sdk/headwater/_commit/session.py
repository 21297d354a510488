"""One process's stay on the log: what it sends, and what becomes of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from headwater_consumer import queries
from headwater_consumer.queries.reads import Reads
from headwater_producer.producer import Producer, SentEvent
from headwater_schemas.errors import StoreError
from headwater_schemas.names import CollectionName
from headwater_schemas.positions import Cut
from headwater_stores.catching_up import catch_up, catch_up_on
from headwater_stores.config.settings import WAIT_S
from headwater_stores.stores import Stores
from headwater_stores.telling.waiting import telling

from headwater._commit.outcomes import Outcomes
from headwater._commit.project_algorithms import ProjectAlgorithms
from headwater._commit.task import Awaited
from headwater._commit.whole_versions import WholeVersions

CONFIRM_AGAIN_S = 5.0  # for a log that was waited for in vain


class WriteSession:
    """The producer of one process and store, and the outcomes of what it sent."""

    def __init__(self, stores: Stores, producer: Producer, *, entity: str, quiet: bool, wait_s: float = WAIT_S) -> None:
        """`wait_s`: for how long to wait for the log to confirm, and for the projection to have, what was sent."""
        self.producer = producer
        self.wait_s = wait_s
        self.entity = entity  # whose names are printed without it
        self.quiet = quiet  # nothing is printed about what was logged
        self.whole_versions = WholeVersions(stores.reads)
        self.algorithms = ProjectAlgorithms(stores.reads, producer, default=stores.default_algorithm)
        self._stores = stores
        self._gave_up = False  # the log was waited for in vain, and has confirmed nothing since

    def shown(self, collection: str) -> str:
        """A collection for a message, as any command takes it."""
        return CollectionName.parse(collection).shown_to(self.entity)

    @property
    def reads(self) -> Reads:
        """The projection."""
        return self._stores.reads

    def telling(self, what: Awaited = "projected") -> AbstractContextManager[None]:
        """A block in which who waits long for this is told so."""
        return telling(partial(self.awaited, what)) if self._stores.is_remote else nullcontext()

    def awaited(self, what: Awaited) -> str | None:
        """What keeps who waits for this, for people; None where this process does it by itself. Raises: StoreError."""
        match what:
            case "stored":
                return f"{self._stores.name} to store what was logged"
            case "confirmed":
                return f"the log of {self._stores.name} to confirm what was logged"
            case "projected":
                return self._stores.projection.awaited()

    def confirm(self, *, gives_up: bool = True) -> Cut:
        """Wait until what was sent is durable. Returns the cut that holds it.

        A log that did not answer while somebody waited for it (`gives_up`) is only asked again, until it answers.
        """
        try:
            cut = self.producer.confirm(timeout_s=min(CONFIRM_AGAIN_S, self.wait_s) if self._gave_up else self.wait_s)
        except StoreError:
            self._gave_up = self._gave_up or gives_up
            raise
        self._gave_up = False
        return cut

    def confirm_projected(self) -> None:
        """Wait until what was sent is durable, and projected."""
        with self.telling("confirmed"):
            cut = self.confirm()
        with self.telling():
            self._stores.projection.catch_up(cut, timeout_s=self.wait_s)

    def cut_of(self, sent: Iterable[SentEvent]) -> Cut:
        """The smallest cut that holds these events, which are durable."""
        return self.producer.cut_of(sent)

    def ask(
        self, cut: Cut, drafts: Sequence[tuple[str, str]], sent: Iterable[SentEvent], *, patience_s: float
    ) -> Outcomes:
        """What became of these drafts, (collection, draft) each, and of these events, once `cut` is projected.

        Where other processes project, what is known after `patience_s`. Raises: StoreUnavailable where this one cannot.
        """
        found = self._stores.projection.ask(
            cut, drafts, list(_ranges(sent)), patience_s=patience_s, timeout_s=self.wait_s
        )
        return Outcomes(Cut(cut.generation, found.offsets), found.outcomes, found.rejections)

    def is_given_up(self, cut: Cut) -> bool:
        """Whether `cut` was waited for in vain, and nothing has changed since."""
        return self._stores.projection.is_given_up(cut)

    def raise_overdue(self, cut: Cut, *, waited_s: float, gives_up: bool) -> None:
        """Raises: StoreUnavailable, which says how far the projection is, unless it has `cut` by now."""
        self._stores.projection.raise_overdue(cut, waited_s=waited_s, gives_up=gives_up)

    def catch_up(self) -> None:
        """Wait until everything that anybody has written by now is projected."""
        catch_up(self._stores, wait_s=self.wait_s)

    def catch_up_on(self, collection: str) -> None:
        """Wait until everything that has been written about one collection is projected."""
        catch_up_on(self._stores, collection, wait_s=self.wait_s)


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
