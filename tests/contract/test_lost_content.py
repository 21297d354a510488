"""Content that a store has lost is stored anew from the bytes in hand, as another object, and old reads are redirected.

The projection here is a dictionary: what a project has stored is what a test says it has.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from headwater_blobs.port import PACKED_FILE_BYTES_MAX, BlobStore
from headwater_producer.stager import BlobStager
from headwater_producer.stored_content import OBJECT_TRUSTED_S
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobMissing
from headwater_schemas.events import Move
from headwater_schemas.object_names import pack_name

from tests.contract.blob_stores import PROJECT, StorePlace, digest_of, put_file, put_pack, streamed, unbuffered
from tests.contract.blob_stores import place as place
from tests.contract.blob_stores import store as store

SMALL = [random.Random(i).randbytes(1000) for i in range(20)]
LARGE = random.Random(0).randbytes(PACKED_FILE_BYTES_MAX + 1)


@dataclass
class Projection:
    """Where content is stored by now: several places of one content, the first of which counts."""

    places: dict[bytes, list[BlobLocation]] = field(default_factory=dict)

    def add(self, *stored: tuple[BlobLocation, bytes]) -> None:
        for where, digest in stored:
            self.places.setdefault(digest, []).append(where)

    def move(self, moves: Sequence[Move]) -> None:
        self.places = {digest: [moved(where, moves) for where in of] for digest, of in self.places.items()}

    def stored(
        self, project: str, wanted: Sequence[bytes], *, without: Collection[str] = ()
    ) -> Mapping[bytes, BlobLocation]:
        found: dict[bytes, BlobLocation] = {}
        for digest in wanted if project == PROJECT else ():
            usable = [where for where in self.places.get(digest, ()) if where.object_name not in without]
            found.update(zip([digest], usable, strict=False))
        return found


def moved(where: BlobLocation, moves: Sequence[Move]) -> BlobLocation:
    for move in moves:
        at = where.offset - move.offset
        if move.object_name == where.object_name and 0 <= at <= move.length - where.size:
            return BlobLocation(move.to_object_name, move.to_offset + at, where.size)
    return where


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def projection() -> Projection:
    return Projection()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stager(store: BlobStore, projection: Projection, clock: Clock) -> BlobStager:
    return new_stager(store, projection, clock)


def new_stager(store: BlobStore, projection: Projection, clock: Clock) -> BlobStager:
    return BlobStager(store, projection.stored, algorithm=digests.XXH3, project=PROJECT, clock=clock)


def ingest_file(stager: BlobStager, path: Path, *, verify: bool = False) -> bytes:
    path.write_bytes(LARGE)
    with unbuffered(path) as source:
        return stager.ingest_file(source, verify=verify)[0]


def lose(place: StorePlace, store: BlobStore, name: str, how: str) -> None:
    if how == "deleted":
        store.delete([name])
    elif how == "truncated":
        place.damage(name, lambda content: content[: len(content) // 3])
    else:
        place.damage(name, lambda content: bytes([content[0] ^ 1]) + content[1:-1] + bytes([content[-1] ^ 1]))


each_loss = pytest.mark.parametrize("how", ["deleted", "truncated"])


@each_loss
def test_small_content_that_was_lost_is_stored_anew_as_another_pack(
    store: BlobStore, place: StorePlace, projection: Projection, stager: BlobStager, how: str
) -> None:
    projection.add(*put_pack(store, *SMALL))
    (lost,) = {where.object_name for of in projection.places.values() for where in of}
    lose(place, store, lost, how)

    wanted = stager.ingest(SMALL)
    places = stager.publish(PROJECT, wanted)
    healed, moves = stager.heal(PROJECT)
    projection.move(moves)

    assert lost not in {where.object_name for digest, where in places.items() if digest in healed}
    for digest, content in zip(wanted, SMALL, strict=True):
        assert store.read(places[digest], digest) == content
        assert [store.read(where, digest) for where in projection.places[digest]] == [content]


def test_neighbours_that_were_lost_and_are_neighbours_again_are_one_move(
    store: BlobStore, projection: Projection, stager: BlobStager
) -> None:
    projection.add(*put_pack(store, *SMALL))
    (lost,) = {where.object_name for of in projection.places.values() for where in of}
    store.delete([lost])

    wanted = stager.ingest(SMALL)
    new = stager.publish(PROJECT, wanted)[wanted[0]].object_name
    _, moves = stager.heal(PROJECT)

    assert moves == [Move(lost, 0, sum(map(len, SMALL)), new, 0)]
    assert stager.heal(PROJECT) == ({}, [])


@each_loss
def test_a_large_file_that_was_lost_takes_the_next_attempt(
    store: BlobStore, place: StorePlace, projection: Projection, stager: BlobStager, tmp_path: Path, how: str
) -> None:
    projection.add(first := put_file(store, tmp_path / "before", LARGE))
    lose(place, store, first[0].object_name, how)

    digest = ingest_file(stager, tmp_path / "again")
    _, moves = stager.heal(PROJECT)
    projection.move(moves)

    (now,) = projection.places[digest]
    assert now.object_name == first[0].object_name.removesuffix("-0") + "-1"
    assert streamed(store, now, digest) == LARGE


def test_a_large_file_that_is_lost_again_takes_the_attempt_after_that(
    store: BlobStore, projection: Projection, stager: BlobStager, clock: Clock, tmp_path: Path
) -> None:
    projection.add(first := put_file(store, tmp_path / "before", LARGE))
    for _ in range(2):
        store.delete([projection.places[first[1]][0].object_name])
        clock.now_s += OBJECT_TRUSTED_S + 1
        ingest_file(stager, tmp_path / "again")
        healed, moves = stager.heal(PROJECT)
        stager.forget(healed)
        projection.move(moves)

    (now,) = projection.places[first[1]]
    assert now.object_name == first[0].object_name.removesuffix("-0") + "-2"
    assert streamed(store, now, first[1]) == LARGE


def test_what_was_not_lost_of_a_truncated_pack_stays_where_it_is(
    store: BlobStore, place: StorePlace, projection: Projection, stager: BlobStager
) -> None:
    projection.add(*put_pack(store, *SMALL))
    (pack,) = {where.object_name for of in projection.places.values() for where in of}
    place.damage(pack, lambda content: content[:5500])

    places = stager.publish(PROJECT, stager.ingest(SMALL))

    assert [places[digest_of(content)].object_name == pack for content in SMALL] == [True] * 5 + [False] * 15
    assert stager.published_bytes == 15 * 1000


@pytest.mark.parametrize("size", ["small", "large"])
def test_rotten_content_is_found_where_it_is_verified_and_stored_anew(
    store: BlobStore, place: StorePlace, projection: Projection, stager: BlobStager, tmp_path: Path, size: str
) -> None:
    content = SMALL[0] if size == "small" else LARGE
    stored = put_pack(store, content)[0] if size == "small" else put_file(store, tmp_path / "before", content)
    projection.add(stored)
    lose(place, store, stored[0].object_name, "rotten")

    for verify in (False, True):
        if size == "small":
            (digest,) = stager.ingest([content], verify=verify)
        else:
            digest = ingest_file(stager, tmp_path / "again", verify=verify)
        _, moves = stager.heal(PROJECT)
        assert bool(moves) == verify
    projection.move(moves)

    assert b"".join(map(bytes, store.stream(projection.places[digest][0], digest))) == content
    assert stager.publish(PROJECT, [digest])[digest].object_name != stored[0].object_name


def test_verified_content_that_is_sound_is_not_stored_again(
    store: BlobStore, projection: Projection, stager: BlobStager, tmp_path: Path
) -> None:
    projection.add(*put_pack(store, *SMALL), put_file(store, tmp_path / "before", LARGE))
    before = [one.name for one in store.list_objects()]

    wanted = [*stager.ingest(SMALL, verify=True), ingest_file(stager, tmp_path / "again", verify=True)]
    places = stager.publish(PROJECT, wanted)

    assert stager.heal(PROJECT) == ({}, [])
    assert {where.object_name for where in places.values()} == set(before)
    assert [one.name for one in store.list_objects()] == before


def test_content_that_was_lost_and_is_not_in_hand_is_an_error_that_names_the_object(
    store: BlobStore, projection: Projection, stager: BlobStager
) -> None:
    ((where, digest),) = put_pack(store, b"gone")
    projection.add((where, digest))
    store.delete([where.object_name])

    assert stager.missing([digest]) == {digest}
    with pytest.raises(BlobMissing, match=rf"{where.object_name}.*{digests.to_text(digest)}.*Add it again"):
        stager.publish(PROJECT, [digest])


def test_content_with_another_copy_is_taken_from_there_and_the_lost_copy_heals(
    store: BlobStore, projection: Projection, stager: BlobStager
) -> None:
    lost, other = put_pack(store, b"content")[0], put_pack(store, b"more", b"content")[1]
    projection.add(lost, other)
    store.delete([lost[0].object_name])

    assert stager.publish(PROJECT, [lost[1]]) == {lost[1]: other[0]}
    _, moves = stager.heal(PROJECT)
    projection.move(moves)

    assert [store.read(where, lost[1]) for where in projection.places[lost[1]]] == [b"content"] * 2


def test_two_writers_that_heal_one_content_do_not_disturb_each_other(
    store: BlobStore, projection: Projection, clock: Clock, tmp_path: Path
) -> None:
    projection.add(*put_pack(store, *SMALL), put_file(store, tmp_path / "before", LARGE))
    store.delete([one.name for one in store.list_objects()])

    all_moves: list[Move] = []
    for number in range(2):  # the second does not know yet what the first did
        stager = new_stager(store, projection, clock)
        wanted = [*stager.ingest(SMALL), ingest_file(stager, tmp_path / str(number))]
        stager.publish(PROJECT, wanted)
        all_moves += stager.heal(PROJECT)[1]
    both = [projection.places[digest_of(content)][0] for content in (*SMALL, LARGE)]

    for moves in (all_moves, all_moves[::-1]):
        for where, content in zip(both, (*SMALL, LARGE), strict=True):
            assert streamed(store, moved(where, moves), digest_of(content)) == content
    assert len([name for name in (one.name for one in store.list_objects()) if name.startswith("files/")]) == 1


# --- what it costs


def asked(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """What the store is asked for from now on."""
    questions: list[set[str]] = []
    really = store.sizes

    def sizes(names: Collection[str]) -> dict[str, int]:
        questions.append(set(names))
        return really(names)

    monkeypatch.setattr(store, "sizes", sizes)
    return questions


def test_the_store_is_asked_for_each_object_once_in_a_while(
    store: BlobStore, projection: Projection, stager: BlobStager, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    projection.add(*put_pack(store, *SMALL[:10]), *put_pack(store, *SMALL[10:]))
    names = {where.object_name for of in projection.places.values() for where in of}
    questions = asked(store, monkeypatch)

    for _ in range(3):
        assert stager.missing([digest_of(content) for content in SMALL]) == set()
        stager.publish(PROJECT, [digest_of(content) for content in SMALL])
    assert questions == [names]

    clock.now_s += OBJECT_TRUSTED_S + 1
    stager.missing([digest_of(content) for content in SMALL])
    assert questions == [names, names]


def test_the_store_is_not_asked_for_what_was_just_put(
    store: BlobStore, projection: Projection, stager: BlobStager, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = stager.publish(PROJECT, wanted := stager.ingest(SMALL))
    projection.add(*[(where, digest) for digest, where in places.items()])
    stager.forget(wanted)
    questions = asked(store, monkeypatch)

    assert stager.publish(PROJECT, wanted) == places
    assert questions == []


@pytest.mark.parametrize("listed_for_each", [0, 1, 20])
def test_the_sizes_of_many_objects_are_those_of_each(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch, listed_for_each: int
) -> None:
    monkeypatch.setattr("headwater_blobs.s3.store.ASKED_ONE_BY_ONE_MAX", 5)
    monkeypatch.setattr("headwater_blobs.s3.store.LISTED_FOR_EACH_MAX", listed_for_each)
    there = {put_pack(store, bytes(size))[0][0].object_name: size for size in range(1, 10)}
    absent = [pack_name(PROJECT) for _ in range(3)]
    some = dict(list(there.items())[:6])

    assert store.sizes([*there, *absent]) == there
    assert store.sizes([*some, *absent]) == some
