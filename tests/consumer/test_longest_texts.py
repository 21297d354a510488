"""The longest texts that the limits allow are projected, on both databases; keys that nobody makes harm none."""

from dataclasses import replace
from random import Random

import pytest
from headwater_consumer import queries
from headwater_eventlog.port import KEY_BYTES_MAX, NewRecord
from headwater_schemas import codec, digests
from headwater_schemas.access import ADMIN
from headwater_schemas.entries import FileRow, Reference
from headwater_schemas.events import (
    SHARED_DRAFT,
    AccessGranted,
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    BlobsMoved,
    Capture,
    EntryAdded,
    EntryRemoved,
    Move,
    RulesChanged,
    RunStarted,
    RunUpdated,
    SubscriptionAdded,
    TokenCreated,
    VersionCommitted,
    VersionRecalled,
    WriterDone,
    own_draft,
    shared_draft,
)
from headwater_schemas.limits import (
    ATTEMPT_MAX,
    CHECKSUM_LENGTH_MAX,
    DISTRIBUTED_ID_LENGTH_MAX,
    EXPIRES_MS_MAX,
    LABEL_LENGTH_MAX,
    METADATA_BYTES_MAX,
    NAME_LENGTH_MAX,
    OBJECT_VERSION_LENGTH_MAX,
    OWN_DRAFT_ID_LENGTH_MAX,
    PATH_BYTES_MAX,
    PRINCIPAL_LENGTH_MAX,
    SEGMENT_BYTES_MAX,
    TEXT_LENGTH_MAX,
    URI_BYTES_MAX,
)
from headwater_schemas.object_names import file_name
from headwater_schemas.webhooks import URL_LENGTH_MAX, WebhookSettings

from tests.consumer.events import DIGITS, opened
from tests.consumer.inspection import Databases, rejections_of, rows_of, versions_of
from tests.support.entries import of_rows
from tests.support.history import History, digest_of
from tests.support.memory_log import MemoryLog

_RANDOM = Random(0)


def _letters(length: int) -> str:
    return "".join(_RANDOM.choices("abcdefghijklmnopqrstuvwxyz0123456789_-", k=length))


def _characters(length: int) -> str:
    """Printable characters of four bytes each."""
    return "".join(chr(_RANDOM.randrange(0x20000, 0x2A6D7)) for _ in range(length))


