"""What the id of a test says: its folder, and the way to run in its brackets."""

import re

from tests.support.modes import EMBEDDED, SERVICE, WAYS

# In the brackets: a way to run; for the contracts, an adapter that belongs to one.
_WAYS = {way: way for way in WAYS}
_ADAPTERS = {
    **_WAYS,
    "folder": EMBEDDED,
    "sqlite": EMBEDDED,
    "kafka": SERVICE,
    "s3": SERVICE,
    "postgresql": SERVICE,
}
_CONTRACTS = "tests/contract/"

_GROUP = re.compile(r"@[\w /-]+$")  # the name of a group, which xdist appends; a parameter would end with a bracket


def without_group(node_id: str) -> str:
    """The id by which a test is known with workers and without."""
    return _GROUP.sub("", node_id)


def folder_of(node_id: str) -> str:
    """The folder of the test's file."""
    return node_id.partition("::")[0].rpartition("/")[0]


def split_way(node_id: str) -> tuple[str, str] | None:
    """(the way to run, the id without it); None of a test that is the same in every way to run."""
    words = _ADAPTERS if node_id.startswith(_CONTRACTS) else _WAYS
    word = re.compile(rf"(?<=[\[-])({'|'.join(words)})(?=[\]-])")
    found = word.search(node_id)
    return (words[found[1]], word.sub("", node_id, count=1)) if found else None
