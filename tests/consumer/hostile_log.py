"""A log of texts and records that tell interpreters apart: by Unicode, by JSON, by limits and by words."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, pairwise

from headwater_eventlog.port import NewRecord
from headwater_schemas import codec
from headwater_schemas.access import READER
from headwater_schemas.entries import Reference
from headwater_schemas.events import (
    AccessGranted,
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    Capture,
    DeadLetterResolved,
    EntryAdded,
    Event,
    RulesChanged,
    RunFinished,
    RunStarted,
    RunUpdated,
    SettingsChanged,
    Stamped,
    SubscriptionAdded,
    VersionDescribed,
    shared_draft,
)
from headwater_schemas.limits import INTEGER_DIGITS_MAX, METADATA_DEPTH_MAX, TEXT_LENGTH_MAX

from tests.consumer.events import DIGITS, PROJECT, added, committed, opened
from tests.support.histories import BROADCAST
from tests.support.history import History

RUN = f"{PROJECT}/r1"

# Python 3.11 has Unicode 14.0, 3.12 has 15.0, 3.13 has 15.1.
EMOJI_OF_14, EMOJI_OF_15, IDEOGRAPH_OF_15_1 = "\U0001fae0", "\U0001fae8", "\U0002ebf0"
NEVER_ASSIGNED, UNASSIGNED_YET = "\U0010fffe", "\u0378"
MARK_OF_15, MARK_BELOW = "\U0001e08f", "\u0323"  # a later version puts the second one first
NEW_DIGIT = "\U00011f50"  # a decimal digit of 15.0
TEXTS = (
    "",
    "plain",
    "it's",
    "both ' and \"",
    "dépôt",
    "back\\slash é",
    " a",
    "a ",
    "a\u00a0",
    "\u2003a",
    "a\u0085",
    "a\x1fb",
    "a\x00b",
    "v12",
    "v٣",
    f"v{NEW_DIGIT}",
    "İ",
    EMOJI_OF_14,
    EMOJI_OF_15,
    IDEOGRAPH_OF_15_1,
    NEVER_ASSIGNED,
    UNASSIGNED_YET,
    f"a{MARK_OF_15}{MARK_BELOW}",
    "\u200d",
    "\ue000",
    "x" * (TEXT_LENGTH_MAX + 1),
    EMOJI_OF_15 * 5000,
)
JSONS = (
    "",
    "{}",
    "[]",
    "{",
    '{"a":1,}',
    '{"a":1}x',
    '{"a" 1}',
    "{'a':1}",
    '{"a":nul}',
    '{"a":NaN}',
    '{"a":-Infinity}',
    '{"a":1e400}',
    '{"a":1e22}',
    '{"a":1e+22}',
    '{"a":0.1}',
    '{"a":5e-324}',
    '{"a":-0}',
    '{"a":-0.0}',
    '{"a":٣}',
    f'{{"a":{NEW_DIGIT}}}',
    '{"a":1,"a":2}',
    '{"a":"\\ud800"}',
    '{"\\ud800":1}',
    '{"a":"\x01"}',
    '{"a":"\\x"}',
    "\ufeff{}",
    f'{{"{EMOJI_OF_15}":"{EMOJI_OF_15}"}}',
    f'{{"{EMOJI_OF_15}":"{EMOJI_OF_15}"',
    '{"a":' * METADATA_DEPTH_MAX + "}" * METADATA_DEPTH_MAX,
    '{"a":' * (METADATA_DEPTH_MAX - 1) + "1" + "}" * (METADATA_DEPTH_MAX - 1),
    '{"a":' * METADATA_DEPTH_MAX + "1" + "}" * METADATA_DEPTH_MAX,
    '{"a":' + "[" * 900 + "]" * 900 + "}",
    '{"a":' + "[" * 100_000,
    '{"a":' + "9" * INTEGER_DIGITS_MAX + "}",
    '{"a":' + "9" * (INTEGER_DIGITS_MAX + 1) + "}",
    '{"a":' + "9" * 5000 + "}",
    '{"a":-' + "9" * 100_000 + "}",
)
PATHS = (
    EMOJI_OF_15,
    f"new/{IDEOGRAPH_OF_15_1}",
    f"\u1ea1{MARK_OF_15}",  # which is what later versions make of the next two
    f"a{MARK_OF_15}{MARK_BELOW}",
    f"a{MARK_BELOW}{MARK_OF_15}",
    f"e\u0301{MARK_OF_15}",
    f"é{MARK_OF_15}",
    f"{UNASSIGNED_YET}\u0301",
    "e\u0301",
    "é",
    "é/x",
    "\u2000",
    "\u2002",
    "\u212a",
    "K",
    "한",
    "\u1112\u1161\u11ab",
    "a\u0085b",
    f"..\x00{EMOJI_OF_15}",
)


def _events() -> Iterator[Event]:
    yield from (event for text in TEXTS for event in _with_text(text))
    yield from (event for text in JSONS for event in _with_json(text))


def _with_text(text: str) -> Iterator[Event]:
    yield RunStarted(run=RUN, job_type=text, group=text, display_name=text, tags=(text,))
    yield RunUpdated(run=RUN, config_removed=(text,), capture=Capture(remote=text, branch=text))
    yield RunUpdated(run=RUN, capture=Capture(commit=text))
    yield RunFinished(run=RUN, state=text)
    yield opened(shared_draft(text))
    yield opened(text)
    yield opened(type=text)
    yield committed(shared_draft("s"), aliases=(text,), description=text)
    yield AliasMoved(collection=DIGITS, alias=text, version=0)
    yield AliasMoved(collection=DIGITS, alias=text, version=None)
    yield ArtifactUsed(collection=DIGITS, version=0, run=RUN, requested=f"digits:{text}")
    yield VersionDescribed(collection=DIGITS, version=0, description=text)
    yield VersionDescribed(collection=DIGITS, version=0, tags_added=(text,))
    yield AccessGranted(scope=PROJECT, principal=f"headwater|{text}", role=READER)
    yield AccessGranted(scope=PROJECT, principal=text, role=text)
    yield BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=(text,))
    yield DeadLetterResolved(key=f"collection:{DIGITS}", epoch=0, partition=0, offset=0, decision=text)
    yield EntryAdded(collection=DIGITS, draft=shared_draft("s"), references=(Reference(f"r{text}", f"s3://b/{text}"),))


def _with_json(text: str) -> Iterator[Event]:
    yield RunStarted(run=RUN, config=text)
    yield RunUpdated(run=RUN, config_set=text)
    yield RunUpdated(run=RUN, summary_set=text)
    yield RunUpdated(run=RUN, capture=Capture(environment=text))
    yield VersionDescribed(collection=DIGITS, version=0, metadata=text)
    yield VersionDescribed(collection=DIGITS, version=0, metadata_patch=text)
    yield RulesChanged(broadcast=BROADCAST, project=PROJECT, rule="r", value=text)
    yield SettingsChanged(project=PROJECT, settings=text)
    yield SubscriptionAdded(scope=PROJECT, subscription="s", settings=text)
    yield SettingsChanged(project=PROJECT, settings=f'{{"draft_idle_days":{text}}}')


def write_hostile(history: History) -> None:
    """All of it, each event by a writer of its own: what came before decides as little as possible."""
    numbers = count()
    history.commit(DIGITS, {"a": b"1"})
    history.write(opened(shared_draft("s")), opened(shared_draft("paths")))
    for event in _events():
        history.writer(f"writer {next(numbers)}").write(event)
    for path in PATHS:
        history.writer(f"writer {next(numbers)}").write(added(shared_draft("paths"), {path: b"1"}))
    for both in pairwise(PATHS):
        history.writer(f"writer {next(numbers)}").write(added(shared_draft("s"), dict.fromkeys(both, b"1")))
    history.writer(f"writer {next(numbers)}").write(committed(shared_draft("paths")))
    history.log.append(list(_odd_records(history)))
    history.project()


def _odd_records(history: History) -> Iterator[NewRecord]:
    """Records under keys that nobody makes, of sessions that are none, and bytes that are no event."""
    stamped = codec.decode(history.writer("odd").stamp(RunStarted(run=f"{PROJECT}/odd")).payload)
    payload = codec.encode(stamped)
    for text in ("k", EMOJI_OF_15, "run:a/b/c\n", "x" * 4000):
        yield NewRecord(text, payload)
        yield NewRecord(text, payload[:-1])
    for session in ("", "A" * 48, EMOJI_OF_15, "x" * 5000):
        origin = replace(stamped.origin, session=session)
        yield NewRecord(stamped.event.key, codec.encode(Stamped(origin, stamped.event)))
    for who, message in ((EMOJI_OF_15, "m"), ("ada", EMOJI_OF_15 * 3), ("x" * 2000, None)):
        origin = replace(stamped.origin, author=who, message=message)
        yield NewRecord(stamped.event.key, codec.encode(Stamped(origin, stamped.event)))
    yield from (NewRecord(f"run:{PROJECT}/r{end}", payload[:end]) for end in range(0, len(payload), 7))
