"""What is left out of every folder unless a rule includes it: `.git`, headwater's own stores and its cache."""

import os
from bisect import bisect_left
from collections.abc import Sequence

from headwater_stores.config.store_folder import MARKER, is_store

GIT = ".git"
STAT_CACHE = "stat_cache.db"
STAGED_RECORDS = "staged"  # the folder beside it
STAT_CACHE_ID = 0x48574958  # "HWIX", the application id in the header of the SQLite file

A_STORE, A_CACHE = "a headwater store", "headwater's cache"

_ID_AT, _ID_BYTES = 68, 4  # https://www.sqlite.org/fileformat.html, "Application ID"


def may_have_own(names: Sequence[str]) -> bool:
    """Whether a folder with these names, sorted, may have something to leave out."""
    return has(names, GIT) or has(names, STAT_CACHE)


def is_own_store(location: str, names: Sequence[str]) -> bool:
    """Whether the folder at `location`, with these names, sorted, is a store."""
    return has(names, MARKER) and is_store(location)


def is_own_cache(folder: str, name: str, *, is_folder: bool) -> bool:
    """Whether a file or folder of that name in `folder` belongs to headwater's cache."""
    may_be = name == STAGED_RECORDS if is_folder else name.startswith(STAT_CACHE)
    return may_be and _is_stat_cache(os.path.join(folder, STAT_CACHE))


def has(names: Sequence[str], name: str) -> bool:
    """Whether sorted `names` have that one."""
    at = bisect_left(names, name)
    return at < len(names) and names[at] == name


def _is_stat_cache(location: str) -> bool:
    try:
        with open(location, "rb") as file:
            header = file.read(_ID_AT + _ID_BYTES)
    except OSError:
        return False
    return header[_ID_AT:] == STAT_CACHE_ID.to_bytes(_ID_BYTES, "big")
