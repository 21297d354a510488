"""Put a record into the write queue: as a version, as a part of a shared draft, or as the commit that seals one."""

from headwater_producer.commits import CommitVersion, Upsert
from headwater_schemas.errors import InvalidInput
from headwater_schemas.limits import TAGS_MAX
from headwater_schemas.names import CollectionName
from headwater_stores.telling.progress import notify

from headwater._commit.client import Client
from headwater._commit.commit_task import CommitTask
from headwater._commit.pending_version import PendingVersion
from headwater._commit.record import CommitRecord
from headwater._commit.shared_drafts import FinishTask, SharedDraft, UpsertTask
from headwater._commit.task import Task
from headwater._commit.tasks import Committed


def log_version(client: Client, record: CommitRecord, run: str | None) -> PendingVersion:
    """Log a version, as an output of `run`. Raises: InvalidInput, StoreReadOnly."""
    command = _commit_command(record, run, expected_digest=record.content.sum().digest(), writers=None)
    task = CommitTask(client.queue, client.session, record, command)
    return _enqueue(client, record, task, None)


def upsert_part(client: Client, record: CommitRecord, shared: SharedDraft) -> PendingVersion:
    """Log a part of a shared draft. Raises: StoreReadOnly."""
    if record.attributes.is_given:
        notify(
            f"{client.session.shown(record.collection)}: ignored description, metadata, aliases, tags or time to live: "
            "a shared draft takes them from the artifact that finishes it"
        )
    command = Upsert(collection=record.collection, type=record.type, base=None, files={})
    task = UpsertTask(client.queue, client.session, record, command, shared)
    return _enqueue(client, record, task, shared.draft)


def finish_draft(client: Client, record: CommitRecord, shared: SharedDraft, writers: int | None) -> PendingVersion:
    """Log the commit of a shared draft, with what `record` adds to it. Raises: InvalidInput, StoreReadOnly."""
    command = _commit_command(record, shared.writer, expected_digest=None, writers=writers)
    part = None if record.part is None else record.part.task_of_this_process()
    task = FinishTask(client.queue, client.session, record, command, shared, part)
    return _enqueue(client, record, task, shared.draft)


def _commit_command(
    record: CommitRecord, run: str | None, *, expected_digest: str | None, writers: int | None
) -> CommitVersion:
    attributes = record.attributes
    aliases = tuple(dict.fromkeys((*attributes.aliases, *record.aliases)))
    for kind, names in (("aliases", aliases), ("tags", attributes.tags)):
        if len(names) > TAGS_MAX:
            raise InvalidInput(
                f"{_name_of(record)} has {len(names):,} {kind}; at most {TAGS_MAX} can be logged at once. Add the "
                "rest afterwards with `artifact.save()`."
            )
    return CommitVersion(
        collection=record.collection,
        type=record.type,
        base=None,
        files={},
        description=attributes.description,
        metadata=attributes.metadata_text,
        aliases=aliases,
        tags=tuple(attributes.tags),
        ttl_seconds=attributes.ttl_seconds,
        run=run,
        expected_digest=expected_digest,
        expect_latest=record.expect_latest,
        writers=writers,
    )


def _enqueue(client: Client, record: CommitRecord, task: Task[Committed | None], draft: str | None) -> PendingVersion:
    client.enqueue(task)
    return PendingVersion(client, record.collection, task, draft)


def _name_of(record: CommitRecord) -> str:
    return CollectionName.parse(record.collection).name