def _path() -> str:
    size = SEGMENT_BYTES_MAX // 4
    segments = [_characters(size) for _ in range(PATH_BYTES_MAX // SEGMENT_BYTES_MAX)]
    return "/".join(segments)


PROJECT = f"{_letters(NAME_LENGTH_MAX)}/{_letters(NAME_LENGTH_MAX)}"
WEBHOOK = WebhookSettings(url="https://example.org/".ljust(URL_LENGTH_MAX, "x"), collection=f"{PROJECT}/n").encode()
PRINCIPAL = f"headwater|{_characters(PRINCIPAL_LENGTH_MAX - len('headwater|'))}"
COLLECTION, RUN = f"{PROJECT}/{_letters(NAME_LENGTH_MAX)}", f"{PROJECT}/{_letters(NAME_LENGTH_MAX)}"
ALIASES, TAGS = (_characters(NAME_LENGTH_MAX),), (_characters(NAME_LENGTH_MAX),)
PATH = _path()
OBJECTS = [file_name(PROJECT, digests.pack(digests.BLAKE3, bytes([n] * 32)), ATTEMPT_MAX) for n in range(3)]
FILES = of_rows([FileRow(PATH, digest_of(b"1"), 1, OBJECTS[0], 0)], digests.XXH3)
BUCKET = "s3://"
URI = BUCKET + _characters((URI_BYTES_MAX - len(BUCKET)) // 4)
REFERENCES = (Reference("r", URI, _characters(CHECKSUM_LENGTH_MAX), 1, _characters(OBJECT_VERSION_LENGTH_MAX)),)


@pytest.mark.parametrize(
    "draft",
    [own_draft(_letters(OWN_DRAFT_ID_LENGTH_MAX)), shared_draft(_characters(DISTRIBUTED_ID_LENGTH_MAX))],
    ids=["own", "shared"],
)
def test_the_longest_texts_are_projected(databases: Databases, draft: str) -> None:
    labels = {name: _characters(LABEL_LENGTH_MAX) for name in ("job_type", "group", "display_name")}
    of_draft = {"collection": COLLECTION, "draft": draft}
    with databases.empty() as database:
        history = History(MemoryLog(), database)
        history.write(
            RunStarted(run=RUN, **labels, tags=TAGS),
            RunUpdated(
                run=RUN,
                config_set='{"' + _characters((METADATA_BYTES_MAX - 6) // 4) + '":1}',
                config_removed=(_characters(LABEL_LENGTH_MAX),),
                capture=Capture("f" * 64, _characters(LABEL_LENGTH_MAX), _characters(LABEL_LENGTH_MAX)),
            ),
            opened(draft, collection=COLLECTION, type=_characters(NAME_LENGTH_MAX)),
            EntryAdded(**of_draft, files=FILES, references=REFERENCES, writer=RUN),
            EntryAdded(**of_draft, files=FILES, writer=None),
            EntryRemoved(**of_draft, paths=("none",), folders=(PATH,), writer=RUN),
            *([WriterDone(**of_draft, writer=RUN)] if draft.startswith(SHARED_DRAFT) else []),
            VersionCommitted(**of_draft, aliases=ALIASES, tags=TAGS, run=RUN, description="é" * TEXT_LENGTH_MAX),
            AliasMoved(collection=COLLECTION, alias=ALIASES[0], version=0),
            ArtifactUsed(
                collection=COLLECTION,
                version=0,
                run=RUN,
                requested=f"{COLLECTION}:{ALIASES[0]}",
                use_as=_characters(NAME_LENGTH_MAX),
            ),
            VersionRecalled(collection=COLLECTION, version=0, reason=_characters(TEXT_LENGTH_MAX)),
            AccessGranted(scope=PROJECT, principal=PRINCIPAL, role=ADMIN),
            TokenCreated(scope=PROJECT, token="0" * 64, principal=PRINCIPAL, expires_ms=EXPIRES_MS_MAX),
            RulesChanged(broadcast="0" * 32, project=PROJECT, rule=_letters(NAME_LENGTH_MAX), value="{}"),
            SubscriptionAdded(scope=PROJECT, subscription=_letters(NAME_LENGTH_MAX), settings=WEBHOOK),
            BlobsMoved(project=PROJECT, moves=(Move(OBJECTS[1], 0, 1, OBJECTS[2], 0),)),
            BlobsCondemned(broadcast="1" * 32, project=PROJECT, objects=(OBJECTS[1],)),
        )

        assert rejections_of(database) == []
        assert [number for number, _ in versions_of(database, COLLECTION)] == [0]


def test_references_are_found_by_uris_that_differ_only_after_what_an_index_can_hold(databases: Databases) -> None:
    folder = BUCKET + _characters(1000)
    uris = {name: f"{folder}{name}/{_characters(20)}" for name in ("a", "b", "bb")}
    with databases.empty() as database:
        history = History(MemoryLog(), database)
        history.commit(DIGITS, references=[Reference(name, uri) for name, uri in uris.items()])

        for name, uri in uris.items():
            found = [(DIGITS, 0, name)]
            assert queries.versions_referencing(database, f"{folder}{name}", limit=10) == found
            assert queries.versions_referencing(database, uri.rpartition("/")[0], limit=10) == found
        assert queries.versions_referencing(database, folder, limit=10) == []
        assert queries.versions_referencing(database, folder[:-1], limit=10) == []


def test_references_of_the_longest_uris_are_found_below_a_short_one(databases: Databases) -> None:
    uris = [f"{BUCKET}bucket/{_characters(2000)}" for _ in range(3)]
    with databases.empty() as database:
        history = History(MemoryLog(), database)
        history.commit(DIGITS, references=[Reference(str(n), uri) for n, uri in enumerate(uris)])

        found = queries.versions_referencing(database, f"{BUCKET}bucket", limit=10)
        assert found == [(DIGITS, 0, "0"), (DIGITS, 0, "1"), (DIGITS, 0, "2")]


@pytest.mark.parametrize("key", ["x" * KEY_BYTES_MAX, "collection:a/b", "k\x00", f"run:{'r' * 3000}"], ids=range(4))
def test_a_record_under_a_key_that_nobody_makes_is_kept_and_harms_no_other(databases: Databases, key: str) -> None:
    with databases.empty() as database:
        history = History(log := MemoryLog(), database)
        payload = history.writer("odd").stamp(RunStarted(run=RUN)).payload
        log.append([NewRecord(key, payload), NewRecord(key, payload[:-1]), NewRecord(key, payload)])

        history.commit(DIGITS, {"a": b"1"})

        assert len(versions_of(database, DIGITS)) == 1
        ((refused,),) = rows_of(database, "SELECT key FROM rejections")
        ((parked,),) = rows_of(database, "SELECT key FROM dead_letters")
        assert refused == parked
        assert parked.startswith("unknown:")


@pytest.mark.parametrize("session", ["", "A" * 48, "x" * 5000, "0" * 47 + "\x00"], ids=range(4))
def test_an_event_of_no_session_is_refused_and_harms_no_other(databases: Databases, session: str) -> None:
    with databases.empty() as database:
        history = History(log := MemoryLog(), database)
        stamped = codec.decode(history.writer("odd").stamp(RunStarted(run=RUN)).payload)
        of_nobody = replace(stamped, origin=replace(stamped.origin, session=session))
        log.append([NewRecord(of_nobody.event.key, codec.encode(of_nobody))])

        history.commit(DIGITS, {"a": b"1"})

        assert rows_of(database, "SELECT session, reason FROM rejections") == [("", "invalid")]
        assert rows_of(database, "SELECT run FROM runs") == []
        assert len(versions_of(database, DIGITS)) == 1
