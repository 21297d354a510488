"""Previews: what decides on their kind, and the process that decodes what nobody vouches for."""

import io
import json
import os
import random
import struct
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pyarrow as arrow
import pytest
from headwater_blobs.folder import FolderBlobStore
from headwater_blobs.port import CHUNK_BYTES, PACKED_FILE_BYTES_MAX
from headwater_consumer.queries import EntryInfo
from headwater_consumer.rows import FILE
from headwater_server.web.previews import bounded, worker
from headwater_server.web.previews.bounded import Failed, decoded
from headwater_server.web.previews.contents import READ_BYTES_MAX, Contents, TooMuchRead
from headwater_server.web.previews.images import PIXELS_MAX, SIDE_MAX, Image, image_of
from headwater_server.web.previews.texts import indented, text_of
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from tests.contract.blob_stores import put_pack
from tests.server.web.viewed import png, rows_of_parquet

WORKER = Path(worker.__file__).read_text()


class Ranges:
    """A file that says which ranges of it were read."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.read_bytes = 0

    def read(self, first: int, length: int) -> bytes:
        self.read_bytes += length
        if self.read_bytes > READ_BYTES_MAX:
            raise TooMuchRead
        return self.content[first : first + length]


def table(content: bytes, action: str) -> dict[str, object]:
    found = decoded(Ranges(content).read, action=action, size=len(content))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("first", "length"), [(0, None), (7, CHUNK_BYTES * 3)], ids=["whole", "range"])
def test_a_large_file_is_read_as_it_is_however_many_pieces_that_takes(
    tmp_path: Path, first: int, length: int | None
) -> None:
    content = random.Random(3).randbytes(PACKED_FILE_BYTES_MAX + 5)
    with closing(FolderBlobStore.open(tmp_path / "blobs")) as blobs:
        ((place, digest),) = put_pack(blobs, content)
        entry = EntryInfo("a", FILE, len(content), digest, place.object_name, place.offset, None, None, None)

        found = Contents(blobs, entry).read(first, len(content) if length is None else length)

    assert found == content[first : None if length is None else first + length]


# --- images


def jpeg(width: int, height: int) -> bytes:
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 300) + b"x" * 300
    frame = b"\xff\xc2" + struct.pack(">HBHH", 11, 8, height, width) + b"\x01\x11\x00"
    return b"\xff\xd8" + b"\xff\xe0\x00\x04ab" + comment + b"\xff" + frame + b"\xff\xd9"


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF\0\0\0\0WEBP" + kind + struct.pack("<I", len(body)) + body.ljust(20, b"\0")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (png(7, 5), Image("image/png", 7, 5)),
        (b"GIF89a\x07\x00\x05\x00" + bytes(20), Image("image/gif", 7, 5)),
        (jpeg(7, 5), Image("image/jpeg", 7, 5)),
        (webp(b"VP8X", b"\0\0\0\0\x06\0\0\x04\0\0"), Image("image/webp", 7, 5)),
        (webp(b"VP8L", b"\x2f" + struct.pack("<I", 6 | 4 << 14)), Image("image/webp", 7, 5)),
        (webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a\x07\0\x05\0"), Image("image/webp", 7, 5)),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"\xff\xd8\xff", None),
        (b"RIFF\0\0\0\0WAVE" + bytes(40), None),
        (b"", None),
    ],
)
def test_images_are_known_by_how_they_begin(content: bytes, expected: Image | None) -> None:
    assert image_of(content) == expected


@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"GIF87a", b"\xff\xd8\xff", b"RIFF", b""]), st.binary(max_size=200))
def test_bytes_that_only_begin_as_an_image_do_no_harm(magic: bytes, rest: bytes) -> None:
    found = image_of(magic + rest)
    assert found is None or found.width >= 0


def test_images_that_are_too_large_are_not_drawn() -> None:
    side = int(PIXELS_MAX**0.5)
    assert Image("image/png", side, side).is_drawable
    for width, height in ((side + 1, side + 1), (SIDE_MAX + 1, 1), (1, SIDE_MAX + 1), (0, 5)):
        assert not Image("image/png", width, height).is_drawable


# --- text


def test_text_is_text_in_the_usual_encodings_and_nothing_else_is() -> None:
    assert text_of("héllo 🦆".encode(), is_whole=True) == "héllo 🦆"
    assert text_of(b"\xef\xbb\xbfa", is_whole=True) == "a"
    assert text_of("ab".encode("utf-16"), is_whole=True) == "ab"
    assert text_of(b"", is_whole=True) == ""
    assert text_of(b"a\0b", is_whole=True) is None
    assert text_of(b"\xff\xfe\xfa", is_whole=True) is None
    assert text_of("é".encode()[:1], is_whole=True) is None
    duck = "🦆".encode()
    assert [text_of(b"a" + duck[:cut], is_whole=False) for cut in range(4)] == ["a"] * 4


def test_json_is_indented_unless_it_is_none_or_too_deep() -> None:
    assert indented('{"a":[1,{"b":"é"}]}') == json.dumps({"a": [1, {"b": "é"}]}, indent=2, ensure_ascii=False)
    assert indented("nothing") is None
    assert indented("[" * 100_000) is None
    assert indented("9" * 10_000) is None
    assert indented(json.dumps([[[[0] * 2000] * 10]])) is None  # with its spaces it would be too long


@pytest.mark.parametrize(
    "text",
    [
        r'"\ud800"',
        '{"a": 1, "a": 2}',
        "[0.12345678901234567890123]",
        "[1e999]",
        "1e-99999999999999999999",
        '[{"b": {"a": 1, "a": 1}}]',
    ],
)
def test_json_that_would_read_otherwise_with_its_structure_shown_is_shown_as_it_is(text: str) -> None:
    assert json.loads(text) is not None
    assert indented(text) is None


def test_numbers_that_are_written_otherwise_than_they_are_read_are_shown_with_their_structure() -> None:
    assert indented("[1.10,1E5,-0.0]") == json.dumps([1.1, 1e5, -0.0], indent=2)


# --- tables


def test_the_largest_table_that_is_shown_is_whole() -> None:
    cell = "\u6f22" * worker.CELL_LENGTH_MAX
    columns = {str(n): [cell] * worker.ROWS_MAX for n in range(worker.COLUMNS_MAX)}
    file = io.BytesIO()
    parquet.write_table(arrow.table(columns), file)

    found = table(file.getvalue(), "parquet")

    assert found["rows"] == [[cell] * worker.COLUMNS_MAX] * worker.ROWS_MAX


def test_the_first_rows_of_values_that_are_separated_by_anything_usual() -> None:
    for separator in ",;\t|":
        content = f"a{separator}b\n1{separator}x y\n".encode()
        found = table(content, "csv")
        assert [one["name"] for one in found["columns"]] == ["a", "b"]  # type: ignore[attr-defined]
        assert (found["rows"], found["row_count"]) == ([["1", "x y"]], 1)
    assert table(b"", "csv") == {"columns": [], "column_count": 0, "rows": [], "row_count": 0}
    odd = table(b'a,b\n"x\ny",2,3\n4\n', "csv")
    assert odd["rows"] == [["x\ny", "2", "3"], ["4", None, None]]
    assert odd["column_count"] == 3


def test_a_long_table_is_read_from_its_beginning_alone() -> None:
    ranges = Ranges(b"a,b\n" + b"1,2\n" * 2_000_000)
    found = decoded(ranges.read, action="csv", size=len(ranges.content))
    assert (len(found["rows"]), found["row_count"]) == (worker.ROWS_MAX, None)
    assert ranges.read_bytes == worker.CSV_BYTES


def test_the_first_rows_of_a_large_parquet_file_cost_a_part_of_it() -> None:
    out = io.BytesIO()
    noise = os.urandom(16 * 400_000)
    columns = {"n": range(400_000), "noise": [noise[16 * n : 16 * n + 16] for n in range(400_000)]}
    parquet.write_table(arrow.table(columns), out, row_group_size=100_000, use_dictionary=False)
    ranges = Ranges(out.getvalue())

    found = decoded(ranges.read, action="parquet", size=len(ranges.content))

    assert (found["row_count"], len(found["rows"])) == (400_000, worker.ROWS_MAX)
    assert found["rows"][3] == ["3", noise[48:64].hex()]
    assert ranges.read_bytes < len(ranges.content) / 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PAR1PAR1", "unreadable"),
        (b"PAR1" + bytes(1000) + b"PAR1", "unreadable"),
        (rows_of_parquet()[:-20], "unreadable"),
    ],
)
def test_a_broken_table_is_said_to_be_broken(content: bytes, reason: str) -> None:
    with pytest.raises(Failed) as failed:
        table(content, "parquet")
    assert failed.value.reason == reason


def test_without_the_library_for_parquet_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    replaced = WORKER.replace("import pyarrow as arrow", "import no_such_library as arrow")
    run_instead(monkeypatch, tmp_path, replaced)
    with pytest.raises(Failed) as failed:
        table(rows_of_parquet(), "parquet")
    assert failed.value.reason == "no-library"


# --- bounds of the worker


def run_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    script = tmp_path / "worker.py"
    script.write_text(text)
    monkeypatch.setattr(bounded, "_WORKER", script)


def worker_that(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str) -> None:
    """One with the bounds of the real one, which does something else."""
    begin = "    try:\n        result = _ACTIONS"
    assert begin in WORKER
    run_instead(monkeypatch, tmp_path, WORKER.replace(begin, f"    {does}\n{begin}", 1))


@pytest.mark.parametrize(
    "does",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "x = bytearray(4 * 1024**3)",
        "sys.stdout.buffer.write(b'x' * 64 * 1024**2)",
        "sys.exit(3)",
        "fetch(0, 1 << 40)",
    ],
)
def test_a_worker_that_takes_too_much_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str) -> None:
    monkeypatch.setattr(bounded, "WALL_S", 2.0)
    worker_that(monkeypatch, tmp_path, does)
    begun = time.monotonic()
    with pytest.raises(Failed) as failed:
        table(b"a,b\n", "csv")
    assert failed.value.reason == "too-much"
    assert time.monotonic() - begun < 10


def test_a_worker_writes_no_files_and_knows_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADWATER_SECRET", "s3cret")
    target = tmp_path / "written"
    worker_that(
        monkeypatch,
        tmp_path,
        f"import os, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"'HEADWATER_SECRET' in os.environ or os.write(os.open({str(target)!r}, os.O_CREAT | os.O_WRONLY), b'x')",
    )
    with pytest.raises(Failed):
        table(b"a,b\n", "csv")
    assert target.read_text() == ""


def test_the_worker_imports_nothing_of_ours() -> None:
    assert "headwater" not in WORKER
    ran = subprocess.run(
        [sys.executable, "-I", worker.__file__], input=b'{"action": "diff", "sizes": [0, 0]}\n', capture_output=True
    )
    assert json.loads(ran.stdout) == {"lines": [], "is_cut": False}


def test_a_table_of_much_in_little_ends() -> None:
    out = io.BytesIO()
    column = arrow.array(["a" * 1_000_000] * worker.ROWS_MAX)
    shown = arrow.table({f"x{n}": column for n in range(worker.COLUMNS_MAX)})  # in memory once
    parquet.write_table(shown, out, compression="zstd", use_dictionary=False)
    assert len(out.getvalue()) < 10_000_000

    with pytest.raises(Failed) as failed:
        table(out.getvalue(), "parquet")

    assert failed.value.reason == "too-much"
