"""Where content came from is remembered in little, and found again."""

import errno
import io
import os
import random
import tempfile

import pytest
from headwater._ingest import content_sources
from headwater._ingest.content_sources import FOLDERS_MAX, ContentSources, WrittenContent

from tests.runtime.forks import in_a_fork


def kept(written: WrittenContent, path: str) -> bytes:
    return b"".join(written.pieces(path))


def test_a_file_of_a_folder_is_found_below_every_folder_of_its_prefix_the_last_first() -> None:
    sources = ContentSources()
    sources.note_folder("/data", "")
    sources.note_folder("/data/more/", "images/")
    sources.note_folder("/other", "images/")

    assert list(sources.locations("images/a/b.png")) == [
        "/other/a/b.png",
        "/data/more/a/b.png",
        "/data/images/a/b.png",
    ]
    assert list(sources.locations("a.txt")) == ["/data/a.txt"]


def test_single_files_of_one_folder_take_no_more_memory_than_the_folder() -> None:
    sources = ContentSources()
    for i in range(1000):
        sources.note_file(f"a/{i}.bin", f"/data/{i}.bin")

    assert sources._files == {}
    assert list(sources.locations("a/7.bin")) == ["/data/7.bin"]


def test_single_files_are_found_whatever_they_are_called_and_wherever_they_are() -> None:
    sources = ContentSources()
    sources.note_file("model.bin", "/tmp/x123")
    for i in range(2 * FOLDERS_MAX):
        sources.note_file(f"{i}.bin", f"/data/{i}/{i}.bin")

    assert "/tmp/x123" in list(sources.locations("model.bin"))
    for i in range(2 * FOLDERS_MAX):
        assert f"/data/{i}/{i}.bin" in list(sources.locations(f"{i}.bin"))


@pytest.mark.parametrize("held", [0, 1500, 1 << 20], ids=["spooled", "some", "held"])
def test_what_was_written_is_kept_in_memory_up_to_a_bound_and_in_a_file_beyond(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_sources, "HELD_BYTES_MAX", held)
    contents = {f"{i}": random.Random(i).randbytes(1000) for i in range(5)} | {"large": os.urandom(700_000), "0": b""}
    written = WrittenContent()

    for path, content in contents.items():
        written.keep(path, io.BytesIO(content), len(content))
    written.keep("1", io.BytesIO(b"again"), 5)

    assert {path: kept(written, path) for path in contents} == contents | {"1": b"again"}
    assert kept(written, "never written") == b""
    written.close()
    assert kept(written, "large") == b""


def test_a_child_of_a_fork_overwrites_nothing_that_its_parent_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_sources, "HELD_BYTES_MAX", 0)
    written = WrittenContent()
    written.keep("a", io.BytesIO(b"first"), 5)

    def in_child() -> bool:
        written.keep("b", io.BytesIO(b"child"), 5)
        return (kept(written, "a"), kept(written, "b")) == (b"first", b"child")

    assert in_a_fork(in_child)
    written.keep("c", io.BytesIO(b"third"), 5)
    assert (kept(written, "a"), kept(written, "b"), kept(written, "c")) == (b"first", b"", b"third")


def test_a_full_disk_keeps_nothing_and_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(content_sources, "HELD_BYTES_MAX", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    written = WrittenContent()

    written.keep("a", io.BytesIO(b"1"), 1)

    assert kept(written, "a") == b""
