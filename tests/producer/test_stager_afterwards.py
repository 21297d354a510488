"""A stager goes on after a pack and after a close as it began: what was before counts no more."""

import random
import time

from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import PACK_BYTES_MAX, PACKED_FILE_BYTES_MAX
from headwater_producer.stager import BlobStager

from tests.contract.blob_stores import PROJECT
from tests.contract.test_blob_processes import wait_until

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
