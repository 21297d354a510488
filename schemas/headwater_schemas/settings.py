"""The settings of a project: names, defaults and allowed values."""

from collections.abc import Callable, Mapping
from typing import Any

from headwater_schemas import digests
from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import DRAFT_IDLE_DAYS_MAX

DIGEST_ALGORITHM = "digest_algorithm"  # for new content
DRAFT_IDLE_DAYS = "draft_idle_days"  # after so many days without an event, maintenance discards a draft

DEFAULTS: Mapping[str, Any] = {DIGEST_ALGORITHM: digests.DEFAULT_ALGORITHM, DRAFT_IDLE_DAYS: 7}


def check_settings(patch: Mapping[str, Any]) -> None:
    """Raises: InvalidInput naming the first setting that is unknown or has an invalid value.

    None resets a setting to its default.
    """
    for name, value in sorted(patch.items()):
        if name not in _ALLOWED:
            raise InvalidInput(
                f"{quoted(name, 100)} is no setting of a project. Use one of: {', '.join(sorted(_ALLOWED))}."
            )
        is_valid, allowed = _ALLOWED[name]
        if value is not None and not is_valid(value):
            raise InvalidInput(f"the setting {name} cannot be {value!a:.100}. Use {allowed}.")


def with_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a project, given those that it has set."""
    return {**DEFAULTS, **settings}


def _is_algorithm(value: object) -> bool:
    return isinstance(value, str) and value in digests.DIGEST_BYTES


def _is_days(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= DRAFT_IDLE_DAYS_MAX


_ALLOWED: Mapping[str, tuple[Callable[[object], bool], str]] = {
    DIGEST_ALGORITHM: (_is_algorithm, f"one of {', '.join(digests.DIGEST_BYTES)}"),
    DRAFT_IDLE_DAYS: (_is_days, f"a whole number of days, 1 to {DRAFT_IDLE_DAYS_MAX:,}"),
}
