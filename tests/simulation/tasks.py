"""What writers do: each task is a part of a script, made from a schedule's random numbers."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from headwater_producer.commits import CommitVersion
from headwater_schemas import digests
from headwater_schemas.entries import FileEntries, FileRow, Reference
from headwater_schemas.errors import InvalidInput, StoreUnavailable
from headwater_schemas.events import (
    AliasMoved,
    ArtifactUsed,
    DraftOpened,
    EntryAdded,
    Event,
    ExpectedVersion,
    RulesChanged,
    RunFinished,
    RunHeartbeat,
    RunStarted,
    RunUpdated,
    VersionCommitted,
    VersionDeleted,
    VersionDescribed,
    VersionRecalled,
    VersionRestored,
    WriterDone,
    own_draft,
    shared_draft,
)
from headwater_schemas.names import CollectionName
from headwater_schemas.object_names import project_of

from tests.simulation import views
from tests.simulation.ledger import Entry, is_executable
from tests.simulation.writers import COLLECTIONS, PROJECT, TYPE, VERIFIED_RATE, Task, Writer

FILES_MAX = 4
UPSERTS_MAX = 3
CONTENTS = (b"", *(b"content %d " % i * (1 + 7 * (i % 3)) for i in range(8)))
PATHS = ("a", "b", "c/d", "c/e", "f")
CONTESTED_PATH = "everybody"
ON_FIRST = 2  # the shared draft that starts from v0; the others start empty
ELSEWHERE = "elsewhere"  # the path of a reference
ALIASES = ("best", "next")  # moved by hand only
OF_COMMITS = "candidate"  # moved by commits only
SHARED_DRAFTS = (0, 0, 0, 1, ON_FIRST)  # by weight: writers must meet in one
WRITERS = (2, 2, 2, 1, 3)  # how many a commit waits for, by weight: commits of one draft must agree


def log(random: Random, name: str) -> Task:
    collection = random.choice(COLLECTIONS)
    files = _some_files(random)
    reference = random.random() < 0.2
    on_latest, waits, verifies = random.random() < 0.6, random.random() < 0.6, random.random() < VERIFIED_RATE
    aliases = (OF_COMMITS,) if random.random() < 0.3 else ()

    def log_version(writer: Writer) -> Iterator[None]:
        base, before = writer.content_of_latest(collection) if on_latest else (None, {})
        kept = {*files, ELSEWHERE}
        removed = [path for path in sorted(before) if path not in kept and writer.world.random.random() < 0.3]
        references = [Reference(ELSEWHERE, f"s3://bucket/{name}")] if reference else []
        started = Started(base, before, removed)
        yield from log_files(writer, collection, files, started, references, aliases=aliases, verifies=verifies)
        if waits:
            yield from writer.wait()

    return log_version


@dataclass(frozen=True, slots=True)
class Started:
    """What a version starts from."""

    base: int | None = None
    before: Mapping[str, Entry] = field(default_factory=dict)  # what the base lists
    removed: Sequence[str] = ()  # of these paths


def log_files(
    writer: Writer,
    collection: str,
    files: Mapping[str, bytes],
    started: Started = Started(),
    references: Sequence[Reference] = (),
    *,
    aliases: tuple[str, ...] = (),
    verifies: bool = False,
) -> Iterator[None]:
    """Log a version of one's own, unless the store is away."""
    try:
        taken = dict(zip(files, writer.take(list(files.values()), verify=verifies), strict=True))
    except StoreUnavailable as error:
        writer.note(f"gives up: {error}")
        return
    yield
    executable = {path for path in files if is_executable(writer.name, path)}
    new = {path: Entry(taken[path], len(files[path]), None, path in executable) for path in files}
    new |= {r.path: Entry(None, None, r.uri) for r in references}
    meant = {path: entry for path, entry in started.before.items() if path not in started.removed} | new
    command = CommitVersion(
        collection=collection,
        type=TYPE,
        base=started.base,
        files={path: (taken[path], len(content)) for path, content in files.items()},
        executable=executable,
        references=references,
        removed=started.removed,
        aliases=aliases,
        run=f"e/p/{writer.name}",
        expected_digest=views.digest_of(meant),
    )
    yield from writer.commit(command, meant)


def share(random: Random, name: str) -> Task:
    collection, number = random.choice(COLLECTIONS[:2]), random.choice(SHARED_DRAFTS)
    draft = shared_draft(f"shared {number}")
    base = 0 if number == ON_FIRST else None  # all its writers must name the same
    upserts = [(f"{name}/{i}", random.choice(CONTENTS)) for i in range(random.randint(1, UPSERTS_MAX))]
    if random.random() < 0.3:
        upserts.append((CONTESTED_PATH, random.choice(CONTENTS)))
    removes, is_done, is_committed = random.random() < 0.2, random.random() < 0.6, random.random() < 0.6
    writers = random.choice(WRITERS) if random.random() < 0.4 else None
    description, commits_first = random.choice((None, "one", "another")), random.random() < 0.5
    opens, waits = random.random() < 0.7, random.random() < 0.3  # some rely on others to have opened it

    def bring_in(writer: Writer) -> Iterator[None]:
        if opens:
            writer.send([DraftOpened(collection=collection, draft=draft, type=TYPE, base=base)])
        for path, content in upserts:
            yield from writer.upsert(collection, draft, path, content)
            yield
            if waits:
                yield from writer.wait()
        if removes:
            writer.take_out(collection, draft, upserts[0][0])
        ends: list[Event] = [WriterDone(collection=collection, draft=draft)] if is_done else []
        if is_committed:
            commit = VersionCommitted(collection=collection, draft=draft, writers=writers, description=description)
            ends.insert(0 if commits_first else len(ends), commit)
        writer.send(ends)
        yield from writer.wait()

    return bring_in


