"""A version that is purged: given up for good, by the deletion that was decided on and no other."""

from headwater_consumer import queries
from headwater_schemas.errors import Reason
from headwater_schemas.events import VersionDeleted, VersionPurged, VersionRestored
from headwater_schemas.positions import position_of

from tests.consumer.events import DIGITS, attributes, paths, purge_of
from tests.consumer.inspection import rejections_of, rows_of
from tests.support.history import History

DELETED = VersionDeleted(collection=DIGITS, version=0, delete_aliases=True)


def test_what_is_purged_is_still_listed_and_cannot_be_restored(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(DELETED)

    history.write(purge_of(history, DIGITS, 0))
    history.write(VersionRestored(collection=DIGITS, version=0))

    info = queries.version_info(history.database, DIGITS, 0)
    assert info is not None
    assert (info.deleted, info.purged, info.state) == (True, True, "purged")
    assert paths(history, 0) == {"a"}
    assert rejections_of(history.database) == [Reason.VERSION_PURGED]
    ((message,),) = rows_of(history.database, "SELECT message FROM rejections")
    assert "too late" in message


def test_a_purge_is_refused_once_the_version_was_restored(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(DELETED)
    purge = purge_of(history, DIGITS, 0)
    history.write(VersionRestored(collection=DIGITS, version=0))

    history.write(purge)

    assert rejections_of(history.database) == [Reason.VERSION_NOT_DELETED]
    assert attributes(history, 0) == {}


def test_a_purge_is_refused_once_the_version_was_restored_and_deleted_again(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(DELETED)
    purge = purge_of(history, DIGITS, 0)
    history.write(VersionRestored(collection=DIGITS, version=0), DELETED)

    history.write(purge)

    assert rejections_of(history.database) == [Reason.VERSION_NOT_DELETED]
    assert attributes(history, 0) == {"deleted": ""}


def test_a_purge_of_a_version_that_never_was_or_by_no_position_is_refused(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(DELETED)

    history.write(VersionPurged(collection=DIGITS, version=1, epoch=0, partition=0, offset=0))
    history.write(VersionPurged(collection=DIGITS, version=0, epoch=-1, partition=0, offset=0))

    assert rejections_of(history.database) == [Reason.VERSION_UNKNOWN, Reason.VERSION_NOT_DELETED]


def test_a_second_purge_changes_nothing_and_is_not_told(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(DELETED)
    at = history.write(purge_of(history, DIGITS, 0))

    history.write(purge_of(history, DIGITS, 0))

    told = rows_of(history.database, "SELECT position FROM version_events WHERE kind = 'version-purged'")
    purged = rows_of(history.database, "SELECT from_position FROM version_attributes WHERE field = 'purged'")
    assert told == purged == [(at,)]
    assert rejections_of(history.database) == []


def test_the_content_of_a_purged_version_is_logged_as_a_new_one(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})
    history.write(DELETED)
    history.write(purge_of(history, DIGITS, 0))

    history.commit(DIGITS, {"a": b"1"})

    assert queries.resolve_version(history.database, DIGITS, "latest") == 1


def test_a_deletion_is_named_by_the_position_from_which_it_holds(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})

    at = position_of(history.write(DELETED))

    purge = purge_of(history, DIGITS, 0)
    assert (purge.epoch, purge.partition, purge.offset) == (at.epoch, at.partition, at.offset)
