"""Batches of files in columns, and the leaves that their digest is made of."""

import dataclasses
import struct
from typing import Any

import pytest
from headwater_schemas import digests
from headwater_schemas.entries import (
    NO_FILES,
    BlobLocation,
    BlobLocations,
    FileEntries,
    FileRow,
    FilesByPath,
    Ranges,
    Reference,
    file_leaves,
    reference_leaf,
)
from headwater_schemas.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st

from tests.support import strategies
from tests.support.entries import of_rows

TWO = FileEntries(
    paths=["a", "b"], digests=bytes(32), sizes=[1, 2], objects=["o"], object_indexes=[0, 0], offsets=[0, 1]
)


@given(data=st.data(), algorithm=st.sampled_from(sorted(digests.DIGEST_BYTES)))
def test_rows_come_back_from_columns(data: st.DataObject, algorithm: str) -> None:
    rows = data.draw(strategies.file_rows(algorithm))

    entries = of_rows(rows, algorithm)

    entries.check()
    assert list(entries.rows()) == rows
    assert len(entries) == len(rows)
    assert set(entries.objects) == {row.object_name for row in rows}


@given(entries=strategies.file_entries(), start=st.integers(0, 7), end=st.integers(0, 7))
def test_a_slice_has_the_rows_of_its_range_and_only_their_objects(entries: FileEntries, start: int, end: int) -> None:
    part = entries.slice(start, end)

    part.check()
    assert list(part.rows()) == list(entries.rows())[start:end]
    assert set(part.objects) == {row.object_name for row in part.rows()}


def test_a_rows_location_is_its_object_offset_and_size() -> None:
    assert FileRow("a", b"", 7, "packs/x", 512).location == ("packs/x", 512, 7)


@pytest.mark.parametrize(
    "changes",
    [
        {"digests": bytes(31)},
        {"digests": bytes(48)},
        {"paths": ["a"]},
        {"sizes": [1]},
        {"object_indexes": [0, 0, 0]},
        {"offsets": []},
        {"sizes": [1, -1]},
        {"offsets": [-1, 0]},
        {"object_indexes": [0, -1]},
        {"object_indexes": [0, 1]},
        {"objects": []},
        {"algorithm": "blake3"},
        {"algorithm": "md5"},
    ],
    ids=str,
)
def test_columns_that_do_not_fit_together_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        dataclasses.replace(TWO, **changes).check()


def test_no_files_are_a_batch_too() -> None:
    NO_FILES.check()

    assert list(NO_FILES.rows()) == []


def test_a_files_leaf_is_tag_path_digest_size_and_attributes() -> None:
    digest = b"\x01" + bytes(range(16))

    leaves = file_leaves(["data/ä.csv", "data/ä.csv"], [digest, digest], [5000, 5000], [1])

    path = "data/ä.csv".encode()
    plain = b"headwater/entry/1\x00F" + struct.pack(">I", len(path)) + path + b"\x11" + digest + struct.pack(">Q", 5000)
    assert leaves == [
        plain + b"\x00\x00\x00\x00",
        plain + b"\x00\x00\x00\x01" + b"\x00\x00\x00\x0aexecutable",
    ]


def test_a_references_leaf_is_tag_path_uri_and_what_is_known() -> None:
    known = Reference("p", "s3://b", "etag:1", 5, "v")
    unknown = Reference("p", "s3://b")

    head = b"headwater/entry/1\x00R" + b"\x00\x00\x00\x01p" + b"\x00\x00\x00\x06s3://b"
    assert reference_leaf(known) == (
        head
        + b"\x00\x00\x00\x06etag:1"
        + b"\x00\x00\x00\x08"
        + struct.pack(">Q", 5)
        + b"\x00\x00\x00\x01v"
        + b"\x00\x00\x00\x00"
    )
    assert reference_leaf(unknown) == head + b"\xff" * 12 + b"\x00" * 4


@given(one=strategies.references(), other=strategies.references())
def test_different_references_have_different_leaves(one: Reference, other: Reference) -> None:
    assert (reference_leaf(one) == reference_leaf(other)) == (one == other)


@given(one=strategies.file_rows("xxh3", 1), other=strategies.file_rows("xxh3", 1))
def test_different_files_have_different_leaves_and_their_place_does_not_count(
    one: list[FileRow], other: list[FileRow]
) -> None:
    assert (leaves_of(one) == leaves_of(other)) == (contents_of(one) == contents_of(other))


def contents_of(rows: list[FileRow]) -> list[tuple[object, ...]]:
    return [(row.path, row.digest, row.size, row.executable) for row in rows]


def leaves_of(rows: list[FileRow]) -> list[bytes]:
    executable = [i for i, row in enumerate(rows) if row.executable]
    return file_leaves([row.path for row in rows], [row.digest for row in rows], [row.size for row in rows], executable)


# --- files by path ------------------------------------------------------------------------------------------------


@given(files=st.dictionaries(st.text(), st.tuples(st.binary(), st.integers())), data=st.data())
def test_files_by_path_are_a_mapping_in_two_columns(files: dict[str, tuple[bytes, int]], data: st.DataObject) -> None:
    found = FilesByPath(files)
    some = data.draw(st.lists(st.sampled_from([*files, "another"]), unique=True))

    assert (found, list(found.items())) == (files, list(files.items()))
    assert (list(found.digests), list(found.sizes)) == (list(files), list(files)), "both columns have one order"
    assert found.part(some) == {path: files[path] for path in some if path in files}
    assert FilesByPath.of(found) is found
    for path in some:
        assert found.pop(path, None) == files.pop(path, None)
    assert (found, len(found.sizes)) == (files, len(files))


def test_a_file_that_is_added_again_replaces_the_first_and_keeps_its_place() -> None:
    found = FilesByPath({"a": (b"1", 1), "b": (b"2", 2)})

    found.add(["c", "a"], [b"3", b"4"], [3, 4])

    assert list(found.items()) == [("a", (b"4", 4)), ("b", (b"2", 2)), ("c", (b"3", 3))]


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        FilesByPath().add(["a"], [b"1"], [])


# --- places of contents -------------------------------------------------------------------------------------------


def test_locations_of_contents_are_a_mapping_in_columns() -> None:
    found = BlobLocations()
    found.add("pack", [b"1", b"2"], Ranges({b"1": (0, 5), b"2": (5, 7), b"3": (12, 1)}))
    found.update({b"2": BlobLocation("other", 3, 7), b"4": BlobLocation("file", 0, 9)})

    assert found == {
        b"1": BlobLocation("pack", 0, 5),
        b"2": BlobLocation("other", 3, 7),
        b"4": BlobLocation("file", 0, 9),
    }
    assert list(found) == [b"1", b"2", b"4"]
    assert (found.object_names[b"1"], found.ranges.offsets[b"1"], found.ranges.sizes[b"1"]) == ("pack", 0, 5)
    assert found.pop(b"2") == BlobLocation("other", 3, 7)
    assert (b"2" in found, len(found), found.get(b"3")) == (False, 2, None)
