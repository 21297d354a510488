"""Stores whose lineage is looked at: pipelines of any size, and one with all that can be special about a node."""

import time
from collections.abc import Sequence
from pathlib import Path

from headwater_schemas.entries import FileEntries
from headwater_schemas.events import (
    ArtifactUsed,
    DraftOpened,
    EntryAdded,
    Event,
    RunFinished,
    RunHeartbeat,
    RunStarted,
    VersionDeleted,
    VersionRecalled,
    shared_draft,
)

from bench.fabricated import opened, version_events, write
from bench.nightly import nights
from tests.page.hostile import ARABIC, HEBREW, IMAGE, LONG, NAME, SCRIPT
from tests.support.history import files_of

P, OTHER = "team/vision", "team/shared"
ODD = f"{'e' * 128}/{LONG}"  # the project of odd names
NIGHTS_AT_ONCE = 100
HEARTBEAT_S = 1


def record_nights(store: Path, count: int) -> None:
    """`bench.nightly`, so many times."""
    all_nights = list(nights(count))
    with opened(store) as (stores, producer):
        for start in range(0, count, NIGHTS_AT_ONCE):
            write(stores, producer, [event for night in all_nights[start : start + NIGHTS_AT_ONCE] for event in night])


def record_special(store: Path) -> None:
    """Failed, killed, crashed and running runs, a draft, deleted and recalled versions, another project, a cycle."""
    events: list[Event] = [
        *_run(f"{OTHER}/collect", "collect", [], [f"{OTHER}/photos"]),
        *_run(f"{P}/prepare", "prepare", [(f"{OTHER}/photos", 0)], [f"{P}/images"]),
        *_run(f"{P}/broken", "train", [(f"{P}/images", 0)], [], state="failed"),
        *_run(f"{P}/stopped", "train", [(f"{P}/images", 0)], [], state="killed"),
        *_run(f"{P}/lost", "train", [(f"{P}/images", 0)], [], state=None),
        RunHeartbeat(run=f"{P}/lost", heartbeat_seconds=HEARTBEAT_S),
        *_run(f"{P}/good", "train", [(f"{P}/images", 0)], [f"{P}/model"]),
        *_run(f"{P}/tune", "fine-tune", [(f"{P}/model", 0)], [f"{P}/model"]),
        *_run(f"{P}/tune-2", "fine-tune", [(f"{P}/model", 1)], [f"{P}/model"]),
        *_run(f"{P}/again", "check", [(f"{P}/model", 0)], []),
        *version_events(f"{P}/model", "same-again", [_content(f"{P}/model", f"{P}/good")], run=f"{P}/again"),
        *_run(f"{P}/serve", "serve", [(f"{P}/model", 2)], [], state=None),
        *_run(f"{P}/measure", "measure", [(f"{P}/model", 0), (f"{P}/images", 0)], [f"{P}/scores"]),
        VersionDeleted(collection=f"{P}/scores", version=0, delete_aliases=True),
        VersionRecalled(collection=f"{P}/model", version=1, reason="trained on test data"),
        DraftOpened(collection=f"{P}/images", draft=shared_draft("more"), type="dataset", base=0),
        EntryAdded(
            collection=f"{P}/images",
            draft=shared_draft("more"),
            files=_content(f"{P}/images", "more"),
            writer=f"{P}/lost",
        ),
    ]
    with opened(store) as (stores, producer):
        write(stores, producer, events)
    time.sleep(2 * HEARTBEAT_S)  # the run that is lost has missed a heartbeat by now


def record_odd_names(store: Path) -> None:
    """Names of 128 characters, text from right to left, and scripts wherever free text is possible."""
    events: list[Event] = [
        *_run(f"{ODD}/{LONG}", SCRIPT, [], [f"{ODD}/{LONG}"], name=IMAGE, type_=IMAGE),
        *_run(f"{ODD}/hebrew", HEBREW, [(f"{ODD}/{LONG}", 0)], [f"{ODD}/hebrew"], name=f"{HEBREW} {ARABIC}"),
        *_run(f"{ODD}/odd", NAME, [(f"{ODD}/hebrew", 0)], [f"{ODD}/odd"], name="],\"; click n0 href 'x'"),
        *_run(f"{ODD}/none", None, [(f"{ODD}/odd", 0)], [f"{ODD}/none"]),
    ]
    with opened(store) as (stores, producer):
        write(stores, producer, events)


def _content(collection: str, run: str) -> FileEntries:
    """What a run logs: another one logs something else."""
    return files_of(collection.rpartition("/")[0], {"content.txt": f"{collection} {run}".encode()})


def _run(
    run: str,
    job_type: str | None,
    used: Sequence[tuple[str, int]],
    logged: Sequence[str],
    *,
    state: str | None = "finished",
    name: str | None = None,
    type_: str = "dataset",
) -> list[Event]:
    events: list[Event] = [RunStarted(run=run, job_type=job_type, display_name=name)]
    events += [
        ArtifactUsed(collection=collection, version=version, run=run, requested=f"v{version}")
        for collection, version in used
    ]
    for collection in logged:
        made = version_events(collection, run.rpartition("/")[2][:64], [_content(collection, run)], run=run)
        events += [DraftOpened(collection=collection, draft=made[0].draft, type=type_), *made[1:]]  # type: ignore[attr-defined]
    return events if state is None else [*events, RunFinished(run=run, state=state)]
