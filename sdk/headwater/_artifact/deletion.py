"""Delete versions: preview the effects, delete one version, prune a collection, and restore what was deleted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.retention.planning import is_used
from headwater_schemas.errors import EventRejected, InvalidInput, Reason
from headwater_schemas.events import VersionDeleted, VersionRestored
from headwater_schemas.links import links_to

from headwater._commit.client import Client
from headwater._paging import ROWS_PER_PAGE, read_rows

DEPENDENTS_MAX = 10_000  # as many as a person can read; `headwater lineage --down` shows the rest
PRUNED_PER_APPEND = 256


@dataclass(frozen=True, slots=True)
class DeletePreview:
    """The effects of deleting versions."""

    versions: tuple[str, ...]  # "entity/project/name:vN"
    aliases: tuple[str, ...]  # that they hold
    bytes_freed: int  # of content that nothing else in the project names
    used_by: tuple[str, ...]  # the runs that used them, "entity/project/ID"
    led_to: tuple[str, ...]  # the versions that those runs logged, "entity/project/name:vN"
    referred_by: tuple[str, ...]  # the versions with references to their entries, which could not be fetched any more


@dataclass(frozen=True, slots=True)
class Pruned:
    """The versions that were deleted, or would be."""

    deleted: tuple[str, ...]  # "entity/project/name:vN", the newest first
    kept: int  # how many versions are left
    bytes_freed: int  # of content that nothing else in the project names


def preview(client: Client, info: queries.VersionInfo) -> DeletePreview:
    """The effects of deleting a version. Cost: reads its listing."""
    client.catch_up()
    reads = client.stores.reads
    runs, versions = reads.dependents(info.collection, info.version, limit=DEPENDENTS_MAX)
    now = reads.version_info(info.collection, info.version)
    return DeletePreview(
        versions=(f"{info.collection}:v{info.version}",),
        aliases=() if now is None else now.aliases,
        bytes_freed=reads.reclaimable_bytes(info.collection, [info.version]),
        used_by=tuple(runs),
        led_to=tuple([f"{collection}:v{version}" for collection, version in versions]),
        referred_by=tuple(_referring(client, info)),
    )


def _referring(client: Client, info: queries.VersionInfo) -> list[str]:
    """The live versions with references to entries of a version."""
    reads = client.stores.reads
    found = reads.versions_referencing(links_to(info.collection, info.version), limit=DEPENDENTS_MAX)
    versions = dict.fromkeys((collection, version) for collection, version, _ in found)
    live = [one for one in versions if reads.resolve_version(one[0], f"v{one[1]}") is not None]
    return [f"{collection}:v{version}" for collection, version in live]


def delete(client: Client, info: queries.VersionInfo, *, delete_aliases: bool) -> queries.VersionInfo | None:
    """Delete a version, and return its new record.

    Raises: EventRejected naming the aliases that the version has, unless `delete_aliases` is set.
    """
    deletion = VersionDeleted(collection=info.collection, version=info.version, delete_aliases=delete_aliases)
    try:
        client.send([deletion], affects_names=True).result()
    except EventRejected as rejected:
        if rejected.reason is not Reason.VERSION_DELETED:  # somebody else deleted it meanwhile, which is as requested
            raise
    return client.stores.reads.version_info(info.collection, info.version)


def restore(client: Client, collection: str, version: int) -> None:
    """Bring a deleted version back, without its former aliases; does nothing to one that is not deleted.

    Raises: EventRejected for one that never was.
    """
    client.send([VersionRestored(collection=collection, version=version)], affects_names=True).result()


def prune(client: Client, collection: str, keep: int, *, keep_aliased: bool, keep_used: bool, dry_run: bool) -> Pruned:
    """Delete all versions of a collection except the newest `keep` and those protected by an alias or a use."""
    if not isinstance(keep, int) or isinstance(keep, bool) or keep < 1:
        raise InvalidInput(f"keep must be a whole number of at least 1, not {keep!r}.")
    client.catch_up()
    reads = client.stores.reads
    old = list(_old(client, collection, keep, keep_aliased=keep_aliased, keep_used=keep_used))
    bytes_freed = reads.reclaimable_bytes(collection, old)
    if not dry_run:
        old = _delete_all(client, collection, old, delete_aliases=not keep_aliased)
    now = reads.collection_info(collection)
    kept = (0 if now is None else now.versions) - (len(old) if dry_run else 0)
    return Pruned(tuple([f"{collection}:v{version}" for version in old]), kept, bytes_freed)


def _old(client: Client, collection: str, keep: int, *, keep_aliased: bool, keep_used: bool) -> Iterator[int]:
    reads = client.stores.reads
    for newer, info in enumerate(_versions(client, collection)):
        if newer < keep or (keep_aliased and info.aliases):
            continue
        if not keep_used or not is_used(reads, info.collection, info.version):
            yield info.version


def _versions(client: Client, collection: str) -> Iterator[queries.VersionInfo]:
    """The versions that are not deleted, the newest first."""
    reads = client.stores.reads

    def page_after(last: queries.VersionInfo | None) -> Sequence[queries.VersionInfo]:
        after = None if last is None else last.version
        return reads.version_infos(collection, after=after, limit=ROWS_PER_PAGE)

    return read_rows(page_after)


def _delete_all(client: Client, collection: str, versions: list[int], *, delete_aliases: bool) -> list[int]:
    """Returns those that were deleted: a version that was given an alias meanwhile is not."""
    gone: list[int] = []
    for start in range(0, len(versions), PRUNED_PER_APPEND):
        some = versions[start : start + PRUNED_PER_APPEND]
        events = [VersionDeleted(collection=collection, version=v, delete_aliases=delete_aliases) for v in some]
        tasks = [client.send([event], affects_names=True) for event in events]
        for version, task in zip(some, tasks, strict=True):
            try:
                task.result()
                gone.append(version)
            except EventRejected as rejected:
                if rejected.reason not in (Reason.ALIAS_HELD, Reason.VERSION_DELETED):
                    raise
    return gone
