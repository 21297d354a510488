"""Version events as they are told: CloudEvents whose data keep the schema of their kind."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from headwater_consumer.queries.event_pages import version_events
from headwater_schemas.event_cursors import EventCursor
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    DraftDiscarded,
    RunFinished,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
)
from headwater_schemas.version_events import KINDS, VersionEvent, schema_text, schema_uri

from tests.consumer.events import DIGITS, PROJECT, SHARED, opened, purge_of
from tests.support.history import History

RUN = f"{PROJECT}/nightly"


def _told(history: History) -> list[VersionEvent]:
    page = version_events(history.database, EventCursor(history.log.generation), limit=1000)
    return page.told()


@pytest.fixture
def told(history: History) -> list[VersionEvent]:
    """Events of every kind."""
    history.run(RUN, state=None)
    history.commit(DIGITS, {"a": b"1"}, run=RUN, aliases=["best"])
    history.commit(DIGITS, {"a": b"2"})
    history.commit(DIGITS, {"a": b"1"}, run=RUN)
    for event in (
        ArtifactUsed(collection=DIGITS, version=0, run=RUN, requested="latest"),
        AliasMoved(collection=DIGITS, alias="best", version=1),
        AliasMoved(collection=DIGITS, alias="best", version=None),
        VersionDescribed(collection=DIGITS, version=0, description="x"),
        VersionRecalled(collection=DIGITS, version=1, reason="bad labels"),
        VersionDeleted(collection=DIGITS, version=1, delete_aliases=True),
        VersionRestored(collection=DIGITS, version=1),
        opened(),
        DraftDiscarded(collection=DIGITS, draft=SHARED),
        RunFinished(run=RUN, state="failed"),
        VersionDeleted(collection=DIGITS, version=1),
    ):
        history.write(event)
    history.write(purge_of(history, DIGITS, 1))
    return _told(history)


def test_there_is_an_event_of_every_kind_and_each_keeps_its_schema(told: list[VersionEvent]) -> None:
    for event in told:
        jsonschema_rs.validate(json.loads(schema_text(event.kind)), event.data)

    assert {event.kind for event in told} == set(KINDS)


def test_an_event_is_a_cloud_event(told: list[VersionEvent]) -> None:
    """Every attribute that CloudEvents 1.0 requires, and only names and values that it allows."""
    for event in told:
        in_json = json.loads(json.dumps(event.to_json()))
        assert in_json.pop("data") == event.data
        assert in_json["specversion"] == "1.0"
        assert in_json["datacontenttype"] == "application/json"
        assert in_json["dataschema"] == schema_uri(event.kind)
        assert in_json["type"] == f"headwater.{event.kind}.v1"
        assert in_json["source"] == f"/headwater/projects/{PROJECT}"
        assert all(name.islower() and name.isalnum() and isinstance(value, str) for name, value in in_json.items())


def test_an_event_comes_back_from_its_json_also_with_what_a_later_release_adds(told: list[VersionEvent]) -> None:
    for event in told:
        in_json = json.loads(json.dumps(event.to_json()))
        in_json["data"]["more"] = in_json["more"] = "of a later release"
        assert VersionEvent.from_json(in_json) == event


def test_what_an_event_says_is_what_happened(history: History, told: list[VersionEvent]) -> None:
    def of(kind: str, which: int = 0) -> VersionEvent:
        return [event for event in told if event.kind == kind][which]

    committed = of("version-committed")
    assert (committed.artifact, committed.artifact_type, committed.run) == (f"{DIGITS}:v0", "dataset", RUN)
    assert committed.digest is not None
    assert committed.digest == of("version-deduplicated").digest
    assert of("version-committed", 1).run is None
    moved = [(event.alias, event.before, event.version) for event in told if event.alias == "best"]
    assert moved == [("best", None, "v0"), ("best", "v0", "v1"), ("best", "v1", None)]
    assert of("artifact-used").run == RUN
    assert of("version-recalled").reason == "bad labels"
    assert of("draft-opened").draft == of("draft-discarded").draft == SHARED
    assert (of("run-started").run, of("run-started").subject) == (RUN, RUN)
    assert of("run-finished").state == "failed"
    assert of("run-finished").artifact is None


def _changed(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def apply(told: dict[str, Any]) -> dict[str, Any]:
        change(told)
        return told

    return apply


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_changed(lambda told: told.pop("id")), "'id' is wrong"),
        (_changed(lambda told: told["data"].pop("version")), "'version' is wrong"),
        (_changed(lambda told: told.update(data=None)), "is wrong"),
        (_changed(lambda told: told.update(time="soon")), "soon"),
        (_changed(lambda told: told.update(type="headwater.version-committed.v2")), "upgrade headwater"),
        (_changed(lambda told: told.update(type="headwater.something-else.v1")), "upgrade headwater"),
        (_changed(lambda told: told.update(type=7)), "'7' is no type"),
    ],
)
def test_what_is_no_event_that_this_release_knows_is_refused(
    told: list[VersionEvent], spoil: Callable[[dict[str, Any]], dict[str, Any]], says: str
) -> None:
    committed = next(event for event in told if event.kind == "version-committed")

    with pytest.raises(ValueError, match=says):
        VersionEvent.from_json(spoil(committed.to_json()))
