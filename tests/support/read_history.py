"""A store whose history has something for every query of the reading side, in projects that lead to each other."""

import hashlib
from pathlib import Path

from headwater_schemas.access import READER, WRITER
from headwater_schemas.captures import Capture
from headwater_schemas.entries import Reference
from headwater_schemas.events import (
    AccessGranted,
    ArtifactUsed,
    BlobsCondemned,
    EntryAdded,
    RunStarted,
    RunUpdated,
    SettingsChanged,
    SubscriptionAdded,
    TokenCreated,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    VersionRestored,
    WriterDone,
    shared_draft,
)
from headwater_schemas.limits import SESSION_DIGITS
from headwater_stores.folder import open_folder

from tests.support.history import History, files_of, pack_of

VISION, AUDIO, OTHER = "team/vision", "team/audio", "crew/vision"
IMAGES, MODEL, SOUNDS, FOREIGN = f"{VISION}/images", f"{VISION}/model", f"{AUDIO}/sounds", f"{OTHER}/images"
LARGE, PARTS, LOST = f"{VISION}/large", f"{VISION}/parts", f"{VISION}/lost"
COLLECT, TRAIN, LISTEN, ABROAD = f"{VISION}/collect", f"{VISION}/train", f"{AUDIO}/listen", f"{OTHER}/abroad"
LARGE_ENTRIES = 6_000  # more than one page
COMMIT = "0123456789abcdef0123456789abcdef01234567"
BERT, TOKEN, WEBHOOK = "headwater|bert", "ab" * 32, "cd" * 16
CONTENT = b"a cat"  # of IMAGES v0 and v1, SOUNDS v0
URI = "https://example.com/labels.csv"
OPEN = shared_draft("night")
ADA = hashlib.sha256(b"ada").hexdigest()[:SESSION_DIGITS]  # the session that most events are of


def record(folder: Path) -> None:
    """Write it to a new store in `folder`, and project it."""
    stores = open_folder(folder, create=True)
    history = History(stores.log, stores.database)
    _record_images(history)
    _record_edges(history)
    _record_drafts(history)
    _record_access(history)
    stores.close()


def _record_images(history: History) -> None:
    capture = Capture(COMMIT, "git@example.com:team/vision", "main", "no", '{"python":"3.12.1"}')
    history.run(COLLECT, job_type="collect", group="night", config='{"ä":[1,2.5,null]}', tags=("a", "b"))
    history.write(RunUpdated(run=COLLECT, capture=capture, summary_set='{"rows":3}'))
    files = {"cat.txt": CONTENT, "dogs/a.txt": b"a dog", "dogs/b/c.txt": b"a pup"}
    label = Reference("labels.csv", URI, "etag:1", 12, "v1")
    history.commit(
        IMAGES,
        files,
        pack=5,
        references=[label],
        run=COLLECT,
        aliases=["good"],
        tags=["ä", "checked"],
        metadata='{"rows":3}',
    )
    history.commit(
        IMAGES, {"dogs/a.txt": b"a better dog"}, base=0, removed=["dogs/b/c.txt"], description="Better", pack=6
    )
    history.commit(IMAGES, {"bad.txt": b"bad"}, pack=1, run=COLLECT)
    history.write(VersionDeleted(collection=IMAGES, version=2, delete_aliases=True))
    history.write(VersionDeleted(collection=IMAGES, version=1, delete_aliases=True))
    history.write(VersionRestored(collection=IMAGES, version=1))
    history.write(VersionDescribed(collection=IMAGES, version=0, tags_added=("later",), ttl_seconds=3600), by="bert")
    history.commit(LARGE, {f"{number:05}.txt": b"%d" % number for number in range(LARGE_ENTRIES)}, pack=2)
    history.commit(LARGE, {"00000.txt": b"changed", "new.txt": b"new"}, base=0, removed=["00001.txt"], pack=3)
    history.commit(
        FOREIGN,
        {"cat.txt": CONTENT, "dogs/a": b"a", "kittén": b"a"},
        references=[Reference("labels.csv", URI)],
        run=ABROAD,
    )


def _record_edges(history: History) -> None:
    """images v0 → train → model v0 → abroad (of another entity) → sounds v0."""
    history.run(TRAIN, job_type="train", state="failed")
    history.write(_used(IMAGES, TRAIN, "images:good", "training"), _used(IMAGES, TRAIN, "images:v0", "training"))
    history.commit(MODEL, {"weights": b"123"}, type="model", run=TRAIN)
    history.run(ABROAD, state=None, heartbeat_seconds=60)
    history.write(_used(MODEL, ABROAD, "model:latest", None))
    history.commit(SOUNDS, {"cat.txt": CONTENT, "one.wav": b"do"}, run=ABROAD)
    history.run(LISTEN, job_type="listen", group="night")
    history.write(_used(SOUNDS, LISTEN, "sounds:v0", "listening"), _used(IMAGES, LISTEN, "images:v0", None))


def _used(collection: str, run: str, requested: str, use_as: str | None) -> ArtifactUsed:
    return ArtifactUsed(collection=collection, version=0, run=run, requested=requested, use_as=use_as)


def _record_drafts(history: History) -> None:
    draft, events = history.draft(PARTS, {"a": b"1", "b": b"2"}, draft=shared_draft("parts"))
    history.write(*events)
    again = EntryAdded(collection=PARTS, draft=draft, files=files_of(VISION, {"a": b"3"}, pack=4))
    history.write(again, WriterDone(collection=PARTS, draft=draft), by="bert")
    history.write(VersionCommitted(collection=PARTS, draft=draft))
    for collection in (PARTS, SOUNDS):
        _, events = history.draft(collection, {"z": b"26"}, draft=OPEN)
        history.write(*events)
    history.write(VersionDescribed(collection=LOST, version=7, description="of no version"))
    history.write(RunStarted(run=f"{VISION}/again", job_type="train"), by="bert")


def _record_access(history: History) -> None:
    history.write(BlobsCondemned(broadcast="c" * 32, project=VISION, objects=(pack_of(VISION, 9),)))
    history.write(SettingsChanged(project=AUDIO, settings='{"digest_algorithm":"blake3","draft_idle_days":3}'))
    history.write(
        SettingsChanged(project=VISION, settings='{"retention":{"*":{"keep_last":5},"old-*":{"keep_used":true}}}'),
        SettingsChanged(project=VISION, settings='{"retention":{"old-*":null}}'),
    )
    history.write(
        AccessGranted(scope="team", principal=BERT, role=READER),
        AccessGranted(scope=VISION, principal=BERT, role=WRITER),
        TokenCreated(scope=VISION, token=TOKEN, principal=BERT),
        SubscriptionAdded(scope=VISION, subscription=WEBHOOK, settings='{"url":"https://example.com/hook"}'),
    )
