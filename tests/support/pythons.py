"""Other releases of Python, to run the projector under: the oldest that headwater supports, and the newest.

Each is found on the PATH as `python3.N`, among those that pyenv keeps, or in HEADWATER_TEST_PYTHONS, a list of programs
separated as PATH is. What the projector imports is installed once into the user's cache.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs

from services.cache import provide

SUPPORTED = ("3.11", "3.12", "3.13")
OLDEST, NEWEST = SUPPORTED[0], SUPPORTED[-1]
VARIABLE = "HEADWATER_TEST_PYTHONS"

ROOT = Path(__file__).parents[2]
_ROOMS = ("schemas", "runtime", "consumer", ".")  # what the projector alone needs
_LIBRARIES = ("blake3", "fastavro", "numpy", "xxhash")  # which depend on nothing
_CACHE = Path(platformdirs.user_cache_dir("headwater")) / "tests" / "pythons"
_VERSION = "import sys; print('{}.{}'.format(*sys.version_info))"
_INSTALL_TIMEOUT_S = 240


def find_pythons() -> dict[str, str]:
    """The program of each supported release that is here, this process's own included."""
    found = {version: program for program in _candidates() if (version := _version_of(program)) in SUPPORTED}
    return found | {"{}.{}".format(*sys.version_info): sys.executable}


def run_module(version: str, program: str, module: str, *arguments: str, input_text: str, timeout_s: float) -> str:
    """What a module of the tests prints under another Python; sets hash seed and digit limit to what differs most."""
    done = subprocess.run(
        [program, "-X", "int_max_str_digits=640", "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, **_environment(version)},
        input=input_text,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"Python {version}: {done.stderr}"
    return done.stdout


def _environment(version: str) -> Mapping[str, str]:
    paths = [str(ROOT / room) for room in _ROOMS]
    return {
        "PYTHONPATH": os.pathsep.join([str(_libraries(version)), *paths]),
        "PYTHONHASHSEED": version.replace(".", ""),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _libraries(version: str) -> Path:
    """A folder with the libraries for that release, of the versions that everybody has."""
    pinned = [line for line in (ROOT / "constraints.txt").read_text().split() if line.startswith(_LIBRARIES)]
    folder = _CACHE / f"{version}-{hashlib.sha256(' '.join(pinned).encode()).hexdigest()[:16]}"
    provide(folder, lambda partial: _install(version, partial))
    return folder


def _install(version: str, folder: Path) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    target = ["--target", str(folder), "--python-version", version, "-c", str(ROOT / "constraints.txt")]
    command = [sys.executable, "-m", "pip", "install", *options, *target, *_LIBRARIES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S)
    assert done.returncode == 0, done.stderr


def _candidates() -> Iterator[str]:
    """From the least wanted to the most."""
    for version in SUPPORTED:
        for root in _pyenv_roots():
            yield from map(str, sorted(root.glob(f"versions/{version}.*/bin/python{version}")))
        if (program := shutil.which(f"python{version}")) is not None:
            yield program
    yield from filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))


def _pyenv_roots() -> list[Path]:
    """Where pyenv keeps releases: a home may be another one, but its programs on the PATH lie in `ROOT/shims`."""
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    roots = [Path.home() / ".pyenv", *(folder.parent for folder in on_path if folder.name == "shims")]
    return list(dict.fromkeys(roots))


def _version_of(program: str) -> str | None:
    """None where it does not run, as a shim of pyenv does for a release that is not selected."""
    try:
        done = subprocess.run([program, "-c", _VERSION], capture_output=True, text=True, timeout=30)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
