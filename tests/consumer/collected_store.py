"""A history whose objects are in a folder, and collections of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from headwater_blobs.file_places import FolderPlace
from headwater_blobs.folder import FolderBlobStore
from headwater_consumer.database import Database
from headwater_consumer.maintenance import collection as collection_module
from headwater_consumer.maintenance import purging
from headwater_consumer.maintenance.collection import Collector
from headwater_consumer.maintenance.freed import Freed
from headwater_consumer.queries import needed_objects, unneeded_objects
from headwater_producer.producer import Producer
from headwater_schemas.events import SettingsChanged, VersionDeleted
from headwater_schemas.positions import Cut
from hypothesis import strategies as st

from tests.consumer.events import DIGITS, PROJECT
from tests.support.history import History, pack_of
from tests.support.memory_log import MemoryLog

contents_of_drafts = st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from([b"1", b"22", b"333"]), max_size=4)
AT_ONCE = SettingsChanged(project=PROJECT, settings='{"restore_days":0}')
ANY_AGE_S = -1e10  # a grace period by which everything was written long ago, though the log is of another year
PACK_BYTES = 1  # of packs that nobody reads: no more than is named of them, so that none is rewritten


@dataclass
class Store:
    """A history whose objects are in a folder."""

    history: History
    folder: Path
    blobs: FolderBlobStore = field(init=False)

    def __post_init__(self) -> None:
        self.blobs = FolderBlobStore.open(self.folder / "blobs")
        self.history.write(AT_ONCE)

    def store(self, *packs: int) -> None:
        for pack in packs:
            staged = self.blobs.stage_pack([bytes(PACK_BYTES)], project=PROJECT)
            self.blobs.publish(staged, pack_of(PROJECT, pack))
            self.blobs.discard(staged)

    def stored(self) -> set[str]:
        return {found.name for found in self.blobs.list_objects()}

    def collector(self, *, now_us: int | None = None, grace_s: float = ANY_AGE_S) -> Collector:
        log = self.history.log
        assert isinstance(log, MemoryLog)
        return Collector(
            self.history.database,
            log,
            self.blobs,
            FolderPlace(self.folder / "gc"),
            now_us=log.time_us + 1 if now_us is None else now_us,
            grace_s=grace_s,
            progress=lambda done, total: None,
        )

    def collect(self, **options: float) -> Freed:
        """With what the preview says, which must be the same."""
        told = self.collector(**options).preview()  # type: ignore[arg-type]
        freed = self.collector(**options).collect(self.producer(), self.catch_up)  # type: ignore[arg-type]
        assert freed == told
        return freed

    def producer(self) -> Producer:
        return Producer(self.history.log, author="collector")

    def catch_up(self, cut: Cut | None) -> None:
        self.history.project()

    def delete(self, *versions: int, collection: str = DIGITS) -> None:
        for version in versions:
            self.history.write(VersionDeleted(collection=collection, version=version, delete_aliases=True))


def packs(*numbers: int) -> set[str]:
    return {pack_of(PROJECT, number) for number in numbers}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    database = Database.open_sqlite(tmp_path / "projection.db")
    store = Store(History(MemoryLog(3), database), tmp_path)
    yield store
    store.blobs.close()
    database.close()


@pytest.fixture(scope="module")
def small_pages() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, names in (
            (collection_module, ("OBJECTS_PER_PAGE", "CONDEMNED_PER_EVENT")),
            (purging, ("PURGED_PER_STEP",)),
            (needed_objects, ("OBJECTS_AT_ONCE", "ROWS_PER_PAGE")),
            (unneeded_objects, ("OBJECTS_AT_ONCE", "ROWS_PER_PAGE", "SEEN_MAX")),
        ):
            for name in names:
                patch.setattr(module, name, 2)
        yield
