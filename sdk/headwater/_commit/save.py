"""How an artifact gets onto the log: as a version, as a part of a shared draft, or as a change to what is said."""

from typing import TYPE_CHECKING, Any

from headwater_consumer import queries
from headwater_producer.commits import CommitVersion, Upsert
from headwater_schemas.errors import EventRejected, InvalidInput, NotFound, Reason
from headwater_schemas.events import AliasMoved, Event, ExpectedAlias
from headwater_schemas.names import TAGS_MAX, parse_version

from headwater._commit.pending_version import Logged
from headwater._commit.shared_drafts import FinishTask, Sharing, UpsertTask, check_writers
from headwater._commit.tasks import CommitTask, Committed
from headwater._content.attributes import UNSET
from headwater._content.content import Content
from headwater._content.overlay import Overlay
from headwater._progress import tell

if TYPE_CHECKING:
    from headwater_producer.stager import BlobStager

    from headwater._artifact.artifact import Artifact
    from headwater._commit.client import Client
    from headwater._commit.write_queue import Task


def log(
    artifact: "Artifact", client: "Client", namespace: str, run: str | None, aliases: tuple[str, ...]
) -> "Task[Committed | None]":
    """Put an artifact into the queue as a version. Raises: InvalidInput when it was logged before."""
    stager = _moved_to(artifact, client, namespace)
    command = _commit(artifact, namespace, run, aliases, expected_digest=artifact.digest, writers=None)
    deferred, taken_over = artifact._deferred, artifact._said.taken_over
    task = CommitTask(client.logger, command, artifact._content, stager, deferred, taken_over=taken_over)
    return _put(artifact, client, task, None)


def upsert(artifact: "Artifact", client: "Client", namespace: str, sharing: Sharing) -> "Task[Committed | None]":
    """Put an artifact into the queue as a part of a shared draft."""
    stager = _moved_to(artifact, client, namespace, may_flatten=False)
    if artifact._said.is_given:
        tell(
            f"{artifact.name}: description, metadata, aliases, tags and time to live of a shared draft are "
            "those of the artifact that finishes it; those of this part are not kept"
        )
    command = Upsert(collection=f"{namespace}/{artifact._name}", type=artifact.type, base=None, files={})
    task = UpsertTask(client.logger, command, artifact._content, stager, artifact._deferred, sharing)
    return _put(artifact, client, task, sharing.draft)


def finish(
    artifact: "Artifact", client: "Client", namespace: str, sharing: Sharing, writers: int | None
) -> "Task[Committed | None]":
    """Put the commit of a shared draft into the queue, with what `artifact` adds: nothing, where it is a part of it."""
    waits_for = check_writers(writers)
    content, deferred, part = artifact._content, artifact._deferred, None
    if artifact._part_of == sharing.draft and artifact._namespace == namespace:
        content, deferred, stager = Content(), {}, client.stager(namespace)
        part = None if artifact._logged is None else artifact._logged.task_here()
    else:
        stager = _moved_to(artifact, client, namespace, may_flatten=False)
    command = _commit(artifact, namespace, sharing.writer, (), expected_digest=None, writers=waits_for)
    task = FinishTask(client.logger, command, content, stager, deferred, sharing, part)
    return _put(artifact, client, task, sharing.draft)


def log_outside(artifact: "Artifact") -> None:
    """Log an artifact with the run that is active, else with none."""
    from headwater._run.run import active_run, client_and_namespace

    run = active_run()
    if run is not None:
        run.log_artifact(artifact)
        return
    client, namespace = client_and_namespace()
    log(artifact, client, artifact._namespace or namespace, None, ())


def save_changes(artifact: "Artifact") -> None:
    """Send what was changed of what is said about a version, and wait. Raises: EventRejected, InvalidMetadata."""
    info, client, said = artifact._known(), artifact._bound(), artifact._said
    events: list[Event] = [*said.events(info.collection, info.version, lambda: _recorded(artifact).metadata)]
    events += [AliasMoved(collection=info.collection, alias=a, version=info.version) for a in said.aliases_added]
    tasks = [client.send(events, moves_names=True)] if events else []
    for alias in _still_here(artifact, said.aliases_removed):
        off = AliasMoved(
            collection=info.collection, alias=alias, version=None, expected=ExpectedAlias(version=info.version)
        )
        tasks.append(client.send([off], moves_names=True))
    for task in tasks:
        try:
            task.result()
        except EventRejected as rejected:
            if rejected.reason is not Reason.ALIAS_MOVED:  # somebody moved it meanwhile: it is off this version
                raise
    artifact._become(_recorded(artifact))


