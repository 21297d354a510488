"""What retention says of one live version at one moment: what keeps it, and by which rule it goes, and when.

A time to live is over whatever a policy says. A policy never deletes the version that `latest` points to, nor one that
was restored a short while ago. An alias that the project protects, and a recall, stop both.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from headwater_runtime.days import US_PER_DAY, day_text
from headwater_schemas.events import DecidedOn
from headwater_schemas.names import LATEST
from headwater_schemas.retention import RetentionPolicy, duration_text

from headwater_consumer.queries.results import Restoration, VersionInfo

RESTORED_KEPT_DAYS = 7  # for which no policy deletes a version after it was restored: time to give it an alias
BY_TTL = "by its time to live"

_US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionStatus:
    """What is to become of a version."""

    kept: tuple[str, ...] = ()  # the rules of its policy that keep it: "among the newest 5"
    due: str | None = None  # the rule by which it goes now: "not among the newest 5"
    held: str | None = None  # what stops that: "alias prod is protected"
    expires_us: int | None = None  # when it goes if nothing else changes; None: that is not a question of time
    expires_by: str | None = None  # "by its time to live", "by the policy of images"
    decided_on: DecidedOn | None = None  # the state by which it is due

    @property
    def is_by_ttl(self) -> bool:
        """Whether its time to live decides, and no policy."""
        return self.expires_by == BY_TTL


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is known of a version when its status is asked for."""

    info: VersionInfo
    newer: int  # live versions of its collection
    restoration: Restoration | None  # None: it never was restored
    is_used: Callable[[VersionInfo], bool]  # asked only where it matters

    @property
    def since_us(self) -> int:
        """From when its age counts: it was logged then, or restored."""
        return self.info.created_us if self.restoration is None else self.restoration.last_us

    @property
    def times_restored(self) -> int:
        return 0 if self.restoration is None else self.restoration.times


def retention_status(
    judged: Judged, policy: RetentionPolicy | None, *, policy_name: str, protected: Collection[str], now_us: int
) -> RetentionStatus:
    """What `policy`, None where there is none, and its time to live say of a version at `now_us`."""
    info, ttl_s = judged.info, judged.info.ttl_seconds
    ttl_us = None if ttl_s is None else judged.since_us + ttl_s * _US_PER_S
    if ttl_s is not None and ttl_us is not None and ttl_us <= now_us:
        due = f"its time to live of {duration_text(ttl_s)} is over"
        decided_on = DecidedOn(aliases=info.aliases, times_restored=judged.times_restored, ttl_seconds=ttl_s)
        held = _held(info, protected)
        return RetentionStatus(due=due, held=held, expires_us=ttl_us, expires_by=BY_TTL, decided_on=decided_on)
    if policy is None:
        return _expiring((), ttl_us, None, policy_name)
    reasons = list(_keeping(judged, policy, now_us))
    if not reasons:
        return _due_by_policy(judged, policy, policy_name, _held(info, protected), now_us)
    ends = [until_us for _, until_us in reasons]
    policy_us = None if None in ends else max([end for end in ends if end is not None])
    return _expiring(tuple([text for text, _ in reasons]), ttl_us, policy_us, policy_name)


def _due_by_policy(
    judged: Judged, policy: RetentionPolicy, policy_name: str, held: str | None, now_us: int
) -> RetentionStatus:
    decided_on = DecidedOn(
        aliases=judged.info.aliases,
        times_restored=judged.times_restored,
        unused=policy.keep_used,
        newer=policy.keep_last,
    )
    return RetentionStatus(
        due=", ".join(_broken(policy)),
        held=held,
        expires_us=now_us,
        expires_by=f"by the policy of {policy_name}",
        decided_on=decided_on,
    )


def _expiring(kept: tuple[str, ...], ttl_us: int | None, policy_us: int | None, policy_name: str) -> RetentionStatus:
    if ttl_us is None and policy_us is None:
        return RetentionStatus(kept=kept)
    if policy_us is None or (ttl_us is not None and ttl_us <= policy_us):
        return RetentionStatus(kept=kept, expires_us=ttl_us, expires_by=BY_TTL)
    return RetentionStatus(kept=kept, expires_us=policy_us, expires_by=f"by the policy of {policy_name}")


def _keeping(judged: Judged, policy: RetentionPolicy, now_us: int) -> Iterator[tuple[str, int | None]]:
    """What keeps a version, and until when: None for as long as that lasts. Its uses are asked for last."""
    info, found = judged.info, False
    for reason in _keeping_by_itself(judged, policy, now_us):
        found = True
        yield reason
    if policy.keep_used and not found and judged.is_used(info):
        yield "used", None


def _keeping_by_itself(judged: Judged, policy: RetentionPolicy, now_us: int) -> Iterator[tuple[str, int | None]]:
    info, restoration = judged.info, judged.restoration
    if LATEST in info.aliases:
        yield "the latest version", None
    if policy.keep_all:
        yield "everything is kept", None
    if policy.keep_last is not None and judged.newer < policy.keep_last:
        yield f"among the newest {policy.keep_last:,}", None
    if policy.keep_aliased and (named := [alias for alias in info.aliases if alias != LATEST]):
        yield f"it has the alias {named[0]}", None
    if policy.keep_newer_than_s is not None:
        until_us = judged.since_us + policy.keep_newer_than_s * _US_PER_S
        if until_us > now_us:
            yield f"newer than {duration_text(policy.keep_newer_than_s)}", until_us
    if restoration is not None and (until_us := restoration.last_us + RESTORED_KEPT_DAYS * US_PER_DAY) > now_us:
        yield f"restored on {day_text(restoration.last_us)}", until_us


def _broken(policy: RetentionPolicy) -> Iterator[str]:
    """Why no rule keeps a version."""
    if policy.keep_last is not None:
        yield f"not among the newest {policy.keep_last:,}"
    if policy.keep_newer_than_s is not None:
        yield f"older than {duration_text(policy.keep_newer_than_s)}"
    if policy.keep_aliased:
        yield "without an alias"
    if policy.keep_used:
        yield "not used"


def _held(info: VersionInfo, protected: Collection[str]) -> str | None:
    if info.recalled is not None:
        return "it was recalled"
    alias = next((alias for alias in info.aliases if alias in protected), None)
    return None if alias is None else f"alias {alias} is protected"
