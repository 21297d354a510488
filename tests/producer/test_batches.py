"""What a draft brings is cut into events that keep within the limits of one event, in order and with nothing lost."""

from collections.abc import Sequence

import pytest
from headwater_producer.batches import file_events, reference_events, removal_events
from headwater_schemas import codec, digests
from headwater_schemas.entries import FileEntries, FileRow, Reference
from headwater_schemas.events import EntryAdded, EntryRemoved, Event, Origin, Stamped, shared_draft
from headwater_schemas.limits import ENTRIES_PER_EVENT_MAX, EVENT_BYTES_MAX

from tests.support.entries import of_rows
from tests.support.samples import ORIGIN

COLLECTION, DRAFT, RUN = "team/vision/digits", shared_draft("epoch-1"), "team/vision/r1"
LONG = 2000  # characters of a path


def rows_of(count: int, *, length: int = 8, algorithm: str = digests.XXH3) -> list[FileRow]:
    raw = b"\x01" * digests.DIGEST_BYTES[algorithm]
    packed = digests.pack(algorithm, raw)
    return [FileRow(f"{n:0{length}}", packed, n, f"packs/team/vision/{n % 3:032x}", 7 * n) for n in range(count)]


def files(count: int, *, length: int = 8, algorithm: str = digests.XXH3) -> FileEntries:
    return of_rows(rows_of(count, length=length, algorithm=algorithm), algorithm)


def references(count: int, *, length: int = 8) -> list[Reference]:
    return [Reference(f"{n:0{length}}", "s3://b/" + "u" * length, "etag:1", n, "v" * length) for n in range(count)]


def size_of(event: Event) -> int:
    return len(codec.encode(Stamped(ORIGIN, event)))


def paths_of(events: Sequence[EntryAdded]) -> list[str]:
    return [path for event in events for path in (*event.files.paths, *(r.path for r in event.references))]


def test_what_fits_in_one_event_is_one_event() -> None:
    batch = files(ENTRIES_PER_EVENT_MAX)

    (event,) = file_events(COLLECTION, DRAFT, batch, writer=RUN)

    assert event == EntryAdded(collection=COLLECTION, draft=DRAFT, files=batch, writer=RUN)


def test_nothing_to_say_is_no_event() -> None:
    assert list(file_events(COLLECTION, DRAFT, files(0))) == []
    assert list(reference_events(COLLECTION, DRAFT, ())) == []
    assert list(removal_events(COLLECTION, DRAFT, ())) == []


@pytest.mark.parametrize("count", [ENTRIES_PER_EVENT_MAX + 1, 2 * ENTRIES_PER_EVENT_MAX, 3 * ENTRIES_PER_EVENT_MAX - 1])
def test_files_are_cut_by_their_number(count: int) -> None:
    events = list(file_events(COLLECTION, DRAFT, files(count)))

    full, rest = divmod(count, ENTRIES_PER_EVENT_MAX)
    assert [len(event.files) for event in events] == [ENTRIES_PER_EVENT_MAX] * full + [rest] * bool(rest)
    rows = [row for event in events for row in _rows(event.files)]
    assert rows == rows_of(count)
    assert {event.writer for event in events} == {None}


def _rows(batch: FileEntries) -> list[FileRow]:
    packed = batch.packed_digests()
    names = [batch.objects[i] for i in batch.object_indexes]
    columns = zip(batch.paths, packed, batch.sizes, names, batch.offsets, strict=True)
    return [FileRow(*row) for row in columns]


@pytest.mark.parametrize("algorithm", [digests.XXH3, digests.BLAKE3])
def test_files_with_long_paths_are_cut_by_their_bytes(algorithm: str) -> None:
    count = 2 * EVENT_BYTES_MAX // LONG

    events = list(file_events(COLLECTION, DRAFT, files(count, length=LONG, algorithm=algorithm)))

    assert paths_of(events) == [f"{n:0{LONG}}" for n in range(count)]
    assert all(size_of(event) <= EVENT_BYTES_MAX for event in events)
    assert all(size_of(event) > EVENT_BYTES_MAX // 3 for event in events), "cut no finer than by halves"


def test_references_are_cut_by_all_their_texts() -> None:
    made = references(EVENT_BYTES_MAX // LONG, length=LONG)

    events = list(reference_events(COLLECTION, DRAFT, made, writer=RUN))

    assert [reference for event in events for reference in event.references] == made
    assert all(size_of(event) <= EVENT_BYTES_MAX for event in events)
    assert all(size_of(event) > EVENT_BYTES_MAX // 3 for event in events)
    assert {event.writer for event in events} == {RUN}


def test_references_without_checksum_and_version_are_counted_too() -> None:
    made = [Reference(f"{n}", "s3://b/" + "é" * LONG) for n in range(EVENT_BYTES_MAX // LONG)]

    events = list(reference_events(COLLECTION, DRAFT, made))

    assert [reference for event in events for reference in event.references] == made
    assert all(size_of(event) <= EVENT_BYTES_MAX for event in events)


def test_removals_name_paths_and_then_folders() -> None:
    paths = [f"{n:0{LONG}}" for n in range(500)]
    folders = [f"f{n:0{LONG}}" for n in range(500)]

    events = list(removal_events(COLLECTION, DRAFT, paths, folders=folders, writer=RUN))

    assert [path for event in events for path in event.paths] == paths
    assert [folder for event in events for folder in event.folders] == folders
    assert sorted(events, key=lambda event: bool(event.folders)) == events
    assert all(size_of(event) <= EVENT_BYTES_MAX for event in events)
    assert {(event.collection, event.draft, event.writer) for event in events} == {(COLLECTION, DRAFT, RUN)}


def test_removals_are_cut_by_their_number() -> None:
    paths = [f"{n}" for n in range(ENTRIES_PER_EVENT_MAX + 1)]

    events = list(removal_events(COLLECTION, DRAFT, paths))

    assert [len(event.paths) for event in events] == [ENTRIES_PER_EVENT_MAX, 1]


def test_the_longest_names_there_can_be_still_fit_beside_a_full_batch() -> None:
    """The room that is left for everything but the entries is enough for all that the grammar of names allows."""
    name, draft = "n" * 128, shared_draft("d" * 256)
    longest = f"{name}/{name}/{name}"
    origin = Origin(session="f" * 48, sequence=2**40, clock=ORIGIN.clock, author="w" * 300, message="m" * 10_000)
    per_row = 16 + 25 + 40
    count = EVENT_BYTES_MAX // (LONG + per_row) + 1

    events = list(file_events(longest, draft, files(2 * count, length=LONG), writer=longest))

    assert all(len(codec.encode(Stamped(origin, event))) <= EVENT_BYTES_MAX for event in events)


def test_a_single_entry_always_is_an_event() -> None:
    (event,) = reference_events(COLLECTION, DRAFT, [Reference("a", "s3://b/" + "u" * EVENT_BYTES_MAX)])

    assert len(event.references) == 1


def test_removals_are_of_the_type_that_says_so() -> None:
    (event,) = removal_events(COLLECTION, DRAFT, ["a"])

    assert event == EntryRemoved(collection=COLLECTION, draft=DRAFT, paths=("a",))
