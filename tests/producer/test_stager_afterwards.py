"""A stager goes on after a pack, a close and a crash of the database as it began: what was before counts no more."""

import random
import time
from collections.abc import Callable

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import PACK_BYTES_MAX, PACKED_FILE_BYTES_MAX
from headwater_producer.stager import BlobStager

from tests.contract.blob_stores import PROJECT
from tests.contract.test_blob_processes import wait_until
from tests.producer.conftest import Projection

FILES_PER_PACK = PACK_BYTES_MAX // PACKED_FILE_BYTES_MAX


def _packful(seed: int) -> list[bytes]:
    return [random.Random(f"{seed}/{i}").randbytes(PACKED_FILE_BYTES_MAX) for i in range(FILES_PER_PACK)]


def _staged(store: FolderBlobStore) -> list[int]:
    """The sizes of what is staged and no object."""
    return [found.size for found in store.abandoned()]


def test_every_pack_is_as_full_as_the_first(stager: BlobStager, store: FolderBlobStore) -> None:
    stager.ingest(_packful(1))
    wait_until(lambda: _staged(store) == [PACK_BYTES_MAX])

    *full, last = _packful(2)
    stager.ingest([*full, last[:-1]])
    time.sleep(0.05)
    assert _staged(store) == [PACK_BYTES_MAX], "one byte is missing"
    stager.ingest([b"1"])

    wait_until(lambda: _staged(store) == [PACK_BYTES_MAX] * 2)


def test_a_pack_is_as_full_after_a_close(stager: BlobStager, store: FolderBlobStore) -> None:
    stager.ingest([b"dropped"])
    stager.close()

    *full, last = _packful(1)
    stager.ingest([*full, last[:-1]])
    time.sleep(0.05)
    assert _staged(store) == [], "one byte is missing"
    stager.ingest([b"1"])

    wait_until(lambda: _staged(store) == [PACK_BYTES_MAX])


def test_what_is_worth_a_pack_can_be_staged_ahead_and_what_is_not_waits(
    stager: BlobStager, store: FolderBlobStore
) -> None:
    small = stager.ingest([b"small"])
    stager.stage_ahead()
    assert _staged(store) == []

    large = stager.ingest(_packful(1)[: FILES_PER_PACK // 2])
    stager.stage_ahead()
    wait_until(lambda: _staged(store) == [PACK_BYTES_MAX // 2 + len(b"small")])
    again = stager.ingest([b"small", b"later"])
    places = stager.publish(PROJECT, [*small, *large, *again])

    assert again[0] == small[0]
    assert len({place.object_name for place in places.values()}) == 2
    assert [store.read(places[digest], digest) for digest in again] == [b"small", b"later"]


def test_those_who_used_content_before_a_close_are_waited_for_no_more(
    stager: BlobStager, store: FolderBlobStore
) -> None:
    for _ in range(3):
        stager.ingest([b"shared"])
    stager.close()

    (digest,) = stager.ingest([b"shared"])
    stager.publish(PROJECT, [digest])
    stager.forget([digest])

    assert _staged(store) == []
    assert stager.missing([digest]) == {digest}


@pytest.mark.parametrize("ask", ["publish", "find_lost"])
def test_what_a_database_that_crashed_does_not_know_yet_is_found_once_it_has_caught_up(
    new_stager: Callable[..., BlobStager], projection: Projection, ask: str
) -> None:
    (digest,) = (before := new_stager()).ingest([b"stored before the crash"])
    place = before.publish(PROJECT, [digest])[digest]
    stager = new_stager(catch_up=lambda: projection.update({(PROJECT, digest): place}))

    if ask == "publish":
        assert stager.publish(PROJECT, [digest]) == {digest: place}
    else:
        assert stager.find_lost(PROJECT, [digest]) == []
