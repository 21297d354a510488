"""What the naive model keeps of collections: whole listings, and what is said of them."""

from collections import defaultdict
from dataclasses import dataclass, field

from headwater_schemas import events as types
from headwater_schemas.errors import Reason

from tests.consumer.inspection import Listing
from tests.consumer.naive_runs import ModelRejection, reject_if


@dataclass
class ModelVersion:
    listing: Listing
    contested: set[str]
    facts: dict[str, str] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    uses: set[tuple[str, str, str]] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    times_restored: int = 0
    updated: int | None = None  # the step that last changed a fact about it
    deletion: int | None = None  # the step from which it is deleted

    @property
    def live(self) -> bool:
        return "deleted" not in self.facts

    def attributes(self) -> dict[str, object]:
        names = ("facts", "tags", "uses", "outputs", "contested", "updated")
        return {name: getattr(self, name) for name in names}


@dataclass
class ModelDraft:
    type: str
    base: int | None
    listing: Listing
    path_writers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # path → writers that wrote it
    done: set[str] = field(default_factory=set)
    commits: list[tuple[int, types.VersionCommitted]] = field(default_factory=list)  # that wait, and their steps
    session: str = ""  # that opened it
    last_event: str = ""

    @property
    def closed(self) -> bool:
        return self.version is not None or self.discarded

    version: int | None = None
    discarded: bool = False


@dataclass
class ModelCollection:
    type: str | None = None
    versions: list[ModelVersion] = field(default_factory=list)
    drafts: dict[str, ModelDraft] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)

    def known(self, number: int) -> ModelVersion:
        if not 0 <= number < len(self.versions):
            raise ModelRejection(Reason.VERSION_UNKNOWN)
        return self.versions[number]

    def live_version(self, number: int) -> ModelVersion:
        version = self.known(number)
        if not version.live:
            raise ModelRejection(Reason.VERSION_DELETED)
        return version

    def open_draft(self, name: str) -> ModelDraft:
        draft = self.drafts.get(name)
        if draft is None:
            raise ModelRejection(Reason.DRAFT_UNKNOWN)
        reject_if(draft.version is not None, Reason.DRAFT_SEALED)
        reject_if(draft.discarded, Reason.DRAFT_DISCARDED)
        return draft

    def newest_live(self) -> int | None:
        return max((n for n, version in enumerate(self.versions) if version.live), default=None)
