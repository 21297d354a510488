"""The view of what takes up room, where there is more than can be counted while one waits."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_consumer.maintenance.usage_sums import keep_usage
from headwater_consumer.operational.database import OperationalDatabase
from headwater_consumer.queries import usage_totals
from headwater_consumer.queries.event_starts import last_version_events
from headwater_consumer.queries.usage import version_usages
from headwater_consumer.queries.usage_totals import UsageTotals
from headwater_schemas.events import VersionDeleted
from headwater_server.web.views import space
from headwater_server.web.views.space import collection_space, project_space

from tests.support.history import History, open_history
from tests.support.modes import EMBEDDED

PROJECT = "team/vision"


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """Nine artifacts with two versions each; of the last one both are deleted."""
    with open_history(EMBEDDED, tmp_path) as history:
        for number in range(9):
            name = f"{PROJECT}/a{number}"
            history.commit(name, {"own": bytes(10 + number), "shared": b"s"})
            history.commit(name, {"own": b"%d" % number}, base=0)
        for version in (0, 1):
            history.write(VersionDeleted(collection=f"{PROJECT}/a8", version=version, delete_aliases=True))
        yield history


@pytest.fixture
def operational(tmp_path: Path) -> Iterator[OperationalDatabase]:
    """Nothing is kept there."""
    with closing(OperationalDatabase.open_in_folder(tmp_path / "store")) as operational:
        yield operational


def test_each_content_counts_once_in_the_project(history: History, operational: OperationalDatabase) -> None:
    found = project_space(history.database, operational, project=PROJECT)

    assert found.is_complete
    assert (found.sums.versions, found.sums.deleted_versions) == (16, 2)
    assert found.sums.needed_bytes == sum(range(10, 18)) + 1 + 8, "own ones, the shared one, and the second versions'"
    assert found.sums.reclaimable_bytes == 18 + 1
    assert [one.name for one in found.collections] == [f"a{number}" for number in reversed(range(9))]
    last = found.collections[0].sums
    assert (last.versions, last.deleted_versions, last.needed_bytes, last.reclaimable_bytes) == (0, 2, 1, 19)


def test_what_cannot_be_shown_is_counted(
    history: History, operational: OperationalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = project_space(history.database, operational, project=PROJECT)
    monkeypatch.setattr(space, "COLLECTIONS_SHOWN", 4)
    monkeypatch.setattr(space, "COLLECTIONS_PER_PAGE", 2)

    found = project_space(history.database, operational, project=PROJECT)

    assert (list(found.collections), found.collections_more) == (list(whole.collections[:4]), 5)
    assert found.sums == whole.sums


def test_counting_ends_in_time_and_says_so(history: History, operational: OperationalDatabase) -> None:
    for found in (
        project_space(history.database, operational, project=PROJECT, seconds_max=0.0),
        collection_space(history.database, operational, collection=f"{PROJECT}/a0", seconds_max=0.0),
    ):
        assert not found.is_complete
        assert found.sums.versions < 2


def test_a_large_project_is_shown_as_it_was_last_counted_and_says_so(
    history: History, operational: OperationalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_totals, "COUNTED_AT_ONCE_MAX", 1)
    counted, sums, name = project_space(history.database, operational, project=PROJECT), UsageTotals(), f"{PROJECT}/a0"
    for usage in version_usages(history.database, name):
        sums.add(name, usage, usage.to_collection)
    cut = last_version_events(history.database, "1")
    keep_usage(operational, PROJECT, sums, [(name, sums)], objects=(0, 0), cut=cut)

    whole = project_space(history.database, operational, project=PROJECT)
    one = collection_space(history.database, operational, collection=name)
    other = collection_space(history.database, operational, collection=f"{PROJECT}/a1")

    assert (counted.as_of_us, other.as_of_us) == (None, None)
    assert whole.as_of_us == one.as_of_us is not None
    assert (whole.sums.versions, one.sums.versions) == (2, 2)
    assert [line.name for line in whole.collections] == ["a0"]
    assert [found.version for found in whole.largest] == [0, 1]
