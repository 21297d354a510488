"""Version events as subscribers are told them: CloudEvents 1.0 in JSON, by whatever way they come.

`version_event_schemas/` has the JSON schema of each kind's `data`, as `KIND.N.json`. A release may add fields to a
kind; whoever reads events passes over fields that it does not know. What a field means never changes: that would be a
new N, which is also at the end of the event's type. Nothing here does I/O but `schema_text`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from headwater_schemas.errors import InvalidInput
from headwater_schemas.frozen_unicode import quoted

VERSION_COMMITTED = "version-committed"
VERSION_DEDUPLICATED = "version-deduplicated"
VERSION_DELETED = "version-deleted"
VERSION_RESTORED = "version-restored"
VERSION_PURGED = "version-purged"
VERSION_DESCRIBED = "version-described"
VERSION_RECALLED = "version-recalled"
ALIAS_MOVED = "alias-moved"
ARTIFACT_USED = "artifact-used"
DRAFT_OPENED = "draft-opened"
DRAFT_DISCARDED = "draft-discarded"
RUN_STARTED = "run-started"
RUN_FINISHED = "run-finished"

_ABOUT_ONE_KIND = frozenset(("run", "alias", "draft", "reason", "state"))
_OF_COLLECTION = ("collection", "artifact_type")
_OF_VERSION = (*_OF_COLLECTION, "version", "digest")
# Kind → the fields of its data, beside `project`, `author` and `message`.
FIELDS: Mapping[str, tuple[str, ...]] = {
    VERSION_COMMITTED: (*_OF_VERSION, "run"),
    VERSION_DEDUPLICATED: (*_OF_VERSION, "run"),
    VERSION_DELETED: _OF_VERSION,
    VERSION_RESTORED: _OF_VERSION,
    VERSION_PURGED: _OF_VERSION,
    VERSION_DESCRIBED: _OF_VERSION,
    VERSION_RECALLED: (*_OF_VERSION, "reason"),
    ALIAS_MOVED: (*_OF_VERSION, "alias", "before"),
    ARTIFACT_USED: (*_OF_VERSION, "run"),
    DRAFT_OPENED: (*_OF_COLLECTION, "draft"),
    DRAFT_DISCARDED: (*_OF_COLLECTION, "draft"),
    RUN_STARTED: ("run",),
    RUN_FINISHED: ("run", "state"),
}
KINDS = tuple(FIELDS)
# Kind → the field that says what the projection calls the detail of the event.
DETAILS: Mapping[str, str] = {
    kind: field for kind, fields in FIELDS.items() for field in fields if field in _ABOUT_ONE_KIND
}
RUN_KINDS = frozenset((RUN_STARTED, RUN_FINISHED))

CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
SCHEMA_NUMBER = 1  # of every kind, by now

_SPEC_VERSION = "1.0"
_TYPE = re.compile(r"headwater\.([a-z]+(?:-[a-z]+)+)\.v([1-9][0-9]{0,3})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEvent:
    """One thing that happened to a version, an alias, a shared draft or a run. Fields that its kind lacks are None."""

    id: str  # the same in every replay of the log, and however often the event is told
    kind: str  # of KINDS
    project: str  # "entity/project"
    time: datetime  # UTC, by the log's clock; never goes back within a collection or run
    author: str
    message: str | None
    cursor: str  # with which one goes on after this event
    collection: str | None = None  # "entity/project/name"
    artifact_type: str | None = None
    version: str | None = None  # "v3"; of an alias, the version that it is on now, None where it was removed
    digest: str | None = None  # of that version
    run: str | None = None  # "entity/project/ID": that started, finished, logged the version or used it
    alias: str | None = None
    before: str | None = None  # the version that the alias was on
    draft: str | None = None  # the `distributed_id`
    reason: str | None = None  # of a recall
    state: str | None = None  # of a run that finished: "finished", "failed" or "killed"

    @property
    def subject(self) -> str:
        """The collection or run. All events of one subject come in order."""
        subject = self.run if self.kind in RUN_KINDS else self.collection
        assert subject is not None, self.kind
        return subject

    @property
    def artifact(self) -> str | None:
        """What `headwater.Api().artifact` takes: "entity/project/name:v3"; None without a version."""
        return None if self.version is None else f"{self.collection}:{self.version}"

    @property
    def data(self) -> dict[str, Any]:
        """What the event says, by the schema of its kind."""
        given = {name: getattr(self, name) for name in FIELDS[self.kind]}
        return {"project": self.project, **given, "author": self.author, "message": self.message}

    def to_json(self) -> dict[str, Any]:
        """The event as CloudEvents 1.0 has it in JSON."""
        return {
            "specversion": _SPEC_VERSION,
            "id": self.id,
            "source": f"/headwater/projects/{self.project}",
            "type": event_type(self.kind),
            "subject": self.subject,
            "time": self.time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "dataschema": schema_uri(self.kind),
            "cursor": self.cursor,
            "data": self.data,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "VersionEvent":
        """The event that `to_json` told, by this release or a later one.

        Raises: InvalidInput when `told` is none, or its kind or the number of its schema is not known here.
        """
        kind = _known_kind(told.get("type"))
        try:
            data = told["data"]
            fields = {name: data[name] for name in FIELDS[kind]}
            event = cls(
                id=told["id"],
                kind=kind,
                project=data["project"],
                time=datetime.fromisoformat(told["time"]),
                author=data["author"],
                message=data["message"],
                cursor=told["cursor"],
                **fields,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"this is no version event as headwater tells it: {_shown(error)} is wrong.") from None
        return event


def is_known(type_name: object) -> bool:
    """Whether this release knows events of this type; a later one may tell others."""
    found = _TYPE.fullmatch(type_name) if isinstance(type_name, str) else None
    return found is not None and found[1] in FIELDS and int(found[2]) <= SCHEMA_NUMBER


def event_type(kind: str) -> str:
    """The `type` of a kind's events."""
    return f"headwater.{kind}.v{SCHEMA_NUMBER}"


