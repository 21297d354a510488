"""Whether anything was ever logged in a project: what a server asks before it writes."""

import pytest
from headwater_consumer import queries
from headwater_schemas.events import Event, RunStarted, SettingsChanged

from tests.consumer.events import DIGITS, PROJECT
from tests.support.history import History


@pytest.mark.parametrize(
    "event",
    [RunStarted(run=f"{PROJECT}/r"), SettingsChanged(project=PROJECT, settings='{"draft_idle_days":3}')],
    ids=lambda event: event.name,
)
def test_a_project_has_begun_once_anything_is_logged_or_set_in_it(history: History, event: Event) -> None:
    assert not queries.has_begun(history.database, PROJECT)

    history.write(event)

    assert queries.has_begun(history.database, PROJECT)
    assert not queries.has_begun(history.database, PROJECT[:-1])


def test_a_project_has_begun_once_a_version_is_logged_in_it(history: History) -> None:
    history.commit(DIGITS, {"a": b"1"})

    assert queries.has_begun(history.database, PROJECT)
