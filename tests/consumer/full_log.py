"""A log with something of everything: each kind of row comes into being, and most of them end."""

from headwater_schemas.entries import Reference
from headwater_schemas.events import (
    AccessGranted,
    AliasMoved,
    ArtifactUsed,
    BlobsCondemned,
    Capture,
    DeadLetterResolved,
    DraftDiscarded,
    EntryRemoved,
    RunHeartbeat,
    RunStarted,
    RunUpdated,
    SessionsRetired,
    SettingsChanged,
    SubscriptionAdded,
    TokenCreated,
    VersionDeleted,
    VersionDescribed,
    VersionRestored,
    WriterDone,
)

from tests.consumer.events import DIGITS, MODEL, PROJECT, SHARED, added, committed, opened
from tests.support.histories import BROADCAST
from tests.support.history import UNDECODABLE, History, pack_of

FIT, OPEN = f"{PROJECT}/fit", f"{PROJECT}/open"


def write_everything(history: History) -> None:
    """Versions on each other, merged layers, shared drafts, refusals, edges, and a collection that waited."""
    history.run(FIT)
    history.write(
        RunStarted(run=OPEN, tags=("t",)),
        RunUpdated(run=OPEN, config_set='{"lr":1}', summary_set='{"loss":0}', capture=Capture(branch="main")),
        RunHeartbeat(run=OPEN, heartbeat_seconds=60),
    )
    history.commit(DIGITS, {"a": b"1", "b": b"2", "f/c": b"3"}, tags=("raw",), aliases=("best",), run=FIT)
    history.commit(DIGITS, {"a": b"4"}, base=0, removed=["b"])
    history.commit(DIGITS, {"a": b"1", "b": b"2", "f/c": b"3"}, pack=1)
    history.commit(DIGITS, {}, base=1, references=[Reference("r", "s3://bucket/r", "etag", 7, None)])
    history.write(opened(), added(SHARED, {"x": b"1", "y/z": b"2"}))
    history.write(added(SHARED, {"x": b"3"}), by="bert")
    history.write(added(SHARED, {"x/y": b"4"}), by="bert")
    history.write(EntryRemoved(collection=DIGITS, draft=SHARED, folders=("y",)), committed(SHARED, writers=2))
    history.write(WriterDone(collection=DIGITS, draft=SHARED))
    history.write(WriterDone(collection=DIGITS, draft=SHARED), by="bert")
    history.write(
        ArtifactUsed(collection=DIGITS, version=0, run=FIT, requested="digits:best"),
        AliasMoved(collection=DIGITS, alias="best", version=1),
        AliasMoved(collection=DIGITS, alias="best", version=99),
        VersionDescribed(
            collection=DIGITS, version=0, description="first", metadata_patch='{"n":1}', tags_added=("t",)
        ),
        VersionDeleted(collection=DIGITS, version=1, delete_aliases=True),
        VersionRestored(collection=DIGITS, version=1),
        BlobsCondemned(broadcast=BROADCAST, project=PROJECT, objects=(pack_of(PROJECT, 1),)),
        SettingsChanged(project=PROJECT, settings='{"draft_idle_days":3}'),
        AccessGranted(scope=PROJECT, principal="headwater|ada", role="reader"),
        AccessGranted(scope=PROJECT, principal="headwater|ada", role="admin"),
        TokenCreated(scope="vision", token="0" * 64, principal="headwater|ada"),
        SubscriptionAdded(scope="vision", subscription="hook_1", settings='{"url":"https://example.org"}'),
        SessionsRetired(broadcast=BROADCAST, before_ms=1),
    )
    draft, events = history.draft(DIGITS, {"never": b"5"})
    history.write(*events, DraftDiscarded(collection=DIGITS, draft=draft))
    history.append_undecodable(f"collection:{MODEL}")
    history.commit(MODEL, {"m": b"1"}, type="model", run=FIT)
    letter = next(r.position for r in history.log.read(0, after=-1) if r.payload == UNDECODABLE)
    history.write(
        DeadLetterResolved(key=f"collection:{MODEL}", epoch=0, partition=0, offset=letter.offset, decision="skip"),
        by="operator",
    )
