"""What each text in an event may be.

The projector checks every event by this table before it makes a row of it, so that a database meets nothing that one of
its indexes or columns cannot hold. JSON, paths and entries are checked where they are decoded.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache, partial
from typing import Any

from headwater_schemas.access import check_principal, check_role, check_scope, check_token_hash
from headwater_schemas.errors import InvalidInput, InvalidName
from headwater_schemas.events import DIRTY, OWN_DRAFT, SHARED_DRAFT, Capture, DecidedOn, Event, Move, Origin
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.keys import check_broadcast, check_key, check_session
from headwater_schemas.names import (
    ArtifactReference,
    CollectionName,
    RunName,
    check_alias,
    check_commit,
    check_distributed_id,
    check_label,
    check_name,
    check_own_draft_id,
    check_project,
    check_purpose,
    check_text,
    check_type,
)
from headwater_schemas.object_names import check_object_name
from headwater_schemas.record_values import values_of
from headwater_schemas.references import check_reference

Check = Callable[[Any], object]


def check_fields(record: Origin | Event) -> None:
    """Raises: InvalidInput, or an error derived from it, naming the first value that cannot be stored."""
    record_type: type = type(record)
    checked, checks = _checks_of(record_type)
    for value, check in zip(checked(record), checks, strict=True):
        if value is None:
            continue
        if isinstance(value, tuple):
            for item in value:
                if item is not None:
                    check(item)
        else:
            check(value)


def check_draft(draft: str) -> str:
    """Return `draft` if it is the id of a draft; raise InvalidName if not."""
    if draft.startswith(SHARED_DRAFT):
        check_distributed_id(draft.removeprefix(SHARED_DRAFT))
    elif draft.startswith(OWN_DRAFT):
        check_own_draft_id(draft.removeprefix(OWN_DRAFT))
    else:
        raise InvalidName(
            f"{quoted(draft, 100)} is not the id of a draft: it begins with neither '{OWN_DRAFT}' nor "
            f"'{SHARED_DRAFT}'. Begin it with one of them."
        )
    return draft


def _check_move(move: Move) -> None:
    check_object_name(move.object_name)
    check_object_name(move.to_object_name)


def _check_decided_on(decided_on: DecidedOn) -> None:
    for alias in decided_on.aliases:
        check_alias(alias)


def _check_capture(capture: Capture) -> None:
    if capture.commit is not None:
        check_commit(capture.commit)
    if capture.dirty not in (None, *DIRTY):
        raise InvalidInput(
            f"{quoted(str(capture.dirty), 100)} does not say whether files differ. Use {', '.join(DIRTY)}."
        )
    for kind in ("remote", "branch"):
        if (text := getattr(capture, kind)) is not None:
            check_label(text, kind)


# A field has one meaning, whichever event has it.
CHECKS: Mapping[str, Check] = {
    "alias": check_alias,
    "aliases": check_alias,
    "author": partial(check_label, kind="author"),
    "broadcast": check_broadcast,
    "capture": _check_capture,
    "collection": CollectionName.parse,
    "config_removed": partial(check_label, kind="name of a value"),
    "decided_on": _check_decided_on,
    "decision": partial(check_label, kind="decision"),
    "description": partial(check_text, kind="description"),
    "display_name": partial(check_label, kind="display_name"),
    "draft": check_draft,
    "expected_digest": partial(check_label, kind="expected_digest"),
    "group": partial(check_label, kind="group"),
    "job_type": partial(check_label, kind="job_type"),
    "key": check_key,
    "last_event": partial(check_label, kind="last_event"),
    "message": partial(check_text, kind="message"),
    "moves": _check_move,
    "objects": check_object_name,
    "principal": check_principal,
    "project": check_project,
    "reason": partial(check_text, kind="reason"),
    "references": check_reference,
    "requested": ArtifactReference.parse,
    "rights": partial(check_label, kind="right"),
    "role": check_role,
    "rule": partial(check_name, kind="rule"),
    "run": RunName.parse,
    "scope": check_scope,
    "session": check_session,
    "state": partial(check_label, kind="state"),
    "subscription": partial(check_name, kind="subscription"),
    "summary_removed": partial(check_label, kind="name of a value"),
    "tags": partial(check_alias, kind="tag"),
    "tags_added": partial(check_alias, kind="tag"),
    "tags_removed": partial(check_alias, kind="tag"),
    "token": check_token_hash,
    "type": check_type,
    "use_as": check_purpose,
    "writer": RunName.parse,
}
# Decoded by `metadata.decode` and `paths.find_invalid`, which bound them.
CHECKED_ELSEWHERE = frozenset(
    (
        *("config", "files", "folders", "metadata", "metadata_patch", "paths", "settings", "value"),
        *("config_set", "summary_set"),
        *("imported", "transaction"),  # the first by `provenance`; a server refuses both
    )
)


@cache
def _checks_of(record_type: type) -> tuple[Callable[[Any], tuple[Any, ...]], list[Check]]:
    """A function that gives the values of a record to check, and the check of each."""
    names = [field.name for field in fields(record_type) if field.name in CHECKS]
    return values_of(names), [CHECKS[name] for name in names]
