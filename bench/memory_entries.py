"""Peak memory of a process that logs a folder of 1,000,000 files."""

from collections.abc import Iterator

from bench.harness import Bench, Figure, run
from bench.logging_runs import log_folder
from bench.memory_file import memory_figure
from bench.trees import make_tree

FILES, FOLDERS = 1_000_000, 1000
FILE_BYTES = 16  # what is in them waits in packs of a bounded size, so it may be as small as makes them differ


def measure(bench: Bench) -> Iterator[Figure]:
    tree = make_tree(bench.folder("tree"), files=bench.size(FILES), folders=bench.size(FOLDERS), size=FILE_BYTES)
    results = [run(bench.home(), log_folder, folder=tree) for _ in range(bench.rounds)]
    bounded_by = "the number of entries: their paths, digests and places are held until the version is recorded"
    yield memory_figure("memory-entries", results, bounded_by)