def schema_uri(kind: str) -> str:
    """The name of the JSON schema of a kind's data, which is its `$id`."""
    return f"urn:headwater:version-event:{kind}:{SCHEMA_NUMBER}"


def schema_text(kind: str) -> str:
    """The JSON schema of a kind's data. Reads a file of this package."""
    from importlib.resources import files  # not before one is asked for

    name = f"{kind}.{SCHEMA_NUMBER}.json"
    return (files("headwater_schemas") / "version_event_schemas" / name).read_text("utf-8")


def check_kinds(kinds: object) -> frozenset[str]:
    """The kinds that were asked for; one may be given as text. Raises: InvalidInput for one that is unknown."""
    if isinstance(kinds, str):
        kinds = (kinds,)
    if not isinstance(kinds, Iterable):
        raise InvalidInput(f"kinds of version events are a list of names, not {type(kinds).__name__}.")
    asked = frozenset(kinds)
    for kind in asked:
        if kind not in FIELDS:
            raise InvalidInput(
                f"{quoted(str(kind), 60)} is no kind of version event. The kinds are {', '.join(KINDS)}."
            )
    return asked


def time_of(time_us: int) -> datetime:
    """Microseconds since 1970 as a time in UTC."""
    return _EPOCH + timedelta(microseconds=time_us)


def microseconds_of(time: datetime) -> int:
    """A time, with its zone, as microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def _known_kind(type_name: object) -> str:
    """Raises: InvalidInput."""
    if not is_known(type_name):
        raise InvalidInput(
            f"{quoted(str(type_name), 60)} is no type of event that this release knows. Where a newer release told it, "
            "upgrade headwater."
        )
    assert isinstance(type_name, str), "it is known"
    return type_name.split(".")[1]


def _shown(error: Exception) -> str:
    return quoted(str(error.args[0]) if error.args else "", 60)
