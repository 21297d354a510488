"""Deleting versions: what would come of it, one version, and all but those that are to be kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater_consumer import queries
from headwater_schemas.errors import EventRejected, InvalidInput, Reason
from headwater_schemas.events import VersionDeleted

from headwater._content.links import links_to

if TYPE_CHECKING:
    from headwater._api.collections import ArtifactCollection
    from headwater._artifact.artifact import Artifact
    from headwater._commit.client import Client

DEPENDENTS_MAX = 10_000  # what a person can look at; `headwater lineage --down` shows the rest
PRUNED_AT_ONCE = 256  # deletions that share one append


@dataclass(frozen=True, slots=True)
class DeletePreview:
    """What deleting versions would do."""

    versions: tuple[str, ...]  # "entity/project/name:vN"
    aliases: tuple[str, ...]  # that they hold
    bytes_freed: int  # of content that nothing else in the project names
    used_by: tuple[str, ...]  # the runs that used them, "entity/project/ID"
    led_to: tuple[str, ...]  # the versions that those runs logged, "entity/project/name:vN"
    referred_by: tuple[str, ...]  # the versions with references to their entries, which could not be fetched any more


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, or would be."""

    deleted: tuple[str, ...]  # "entity/project/name:vN", the newest first
    kept: int  # how many versions are left
    bytes_freed: int  # of content that nothing else in the project names


def preview(artifact: "Artifact") -> DeletePreview:
    """What deleting a version would do. Cost: reads its listing."""
    info, client = artifact._known(), artifact._bound()
    client.catch_up()
    database = client.stores.database
    runs, versions = queries.dependents(database, info.collection, info.version, limit=DEPENDENTS_MAX)
    now = queries.version_info(database, info.collection, info.version)
    return DeletePreview(
        versions=(artifact.qualified_name,),
        aliases=() if now is None else now.aliases,
        bytes_freed=queries.freed_by_deleting(database, info.collection, [info.version]),
        used_by=tuple(runs),
        led_to=tuple([f"{collection}:v{version}" for collection, version in versions]),
        referred_by=tuple(_referring(client, info)),
    )


def _referring(client: "Client", info: queries.VersionInfo) -> list[str]:
    """The live versions with references to entries of a version."""
    database = client.stores.database
    found = queries.versions_referring(database, links_to(info.collection, info.version), limit=DEPENDENTS_MAX)
    versions = dict.fromkeys((collection, version) for collection, version, _ in found)
    live = [one for one in versions if queries.resolve_version(database, one[0], f"v{one[1]}") is not None]
    return [f"{collection}:v{version}" for collection, version in live]


def delete(artifact: "Artifact", *, delete_aliases: bool) -> None:
    """Raises: EventRejected, naming the aliases that the version holds unless they are to be deleted too."""
    info, client = artifact._known(), artifact._bound()
    gone = VersionDeleted(collection=info.collection, version=info.version, delete_aliases=delete_aliases)
    try:
        client.send([gone], moves_names=True).result()
    except EventRejected as rejected:
        if rejected.reason is not Reason.VERSION_DELETED:  # two may clean up at once: it is gone, as was asked
            raise
    now = queries.version_info(client.stores.database, info.collection, info.version)
    if now is not None:
        artifact._become(now)


def prune(
    client: "Client",
    collection: "ArtifactCollection",
    keep: int,
    *,
    keep_aliased: bool,
    keep_used: bool,
    dry_run: bool,
) -> Pruned:
    """Delete all versions of a collection but the newest `keep` and those that are kept for another reason."""
    if not isinstance(keep, int) or isinstance(keep, bool) or keep < 1:
        raise InvalidInput(f"prune keeps one version or more, not {keep!r}.")
    client.catch_up()
    name, database = collection.qualified_name, client.stores.database
    old = list(_old(client, collection, keep, keep_aliased=keep_aliased, keep_used=keep_used))
    bytes_freed = queries.freed_by_deleting(database, name, old)
    if not dry_run:
        old = _delete_all(client, name, old, delete_aliases=not keep_aliased)
    left = len(collection.artifacts()) - (len(old) if dry_run else 0)
    return Pruned(tuple([f"{name}:v{version}" for version in old]), left, bytes_freed)


def _old(
    client: "Client", collection: "ArtifactCollection", keep: int, *, keep_aliased: bool, keep_used: bool
) -> Iterator[int]:
    database = client.stores.database
    for place, artifact in enumerate(collection.artifacts()):
        info = artifact._known()
        if place < keep or (keep_aliased and info.aliases):
            continue
        is_used = queries.used_by(database, info.collection, info.version, limit=1) or _referring(client, info)
        if not keep_used or not is_used:
            yield info.version


def _delete_all(client: "Client", collection: str, versions: list[int], *, delete_aliases: bool) -> list[int]:
    """Returns those that are gone: one that was given an alias meanwhile stays."""
    gone: list[int] = []
    for start in range(0, len(versions), PRUNED_AT_ONCE):
        some = versions[start : start + PRUNED_AT_ONCE]
        events = [VersionDeleted(collection=collection, version=v, delete_aliases=delete_aliases) for v in some]
        tasks = [client.send([event], moves_names=True) for event in events]
        for version, task in zip(some, tasks, strict=True):
            try:
                task.result()
                gone.append(version)
            except EventRejected as rejected:
                if rejected.reason not in (Reason.ALIAS_HELD, Reason.VERSION_DELETED):
                    raise
    return gone
