"""The environment of this process: its command line, Python, host, user, and the packages that it has imported."""

import importlib.metadata
import platform
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from headwater_producer.producer import user_at_host

from headwater._run.capture.masking import masked

WORDS_MAX, COMMAND_LENGTH_MAX = 1_000, 20_000  # characters; a shell expands one "*" to any number of names
WORD_LENGTH_MAX = 1_000  # characters; `python -c` has its program there
PACKAGES_MAX = 256
CUT = "…"  # stands for what was left out
VERSION_LENGTH_MAX = 64  # characters; something else is no version


def read_environment(command: Sequence[str]) -> dict[str, Any]:
    """The environment, as JSON can hold it; `command` is the command line."""
    user, _, host = user_at_host().rpartition("@")
    return {
        "command": [_printable(word) for word in _cut(command)],
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "host": host,
        "user": user,
        "packages": _packages(),
    }


def _cut(words: Sequence[str]) -> list[str]:
    """The first words, and the first characters of long ones, masked before anything of a secret is cut off."""
    cut: list[str] = []
    left = COMMAND_LENGTH_MAX
    for word in masked(words[:WORDS_MAX]):
        left -= min(len(word), WORD_LENGTH_MAX) + 1
        if left < 0:
            return [*cut, CUT]
        cut.append(word if len(word) <= WORD_LENGTH_MAX else word[:WORD_LENGTH_MAX] + CUT)
    return [*cut, CUT] if len(words) > WORDS_MAX else cut


def _printable(word: str) -> str:
    """An argument can have any bytes, a text cannot."""
    return word.encode("utf-8", "backslashreplace").decode()


def _packages() -> dict[str, str]:
    """The versions of what was imported so far and is no part of Python, by the name of its module."""
    names = sorted({name.partition(".")[0] for name in tuple(sys.modules)} - sys.stdlib_module_names)
    found = ((name, _version_of(name)) for name in names if not name.startswith("_"))
    return dict([(name, version) for name, version in found if version is not None][:PACKAGES_MAX])


@cache
def _version_of(name: str) -> str | None:
    """As the module itself says, which needs no search, or else its package of the same name."""
    version = getattr(sys.modules.get(name), "__dict__", {}).get("__version__")
    if not isinstance(version, str):
        try:
            version = importlib.metadata.version(name)
        except (importlib.metadata.PackageNotFoundError, ValueError):
            return None
    return version if isinstance(version, str) and len(version) <= VERSION_LENGTH_MAX else None
