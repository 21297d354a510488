"""What retention would delete of a project now, collection by collection."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from headwater_schemas import metadata
from headwater_schemas.events import DecidedOn
from headwater_schemas.links import links_to
from headwater_schemas.names import CollectionName
from headwater_schemas.retention import RetentionPolicy, policy_for, shown_name
from headwater_schemas.settings import PROTECTED_ALIASES

from headwater_consumer.queries.reads import Reads
from headwater_consumer.queries.results import CollectionInfo, PolicyInfo, Restoration, VersionInfo
from headwater_consumer.retention.status import Judged, RetentionStatus, retention_status

ROWS_PER_PAGE = 1000
REFERRING_LOOKED_AT = 1000  # versions with references to another, until one is live; with as many it counts as used
DELETED_MAX = 10_000  # versions at once; the next run finds the rest
SHARE_ASKED = 0.5  # of a collection's live versions: a policy that deletes more asks first,
ASKED_MIN = 6  # where it deletes so many at least


@dataclass(frozen=True, slots=True)
class Deletion:
    """A version that goes."""

    version: int
    rule: str  # by which it goes, for people: the message of its event
    decided_on: DecidedOn


@dataclass(slots=True)
class CollectionPlan:
    """What goes of one collection."""

    collection: str
    live: int = 0  # versions now
    due: int = 0  # of them, all that go
    due_by_policy: int = 0  # of those
    deletions: list[Deletion] = field(default_factory=list)  # the oldest first; the others wait for the next run
    held: list[tuple[int, str]] = field(default_factory=list)  # versions that would go, and what stops that
    size_bytes: int = 0  # of contents that nothing else has once the deletions are carried out

    @property
    def needs_asking(self) -> bool:
        """Whether a policy deletes so much that somebody should have a look first."""
        return self.due_by_policy >= ASKED_MIN and self.due_by_policy > SHARE_ASKED * self.live


def policies_of(infos: Iterable[PolicyInfo]) -> dict[str, RetentionPolicy]:
    """The policies that hold, by name."""
    return {info.name: RetentionPolicy.of(metadata.decode(info.rules)) for info in infos if info.rules is not None}


def policy_infos(reads: Reads, project: str) -> Iterator[PolicyInfo]:
    """The policies of "entity/project" that hold, by name, with who set them."""
    after = None
    while page := reads.retention_policies(project, after=after, limit=ROWS_PER_PAGE):
        yield from [info for info in page if info.rules is not None]
        after = page[-1].name


def plans(
    reads: Reads,
    project: str,
    *,
    now_us: int,
    policies: Mapping[str, RetentionPolicy] | None = None,
    room: int = DELETED_MAX,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[CollectionPlan]:
    """The plan of each collection of "entity/project" of which something goes or is held, by name; made as it is asked.

    `policies`: instead of those that hold. At most `room` versions go in all. `progress` is called with the numbers of
    versions that were looked at, and of all. Cost: reads all versions of collections with a policy or a time to live.
    """
    if policies is None:
        policies = policies_of(policy_infos(reads, project))
    protected = frozenset(reads.project_settings(project)[PROTECTED_ALIASES])
    collections = list(_collections(reads, project, policies))
    done, total = 0, sum(info.versions for info in collections)
    for info in collections:
        plan = _plan(reads, info.collection, policies, protected, now_us=now_us, room=room)
        done += info.versions
        if progress is not None:
            progress(done, total)
        room -= len(plan.deletions)
        if plan.due or plan.held:
            yield plan


def retention_status_of(reads: Reads, info: VersionInfo, *, now_us: int) -> RetentionStatus:
    """What retention says of one version. Cost: counts the versions before it, and may look for its uses."""
    name = CollectionName.parse(info.collection)
    found = policy_for(policies_of(policy_infos(reads, name.namespace)), name.name)
    collection = reads.collection_info(info.collection)
    live = 1 if collection is None else collection.versions
    newer = live - reads.count_versions(info.collection, after=info.version) - 1
    restored = reads.restorations(info.collection, first=info.version, last=info.version)
    judged = Judged(
        info=info, newer=newer, restoration=restored[0] if restored else None, is_used=lambda one: _is_used(reads, one)
    )
    protected = reads.project_settings(name.namespace)[PROTECTED_ALIASES]
    policy_name, policy = ("", None) if found is None else (shown_name(found[0]), found[1])
    return retention_status(judged, policy, policy_name=policy_name, protected=protected, now_us=now_us)


def _collections(reads: Reads, project: str, policies: Mapping[str, RetentionPolicy]) -> Iterator[CollectionInfo]:
    """Those that have live versions, and a policy or a version with a time to live."""
    with_ttl = set(_names_with_ttl(reads, project))
    after = None
    while page := reads.collections(project, after=after, limit=ROWS_PER_PAGE):
        for info in page:
            if info.collection in with_ttl or policy_for(policies, CollectionName.parse(info.collection).name):
                yield info
        after = page[-1].collection


def _names_with_ttl(reads: Reads, project: str) -> Iterator[str]:
    after = None
    while page := reads.collections_with_ttl(project, after=after, limit=ROWS_PER_PAGE):
        yield from page
        after = page[-1]


def _plan(
    reads: Reads,
    collection: str,
    policies: Mapping[str, RetentionPolicy],
    protected: Collection[str],
    *,
    now_us: int,
    room: int,
) -> CollectionPlan:
    found = policy_for(policies, CollectionName.parse(collection).name)
    policy_name, policy = ("", None) if found is None else (shown_name(found[0]), found[1])
    plan, oldest = CollectionPlan(collection), deque[Deletion](maxlen=max(0, room))
    for judged in _judged(reads, collection):
        plan.live += 1
        status = retention_status(judged, policy, policy_name=policy_name, protected=protected, now_us=now_us)
        if status.due is None or status.decided_on is None:
            continue
        if status.held is not None:
            plan.held.append((judged.info.version, status.held))
            continue
        oldest.append(Deletion(judged.info.version, status.due, status.decided_on))
        plan.due += 1
        plan.due_by_policy += not status.is_by_ttl
    plan.deletions = list(reversed(oldest))
    if plan.deletions:
        plan.size_bytes = reads.reclaimable_bytes(collection, [one.version for one in plan.deletions])
    return plan


def _judged(reads: Reads, collection: str) -> Iterator[Judged]:
    """The live versions, the newest first."""
    newer, after = 0, None
    while page := reads.version_infos(collection, after=after, limit=ROWS_PER_PAGE):
        restored = _restored_among(reads, collection, page)
        for info in page:
            restoration = restored.get(info.version)
            yield Judged(info=info, newer=newer, restoration=restoration, is_used=lambda one: _is_used(reads, one))
            newer += 1
        after = page[-1].version


def _restored_among(reads: Reads, collection: str, page: Sequence[VersionInfo]) -> Mapping[int, Restoration]:
    found = reads.restorations(collection, first=page[-1].version, last=page[0].version)
    return {one.version: one for one in found}


def _is_used(reads: Reads, info: VersionInfo) -> bool:
    return is_used(reads, info.collection, info.version)


def is_used(reads: Reads, collection: str, version: int) -> bool:
    """Whether a run used a version, or another live version refers to its entries."""
    if reads.used_by(collection, version, limit=1):
        return True
    found = reads.versions_referencing(links_to(collection, version), limit=REFERRING_LOOKED_AT)
    others = dict.fromkeys([(name, number) for name, number, _ in found])
    is_cut = len(found) == REFERRING_LOOKED_AT
    return is_cut or any(reads.resolve_version(name, f"v{number}") is not None for name, number in others)