def move_alias(random: Random, name: str) -> Task:
    collection, alias = random.choice(COLLECTIONS), random.choice(ALIASES)
    conditional, takes_off = random.random() < 0.3, random.random() < 0.2

    def move(writer: Writer) -> Iterator[None]:
        latest, _ = writer.content_of_latest(collection)
        yield
        target = None if takes_off or latest is None else writer.world.random.randint(0, latest)
        expected = ExpectedVersion(latest) if conditional else None
        writer.send([AliasMoved(collection=collection, alias=alias, version=target, expected=expected)])
        yield from writer.wait()

    return move


def change(random: Random, name: str) -> Task:
    collection, what = random.choice(COLLECTIONS), random.choice(("delete", "restore", "describe", "recall", "use"))
    flag, tag = random.random() < 0.5, random.choice(PATHS[:2])

    def change_it(writer: Writer) -> Iterator[None]:
        latest, _ = writer.content_of_latest(collection)
        yield
        version = 0 if latest is None else writer.world.random.randint(0, latest)
        event: Event
        match what:
            case "delete":
                event = VersionDeleted(collection=collection, version=version, delete_aliases=flag)
            case "restore":
                event = VersionRestored(collection=collection, version=version)
            case "describe":
                added, removed = ((tag,), ()) if flag else ((), (tag,))
                event = VersionDescribed(
                    collection=collection,
                    version=version,
                    description=f"by {name}",
                    tags_added=added,
                    tags_removed=removed,
                )
            case "recall":
                event = VersionRecalled(collection=collection, version=version, reason=f"says {name}")
            case _:
                event = ArtifactUsed(collection=collection, version=version, run=f"e/p/{name}", requested=tag)
        writer.send([event])
        if flag:
            yield from writer.wait()

    return change_it


def run(random: Random, name: str) -> Task:
    finishes, beats = random.random() < 0.7, random.random() < 0.5

    def record_run(writer: Writer) -> Iterator[None]:
        writer.send([RunStarted(run=f"e/p/{name}", job_type="train", config='{"rate":1}', tags=("t",))])
        yield
        summary = f'{{"of":"{name}"}}'
        writer.send([RunUpdated(run=f"e/p/{name}", config_set='{"epochs":3}', summary_set=summary)])
        if beats:
            yield
            writer.send([RunHeartbeat(run=f"e/p/{name}", heartbeat_seconds=600)])
        if finishes:
            writer.send([RunFinished(run=f"e/p/{name}", state="finished")])

    return record_run


def broadcast(random: Random, name: str) -> Task:
    waits, value = random.random() < 0.5, f'{{"of":"{name}"}}'

    def change_rule(writer: Writer) -> Iterator[None]:
        writer.send([RulesChanged(broadcast=uuid.uuid4().hex, project=PROJECT, rule="expiry", value=value)])
        yield
        if waits:
            yield from writer.wait()

    return change_rule


def bad(random: Random, name: str) -> Task:
    collection, which = random.choice(COLLECTIONS), random.randrange(9)

    def send_bad_input(writer: Writer) -> Iterator[None]:
        draft = own_draft(f"bad-of-{name}")
        opening = DraftOpened(collection=collection, draft=draft, type=TYPE)
        # Somebody else's content: objects are each project's own.
        own = CollectionName.parse(opening.collection).namespace
        foreign = [name for name in writer.world.blobs.ever if project_of(name) != own]
        file = FileRow("a", writer.take([b"bad"])[0], 3, writer.world.random.choice(foreign or ["no object"]), 0)
        events = _bad_events(which if foreign else 0, opening, file)
        try:
            writer.send(events)
        except InvalidInput:
            writer.note("is told at once that its input is bad")
        yield from writer.wait()

    return send_bad_input


def _bad_events(which: int, opening: DraftOpened, file: FileRow) -> Sequence[Event]:
    collection, draft = opening.collection, opening.draft
    commit = VersionCommitted(collection=collection, draft=draft)
    bad: Mapping[int, Sequence[Event]] = {
        0: [AliasMoved(collection=collection, alias="v12", version=0)],
        1: [AliasMoved(collection=collection, alias="far", version=999)],
        2: [opening, VersionCommitted(collection=collection, draft=draft, aliases=("a/b",))],
        3: [opening, VersionCommitted(collection=collection, draft=draft, expected_digest="0" * 64)],
        4: [EntryAdded(collection=collection, draft=own_draft("never-opened")), commit],
        5: [
            RunUpdated(run="e/p/never-started", summary_set='{"loss":1}'),
            RunHeartbeat(run="e/p/never-started", heartbeat_seconds=300),
            RunFinished(run="e/p/never-started", state="finished"),
        ],
        6: [
            AliasMoved(collection=collection, alias="far", version=0),
            AliasMoved(collection=collection, alias="x", version=2**70),
        ],
        7: [opening, EntryAdded(collection=collection, draft=draft, references=(Reference("../up", "s3://x"),))],
        8: [opening, EntryAdded(collection=collection, draft=draft, files=_foreign(file))],
    }
    return bad[which]


def _foreign(file: FileRow) -> FileEntries:
    columns = ([file.path], [file.digest], [file.size], [file.object_name], [file.offset])
    return FileEntries.of_columns(digests.algorithm_of(file.digest), *columns)


def _some_files(random: Random) -> dict[str, bytes]:
    paths = random.sample(PATHS, random.randint(1, FILES_MAX))
    return {path: random.choice(CONTENTS) for path in paths}


WRITING = (log, log, log, share, share, share, move_alias, change, change, run, broadcast, bad)  # by weight
