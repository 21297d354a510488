"""What a copy verifies of packs whose contents are named by several events, before and after it was interrupted."""

from pathlib import Path

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_consumer.copying.named import Ranges, Withdrawn
from headwater_consumer.copying.objects import ObjectCopier
from headwater_schemas.errors import BlobCorrupt

from tests.consumer.events import PROJECT
from tests.support.history import digest_of, pack_of
from tests.support.memory_log import MemoryLog

PACK = pack_of(PROJECT)
GOOD, DAMAGED = b"as it was", b"something else"
OF_GOOD: Ranges = {(0, len(GOOD)): digest_of(GOOD)}
OF_DAMAGED: Ranges = {(len(GOOD), len(DAMAGED)): digest_of(b"what it should be"[: len(DAMAGED)])}


@pytest.fixture
def stores(tmp_path: Path) -> tuple[FolderBlobStore, FolderBlobStore]:
    """A store with a pack of which the second content is damaged, and an empty one."""
    source, target = (FolderBlobStore.open(tmp_path / name, create=True) for name in ("source", "target"))
    source.publish(source.stage_pack([GOOD, DAMAGED], project=PROJECT), PACK)
    return source, target


def copier(stores: tuple[FolderBlobStore, FolderBlobStore], *, without_lost: bool = False) -> ObjectCopier:
    withdrawn = Withdrawn(MemoryLog())
    return ObjectCopier(*stores, withdrawn, name="source", without_lost=without_lost, watch=lambda _: None)


@pytest.mark.parametrize("is_interrupted", [False, True], ids=["in one go", "interrupted in between"])
def test_a_content_that_is_named_once_its_pack_was_copied_is_verified(
    stores: tuple[FolderBlobStore, FolderBlobStore], is_interrupted: bool
) -> None:
    first = copier(stores)
    first.bring({PACK: OF_GOOD})
    assert first.copied.objects == 1

    second = copier(stores) if is_interrupted else first
    with pytest.raises(BlobCorrupt, match=PACK):
        second.bring({PACK: OF_DAMAGED})


def test_damage_in_what_was_copied_before_is_noted_where_that_is_allowed(
    stores: tuple[FolderBlobStore, FolderBlobStore],
) -> None:
    copier(stores).bring({PACK: OF_GOOD})

    again = copier(stores, without_lost=True)
    again.bring({PACK: {**OF_GOOD, **OF_DAMAGED}})

    assert (again.copied.objects, again.copied.lost) == (0, 1)
