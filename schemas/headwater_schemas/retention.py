"""Retention policies: which versions of a project are kept, and how that is written on the log.

A policy is a set of rules for the collections that its name matches. It keeps a version while any of its rules does;
maintenance deletes those that none keeps. Of several that match a collection, one counts, as a whole.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import KEEP_LAST_MAX, KEEP_NEWER_SECONDS_MAX, RETENTION_CHANGES_MAX
from headwater_schemas.names import check_name

WHOLE_PROJECT = "*"  # the name of a project's policy: it matches every collection, and all others come first

KEEP_LAST = "keep_last"
KEEP_NEWER_THAN = "keep_newer_than"
KEEP_ALIASED = "keep_aliased"
KEEP_USED = "keep_used"
KEEP_ALL = "keep_all"
RULES = (KEEP_LAST, KEEP_NEWER_THAN, KEEP_ALIASED, KEEP_USED, KEEP_ALL)

_DURATION = re.compile(r"([0-9]{1,12})([smhdw])")
_SECONDS = {"w": 7 * 86_400, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_WILD = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """The rules of one policy, of which there is one at least."""

    keep_last: int | None = None  # the newest so many live versions of a collection
    keep_newer_than_s: int | None = None  # seconds since a version was logged, or restored
    keep_aliased: bool = False
    keep_used: bool = False  # by a run, or by references of another version
    keep_all: bool = False  # everything, as an exception from another policy

    @classmethod
    def of(cls, rules: Mapping[str, Any]) -> "RetentionPolicy":
        """The policy of rules by name, as on the log and in files. Raises: InvalidInput naming the first wrong one."""
        for name, value in rules.items():
            if name not in _ALLOWED:
                raise InvalidInput(f"{quoted(name, 100)} is no rule of retention. Use one of: {', '.join(RULES)}.")
            if not _ALLOWED[name][0](value):
                raise InvalidInput(f"the rule {name} cannot be {value!a:.100}. Use {_ALLOWED[name][1]}.")
        if not rules:
            raise InvalidInput(f"a policy needs a rule, or it would keep nothing. Use one of: {', '.join(RULES)}.")
        newer_than = rules.get(KEEP_NEWER_THAN)
        return cls(
            keep_last=rules.get(KEEP_LAST),
            keep_newer_than_s=None if newer_than is None else seconds_of(newer_than),
            keep_aliased=KEEP_ALIASED in rules,
            keep_used=KEEP_USED in rules,
            keep_all=KEEP_ALL in rules,
        )

    @property
    def rules(self) -> dict[str, Any]:
        """The rules by name, as on the log and in files."""
        newer_than = None if self.keep_newer_than_s is None else duration_text(self.keep_newer_than_s)
        given = {KEEP_LAST: self.keep_last, KEEP_NEWER_THAN: newer_than}
        flags = {KEEP_ALIASED: self.keep_aliased, KEEP_USED: self.keep_used, KEEP_ALL: self.keep_all}
        return {name: value for name, value in {**given, **flags}.items() if value not in (None, False)}

    def __str__(self) -> str:
        """`keep last 5, keep newer than 90d, keep aliased`"""
        rules = self.rules.items()
        return ", ".join(name.replace("_", " ") + ("" if value is True else f" {value}") for name, value in rules)


def policy_for(policies: Mapping[str, RetentionPolicy], name: str) -> tuple[str, RetentionPolicy] | None:
    """The policy that counts for the collection of this name in its project, with the policy's own name.

    That is the one of exactly this name, or else the one with the most characters besides `*` and `?`.
    """
    matching = [pattern for pattern in policies if fnmatchcase(name, pattern)]
    if not matching:
        return None
    chosen = min(matching, key=lambda pattern: (pattern != name, -len(_WILD.sub("", pattern)), pattern))
    return chosen, policies[chosen]


def check_policy_name(name: object) -> str:
    """Return `name` if it is that of a collection in its project, or of several with `*` and `?`; raise InvalidName."""
    check_name(_WILD.sub("_", name) if isinstance(name, str) else name, "artifact")
    return str(name)


def check_policies(changes: Mapping[str, Any]) -> None:
    """Raises: InvalidInput naming the first policy that is wrong. None removes one."""
    for name, rules in changes.items():
        check_policy_name(name)
        if rules is not None and not isinstance(rules, Mapping):
            raise InvalidInput(f"the policy of {name} cannot be {rules!a:.100}. Use an object with rules, or null.")
        if rules is not None:
            RetentionPolicy.of(rules)


def are_policies(value: object) -> bool:
    """Whether `value` changes policies: an object by name, each with its rules or None."""
    if not isinstance(value, Mapping) or len(value) > RETENTION_CHANGES_MAX:
        return False
    try:
        check_policies(value)
    except InvalidInput:
        return False
    return True


def shown_name(name: str) -> str:
    """The name of a policy, for people."""
    return "the project" if name == WHOLE_PROJECT else name


def duration(text: str) -> timedelta | None:
    """`90s`, `30m`, `12h`, `7d` or `4w`; None for anything else."""
    parsed = _DURATION.fullmatch(text)
    try:
        return timedelta(seconds=int(parsed[1]) * _SECONDS[parsed[2]]) if parsed else None
    except OverflowError:
        return timedelta.max  # refused, or used, like any other that is too long


def seconds_of(text: str) -> int:
    """Whole seconds of a `duration`, which was checked."""
    time = duration(text)
    assert time is not None, text
    return int(time.total_seconds())


def duration_text(seconds: int) -> str:
    """The shortest text that `duration` reads as so many seconds, in days at most: `90d`, `36h`."""
    unit = next(unit for unit in "dhms" if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= KEEP_LAST_MAX


def _is_age(value: object) -> bool:
    time = duration(value) if isinstance(value, str) else None
    return time is not None and 1 <= time.total_seconds() <= KEEP_NEWER_SECONDS_MAX


def _is_set(value: object) -> bool:
    return value is True


_FLAG = (_is_set, "true, or leave it out")
_ALLOWED: Mapping[str, tuple[Callable[[object], bool], str]] = {
    KEEP_LAST: (_is_count, f"a whole number of versions, 1 to {KEEP_LAST_MAX:,}"),
    KEEP_NEWER_THAN: (
        _is_age,
        f"a time such as 12h, 90d or 4w, of {KEEP_NEWER_SECONDS_MAX // 86_400:,} days at most",
    ),
    KEEP_ALIASED: _FLAG,
    KEEP_USED: _FLAG,
    KEEP_ALL: _FLAG,
}
