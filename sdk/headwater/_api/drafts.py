"""Open drafts, as returned by the Api."""

from collections.abc import Sequence
from datetime import UTC, datetime

from headwater_consumer import queries
from headwater_schemas.events import SHARED_DRAFT, DraftDiscarded

from headwater._commit.client import Client
from headwater._fixed_attributes import FixedAttributes
from headwater._notebook import NotebookView
from headwater._paging import ROWS_PER_PAGE


class OpenDraft(FixedAttributes, NotebookView):
    """A draft that is not sealed yet."""

    def __init__(self, client: Client, info: queries.DraftInfo) -> None:
        self._client = client
        self._info = info

    @property
    def collection(self) -> str:
        """`entity/project/name` of the draft's artifact."""
        return self._info.collection

    @property
    def distributed_id(self) -> str | None:
        """The id that selects the shared draft; None for a private draft of one writer."""
        draft = self._info.draft
        return draft.removeprefix(SHARED_DRAFT) if draft.startswith(SHARED_DRAFT) else None

    @property
    def type(self) -> str:
        """The artifact's type."""
        return self._info.type

    @property
    def base(self) -> str | None:
        """The version it is based on, such as "v3"; None without a base."""
        return None if self._info.base is None else f"v{self._info.base}"

    @property
    def entries(self) -> int:
        """The number of entries that its writers sent, including duplicates and removals."""
        return self._info.row_count

    @property
    def writers_done(self) -> int:
        """The number of writers that are done."""
        return self._info.writers_done

    @property
    def waits_for(self) -> int | None:
        """The number of writers that its commit waits for; None before `finish_artifact`."""
        return self._info.waiting_for

    @property
    def last_event_at(self) -> datetime:
        """The time of the last event of the draft, in UTC."""
        return datetime.fromtimestamp(self._info.last_event_us / 1_000_000, UTC)

    def discard(self) -> None:
        """Discard the draft and all its entries. Raises: EventRejected if it was sealed in the meantime."""
        discarded = DraftDiscarded(collection=self._info.collection, draft=self._info.draft)
        self._client.send([discarded]).result()

    def _shown_fields(self) -> dict[str, str]:
        return {
            "artifact": self.collection,
            "draft": self.distributed_id or "(private)",
            "type": self.type,
            "base": self.base or "",
            "entries": f"{self.entries:,}",
            "writers done": f"{self.writers_done:,}",
        }

    def __repr__(self) -> str:
        return f"<OpenDraft {self.distributed_id or '(private)'} of {self.collection}>"


def open_drafts(client: Client, project: str) -> Sequence[OpenDraft]:
    """The open drafts of "entity/project", by collection and id."""
    found: list[OpenDraft] = []
    after: tuple[str, str] | None = None
    while page := client.stores.reads.open_drafts(project, after=after, limit=ROWS_PER_PAGE):
        found += [OpenDraft(client, info) for info in page]
        after = page[-1].collection, page[-1].draft
    return found
