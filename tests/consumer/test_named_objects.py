"""Which objects a copy brings along: those that events rely on, and none that projectors refuse."""

from headwater_consumer.copying.named import objects_named
from headwater_schemas.errors import Reason
from headwater_schemas.events import EntryAdded

from tests.consumer.events import DIGITS, PROJECT
from tests.consumer.inspection import rejections_of
from tests.support.history import History, files_of, pack_of


def _named(history: History) -> set[str]:
    log = history.log
    return set(objects_named([record for n in range(log.partitions) for record in log.read(n, after=-1)]))


def test_entries_name_the_objects_of_their_project(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"}, pack=1)

    assert _named(history) == {pack_of(PROJECT, 1)}


def test_entries_of_another_projects_objects_name_none(history: History) -> None:
    draft, (opening, _) = history.draft(DIGITS, {"a": b"1"})
    foreign = files_of("team/other", {"a": b"1"}, pack=1)

    history.write(opening, EntryAdded(collection=DIGITS, draft=draft, files=foreign))

    assert rejections_of(history.database) == [Reason.INVALID]
    assert _named(history) == set()
