"""What the servers of these tests have recorded: something of everything that a view shows, hostile texts included."""

import io
import struct
import zlib
from contextlib import closing
from pathlib import Path

import headwater
import pyarrow as arrow
import pytest
from headwater_producer.producer import Producer
from headwater_schemas.events import AliasMoved, DraftOpened, Event, VersionDeleted, VersionRecalled, shared_draft
from headwater_stores.folder import open_folder
from pyarrow import parquet

from tests.server.recorded import ENTITY, add, record

PROJECT, FOREIGN = "team/vision", "team/audio"
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"&amp;{{ 7 * 7 }}\u202eabc"
ANA, WHY = "headwater|ana", "v2 was worse"
NAME = "shown"
SHOWN = f"{PROJECT}/{NAME}"
USERS = 12  # runs of the project that used prod
LINES = 40
ROWS = 200  # of the Parquet file
MANY = 130  # files in one folder: more than a page
CATCH_UP_S = 60.0


def record_views(store: Path) -> None:
    """Record it all in a new folder, as its owner does, without a server."""
    record(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWATER_URL", str(store))
        patch.setenv("HEADWATER_ENTITY", ENTITY)
        patch.setenv("HEADWATER_PROJECT", "vision")
        patch.setenv("HEADWATER_QUIET", "true")
        _record_versions()
        _record_aliases(store)
        _record_uses()
        _record_hostile()


def _record_versions() -> None:
    with headwater.init(job_type="make", id="make", config={"lr": 0.1, "deep": {"er": [1, 2]}}) as run:
        run.use_artifact("images:v0", use_as="raw")
        for n in range(4):
            metadata = {"loss": 1.0 / (n + 1), "step": n, "kind": "t"}
            artifact = headwater.Artifact(NAME, type="dataset", metadata=metadata)
            artifact.tags = [f"round-{n}"]
            add(artifact, _files(n))
            artifact.add_reference("https://example.com/there.csv", name="there.csv", checksum=False)
            run.log_artifact(artifact).wait()
        run.summary["best"] = 0.25


def _files(n: int) -> dict[str, bytes]:
    lines = [f"line {i}" for i in range(LINES)]
    lines[20] = f"changed {n}"
    files = {
        "notes.md": b"# Title\n\n<b>not bold</b>\n",
        "text/lines.txt": "\n".join(lines).encode(),
        "data/config.json": b'{"b":[1,2],"a":{"c":null}}',
        "data/rows.csv": b"id;name\n" + b"".join(b"%d;n%d\n" % (i, i) for i in range(ROWS)),
        "data/rows.parquet": rows_of_parquet(),
        "data/broken.parquet": b"PAR1 and no more",
        "pictures/red.png": png(3, 2),
        "pictures/tall.png": png(600, 1200),
        "pictures/huge.png": png(3, 2, said=(100_000, 100_000)),
        "pictures/drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "pages/page.html": b"<script>alert(1)</script>",
        "binary.bin": bytes(range(256)),
        "empty.txt": b"",
    }
    return files | {f"many/{i:03d}.txt": b"%d" % i for i in range(MANY)} | ({"new.txt": b"new"} if n == 3 else {})


def _record_aliases(store: Path) -> None:
    with closing(open_folder(store, create=False)) as stores:

        def write(event: Event, *, by: str = "headwater|ana", message: str | None = None) -> None:
            producer = Producer(stores.log, author=by)
            producer.send([event], message=message)
            stores.projection.catch_up(producer.confirm(), timeout_s=CATCH_UP_S)

        for version, by, message in ((0, "ben@laptop", "the first"), (2, ANA, None), (1, ANA, WHY), (None, ANA, None)):
            write(AliasMoved(collection=SHOWN, alias="prod", version=version), by=by, message=message)
        write(AliasMoved(collection=SHOWN, alias="prod", version=1), message=SCRIPT)
        write(VersionRecalled(collection=SHOWN, version=2, reason=f"mislabelled {SCRIPT}"), message="found by hand")
        write(VersionDeleted(collection=SHOWN, version=0, delete_aliases=True), message="too old")
        write(DraftOpened(collection=SHOWN, draft=shared_draft("epoch-1"), type="dataset", base=1))


def _record_uses() -> None:
    for n in range(USERS):
        with headwater.init(id=f"user-{n:02d}", job_type="use") as run:
            run.use_artifact(f"{NAME}:prod")
    with headwater.init(project="audio", id="elsewhere") as run:
        run.use_artifact(f"{SHOWN}:prod")


def _record_hostile() -> None:
    with headwater.init(id="hostile", job_type=SCRIPT, group=SCRIPT, config={SCRIPT: SCRIPT}, name=SCRIPT) as run:
        artifact = headwater.Artifact("hostile", type="dataset", description=SCRIPT, metadata={SCRIPT: SCRIPT})
        table = f"{SCRIPT},b\n{SCRIPT},2\n"
        path = "<script>alert(1)</script>/<img src=x onerror=alert(1)>.txt"
        add(artifact, {path: SCRIPT.encode(), "table.csv": table.encode()})
        artifact.add_reference("https://example.com/<script>alert(1)</script>", name="ref", checksum=False)
        run.log_artifact(artifact).wait()
        run.summary[SCRIPT] = SCRIPT


def rows_of_parquet() -> bytes:
    """A small table."""
    table = arrow.table(
        {"number": range(ROWS), "text": [f"row {n}" for n in range(ROWS)], "list": [[n] for n in range(ROWS)]}
    )
    out = io.BytesIO()
    parquet.write_table(table, out)
    return out.getvalue()


def png(width: int, height: int, *, said: tuple[int, int] | None = None) -> bytes:
    """A red image; `said`: the size that it claims to have."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", *(said or (width, height)), 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + b"\xc0\x20\x20" * width for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
