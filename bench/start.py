"""How much longer than the bare interpreter commands and one small job take, from their start to their exit."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.harness import Bench, Figure, Home, Pairs, timed
from bench.serving import served

STARTS, JOBS = 21, 9
IMPORT_MORE_MAX_S, VERSION_MORE_MAX_S, LS_MORE_MAX_S, COMPLETION_MORE_MAX_S = 0.1, 0.2, 0.35, 0.15
JOB_MORE_MAX_S, JOB_ON_SERVERS_MORE_MAX_S, JOB_THROUGH_SERVER_MORE_MAX_S = 0.6, 1.0, 0.3

COMMAND = str(Path(sys.executable).with_name("headwater"))
LINE = f"{Path(COMMAND).name} ls sm"  # in which Tab is pressed
COMPLETING = {"_HEADWATER_COMPLETE": "bash_complete", "COMP_WORDS": LINE, "COMP_CWORD": "2"}
JOB = """
import headwater, os, pathlib
content = pathlib.Path("content")
content.write_bytes(os.urandom(16))
with headwater.init() as run:
    artifact = headwater.Artifact("small", "dataset")
    artifact.add_file(str(content))
    run.log_artifact(artifact).wait()
"""


def measure(bench: Bench) -> Iterator[Figure]:
    home = bench.home()
    home.folder.mkdir(exist_ok=True)
    starts = bench.size(STARTS)
    yield _more("import", [sys.executable, "-c", "import headwater"], home, IMPORT_MORE_MAX_S, starts)
    yield _more("version", [COMMAND, "version"], home, VERSION_MORE_MAX_S, starts)
    _seconds([sys.executable, "-c", JOB], home)  # so that there is something to list
    yield _more("ls", [COMMAND, "ls"], home, LS_MORE_MAX_S, starts)
    yield _more("completion", [COMMAND], home, COMPLETION_MORE_MAX_S, starts, COMPLETING)


def measure_job(bench: Bench) -> Iterator[Figure]:
    """A process that logs one file of new content and waits for it."""
    home = bench.home()
    home.folder.mkdir(exist_ok=True)
    more_max_s = JOB_MORE_MAX_S if type(home) is Home else JOB_ON_SERVERS_MORE_MAX_S
    yield _more("job", [sys.executable, "-c", JOB], home, more_max_s, bench.size(JOBS))


def measure_server_job(bench: Bench) -> Iterator[Figure]:
    """The same process with nothing but the address of a server."""
    with served(bench.home()) as server:
        job = [sys.executable, "-c", JOB]
        figure = _more("job", job, server.home, JOB_THROUGH_SERVER_MORE_MAX_S, bench.size(JOBS))
        yield replace(figure, bench="server-job")


def _more(
    name: str,
    command: Sequence[str],
    home: Home,
    more_max_s: float,
    starts: int,
    variables: dict[str, str] | None = None,
) -> Figure:
    _seconds(command, home, variables)  # fills the caches of the disk and of compiled modules
    values, limits = [], []
    for _ in range(starts):
        values.append(_seconds(command, home, variables))
        limits.append(_seconds([sys.executable, "-c", "pass"], home))
    pairs = Pairs(values, limits)
    more = pairs.value - pairs.limit
    return pairs.figure(
        f"start-{name}",
        unit="s",
        reach=f"less than {more_max_s} s more than the bare interpreter",
        ok=more < more_max_s,
        detail={"more_s": more},
    )


def _seconds(command: Sequence[str], home: Home, variables: dict[str, str] | None = None) -> float:
    # Compiled once, as what is installed is, whatever the shell says.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(home.folder / "compiled")}
    environment = {**home.environment(), **compiled, **(variables or {})}
    silent = {"stdout": subprocess.DEVNULL, "cwd": os.fspath(home.folder)}
    return timed(lambda: subprocess.run(command, check=True, env=environment, **silent))  # type: ignore[call-overload]
