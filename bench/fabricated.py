"""Stores whose events were never logged by anybody: the write side's own commands, with content that is nowhere.

A version of a million entries is made in seconds this way; whatever only reads entries cannot tell the difference.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from headwater_eventlog.port import RECORDS_PER_APPEND_MAX, EventLog, Record
from headwater_producer.batches import file_events
from headwater_producer.producer import Producer
from headwater_schemas import digests, lthash
from headwater_schemas.entries import FileEntries, file_leaves
from headwater_schemas.events import DraftOpened, Event, VersionCommitted, own_draft
from headwater_schemas.limits import ENTRIES_PER_EVENT_MAX
from headwater_schemas.object_names import pack_name
from headwater_schemas.positions import BEFORE_FIRST
from headwater_stores.config.settings import read_settings
from headwater_stores.folder import open_folder
from headwater_stores.servers import open_servers
from headwater_stores.stores import Stores

PROJECT = "bench/bench"
FILE_BYTES = 4096
CATCH_UP_S = 1200.0
EVENTS_PER_CONFIRM = 3000


@contextmanager
def opened(folder: Path | str) -> Iterator[tuple[Stores, Producer]]:
    """A store, made where there is none, and a way to write to its log."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    stores = open_folder(Path(folder), create=True)
    try:
        yield stores, Producer(stores.log, author="bench@bench")
    finally:
        stores.close()


@contextmanager
def opened_servers() -> Iterator[tuple[Stores, Producer]]:
    """The same with the servers that the environment names, for measured processes. Somebody else projects."""
    profile = read_settings().profile
    assert profile is not None
    stores = open_servers(profile, create=True)
    try:
        yield stores, Producer(stores.log, author="bench@bench", records_per_append=RECORDS_PER_APPEND_MAX)
    finally:
        stores.close()


def path_of(n: int) -> str:
    """The path of the `n`th entry: a thousand in a folder."""
    return f"{n // 1000:05d}/{n % 1000:03d}.bin"


def files(numbers: Sequence[int], *, content: str = "") -> FileEntries:
    """The entries with these numbers. Another `content` gives each another digest."""
    hash_one = digests.one_shot(digests.DEFAULT_ALGORITHM)
    packed = [digests.pack(digests.DEFAULT_ALGORITHM, hash_one(f"{content}{n}".encode())) for n in numbers]
    packs = [pack_name(PROJECT) for _ in range(0, len(numbers), ENTRIES_PER_EVENT_MAX)]
    rows = range(len(numbers))
    return FileEntries.of_columns(
        digests.DEFAULT_ALGORITHM,
        [path_of(n) for n in numbers],
        packed,
        [FILE_BYTES] * len(numbers),
        [packs[row // ENTRIES_PER_EVENT_MAX] for row in rows],
        [row % ENTRIES_PER_EVENT_MAX * FILE_BYTES for row in rows],
    )


def version_events(
    collection: str, draft: str, batches: Sequence[FileEntries], *, base: int | None = None, run: str | None = None
) -> list[Event]:
    """All events of one version. Where all its content is in them they say its digest, as the SDK does."""
    draft = own_draft(draft)
    events: list[Event] = [DraftOpened(collection=collection, draft=draft, type="dataset", base=base)]
    for batch in batches:
        events += file_events(collection, draft, batch)
    digest = _digest_of(batches) if base is None else None
    return [*events, VersionCommitted(collection=collection, draft=draft, run=run, expected_digest=digest)]


def _digest_of(batches: Sequence[FileEntries]) -> str:
    leaves = [leaf for batch in batches for leaf in file_leaves(batch.paths, batch.packed_digests(), batch.sizes)]
    return lthash.sum_of(leaves, sum(sum(batch.sizes) for batch in batches)).digest()


def read_all(log: EventLog, partition: int, *, after: int = BEFORE_FIRST) -> Iterator[Record]:
    """All records of a partition behind an offset."""
    while page := log.read(partition, after=after):
        yield from page
        after = page[-1].position.offset


def write(stores: Stores, producer: Producer, events: Sequence[Event]) -> None:
    """Put events on the log and have them projected."""
    for start in range(0, len(events), EVENTS_PER_CONFIRM):
        producer.send(events[start : start + EVENTS_PER_CONFIRM])
        stores.projection.catch_up(producer.confirm(), timeout_s=CATCH_UP_S)


def record(producer: Producer, events: Iterable[Event]) -> int:
    """Put events on the log, and say how many; nobody waits for their being projected."""
    remaining, total = iter(events), 0
    while some := list(islice(remaining, RECORDS_PER_APPEND_MAX)):
        producer.send(some)
        producer.confirm()
        total += len(some)
    return total
