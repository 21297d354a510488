"""Retention as the Api has it: the policies of a project, and what they delete."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from headwater_consumer.queries import PolicyInfo
from headwater_consumer.retention.planning import plans, policy_infos
from headwater_schemas import metadata
from headwater_schemas.errors import InvalidInput, NotFound
from headwater_schemas.limits import KEEP_NEWER_SECONDS_MAX
from headwater_schemas.retention import (
    KEEP_ALIASED,
    KEEP_ALL,
    KEEP_LAST,
    KEEP_NEWER_THAN,
    KEEP_USED,
    RetentionPolicy,
    check_policy_name,
    duration_text,
)
from headwater_schemas.version_events import time_of

from headwater._commit.client import Client
from headwater._retention.policies import change_policies, changes_to


@dataclass(frozen=True)
class Policy:
    """One retention policy of a project."""

    name: str  # of an artifact, with `*` and `?` of several; "*": of the project
    keep_last: int | None  # the newest so many versions
    keep_newer_than: timedelta | None  # versions that were logged, or restored, less than this time ago
    keep_aliased: bool
    keep_used: bool  # by a run, or by references of another version
    keep_all: bool
    set_by: str
    set_at: datetime  # UTC
    message: str | None  # why


@dataclass(frozen=True)
class RetentionPreview:
    """What maintenance would delete of a project now."""

    deleted: dict[str, str]  # "entity/project/name:v3" → the rule by which it goes
    kept: dict[str, str]  # versions that would go as well, and what stops that
    asks_first: tuple[str, ...]  # artifacts of which so much goes that somebody must confirm it
    bytes_freed: int  # of content that nothing else in the project names


def policies(client: Client, project: str) -> list[Policy]:
    """The policies that hold, by name."""
    client.catch_up()
    return [policy_of(info) for info in policy_infos(client.stores.reads, project)]


def set_policy(
    client: Client,
    project: str,
    name: str,
    *,
    keep_last: int | None,
    keep_newer_than: timedelta | None,
    keep_aliased: bool,
    keep_used: bool,
    keep_all: bool,
    message: str | None,
) -> None:
    """Set a policy as a whole. Raises: InvalidInput without a rule, or naming the one that is wrong."""
    newer_than = None if keep_newer_than is None else _age_text(keep_newer_than)
    given = {KEEP_LAST: keep_last, KEEP_NEWER_THAN: newer_than}
    flags = {KEEP_ALIASED: keep_aliased, KEEP_USED: keep_used, KEEP_ALL: keep_all}
    rules = {rule: value for rule, value in {**given, **flags}.items() if value is not None and value is not False}
    wanted = {check_policy_name(name): RetentionPolicy.of(rules)}
    client.catch_up()
    change_policies(client, project, changes_to(client, project, wanted, prune=False).changed, message=message)


def remove_policy(client: Client, project: str, name: str, *, message: str | None) -> None:
    """Raises: NotFound."""
    client.catch_up()
    known = [info.name for info in policy_infos(client.stores.reads, project)]
    if name not in known:
        there = f"Its policies: {', '.join(known)}." if known else "It has none."
        raise NotFound(f"{project} has no retention policy of the name {name!r}. {there}")
    change_policies(client, project, {name: None}, message=message)


def preview(client: Client, project: str) -> RetentionPreview:
    """What maintenance would delete now. Cost: reads all versions of artifacts with a policy or a time to live."""
    client.catch_up()
    found = list(plans(client.stores.reads, project, now_us=time.time_ns() // 1000))
    return RetentionPreview(
        deleted={f"{plan.collection}:v{one.version}": one.rule for plan in found for one in plan.deletions},
        kept={f"{plan.collection}:v{version}": why for plan in found for version, why in plan.held},
        asks_first=tuple([plan.collection for plan in found if plan.needs_asking]),
        bytes_freed=sum(plan.size_bytes for plan in found),
    )


def policy_of(info: PolicyInfo) -> Policy:
    """A policy that holds, as people have it."""
    assert info.rules is not None, info.name
    policy = RetentionPolicy.of(metadata.decode(info.rules))
    newer_than = None if policy.keep_newer_than_s is None else timedelta(seconds=policy.keep_newer_than_s)
    return Policy(
        name=info.name,
        keep_last=policy.keep_last,
        keep_newer_than=newer_than,
        keep_aliased=policy.keep_aliased,
        keep_used=policy.keep_used,
        keep_all=policy.keep_all,
        set_by=info.author,
        set_at=time_of(info.since_us),
        message=info.message,
    )


def _age_text(age: timedelta) -> str:
    seconds = age.total_seconds() if isinstance(age, timedelta) else 0
    if not 1 <= seconds <= KEEP_NEWER_SECONDS_MAX:
        raise InvalidInput(f"keep_newer_than must be a timedelta of a second to 36,500 days, not {age!r:.100}.")
    return duration_text(int(seconds))
