"""The cache of downloaded and built programs: one folder per version, which exists only once it is complete."""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import platformdirs

VARIABLE = "HEADWATER_SERVICES_CACHE"


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """$HEADWATER_SERVICES_CACHE, or a folder in the user's cache."""
    named = environment.get(VARIABLE)
    return Path(named).absolute() if named else Path(platformdirs.user_cache_dir("headwater")) / "services"


def provide(wanted: Path, build: Callable[[Path], None]) -> None:
    """Ensure that a folder exists, filled by `build` if necessary; concurrent callers wait for a single build.

    An interrupted build leaves nothing under the name; the next one removes its remains.
    """
    if wanted.is_dir():
        return
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with locked(wanted.parent / f"{wanted.name}.lock"):
        if not wanted.is_dir():
            for left in wanted.parent.glob(f"{wanted.name}.partial-*"):
                shutil.rmtree(left)
            _build(wanted, build)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock on a file, which is released when the process ends."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def report(text: str) -> None:
    """Print a line of progress to standard error."""
    print(text, file=sys.stderr, flush=True)


def _build(wanted: Path, build: Callable[[Path], None]) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f"{wanted.name}.partial-", dir=wanted.parent))
    try:
        build(partial)
        partial.chmod(0o755)  # temporary folders are private to their owner
        partial.rename(wanted)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
