"""Peak memory of a process that logs one file of 8 GiB.

The source is sparse, so that only the copy takes room on the disk; it is deleted at once.
"""

import os
from collections.abc import Iterator

from bench.harness import Bench, Figure, Result, parts_of, run
from bench.logging_runs import log_file

FILE_BYTES = 8 * 1024**3
PEAK_BYTES_MAX = 1024**3


def measure(bench: Bench) -> Iterator[Figure]:
    source = bench.folder("sparse.bin")
    with open(source, "wb") as file:
        os.truncate(file.fileno(), bench.size(FILE_BYTES))
    results: list[Result] = []
    for _ in range(bench.rounds):
        home = bench.home()
        results.append(run(home, log_file, file=source))
        home.forget_content()
    yield memory_figure("memory-file", results, "one buffer of CHUNK_BYTES a thread; the file's size plays no part")


def memory_figure(name: str, results: list[Result], bounded_by: str) -> Figure:
    """Peak memory of the processes that gave these results."""
    peaks = sorted(result["peak_bytes"] for result in results)
    return Figure(
        bench=name,
        value=peaks[len(peaks) // 2],
        unit="bytes",
        limit=None,
        ratio=None,
        reach=f"less than {PEAK_BYTES_MAX} bytes",
        ok=peaks[-1] < PEAK_BYTES_MAX,
        runs=peaks,
        detail={"bounded_by": bounded_by, **parts_of(results)},
    )
