"""What is in hand, or stored, is of no use in an object that is condemned: it becomes another one, or is missing."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_producer.commits import CommitVersion, send_commit
from headwater_producer.stager import BlobStager
from headwater_producer.stored_content import StoredContent
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobMissing
from headwater_schemas.object_names import attempt_of, file_name, project_of

from tests.contract.blob_stores import PROJECT, digest_of, put_pack, stage
from tests.contract.test_lost_content import Clock
from tests.producer.conftest import Projection
from tests.producer.logs import producer_on
from tests.producer.test_stager import LARGE, ingest_file
from tests.support.memory_log import MemoryLog


class Objects:
    """What the projection knows of objects: a test says what."""

    def __init__(self) -> None:
        self.condemned: set[str] = set()
        self.attempts: dict[bytes, int] = {}
        self.asked = 0

    def next_attempts(self, project: str, digests: Sequence[bytes]) -> Mapping[bytes, int]:
        assert project.count("/") == 1
        return {digest: self.attempts.get(digest, 0) for digest in digests}

    def condemned_objects(self, project: str, objects: Sequence[str]) -> Collection[str]:
        assert {project_of(name) for name in objects} == {project}
        self.asked += 1
        return self.condemned.intersection(objects)


@pytest.fixture
def objects() -> Objects:
    return Objects()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stager(new_stager: Callable[..., BlobStager], objects: Objects, clock: Clock) -> BlobStager:
    return new_stager(objects=objects, clock=clock)


def test_what_was_published_and_condemned_becomes_another_object_of_the_same_bytes(
    stager: BlobStager, store: FolderBlobStore, objects: Objects, tmp_path: Path
) -> None:
    contents = [*stager.ingest([b"one", b"two"]), ingest_file(stager, tmp_path / "large")]
    before = stager.publish(PROJECT, contents)
    counted = stager.published_contents, stager.published_bytes
    objects.condemned = {place.object_name for place in before.values()}
    objects.attempts[contents[-1]] = 1
    store.delete(objects.condemned)

    stager.distrust(before)
    now = stager.publish(PROJECT, contents)

    assert objects.condemned.isdisjoint(place.object_name for place in now.values())
    assert attempt_of(now[contents[-1]].object_name) == 1
    assert [store.read(now[digest], digest) for digest in contents] == [b"one", b"two", LARGE]
    assert (stager.published_contents, stager.published_bytes) == counted, "nobody stored more"


def test_a_pack_of_which_something_was_forgotten_becomes_another_object_as_any(
    stager: BlobStager, objects: Objects
) -> None:
    one, two = stager.ingest([b"one", b"two"])
    before = stager.publish(PROJECT, [one, two])
    stager.forget([one])
    objects.condemned = {place.object_name for place in before.values()}

    stager.distrust({two: before[two]})
    now = stager.publish(PROJECT, [two])

    assert now[two].object_name not in objects.condemned
    assert stager.published_contents == 2, "nobody stored more"


def test_what_was_staged_long_ago_is_looked_at_again_and_what_was_just_now_is_not(
    stager: BlobStager, objects: Objects, clock: Clock
) -> None:
    first = stager.publish(PROJECT, stager.ingest([b"one"]))
    stager.publish(PROJECT, first)
    assert objects.asked == 0

    clock.now_s += 61
    objects.condemned = {place.object_name for place in first.values()}

    assert objects.condemned.isdisjoint(place.object_name for place in stager.publish(PROJECT, first).values())


def test_the_next_name_of_a_large_content_is_above_all_that_the_projection_knows(
    store: FolderBlobStore, projection: Projection, objects: Objects, tmp_path: Path
) -> None:
    def stored(project: str, wanted: Sequence[bytes], *, without: Collection[str] = ()) -> Mapping[bytes, BlobLocation]:
        assert not without, "nothing of it is lost"
        return {digest: projection[project, digest] for digest in wanted if (project, digest) in projection}

    content = StoredContent(store, stored, objects=objects)
    digest = digest_of(LARGE)
    objects.attempts[digest] = 7
    assert content.attempt(PROJECT, digest) == 7

    ((place, _),) = put_pack(store, LARGE)
    projection[PROJECT, digest] = place
    assert content.attempt(PROJECT, digest) == 7, "a pack has no attempt in its name"

    there = file_name(PROJECT, digest, 3)
    store.publish(stage(store, tmp_path / "large", LARGE), there)
    projection[PROJECT, digest] = BlobLocation(there, 0, len(LARGE))
    assert content.attempt(PROJECT, digest) == 3, "it is there already"


def test_what_was_stored_when_it_was_added_is_asked_for_where_it_came_from(
    stager: BlobStager, store: FolderBlobStore
) -> None:
    command = CommitVersion(
        collection=f"{PROJECT}/images",
        type="t",
        base=None,
        files={"a": (digest_of(b"one"), 3), "b": (digest_of(b"2"), 1)},
    )
    asked: list[Collection[bytes]] = []

    def restore(missing: Collection[bytes]) -> None:
        asked.append(missing)
        stager.ingest([b"one"])

    with pytest.raises(BlobMissing, match=r"^'b' cannot be logged"):
        send_commit(command, stager, producer_on(MemoryLog()), restore=restore)
    assert [set(missing) for missing in asked] == [{digest_of(b"one"), digest_of(b"2")}]

    stager.ingest([b"2"])
    sent = send_commit(command, stager, producer_on(MemoryLog()), restore=restore)

    assert len(asked) == 1, "all of it is in hand"
    assert {store.read(place, digest) for digest, place in sent.locations.items()} == {b"one", b"2"}


def test_bytes_that_outlive_every_object_need_not_be_kept_elsewhere(stager: BlobStager, tmp_path: Path) -> None:
    assert stager.keeps(ingest_file(stager, tmp_path / "large"))
    assert not stager.keeps(digest_of(b"never ingested"))
