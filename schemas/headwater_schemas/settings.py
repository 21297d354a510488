"""What can be set for a whole project: each setting's name, its default, and what it can be."""

from collections.abc import Callable, Mapping
from typing import Any

from headwater_schemas import digests
from headwater_schemas.errors import InvalidInput

DIGEST_ALGORITHM = "digest_algorithm"  # by which new content is known
DRAFT_IDLE_DAYS = "draft_idle_days"  # nobody touched a draft for so long: it is discarded when maintenance runs

DEFAULTS: Mapping[str, Any] = {DIGEST_ALGORITHM: digests.DEFAULT_ALGORITHM, DRAFT_IDLE_DAYS: 7}
DRAFT_IDLE_DAYS_MAX = 36_500


def check_settings(patch: Mapping[str, Any]) -> None:
    """Raises: InvalidInput naming the first setting that is not known, or whose value it cannot have.

    None stands for the default.
    """
    for name, value in sorted(patch.items()):
        if name not in _WHAT:
            raise InvalidInput(f"{name[:100]!r} is no setting of a project. Known: {', '.join(sorted(_WHAT))}.")
        is_right, what = _WHAT[name]
        if value is not None and not is_right(value):
            raise InvalidInput(f"the setting {name} cannot be {value!r:.100}: it is {what}.")


def with_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a project that has set these."""
    return {**DEFAULTS, **settings}


def _is_algorithm(value: object) -> bool:
    return isinstance(value, str) and value in digests.DIGEST_BYTES


def _is_days(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= DRAFT_IDLE_DAYS_MAX


_WHAT: Mapping[str, tuple[Callable[[object], bool], str]] = {
    DIGEST_ALGORITHM: (_is_algorithm, f"one of {', '.join(digests.DIGEST_BYTES)}"),
    DRAFT_IDLE_DAYS: (_is_days, f"a whole number of days, 1 to {DRAFT_IDLE_DAYS_MAX:,}"),
}
