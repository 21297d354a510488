"""The shapes of JSON answers. Field names are those that `headwater … --json` prints, where both have them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


def when(time_us: int) -> datetime:
    """A time as answers have it. What is beyond the calendar is its last moment."""
    try:
        return _EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return _LAST


class Answer(BaseModel):
    """Base of all."""

    model_config = ConfigDict(frozen=True)


class Grant(Answer):
    """Somebody has a role."""

    scope: str = Field(description="An entity, with all its projects, or entity/project.", examples=["team/vision"])
    principal: str = Field(description="issuer|subject.", examples=["headwater|ana"])
    role: str = Field(examples=["writer"])
    granted_by: str
    granted: datetime


class Token(Answer):
    """A token, which itself is told to whoever makes it alone."""

    id: str = Field(description="The first digits of its SHA-256.", examples=["0123456789abcdef"])
    scope: str = Field(description="Where it gives its principal's roles.", examples=["team/vision"])
    principal: str = Field(examples=["headwater|ana"])
    expires: datetime | None
    created_by: str
    created: datetime
    last_used: datetime | None = Field(description="To about half a minute; null: never, or more than 400 days ago.")


class Page(Answer, Generic[T]):
    """Some of a list."""

    items: list[T]
    next: str | None = Field(description="Pass it as `cursor` for the next page; null: this is the last one.")


class Entity(Answer):
    """A person or team that owns projects."""

    entity: str = Field(examples=["team"])


class Project(Answer):
    """A namespace, and the unit of access. Counting stops at 10,000."""

    project: str = Field(examples=["team/vision"])
    entity: str
    artifacts: int = Field(description="Artifacts that have versions.")
    runs: int


class ProjectWithSettings(Project):
    """A project and all its settings, defaults included."""

    settings: dict[str, Any]


class ArtifactType(Answer):
    """A type that artifacts of the project have."""

    type: str = Field(examples=["dataset"])


class Collection(Answer):
    """All versions of one artifact name."""

    collection: str = Field(examples=["team/vision/images"])
    type: str
    versions: int = Field(description="Versions that are not deleted.")
    created: datetime


class Provenance(Answer):
    """Where a version that was imported was committed first. Whoever imported it says so."""

    store: str = Field(description="Identity of the other store's log.")
    artifact: str = Field(examples=["team/vision/images:v3"], description="What it is there.")
    author: str = Field(description="Who logged it there.")
    created: datetime = Field(description="When it was logged there.")


class Version(Answer):
    """One immutable version, with what may change about it."""

    artifact: str = Field(examples=["team/vision/images:v3"])
    collection: str
    version: str = Field(examples=["v3"])
    type: str
    digest: str = Field(description="Of all its entries: equal for equal content.")
    files: int = Field(description="Its entries, references included.")
    size_bytes: int
    aliases: list[str]
    tags: list[str]
    description: str | None
    metadata: dict[str, Any]
    base: str | None = Field(description="The version that it was made from as a difference.")
    logged_by: str | None = Field(description="The first run that logged it, if you may read that.")
    author: str
    message: str | None
    created: datetime
    updated: datetime = Field(description="When an alias, a tag or an attribute of it last changed.")
    ttl_seconds: int | None
    recalled: str | None = Field(description="Why it must not be used any more; null: it may.")
    imported: list[Provenance] = Field(description="Where it comes from, if it was imported.")


class Alias(Answer):
    """A movable name of a version."""

    alias: str = Field(examples=["prod"])
    version: str


class Entry(Answer):
    """One path of a version: a file, a reference to something elsewhere, or a folder, where levels were asked for."""

    path: str
    kind: Literal["file", "reference", "folder"]
    size_bytes: int | None = None
    digest: str | None = None
    executable: bool = False
    uri: str | None = None
    checksum: str | None = None
    object_version: str | None = None


class Code(Answer):
    """What a run executes."""

    commit: str | None
    remote: str | None
    branch: str | None
    dirty: str | None = Field(description="Whether files differed from the commit; null: there was no repository.")


class Run(Answer):
    """One execution."""

    run: str = Field(examples=["team/vision/train"])
    state: str = Field(description="running, finished, failed, killed, or crashed: long unheard of.")
    job_type: str | None
    group: str | None
    display_name: str | None
    config: dict[str, Any]
    summary: dict[str, Any]
    tags: list[str]
    author: str
    started: datetime
    finished: datetime | None
    code: Code | None


class RunInput(Answer):
    """A version that a run used."""

    artifact: str
    requested: list[str] = Field(description="The names by which the run asked for it.")
    use_as: list[str] = Field(description="The purposes that it gave.")


class RunOutput(Answer):
    """A version that a run logged."""

    artifact: str


class LineageVersion(Answer):
    """A version in a lineage."""

    artifact: str
    depth: int = Field(description="Steps from the version that was asked about; 0 is that version.")


class LineageRun(Answer):
    """A run in a lineage."""

    run: str
    depth: int


class LineageEdge(Answer):
    """A run used or logged a version."""

    artifact: str
    run: str
    kind: Literal["used", "logged"]


class Hidden(Answer):
    """How much more there is that you may read. Counting stops at 1,000 each."""

    beyond_depth: int = Field(description="Runs one step further than the depth that was asked for.")
    beyond_nodes: int = Field(description="Versions and runs that were found and left out for the bound on nodes.")


class Lineage(Answer):
    """Where a version came from, or what came of it."""

    artifact: str
    direction: Literal["up", "down"]
    versions: list[LineageVersion]
    runs: list[LineageRun]
    edges: list[LineageEdge]
    hidden: Hidden
    complete: bool = Field(description="false: a step had so many edges that some of them were not even looked at.")


class Content(Answer):
    """What an entry holds."""

    size_bytes: int | None
    digest: str | None
    executable: bool
    uri: str | None
    checksum: str | None
    object_version: str | None


class Difference(Answer):
    """A path at which two versions differ."""

    path: str
    change: Literal["added", "removed", "modified"]
    before: Content | None
    after: Content | None


class Hit(Answer):
    """What a search found."""

    collection: str
    version: str | None = Field(description="null where the name of the artifact matched.")
    path: str | None = Field(description="Of the entry, where its content matched.")


class Found(Answer):
    """What a search found, within bounds."""

    items: list[Hit]
    count: int = Field(description="How many there are, as far as they were counted.")
    complete: bool = Field(description="Whether everything was looked at, so that `count` is all there are.")


class Entities(Page[Entity]):
    """Entities by name."""


class Projects(Page[Project]):
    """Projects by name."""


class ArtifactTypes(Page[ArtifactType]):
    """Types by name."""


class Collections(Page[Collection]):
    """Collections by name."""


class Versions(Page[Version]):
    """Versions, the newest first."""


class Aliases(Page[Alias]):
    """Aliases by name."""


class Entries(Page[Entry]):
    """Entries by path."""


class Runs(Page[Run]):
    """Runs, the last started first."""


class RunInputs(Page[RunInput]):
    """By name of the artifact."""


class RunOutputs(Page[RunOutput]):
    """By name of the artifact."""


class Differences(Page[Difference]):
    """By path."""


class Grants(Page[Grant]):
    """By scope and principal."""


class Tokens(Page[Token]):
    """By scope and id."""
