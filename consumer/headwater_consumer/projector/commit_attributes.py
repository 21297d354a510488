"""What a commit gives its version besides content: aliases, tags, description, metadata, time to live, runs.

Several commits of one shared draft are one version: their aliases and tags are united, and texts that differ are
refused, so that no caller is told success for something that another one overwrote.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from headwater_schemas import codec, metadata
from headwater_schemas.errors import Reason
from headwater_schemas.events import EDIT_EXISTING, MOVE_ALIASES, SHARED_DRAFT, VersionCommitted
from headwater_schemas.frozen_unicode import quoted
from headwater_schemas.limits import TAGS_MAX, WRITERS_MAX
from headwater_schemas.names import LATEST
from headwater_schemas.provenance import check_imported, with_origin

from headwater_consumer.projector.draft_rules import describe
from headwater_consumer.projector.event_context import EventContext, RuleViolation, time_text
from headwater_consumer.projector.facts import add_tag, set_alias, set_attribute
from headwater_consumer.projector.state import Change, Put, State
from headwater_consumer.rows import (
    DELETED,
    DESCRIPTION,
    IMPORTED,
    METADATA,
    TTL,
    AliasRow,
    DraftRow,
    RunOutputRow,
    VersionAttributeRow,
    VersionRow,
)

_VALUE_SHOWN_MAX = 60  # characters, in a message


@dataclass(frozen=True, slots=True)
class GivenAttributes:
    """The attributes that one or several commits of a draft give their version."""

    description: str | None = None
    metadata: str | None = None
    ttl: str | None = None  # seconds
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, event: VersionCommitted) -> "GivenAttributes":
        ttl = None if event.ttl_seconds is None else str(event.ttl_seconds)
        aliases, tags = tuple(dict.fromkeys(event.aliases)), tuple(dict.fromkeys(event.tags))
        return cls(event.description, event.metadata, ttl, aliases, tags)

    @property
    def texts(self) -> dict[str, str]:
        """Attribute → value, of those that are given."""
        given = {DESCRIPTION: self.description, METADATA: self.metadata, TTL: self.ttl}
        return {name: value for name, value in given.items() if value is not None}

    def united(self, other: "GivenAttributes", event: VersionCommitted) -> "GivenAttributes":
        """What both give. Raises: RuleViolation when they differ; `event` is the commit that gives `other`."""
        for name, value in other.texts.items():
            check_same(event, name, self.texts.get(name), value)
        texts = self.texts | other.texts
        aliases = tuple(dict.fromkeys((*self.aliases, *other.aliases)))
        tags = tuple(dict.fromkeys((*self.tags, *other.tags)))
        for kind, names in (("tags", tags), ("aliases", aliases)):
            _check_count(event, kind, len(names))
        return GivenAttributes(texts.get(DESCRIPTION), texts.get(METADATA), texts.get(TTL), aliases, tags)

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "GivenAttributes":
        given = json.loads(text)
        return cls(**{**given, "aliases": tuple(given["aliases"]), "tags": tuple(given["tags"])})


NOTHING_GIVEN = GivenAttributes()


def given_by(draft: DraftRow, event: VersionCommitted) -> GivenAttributes:
    """What a commit gives, with what those give that wait already."""
    given = GivenAttributes.of(event)
    if draft.commit_attributes is not None:
        return GivenAttributes.from_json(draft.commit_attributes).united(given, event)
    if draft.commit_payload is not None:
        return GivenAttributes.of(waiting_commit(draft.commit_payload)).united(given, event)
    return given


def waiting_commit(payload: bytes) -> VersionCommitted:
    """The commit with this payload."""
    commit = codec.decode(payload).event
    assert isinstance(commit, VersionCommitted)
    return commit


def check_commit(event: VersionCommitted) -> None:
    """Check what a commit says by itself. Raises: RuleViolation, or an error of the JSON."""
    for kind, names in (("tags", event.tags), ("aliases", event.aliases)):
        _check_count(event, kind, len(names))
    if event.metadata is not None:
        metadata.check(event.metadata)
    if event.writers is not None and not 1 <= event.writers <= WRITERS_MAX:
        raise RuleViolation(
            Reason.INVALID,
            f"the commit of {describe(event)} waits for {event.writers:,} writers; 1 to {WRITERS_MAX:,} are allowed.",
        )
    if event.ttl_seconds is not None and event.ttl_seconds <= 0:
        raise RuleViolation(
            Reason.INVALID,
            f"the commit of {describe(event)} has a time to live of {event.ttl_seconds} s. Give a positive number.",
        )
    if event.transaction is not None:
        raise RuleViolation(
            Reason.INVALID,
            f"the commit of {describe(event)} has the field 'transaction', which has no meaning yet. Leave it out.",
        )
    if event.imported is not None:
        check_imported(event.imported)
        if event.draft.startswith(SHARED_DRAFT):
            raise RuleViolation(
                Reason.INVALID,
                f"the commit of {describe(event)} says where it was imported from, and a version of several writers "
                "is not imported. Import it as that of one writer.",
            )


def check_latest(event: VersionCommitted, state: State) -> None:
    """Raises: RuleViolation when a commit expects `latest` to be another version than it is."""
    if event.expect_latest is None:
        return
    held = state.get(AliasRow, event.collection, LATEST)
    at_present = None if held is None else held.version
    if at_present == event.expect_latest.version:
        return
    expected = _name(event.expect_latest.version)
    found = "there is no version any more"
    if at_present is not None:
        version = state.get(VersionRow, event.collection, at_present)
        assert version is not None, "an alias points to a version that exists"
        found = f"v{at_present} was logged by {version.author} at {time_text(version.created_us)}"
    raise RuleViolation(
        Reason.LATEST_MOVED,
        f"{event.collection} was to be committed while its latest version is {expected}, but {found}. "
        "Read it, and log again.",
    )


def moves_latest(event: VersionCommitted, state: State) -> bool:
    """Whether a commit makes its version the latest one. An import is not what was logged last here: it leaves the
    alias where something was.
    """
    if event.imported is None:
        return True
    held = state.get(AliasRow, event.collection, LATEST)
    return held is None or state.get(VersionAttributeRow, event.collection, held.version, IMPORTED) is not None


def set_origin(context: EventContext, event: VersionCommitted, version: int, state: State) -> list[Change]:
    """Where an imported version comes from, beside what it has of that already."""
    if event.imported is None:
        return []
    held = state.get(VersionAttributeRow, event.collection, version, IMPORTED)
    origins = with_origin(None if held is None else held.value, check_imported(event.imported))
    return [*set_attribute(state, context, event.collection, version, IMPORTED, origins)]


def permitted(event: VersionCommitted, given: GivenAttributes) -> GivenAttributes:
    """What the author may give to a version that exists already. Without access control that is everything."""
    if event.rights is None or EDIT_EXISTING in event.rights:
        return given
    return GivenAttributes(aliases=given.aliases) if MOVE_ALIASES in event.rights else NOTHING_GIVEN


def committed_again(context: EventContext, event: VersionCommitted, version: int, state: State) -> list[Change]:
    """A further commit of a sealed draft: unite what it gives with what its version has. It moves no `latest`."""
    given, name = GivenAttributes.of(event), event.collection
    is_live = state.get(VersionAttributeRow, name, version, DELETED) is None
    changes = link_runs(context, name, version, [] if event.run is None else [event.run], state) if is_live else []
    if given == NOTHING_GIVEN:
        return changes
    if not is_live:
        raise RuleViolation(
            Reason.VERSION_DELETED,
            f"{describe(event)} was sealed as {name}:v{version}, which was deleted. Restore it first.",
        )
    for attribute, value in given.texts.items():
        held = state.get(VersionAttributeRow, name, version, attribute)
        check_same(event, attribute, None if held is None else held.value, value)
    attributes = set_attributes(context, name, version, given, state, moves_latest=False)
    if attributes != set_attributes(context, name, version, permitted(event, given), state, moves_latest=False):
        raise RuleViolation(
            Reason.NOT_PERMITTED,
            f"{describe(event)} was sealed as {name}:v{version}, and {context.origin.author} may not change its "
            "aliases or attributes. Ask somebody who maintains it.",
        )
    return [*changes, *attributes]


def check_same(event: VersionCommitted, name: str, held: str | None, given: str) -> None:
    """Raises: RuleViolation when two commits of one draft differ in a text."""
    if held is not None and held != given:
        raise RuleViolation(
            Reason.COMMIT_CONFLICT,
            f"{describe(event)} was committed with the {name} {_shown(held)}, and now with {_shown(given)}. Give all "
            "commits of a draft the same one, or change it afterwards.",
        )


def set_attributes(
    context: EventContext,
    collection: str,
    version: int,
    given: GivenAttributes,
    state: State,
    *,
    moves_latest: bool = True,
) -> list[Change]:
    """Set only what was given: an existing version with the same content keeps its other attributes."""
    changes: list[Change] = []
    for name, value in given.texts.items():
        changes += set_attribute(state, context, collection, version, name, value)
    for tag in given.tags:
        changes += add_tag(state, context, collection, version, tag)
    latest = (LATEST,) if moves_latest else ()
    for alias in dict.fromkeys((*latest, *given.aliases)):
        changes += set_alias(state, context, collection, alias, version)
    return changes


def link_runs(context: EventContext, collection: str, version: int, runs: Iterable[str], state: State) -> list[Change]:
    """The edges to the runs that logged a version, as far as it does not have them."""
    new = [run for run in dict.fromkeys(runs) if state.get(RunOutputRow, collection, version, run) is None]
    return [Put(RunOutputRow(collection, version, run, context.effective_position)) for run in new]


def _check_count(event: VersionCommitted, kind: str, count: int) -> None:
    if count > TAGS_MAX:
        raise RuleViolation(
            Reason.INVALID,
            f"the commit of {describe(event)} has {count:,} {kind}; at most {TAGS_MAX} are allowed. "
            "Set the others after it.",
        )


def _name(version: int | None) -> str:
    return "none" if version is None else f"v{version}"


def _shown(value: str) -> str:
    return quoted(value, _VALUE_SHOWN_MAX)
