"""What `BlobStore` promises about streams that are kept, and gone on with later, by whichever process."""

import random
import signal
from multiprocessing.connection import Connection

import pytest
from headwater_blobs.port import BlobStore, Kept, KeptInUse, KeptLost, StagedStream
from headwater_schemas.errors import HeadwaterError
from headwater_schemas.object_names import pack_name

from tests.contract.blob_stores import PROJECT, StorePlace
from tests.contract.blob_stores import place as place
from tests.contract.blob_stores import store as store
from tests.contract.test_blob_processes import Worker, in_a_fork
from tests.support.buckets import SMALL_PARTS_BYTES

CONTENT = random.Random(7).randbytes(3 * SMALL_PARTS_BYTES + 4321)
FIRST = SMALL_PARTS_BYTES + 1234


def begun(store: BlobStore, content: bytes = CONTENT[:FIRST]) -> StagedStream:
    stream = store.stage_stream(project=PROJECT, size=len(CONTENT))
    stream.write(content)
    return stream


def left(store: BlobStore, content: bytes = CONTENT[:FIRST]) -> Kept:
    """What is kept of a stream that began with `content` and was left."""
    stream = begun(store, content)
    kept = stream.keep()
    stream.leave()
    assert kept is not None
    return kept


def finished(store: BlobStore, stream: StagedStream) -> str:
    """The object that a stream became."""
    staged = stream.finish()
    name = staged.name or pack_name(PROJECT)
    store.publish(staged, name)
    if staged.name is None:
        store.discard(staged)
    return name


def test_as_much_is_kept_as_the_store_has_steps(store: BlobStore) -> None:
    step = store.stream_step(len(CONTENT))
    assert 1 <= step <= SMALL_PARTS_BYTES

    kept = left(store)

    assert (kept.step, kept.size) == (step, FIRST // step * step)


def test_another_process_goes_on_with_what_was_kept_and_finishes_it(store: BlobStore, place: StorePlace) -> None:
    kept = left(store)

    def go_on() -> Kept | None:
        again = place.open().continue_stream(kept)
        again.write(CONTENT[kept.size : 2 * FIRST])
        more = again.keep()
        again.leave()
        return more

    more = in_a_fork(go_on)
    assert isinstance(more, Kept)
    assert kept.size < more.size <= 2 * FIRST
    stream = store.continue_stream(more)
    stream.write(CONTENT[more.size :])

    assert place.raw(finished(store, stream)) == CONTENT
    assert list(store.abandoned()) == []


def test_a_stream_that_was_kept_goes_on_in_the_same_process_as_well(store: BlobStore, place: StorePlace) -> None:
    stream = begun(store)
    assert stream.keep() == stream.keep()
    stream.write(CONTENT[FIRST:])
    assert stream.keep() is not None

    assert place.raw(finished(store, stream)) == CONTENT
    assert list(store.abandoned()) == []


def test_what_was_written_after_it_was_kept_is_lost_with_who_leaves_it(store: BlobStore, place: StorePlace) -> None:
    stream = begun(store)
    kept = stream.keep()
    assert kept is not None
    stream.write(bytes(2 * SMALL_PARTS_BYTES))
    stream.leave()
    stream.leave()

    again = store.continue_stream(kept)
    again.write(CONTENT[kept.size :])

    assert place.raw(finished(store, again)) == CONTENT


def test_what_was_kept_is_whole_without_another_byte(store: BlobStore, place: StorePlace) -> None:
    content = CONTENT[: 2 * SMALL_PARTS_BYTES]
    kept = left(store, content)

    assert kept.size == len(content)
    assert place.raw(finished(store, store.continue_stream(kept))) == content


def _keep_and_write_on(place: StorePlace, answers: Connection) -> None:
    stream = begun(place.open())
    answers.send(stream.keep())
    stream.write(bytes(SMALL_PARTS_BYTES))
    answers.send(None)
    signal.pause()


def test_after_a_kill_it_goes_on_from_what_was_kept_last(store: BlobStore, place: StorePlace) -> None:
    writer = Worker(_keep_and_write_on, place)
    kept = writer.answer()
    writer.answer()
    writer.kill()

    stream = store.continue_stream(kept)
    stream.write(CONTENT[kept.size :])

    assert place.raw(finished(store, stream)) == CONTENT
    assert list(store.abandoned()) == []


def test_of_two_who_go_on_at_once_none_gets_what_the_other_wrote(store: BlobStore, place: StorePlace) -> None:
    """In a folder the second is refused; in a bucket the first to finish wins, and the other is told."""
    kept = left(store)
    first = store.continue_stream(kept)
    written = {"first": CONTENT[kept.size :], "second": bytes(len(CONTENT) - kept.size)}
    streams = {"first": first}
    try:
        streams["second"] = in_this_process = store.continue_stream(kept)
        in_this_process.write(written["second"])
    except KeptInUse:
        assert place.stages_apart
    first.write(written["first"])

    found = []
    for name, stream in reversed(streams.items()):
        try:
            found.append(place.raw(finished(store, stream)) == CONTENT[: kept.size] + written[name])
        except KeptLost:
            stream.leave()

    assert found == [True]


def test_what_was_collected_meanwhile_is_lost_and_said_so(store: BlobStore) -> None:
    kept = left(store)
    assert [found.size for found in store.reclaim(idle_s=0, dry_run=False)] == [kept.size]

    with pytest.raises(KeptLost, match="again"):
        store.continue_stream(kept)
    assert list(store.abandoned()) == []


def test_what_somebody_goes_on_with_is_collected_as_the_bytes_of_any_writer(
    store: BlobStore, place: StorePlace
) -> None:
    kept = left(store)
    stream = store.continue_stream(kept)
    collected = in_a_fork(lambda: len(list(place.open().reclaim(idle_s=0, dry_run=False))))

    assert collected == (0 if place.stages_apart else 1)
    if place.stages_apart:
        stream.write(CONTENT[kept.size :])
        assert place.raw(finished(store, stream)) == CONTENT
    else:
        with pytest.raises(KeptLost):
            stream.write(CONTENT[kept.size :])
        stream.abort()
    assert list(store.abandoned()) == []


@pytest.mark.parametrize("ends", ["abort", "leave"])
def test_what_is_given_up_or_left_before_anything_was_kept_leaves_nothing(store: BlobStore, ends: str) -> None:
    getattr(begun(store, b"some"), ends)()
    kept = left(store)
    store.continue_stream(kept).abort()

    assert list(store.abandoned()) == []
    assert list(store.list_objects()) == []
    with pytest.raises(KeptLost):
        store.continue_stream(kept)


def test_nothing_is_kept_of_nothing(store: BlobStore) -> None:
    stream = begun(store, b"")
    assert stream.keep() is None
    stream.leave()

    assert list(store.abandoned()) == []


@pytest.mark.parametrize(
    "handle", ["../../outside", "objects/packs/a/b", "", "x?uploadId=", f"packs/{PROJECT}/{'ab' * 16}?uploadId=../x"]
)
def test_a_made_up_handle_opens_nothing(store: BlobStore, handle: str) -> None:
    with pytest.raises(HeadwaterError):
        store.continue_stream(Kept(handle, 1, 1, ""))
