"""How much longer than the bare interpreter `import headwater` and `headwater version` take."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.harness import Bench, Figure, Home, Pairs, timed

STARTS = 21
IMPORT_MORE_MAX_S, VERSION_MORE_MAX_S = 0.1, 0.2


def measure(bench: Bench) -> Iterator[Figure]:
    home = bench.home()
    home.folder.mkdir()
    command = str(Path(sys.executable).with_name("headwater"))
    yield _more("import", [sys.executable, "-c", "import headwater"], home, IMPORT_MORE_MAX_S, bench.size(STARTS))
    yield _more("version", [command, "version"], home, VERSION_MORE_MAX_S, bench.size(STARTS))


def _more(name: str, command: Sequence[str], home: Home, more_max_s: float, starts: int) -> Figure:
    _seconds(command, home)  # fills the caches of the disk and of compiled modules
    values, limits = [], []
    for _ in range(starts):
        values.append(_seconds(command, home))
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


def _seconds(command: Sequence[str], home: Home) -> float:
    environment = home.environment()
    return timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment))
