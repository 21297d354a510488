"""Which of the collected tests run: everything on the folder; on servers and over HTTP all, none, or a sample.

In a sample, what is particular to servers always runs, and of every kind of fault one test. Of the other tests on
servers, and of those that run again over HTTP, a fifth runs, chosen by name and day, so that the samples of five
consecutive days hold every test.
"""

import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.modes import OVER_HTTP, SERVICE
from tests.support.node_ids import split_way, without_group

ROOT = Path(__file__).parents[2]
DAYS = 5  # in which every test runs
DAY_S = 86_400

ALL, NONE, BY_DAY = "all", "none", "sample"
CHOICES = (ALL, NONE, BY_DAY, *map(str, range(DAYS)))

_ON_SERVERS = (
    "tests/kafka/",
    "tests/s3/",
    "tests/projectors/",
    "tests/service_faults/",
    "tests/services/",
    "tests/server/test_relay.py",
    "tests/server/test_relay_recipe.py",
)
_BUCKET, _GOOGLE = "bucket", "_stand_in"  # fixtures of tests that use one server: MinIO, or Google's stand-in
ON_STORES = "on_stores"  # the marker of tests of what is not done through a server
_MODES = "modes"  # the fixture of tests that compare the ways to run: they run in every sample
_SERVERS_BENCH = "-services]"
_SERVERS_ALONE = "[servers]"  # the id of a parameter of tests that run in no other way

_ALWAYS = (
    "tests/contract/",
    "tests/kafka/",
    "tests/s3/",
    "tests/references/",
    "tests/projectors/",
    "tests/documents/",
    "tests/faults/test_many_writers.py",
)
_FAULTS = ("tests/faults/", "tests/service_faults/")


@dataclass(frozen=True)
class Sample:
    """What was chosen of the tests on servers."""

    day: int  # modulo DAYS
    chosen: int
    of: int

    def __str__(self) -> str:
        return (
            f"sample {self.day} of the tests on servers and over HTTP: {self.chosen} of {self.of} run. "
            f"`make test SAMPLE={self.day}` repeats it, `make test-all` runs every test."
        )


def needs_servers(item: pytest.Item) -> bool:
    """Whether a test uses real servers, by where it is, its way to run and its fixtures."""
    if item.nodeid.startswith(_ON_SERVERS) or is_on_servers(item.nodeid):
        return True
    if _SERVERS_BENCH in item.nodeid or _SERVERS_ALONE in item.nodeid:
        return True
    return _BUCKET in _fixtures(item) or needs_google(item) or _compares_modes(item)


def needs_google(item: pytest.Item) -> bool:
    """Whether a test uses the stand-in for Google Cloud Storage."""
    return _GOOGLE in _fixtures(item)


def _compares_modes(item: pytest.Item) -> bool:
    return _MODES in _fixtures(item)


def is_on_servers(node_id: str) -> bool:
    """Whether this is the variant on servers of a test that runs in several ways."""
    split = split_way(node_id)
    return split is not None and split[0] == SERVICE


def is_over_http(node_id: str) -> bool:
    """Whether this is the variant over HTTP of a test that runs in several ways."""
    split = split_way(node_id)
    return split is not None and split[0] == OVER_HTTP


def _takes_turns(item: pytest.Item) -> bool:
    return needs_servers(item) or is_over_http(item.nodeid)


def _is_possible(item: pytest.Item) -> bool:
    """Over HTTP nothing is done on the stores themselves; see the marker."""
    return not (is_over_http(item.nodeid) and item.get_closest_marker(ON_STORES))


def choose(items: Sequence[pytest.Item], choice: str) -> tuple[list[pytest.Item], Sample | None]:
    """The items that run, and how they were sampled. Raises: pytest.UsageError when the day cannot be told."""
    items = list(filter(_is_possible, items))
    if choice == ALL:
        return items, None
    if choice == NONE:
        return [item for item in items if not _takes_turns(item)], None
    day = (_day_of_head() if choice == BY_DAY else int(choice)) % DAYS
    names = [without_group(item.nodeid) for item in items if _takes_turns(item)]
    chosen = sampled(names, day) | {without_group(item.nodeid) for item in items if _compares_modes(item)}
    kept = [item for item in items if not _takes_turns(item) or without_group(item.nodeid) in chosen]
    return kept, Sample(day, len(chosen), len(names))


def sampled(names: Sequence[str], day: int) -> set[str]:
    """Of the tests that take turns those that always run, and those whose turn it is on this day."""
    kinds: set[str] = set()
    chosen: set[str] = set()
    for name in names:
        kind = name.partition("[")[0]
        is_first_of_faults = name.startswith(_FAULTS) and kind not in kinds
        kinds.add(kind)
        always = is_first_of_faults or (name.startswith(_ALWAYS) and not is_over_http(name))
        if always or (zlib.crc32(name.encode()) + day) % DAYS == 0:
            chosen.add(name)
    return chosen


def _fixtures(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())


def _day_of_head() -> int:
    """The committer date of HEAD as days since 1970 in UTC: the same for everybody who tests this commit."""
    command = ["git", "log", "-1", "--format=%ct"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if shown.returncode or not shown.stdout.strip():
        raise pytest.UsageError(
            f"`{' '.join(command)}` gave no commit date to choose a sample by. "
            f"Choose one yourself: `make test SAMPLE=0` to `SAMPLE={DAYS - 1}`."
        )
    return int(shown.stdout) // DAY_S
