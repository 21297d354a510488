"""What a process holds that logged one small file and then waits for nothing: memory, and connections to PostgreSQL."""

import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg

from bench.harness import CHILD_TIMEOUT_S, Bench, Figure, Home, resident_bytes, start_python
from bench.on_servers import ServerHome

WRITERS = 5
BYTES_MAX, BYTES_ON_SERVERS_MAX = 40_000_000, 55_000_000
IDLE_S = 8.0  # after this, all that is given back when it is not used has been
WAITING = """
import os, pathlib, sys
import headwater
content = pathlib.Path(sys.argv[1])
content.write_bytes(os.urandom(16))
with headwater.init() as run:
    artifact = headwater.Artifact("small", "dataset")
    artifact.add_file(str(content))
    run.log_artifact(artifact).wait()
    print("idle", flush=True)
    sys.stdin.readline()
"""


def measure(bench: Bench) -> Iterator[Figure]:
    home = bench.home()
    home.folder.mkdir(exist_ok=True)
    before = _connections(home)
    writers = [
        start_python(["-c", WAITING, str(home.folder / f"{n}")], home.environment()) for n in range(bench.size(WRITERS))
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        time.sleep(IDLE_S)
        sizes = sorted(resident_bytes(writer.pid) for writer in writers)
        held = _connections(home) - before
    finally:
        for writer in writers:
            _release(writer)
    yield _figure(sizes, held, _bare_bytes(), BYTES_MAX if type(home) is Home else BYTES_ON_SERVERS_MAX)


def _figure(sizes: list[int], held: int, bare: int, bytes_max: int) -> Figure:
    value = statistics.median(sizes)
    return Figure(
        bench="idle",
        value=value,
        unit="bytes",
        limit=None,
        ratio=None,
        reach=f"at most {bytes_max} bytes each, and no connection to PostgreSQL",
        ok=value <= bytes_max and held <= 0,
        runs=sizes,
        detail={"connections": held, "writers": len(sizes), "bytes_of_a_bare_interpreter": bare},
    )


def _connections(home: Home) -> int:
    """How many of ours PostgreSQL has; 0 where there is none."""
    if not isinstance(home, ServerHome):
        return 0
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'headwater'"
    with closing(psycopg.connect(home.profile().database_url)) as connection:
        found = connection.execute(ours).fetchone()
    assert found is not None
    return int(found[0])


def _bare_bytes() -> int:
    script = "import sys; print('idle', flush=True); sys.stdin.readline()"
    bare = start_python(["-c", script], os.environ)
    assert bare.stdout is not None
    bare.stdout.readline()
    size = resident_bytes(bare.pid)
    _release(bare)
    return size


def _release(process: "subprocess.Popen[str]") -> None:
    """Let it end."""
    assert process.stdin is not None
    print(file=process.stdin, flush=True)
    process.wait(CHILD_TIMEOUT_S)
