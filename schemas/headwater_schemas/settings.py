"""The settings of a project: names, defaults and allowed values."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from headwater_schemas import digests
from headwater_schemas.errors import InvalidInput, InvalidName
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import DRAFT_IDLE_DAYS_MAX, RESTORE_DAYS_MAX, RETENTION_CHANGES_MAX, TAGS_MAX
from headwater_schemas.names import LATEST, check_alias
from headwater_schemas.retention import are_policies, check_policies

DIGEST_ALGORITHM = "digest_algorithm"  # for new content
DRAFT_IDLE_DAYS = "draft_idle_days"  # after so many days without an event, maintenance discards a draft
RESTORE_DAYS = "restore_days"  # for so many days a deleted version can be restored; then its content is collected
PROTECTED_ALIASES = "protected_aliases"  # which only a maintainer moves, through a server
# On the log these are an object, alias → true, so that whoever adds or removes one (null) says nothing of the others.

RETENTION = "retention"  # policies by name, see `retention`; each is set as a whole, or removed by null
# It is no part of what a project's settings are read as: a policy is a fact of its own, with who set it.

DEFAULTS: Mapping[str, Any] = {
    DIGEST_ALGORITHM: digests.DEFAULT_ALGORITHM,
    DRAFT_IDLE_DAYS: 7,
    RESTORE_DAYS: 30,
    PROTECTED_ALIASES: [],
}


def check_settings(patch: Mapping[str, Any]) -> None:
    """Raises: InvalidInput naming the first setting that is unknown or has an invalid value.

    None resets a setting to its default, and ends the protection of one alias.
    """
    if (policies := patch.get(RETENTION)) is not None and isinstance(policies, Mapping):
        check_policies(policies)  # names the rule that is wrong
    for name, value in sorted(patch.items()):
        if name not in _ALLOWED:
            raise InvalidInput(
                f"{quoted(name, 100)} is no setting of a project. Use one of: {', '.join(sorted(_ALLOWED))}."
            )
        is_valid, allowed = _ALLOWED[name]
        if (value is not None or name == RETENTION) and not is_valid(value):
            raise InvalidInput(f"the setting {name} cannot be {value!a:.100}. Use {allowed}.")


def with_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a project as people read them, given those that it has set."""
    return {**DEFAULTS, **settings, PROTECTED_ALIASES: sorted(settings.get(PROTECTED_ALIASES, ()))}


def protection(protected: Iterable[str], unprotected: Iterable[str] = ()) -> dict[str, Any]:
    """The change of settings that protects some aliases and ends the protection of others."""
    return {PROTECTED_ALIASES: {**dict.fromkeys(protected, True), **dict.fromkeys(unprotected)}}


def _is_algorithm(value: object) -> bool:
    return isinstance(value, str) and value in digests.DIGEST_BYTES


def _is_days(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _are_aliases(value: object) -> bool:
    """Not `latest`: every commit moves that."""
    if not isinstance(value, Mapping) or len(value) > TAGS_MAX or LATEST in value:
        return False
    try:
        return all(check_alias(alias) and is_set in (True, None) for alias, is_set in value.items())
    except InvalidName:
        return False


_ALLOWED: Mapping[str, tuple[Callable[[object], bool], str]] = {
    DIGEST_ALGORITHM: (_is_algorithm, f"one of {', '.join(digests.DIGEST_BYTES)}"),
    DRAFT_IDLE_DAYS: (
        partial(_is_days, least=1, most=DRAFT_IDLE_DAYS_MAX),
        f"a whole number of days, 1 to {DRAFT_IDLE_DAYS_MAX:,}",
    ),
    RESTORE_DAYS: (
        partial(_is_days, least=0, most=RESTORE_DAYS_MAX),
        f"a whole number of days, 0 to {RESTORE_DAYS_MAX:,}",
    ),
    PROTECTED_ALIASES: (
        _are_aliases,
        f"an object with at most {TAGS_MAX} aliases other than {LATEST}, each with true, or null to end it",
    ),
    RETENTION: (
        are_policies,
        f"an object with at most {RETENTION_CHANGES_MAX} policies by name, each with its rules, or null to remove it",
    ),
}
