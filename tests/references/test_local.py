"""References to files of this machine."""

import os
from pathlib import Path

import pytest
from headwater._references.listing import FoundObject, Listing
from headwater._references.schemes import fetch, look_up
from headwater.errors import InvalidFile, InvalidInput, ReferenceChanged
from headwater_blobs.port import CHUNK_BYTES
from headwater_schemas import digests

from tests.references.objects import recorded


def test_a_file_is_recorded_by_size_and_digest(tmp_path: Path) -> None:
    file = tmp_path / "a b.txt"
    file.write_bytes(b"content")

    listing = look_up(file.as_uri())

    digest = digests.to_text(digests.pack("xxh3", digests.one_shot("xxh3")(b"content")))
    assert listing == Listing([FoundObject("a b.txt", file.as_uri(), digest, 7, None)], is_prefix=False)
    assert b"".join(fetch(recorded(listing.objects[0]))) == b"content"


def test_a_folder_stands_for_the_files_below_it(tmp_path: Path) -> None:
    for name in ("images/cat.png", "images/more/dog #1.png", "images2/no.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    for uri in ((tmp_path / "images").as_uri(), f"{(tmp_path / 'images').as_uri()}/"):
        listing = look_up(uri)

        assert listing.is_prefix
        assert [found.path for found in listing.objects] == ["cat.png", "more/dog #1.png"]
        assert b"".join(fetch(recorded(listing.objects[1]))) == b"images/more/dog #1.png"


def test_a_folder_with_too_many_files_is_an_error(tmp_path: Path) -> None:
    for parse_size in range(3):
        (tmp_path / str(parse_size)).touch()

    with pytest.raises(InvalidInput, match="has more than 2 objects"):
        look_up(tmp_path.as_uri(), max_objects=2)


def test_what_is_no_file_is_refused_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")

    for uri, problem in (
        ((tmp_path / "fifo").as_uri(), "is a FIFO, not a file"),
        ((tmp_path / "nothing").as_uri(), "does not exist"),
        ((tmp_path / "link").as_uri(), "is a link to 'nowhere', which does not exist"),
        (f"{(tmp_path / 'file').as_uri()}/", "is not a folder"),
        (tmp_path.as_uri(), "fifo' is a FIFO"),
    ):
        with pytest.raises(InvalidFile, match=problem):
            look_up(uri)


@pytest.mark.parametrize("uri", ["file://server/share/a", "file:a", "file:///a?b", "file:///a#b"])
def test_a_uri_of_no_place_on_this_machine_is_refused(uri: str) -> None:
    with pytest.raises(InvalidInput, match="is not a path on this machine|Write them as %3F and %23"):  # noqa: RUF043
        look_up(uri)


def test_a_file_that_changed_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"content")
    reference = recorded(look_up(file.as_uri()).objects[0])

    file.write_bytes(b"longer content")
    with pytest.raises(ReferenceChanged, match="recorded 7 bytes, found 14"):
        next(fetch(reference))
    file.write_bytes(b"CONTENT")
    with pytest.raises(ReferenceChanged, match=r"recorded xxh3:\w+, found xxh3:\w+"):
        list(fetch(reference))
    file.unlink()
    with pytest.raises(ReferenceChanged, match="no longer exists"):
        next(fetch(reference))


def test_a_large_file_comes_in_pieces_of_bounded_size(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(bytes(2 * CHUNK_BYTES + 1))

    assert max(map(len, fetch(recorded(look_up(file.as_uri()).objects[0])))) == CHUNK_BYTES
