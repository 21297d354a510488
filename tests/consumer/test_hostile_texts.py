"""Texts that not every database can hold are refused in every field of every event, on both databases alike.

Each event of a history that is all right is written with one of its texts spoiled first, then as it is: the spoiled
ones change nothing, so that the others count.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_type_hints

import pytest
from headwater_eventlog.port import NewRecord
from headwater_schemas import codec, keys
from headwater_schemas.entries import FileEntries, Reference
from headwater_schemas.errors import InvalidInput, Reason
from headwater_schemas.events import (
    EVENT_TYPES,
    AccessGranted,
    AccessRevoked,
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    BlobsMoved,
    Capture,
    DeadLetterResolved,
    DecidedOn,
    DraftDiscarded,
    DraftOpened,
    EntryAdded,
    EntryRemoved,
    Event,
    ExpectedVersion,
    Move,
    Origin,
    RulesChanged,
    RunFinished,
    RunHeartbeat,
    RunStarted,
    RunUpdated,
    SessionsRetired,
    SettingsChanged,
    Stamped,
    SubscriptionAdded,
    SubscriptionRemoved,
    TokenCreated,
    TokenRevoked,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    VersionPurged,
    VersionRecalled,
    VersionRestored,
    WriterDone,
    own_draft,
    shared_draft,
)
from headwater_schemas.limits import TEXT_LENGTH_MAX

from tests.consumer.inspection import Databases, rejections_of, rows_of
from tests.support.histories import BROADCAST
from tests.support.history import CLOCK, UNDECODABLE, History, files_of, pack_of
from tests.support.memory_log import MemoryLog

PROJECT = "team/vision"
DIGITS, RUN = f"{PROJECT}/digits", f"{PROJECT}/r1"
SHARED, OWN = shared_draft("epoch-1"), own_draft("0")

_FILES = files_of(PROJECT, {"a": b"1", "b": b"2"})
_REFERENCES = (Reference("raw", "s3://b/raw", "etag:1", 7, "version-1"),)

HISTORY: tuple[Event, ...] = (
    RunStarted(run=RUN, job_type="train", group="g", display_name="one", config='{"a":"b"}', tags=("first", "try")),
    RunUpdated(
        run=RUN,
        config_set='{"a":"c"}',
        config_removed=("b", "c"),
        summary_set='{"a":"b"}',
        summary_removed=("b", "c"),
        capture=Capture("0" * 40, "https://example.org/digits.git", "main", "no", '{"a":"b"}'),
    ),
    RunHeartbeat(run=RUN, heartbeat_seconds=300),
    RunFinished(run=RUN, state="finished"),
    DraftOpened(collection=DIGITS, draft=OWN, type="dataset"),
    DraftOpened(collection=DIGITS, draft=SHARED, type="dataset"),
    EntryAdded(collection=DIGITS, draft=SHARED, files=_FILES, references=_REFERENCES, writer=RUN),
    EntryRemoved(collection=DIGITS, draft=SHARED, paths=("b", "c"), folders=("d", "e"), writer=RUN),
    WriterDone(collection=DIGITS, draft=SHARED, writer=RUN),
    VersionCommitted(
        collection=DIGITS,
        draft=SHARED,
        description="all of them",
        metadata='{"a":"b"}',
        aliases=("best", "nightly"),
        tags=("clean", "small"),
        run=RUN,
    ),
    AliasMoved(collection=DIGITS, alias="best", version=0, expected=ExpectedVersion(version=0)),
    ArtifactUsed(collection=DIGITS, version=0, run=RUN, requested="digits:best", use_as="test data"),
    VersionDescribed(
        collection=DIGITS,
        version=0,
        description="most of them",
        metadata='{"a":"b"}',
        metadata_patch='{"a":"c"}',
        tags_added=("checked", "seen"),
        tags_removed=("clean", "small"),
    ),
    VersionDeleted(
        collection=DIGITS,
        version=0,
        delete_aliases=True,
        decided_on=DecidedOn(aliases=("best", "latest", "nightly")),
    ),
    VersionRestored(collection=DIGITS, version=0),
    VersionRecalled(collection=DIGITS, version=0, reason="swapped"),
    DraftDiscarded(collection=DIGITS, draft=OWN),
    BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=(pack_of(PROJECT, 7), pack_of(PROJECT, 8))),
    BlobsMoved(project=PROJECT, moves=(Move(pack_of(PROJECT, 7), 1, 2, pack_of(PROJECT, 9), 3),)),
    RulesChanged(broadcast=BROADCAST, project=PROJECT, rule="expiry", value='{"a":"b"}'),
    SessionsRetired(broadcast=BROADCAST, before_ms=0),
    AccessGranted(scope=PROJECT, principal="harvard|grace", role="writer"),
    AccessRevoked(scope=PROJECT, principal="harvard|grace"),
    TokenCreated(scope=PROJECT, token="a" * 64, principal="headwater|grace", expires_ms=1),
    TokenRevoked(scope=PROJECT, token="a" * 64),
    SettingsChanged(project=PROJECT, settings='{"digest_algorithm":"blake3"}'),
    SubscriptionAdded(scope=PROJECT, subscription="deploy", settings='{"url":"https://example.org"}'),
    SubscriptionRemoved(scope=PROJECT, subscription="deploy"),
)
RESOLVED = DeadLetterResolved(key=keys.collection_key(DIGITS), epoch=0, partition=0, offset=0, decision="skip")
PURGED = VersionPurged(collection=DIGITS, version=0, epoch=0, partition=0, offset=0)

Spoil = Callable[[str], str]


def spoiled(record: Any, spoil: Spoil) -> Iterator[tuple[str, Any]]:
    """`record` with one of its texts spoiled, for each of them; with the name of the field."""
    hints = get_type_hints(type(record))
    for field in fields(record):
        value = getattr(record, field.name)
        for index, other in _spoiled_value(value, hints[field.name], spoil):
            yield f"{field.name}{index}", replace(record, **{field.name: other})


def _spoiled_value(value: Any, hint: Any, spoil: Spoil) -> Iterator[tuple[str, Any]]:
    if isinstance(value, str):
        yield "", spoil(value)
    elif isinstance(value, tuple | list) and value and not isinstance(value[0], int):
        last = len(value) - 1  # the first of several is easily looked at alone
        for index, other in _spoiled_value(value[last], hint, spoil):
            yield f"[{last}]{index}", type(value)([*value[:last], other])
    elif is_dataclass(value):
        assert not isinstance(value, type)
        for name, other in spoiled(value, spoil):
            yield f".{name}", other


def variants(event: Event, spoil: Spoil) -> dict[str, Event]:
    """`event` with each of its texts spoiled, by "event-name.field"."""
    return {f"{event.name}.{name}": other for name, other in spoiled(event, spoil)}


# Fields that are empty in some events here: numbers, and what is refused whatever it holds.
_NO_TEXTS = {
    *("base", "ttl_seconds", "writers", "expected_digest", "last_event", "before_ms"),
    *("expect_latest", "rights", "transaction", "imported", "heartbeat_seconds"),
}


def test_every_type_of_event_with_all_of_its_texts_is_spoiled() -> None:
    assert {type(event) for event in (*HISTORY, RESOLVED, PURGED)} == set(EVENT_TYPES)
    for event in (*HISTORY, RESOLVED, PURGED):
        empty = [f.name for f in fields(event) if getattr(event, f.name) in (None, (), "")]
        assert empty == [] or {*empty} <= _NO_TEXTS


def _with_nul(text: str) -> str:
    return f"{text}\x00"


def _too_long(text: str) -> str:
    return text + "x" * (TEXT_LENGTH_MAX + 1 - len(text))


@pytest.mark.parametrize("spoil", [_with_nul, _too_long])
def test_no_event_counts_that_has_such_a_text_anywhere(databases: Databases, spoil: Spoil) -> None:
    reasons: dict[str, list[str]] = {}
    with databases.empty() as database:
        history = History(MemoryLog(), database)
        for event in HISTORY:
            for name, other in variants(event, spoil).items():
                before = len(rejections_of(database))
                _write_as(history, event, other)
                reasons[name] = rejections_of(database)[before:]
            refused = len(rejections_of(database))
            history.write(event)
            assert len(rejections_of(database)) == refused, f"{event.name} is all right"

    assert {name: found for name, found in reasons.items() if found != [Reason.INVALID]} == {}


def _write_as(history: History, event: Event, other: Event) -> None:
    """Under the key that it has: what is in the record's key and not in the event's is looked at apart."""
    history.writer("bert")
    history.write(other, by="bert" if other.key == event.key else f"bert of {other.key}")


@pytest.mark.parametrize("spoil", [_with_nul, _too_long])
def test_no_decision_about_a_dead_letter_counts_that_has_such_a_text(databases: Databases, spoil: Spoil) -> None:
    with databases.empty() as database:
        history = History(MemoryLog(), database)
        letter = history.append_undecodable(RESOLVED.key)
        resolved = replace(RESOLVED, offset=letter)

        for other in variants(resolved, spoil).values():
            _write_as(history, resolved, other)

        assert rejections_of(database) == [Reason.INVALID] * 2
        assert rows_of(database, "SELECT payload FROM dead_letters") == [(UNDECODABLE,)]
        history.write(resolved)
        assert rows_of(database, "SELECT 1 FROM dead_letters") == []


@pytest.mark.parametrize("spoil", [_with_nul, _too_long])
@pytest.mark.parametrize("field", ["author", "message"])
def test_no_event_counts_of_a_writer_that_says_so_of_itself(databases: Databases, spoil: Spoil, field: str) -> None:
    with databases.empty() as database:
        history = History(log := MemoryLog(), database)
        origin = Origin(session="0" * 48, sequence=0, clock=CLOCK, author="ada")
        event = RunStarted(run=RUN)

        log.append([NewRecord(event.key, codec.encode(Stamped(replace(origin, **{field: spoil("ada")}), event)))])
        history.project()

        assert rejections_of(database) == [Reason.INVALID]
        assert rows_of(database, "SELECT run FROM runs") == []


# --- lone surrogates ----------------------------------------------------------------------------------------------

PLACEHOLDER = "\u20ac\u20ac\u20ac"
SURROGATE = b"\xed\xa0\x80" * 3  # as UTF-8 would be if it had one; as long as the placeholder


def _with_placeholder(text: str) -> str:
    return text + PLACEHOLDER


def _with_surrogate(text: str) -> str:
    return f"{text}\ud800"


@pytest.mark.parametrize("event", [*HISTORY, RESOLVED, PURGED], ids=lambda event: event.name)
def test_an_event_with_a_lone_surrogate_is_never_written(event: Event) -> None:
    origin = Origin(session="0" * 48, sequence=0, clock=CLOCK, author="ada")

    written = []
    for name, other in variants(event, _with_surrogate).items():
        try:
            codec.encode(Stamped(origin, other))
        except InvalidInput:
            continue
        written.append(name)

    assert written == []


def test_an_event_with_the_bytes_of_a_lone_surrogate_is_a_dead_letter(databases: Databases) -> None:
    """As a writer of another make can send it. Each has a partition of its own: what comes after it would wait."""
    payloads = {
        name: _with_surrogate_bytes(other)
        for event in (*HISTORY, RESOLVED, PURGED)
        for name, other in variants(event, _with_placeholder).items()
    }
    log = MemoryLog(len(payloads))
    log.append([NewRecord("run:r", payload, (), partition) for partition, payload in enumerate(payloads.values())])

    with databases.empty() as database:
        History(log, database).project()

        letters = dict(rows_of(database, "SELECT partition, error FROM dead_letters"))
        assert [name for n, name in enumerate(payloads) if "is damaged" not in letters.get(n, "")] == []
        assert rejections_of(database) == []


def _with_surrogate_bytes(event: Event) -> bytes:
    origin = Origin(session="0" * 48, sequence=0, clock=CLOCK, author="ada")
    payload = codec.encode(Stamped(origin, event))
    assert payload.count(PLACEHOLDER.encode()) == 1
    return payload.replace(PLACEHOLDER.encode(), SURROGATE)


# --- JSON ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        RunStarted(run=RUN, config='{"a":"\\ud800"}'),
        RunUpdated(run=RUN, config_set='{"a":"\\ud800"}'),
        RunUpdated(run=RUN, summary_set='{"a":"\\ud800"}'),
        RunUpdated(run=RUN, capture=Capture(environment='{"a":"\\ud800"}')),
        VersionCommitted(collection=DIGITS, draft=SHARED, metadata='{"a":"\\ud800"}'),
        VersionDescribed(collection=DIGITS, version=0, metadata='{"a":"\\ud800"}'),
        VersionDescribed(collection=DIGITS, version=0, metadata_patch='{"\\ud800":1}'),
        RulesChanged(broadcast=BROADCAST, project=PROJECT, rule="expiry", value='{"a":"\\ud800"}'),
        SettingsChanged(project=PROJECT, settings='{"digest_algorithm":"\\ud800"}'),
        SubscriptionAdded(scope=PROJECT, subscription="deploy", settings='{"a":"\\ud800"}'),
    ],
    ids=lambda event: event.name,
)
def test_no_json_counts_that_stands_for_a_lone_surrogate(databases: Databases, event: Event) -> None:
    with databases.empty() as database:
        history = History(MemoryLog(), database)
        history.commit(DIGITS, {"a": b"1"})
        history.write(DraftOpened(collection=DIGITS, draft=SHARED, type="dataset"))

        history.write(event)

        assert rejections_of(database) == [Reason.INVALID]


def test_files_have_columns_that_are_spoiled_too() -> None:
    spoiled_fields = set(variants(HISTORY[6], _with_nul))

    assert {"entry-added.files.paths[1]", "entry-added.files.objects[0]"} <= spoiled_fields
    assert {f"entry-added.references[0].{f.name}" for f in fields(Reference)} - spoiled_fields == {
        "entry-added.references[0].size"
    }
    assert {f.name for f in fields(FileEntries)} == {
        "algorithm", "paths", "digests", "sizes", "objects", "object_indexes", "offsets", "executable"
    }  # fmt: skip
