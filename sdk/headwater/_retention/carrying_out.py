"""Delete what retention does not keep: by events that are refused where a version has changed since the decision.

In steps: whoever is interrupted or killed has deleted some, and the next run finds the others. Of two at once, each
version is deleted by one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from headwater_consumer.retention.planning import DELETED_MAX, CollectionPlan, Deletion, plans
from headwater_schemas.errors import EventRejected, Reason
from headwater_schemas.events import VersionDeleted
from headwater_stores.telling.progress import Progress

from headwater._commit.client import Client

DELETED_PER_STEP = 256  # versions, which are confirmed before the next ones are sent

Confirm = Callable[[CollectionPlan], bool]  # whether to carry out a plan that needs asking


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done about one collection."""

    plan: CollectionPlan
    deleted: Sequence[Deletion]  # with `dry_run`, that would be deleted
    refused: Sequence[tuple[int, str]] = ()  # versions that have changed since, and how
    is_left_alone: bool = False  # nobody confirmed that so much goes


def carry_out(
    client: Client, projects: Iterable[str], *, now_us: int, confirm: Confirm, dry_run: bool
) -> Iterator[Outcome]:
    """Delete what each "entity/project" does not keep at `now_us`, collection by collection. At most DELETED_MAX.

    The caller has caught up. Raises: StoreError; what is deleted by then stays deleted.
    """
    room = DELETED_MAX
    with Progress("looking at versions", total=0, unit="", quiet=client.quiet) as progress:
        for project in projects:
            found = plans(client.stores.reads, project, now_us=now_us, room=room, progress=progress.report)
            for plan in found:
                outcome = _outcome(client, plan, confirm, dry_run=dry_run)
                room -= len(outcome.deleted)
                yield outcome


def _outcome(client: Client, plan: CollectionPlan, confirm: Confirm, *, dry_run: bool) -> Outcome:
    if dry_run:
        return Outcome(plan, plan.deletions)
    if plan.needs_asking and not confirm(plan):
        return Outcome(plan, (), is_left_alone=True)
    deleted: list[Deletion] = []
    refused: list[tuple[int, str]] = []
    title = f"deleting versions of {plan.collection}"
    with Progress(title, total=len(plan.deletions), unit="", quiet=client.quiet) as progress:
        for start in range(0, len(plan.deletions), DELETED_PER_STEP):
            some = plan.deletions[start : start + DELETED_PER_STEP]
            _delete_some(client, plan.collection, some, deleted, refused)
            progress.advance(len(some))
    return Outcome(plan, deleted, refused)


def _delete_some(
    client: Client, collection: str, some: Sequence[Deletion], deleted: list[Deletion], refused: list[tuple[int, str]]
) -> None:
    tasks = [client.send([deletion_event(collection, one)], affects_names=True, message=one.rule) for one in some]
    for one, task in zip(some, tasks, strict=True):
        try:
            task.result()
            deleted.append(one)
        except EventRejected as rejected:
            if rejected.reason is Reason.STATE_CHANGED:
                refused.append((one.version, str(rejected)))
            elif rejected.reason is not Reason.VERSION_DELETED:  # by somebody else, who tells of it
                raise


def deletion_event(collection: str, deletion: Deletion) -> VersionDeleted:
    """What deletes a version, unless it has changed since that was decided."""
    return VersionDeleted(
        collection=collection,
        version=deletion.version,
        delete_aliases=bool(deletion.decided_on.aliases),
        decided_on=deletion.decided_on,
    )
