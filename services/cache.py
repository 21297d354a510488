"""What is downloaded or built once for all runs: one folder a version, there whole or not at all."""

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
    """Where everything is kept: $HEADWATER_SERVICES_CACHE, or else a place of this user's."""
    named = environment.get(VARIABLE)
    return Path(named).absolute() if named else Path(platformdirs.user_cache_dir("headwater")) / "services"


def provide(wanted: Path, build: Callable[[Path], None]) -> None:
    """See to it that a folder is there, which `build` fills if nobody has yet; of many who ask at once, one builds.

    A build that is cut off leaves nothing under the name, and the next one removes what it left beside it.
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
    """Hold a lock that ends with its holder."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """Tell whoever waits what it is for."""
    print(text, file=sys.stderr, flush=True)


def _build(wanted: Path, build: Callable[[Path], None]) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f"{wanted.name}.partial-", dir=wanted.parent))
    try:
        build(partial)
        partial.chmod(0o755)  # not for its maker alone, as temporary folders are
        partial.rename(wanted)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
