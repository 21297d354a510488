"""A database that crashed has lost its last transactions: what it lacks then does not read as if it were empty."""

import pytest
from headwater_consumer import queries
from headwater_consumer.queries.results import VersionInfo
from headwater_schemas.errors import StoreUnavailable

from tests.consumer.events import DIGITS
from tests.support.history import History
from tests.support.projections import empty


def _version(history: History) -> VersionInfo:
    history.commit(DIGITS, {"a": b"1", "folder/b": b"2"})
    info = queries.version_info(history.database, DIGITS, 0)
    assert info is not None
    return info


@pytest.mark.parametrize("prefix", ["", "folder"])
@pytest.mark.parametrize("lost", ["all", "the commit"])
def test_the_listing_of_a_version_that_was_lost_is_an_error(history: History, prefix: str, lost: str) -> None:
    info = _version(history)
    if lost == "all":
        empty(history.database)
    else:  # what opened its draft was in an earlier transaction, and is still there
        with history.database.transaction() as connection:
            for table in ("entries", "version_layers"):
                connection.driver.execute(f"DELETE FROM {table}")

    with pytest.raises(StoreUnavailable, match=r"has lost its last transactions.* try again in a moment"):
        list(queries.all_entries(history.database, info.layers, prefix=prefix))


def test_an_empty_folder_of_a_version_that_is_there_is_empty(history: History) -> None:
    info = _version(history)

    assert list(queries.all_entries(history.database, info.layers, prefix="other")) == []
