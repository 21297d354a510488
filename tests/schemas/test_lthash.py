"""The digest of a set of entries, against a slow second opinion and against frozen vectors."""

import json
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from blake3 import blake3
from headwater_schemas import lthash
from headwater_schemas.entries import Reference, file_leaves, reference_leaf
from headwater_schemas.lthash import EMPTY, NOTHING, ContentSum, add, combine, remove, sum_of, without
from hypothesis import given
from hypothesis import strategies as st

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent.parent / "fixtures" / "vectors.json").read_text())

LEAVES = st.lists(st.binary(max_size=40), max_size=8)


@pytest.fixture(autouse=True, scope="module", params=["with numpy", "without numpy"])
def _library(request: pytest.FixtureRequest) -> Iterator[None]:
    """Sums are made by numpy where it is loaded."""
    loaded = {"numpy": None} if request.param == "with numpy" else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lthash, "sys", SimpleNamespace(modules=loaded))
        yield


def state_by_hand(leaves: list[bytes]) -> bytes:
    """The sum of 1024 lanes, one Python integer each."""
    lanes = [0] * 1024
    for leaf in leaves:
        expanded = blake3(leaf).digest(2048)
        for i in range(1024):
            lanes[i] = (lanes[i] + expanded[2 * i] + 256 * expanded[2 * i + 1]) % 65_536
    return b"".join(bytes((lane % 256, lane // 256)) for lane in lanes)


def digest_by_hand(leaves: list[bytes], size_bytes: int) -> str:
    head = b"headwater/version/1\x00lthash16x1024-blake3\x00"
    counts = len(leaves).to_bytes(8, "big") + size_bytes.to_bytes(8, "big")
    return "lthash:" + blake3(head + counts + state_by_hand(leaves)).hexdigest()


def leaves_of(vector: dict[str, Any]) -> list[bytes]:
    files = vector["files"]
    packed = [bytes.fromhex(digest) for _, digest, _ in files]
    references = [reference_leaf(Reference(*fields)) for fields in vector["references"]]
    paths, sizes = [path for path, _, _ in files], [size for _, _, size in files]
    return file_leaves(paths, packed, sizes, vector["executable"]) + references


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["what"])
def test_frozen_vectors_hold(vector: dict[str, Any]) -> None:
    leaves = leaves_of(vector)

    assert [leaf.hex() for leaf in leaves] == vector["leaves"]
    assert blake3(add(EMPTY, leaves)).hexdigest() == vector["blake3_of_state"]
    assert sum_of(leaves, vector["size_bytes"]).digest() == vector["version_digest"]


def test_a_sum_that_is_remembered_is_that_of_the_same_leaves_alone() -> None:
    leaves = [b"%d" % i for i in range(700)]
    shifted = [leaves[0] + leaves[1][:1], leaves[1][1:], *leaves[2:]]  # the same bytes, cut elsewhere

    for size in (255, 256, 700):
        same, other = [reduce(lambda state, leaf: add(state, [leaf]), some[:size], EMPTY) for some in (leaves, shifted)]
        assert sum_of(leaves[:size], 0, remember=True).state == same
        assert sum_of(shifted[:size], 0).state == other
        assert [sum_of(leaves[:size], 0).state for _ in range(2)] == [same] * 2


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["what"])
def test_the_frozen_vectors_are_what_the_second_opinion_says(vector: dict[str, Any]) -> None:
    leaves = [bytes.fromhex(leaf) for leaf in vector["leaves"]]

    assert blake3(state_by_hand(leaves)).hexdigest() == vector["blake3_of_state"]
    assert digest_by_hand(leaves, vector["size_bytes"]) == vector["version_digest"]


@given(leaves=LEAVES, size_bytes=st.integers(0, 2**64 - 1))
def test_any_set_has_the_digest_that_the_second_opinion_gives(leaves: list[bytes], size_bytes: int) -> None:
    assert add(EMPTY, leaves) == state_by_hand(leaves)
    assert sum_of(leaves, size_bytes).digest() == digest_by_hand(leaves, size_bytes)


@pytest.mark.parametrize("count", [255, 256, 257, 600])
def test_a_sum_over_several_rounds_is_the_sum_over_one(count: int) -> None:
    leaves = [str(i).encode() for i in range(count)]

    assert add(EMPTY, leaves) == state_by_hand(leaves)


@given(leaves=LEAVES, random=st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_matter(leaves: list[bytes], random: Any) -> None:
    shuffled = random.sample(leaves, len(leaves))

    assert add(EMPTY, shuffled) == add(EMPTY, leaves)


@given(there=LEAVES, more=LEAVES)
def test_taking_out_what_was_put_in_leaves_what_was_there(there: list[bytes], more: list[bytes]) -> None:
    state = add(EMPTY, there)

    assert remove(add(state, more), more) == state
    assert without(combine(state, add(EMPTY, more)), add(EMPTY, more)) == state


@given(one=LEAVES, other=LEAVES)
def test_batches_add_up(one: list[bytes], other: list[bytes]) -> None:
    together = add(EMPTY, one + other)

    assert add(add(EMPTY, one), other) == together
    assert combine(add(EMPTY, one), add(EMPTY, other)) == together
    assert combine(add(EMPTY, other), add(EMPTY, one)) == together


@given(one=LEAVES, other=LEAVES, sizes=st.tuples(st.integers(0, 1 << 62), st.integers(0, 1 << 62)))
def test_sums_of_content_add_and_subtract(one: list[bytes], other: list[bytes], sizes: tuple[int, int]) -> None:
    first, second = sum_of(one, sizes[0]), sum_of(other, sizes[1])

    assert first.plus(second) == second.plus(first) == sum_of(one + other, sum(sizes))
    assert first.plus(second).minus(second) == first
    assert first.plus(NOTHING) == first.minus(NOTHING) == first


def test_65536_copies_of_one_leaf_vanish_so_paths_must_be_unique_before_they_are_summed() -> None:
    state = add(EMPTY, [b"other"])
    copies = add(EMPTY, [b"leaf"])
    for _ in range(16):
        copies = combine(copies, copies)

    assert copies == EMPTY
    assert add(state, [b"leaf"] * 65_536) == state


def test_count_and_size_are_part_of_the_digest() -> None:
    digests = {NOTHING.digest(), ContentSum(count=1).digest(), ContentSum(size_bytes=1).digest()}

    assert len(digests) == 3


def test_the_algorithm_and_the_size_of_its_state_are_final() -> None:
    assert (lthash.ALGORITHM, lthash.LANES, lthash.STATE_BYTES) == ("lthash16x1024-blake3", 1024, 2048)
    assert bytes(2048) == EMPTY