def move_alias(artifact: "Artifact", alias: str, expect: Any) -> None:
    """Point an alias to a version at once. Raises: EventRejected saying who holds it, if that was not expected."""
    info = artifact._known()
    moved = AliasMoved(collection=info.collection, alias=alias, version=info.version, expected=_expected(expect))
    artifact._bound().send([moved], moves_names=True).result()


def _expected(expect: Any) -> ExpectedAlias | None:
    if expect is UNSET:
        return None
    if expect is None:
        return ExpectedAlias(version=None)
    version = parse_version(expect.rpartition(":")[2]) if isinstance(expect, str) else None
    if version is None:
        raise InvalidInput(f"an alias is expected on a version such as 'v3', or None, not on {expect!r}.")
    return ExpectedAlias(version=version)


def _still_here(artifact: "Artifact", aliases: list[str]) -> list[str]:
    if not aliases:
        return []
    now = _recorded(artifact)
    return [alias for alias in aliases if alias in now.aliases]


def _recorded(artifact: "Artifact") -> queries.VersionInfo:
    """What is recorded about a version by now."""
    info, client = artifact._known(), artifact._bound()
    client.catch_up_on(info.collection)
    now = queries.version_info(client.stores.database, info.collection, info.version)
    if now is None:
        raise NotFound(f"{artifact.qualified_name} is not in the projection. Run `headwater doctor`.")
    return now


def _commit(
    artifact: "Artifact",
    namespace: str,
    run: str | None,
    aliases: tuple[str, ...],
    *,
    expected_digest: str | None,
    writers: int | None,
) -> CommitVersion:
    said = artifact._said
    moved = tuple(dict.fromkeys((*said.aliases, *aliases)))
    for kind, names in (("aliases", moved), ("tags", said.tags)):
        if len(names) > TAGS_MAX:
            raise InvalidInput(
                f"{artifact._name} would be logged with {len(names):,} {kind}; at most {TAGS_MAX} go at once. "
                "Add the others afterwards, with `artifact.save()`."
            )
    return CommitVersion(
        collection=f"{namespace}/{artifact._name}",
        type=artifact.type,
        base=None,
        files={},
        description=said.description,
        metadata=said.metadata_text,
        aliases=moved,
        tags=tuple(said.tags),
        ttl_seconds=said.ttl_seconds,
        run=run,
        expected_digest=expected_digest,
        writers=writers,
    )


def _moved_to(artifact: "Artifact", client: "Client", namespace: str, *, may_flatten: bool = True) -> "BlobStager":
    """Say where an artifact goes. A draft that goes elsewhere than its base has all of its content there."""
    artifact._check_open()
    if artifact._client is not None:
        if artifact._client.url != client.url:
            raise InvalidInput(
                f"{artifact._name} was filled for the store {artifact._client.url}, but the run logs to {client.url}. "
                "Make the artifact after `headwater.init`."
            )
        artifact._client.check_process()  # filled before a fork, it is handed over by way of what the child inherited
    content, collection = artifact._content, f"{namespace}/{artifact._name}"
    if isinstance(content, Overlay) and content.base.collection != collection:
        if not may_flatten:
            raise InvalidInput(
                f"a draft of {content.base.collection} cannot join a shared draft of {collection}. "
                "Open the run in the project of the base."
            )
        artifact._content = content.flattened()
    artifact._client, artifact._namespace = client, namespace
    return artifact._stager if artifact._stager is not None else client.stager(namespace)


def _put(
    artifact: "Artifact", client: "Client", task: "Task[Committed | None]", draft: str | None
) -> "Task[Committed | None]":
    client.put(task)
    if artifact._info is None:
        artifact._logged = Logged(client, f"{artifact._namespace}/{artifact._name}", task, draft)
    artifact._part_of = draft
    return task
