"""Log and download 2 GiB, and 20,000 small files, through a server. Limit: the direct way.

Large files are deleted once they are not needed, small ones never: see the package.
"""

import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import headwater

from bench.harness import Bench, Figure, Home, Pairs, Result, run, settle
from bench.on_servers import ServerBench
from bench.serving import served

LARGE_BYTES, LARGE_FILES = 256 * 1024 * 1024, 8
SMALL_BYTES, SMALL_FILES = 4096, 20_000
RATIO_MAX, RATIO_MAX_ON_SERVERS = 3.0, 1.5


def measure(bench: Bench) -> Iterator[Figure]:
    most = RATIO_MAX_ON_SERVERS if isinstance(bench, ServerBench) else RATIO_MAX
    for name, size, count in (("large", LARGE_BYTES, LARGE_FILES), ("small", SMALL_BYTES, SMALL_FILES)):
        files = max(1, bench.size(count)) if name == "small" else (1 if bench.quick else count)
        direct: list[Result] = []
        through: list[Result] = []
        for _ in range(bench.rounds):
            settle()
            direct.append(_moved(bench, bench.home(), size, files))
            with served(bench.home()) as server:
                settle()
                through.append(_moved(bench, server.home, size, files))
        for step in ("upload", "download"):
            pairs = Pairs([one[step] for one in through], [one[step] for one in direct])
            yield pairs.figure(
                f"server-transfer-{name}-{step}",
                unit="s",
                reach=f"at most {most} x the direct way",
                ok=bench.quick or pairs.ratio <= most,
                detail={"files": files, "bytes_each": size, "median_s": statistics.median(pairs.values)},
            )


def _moved(bench: Bench, home: Home, size: int, files: int) -> Result:
    folder = bench.folder("moved")
    try:
        return run(home, move, size=size, files=files, folder=str(folder))
    finally:
        _forget(folder, size)


def move(size: int, files: int, folder: str) -> Result:
    """Seconds of logging so many random files, and of downloading them."""
    source, target = Path(folder, "source"), Path(folder, "target")
    source.mkdir(parents=True)
    with open("/dev/urandom", "rb") as random:
        for number in range(files):
            (source / f"{number}.bin").write_bytes(random.read(size))
    with headwater.init(job_type="bench") as run_handle:
        start = time.perf_counter()
        artifact = headwater.Artifact("moved", type="dataset")
        artifact.add_dir(source)
        run_handle.log_artifact(artifact)
        artifact.wait()
        upload = time.perf_counter() - start
    _forget(source, size)
    start = time.perf_counter()
    headwater.Api().artifact("moved:latest").download(target)
    return {"upload": upload, "download": time.perf_counter() - start}


def _forget(folder: Path, size: int) -> None:
    """Delete a folder of large files: ext4 would walk past each inode of small ones for minutes."""
    if size == LARGE_BYTES:
        shutil.rmtree(folder, ignore_errors=True)
