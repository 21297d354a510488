"""Everybody hears of the refusal of what was sent, however much a process has been refused before."""

import headwater
import pytest
from headwater._commit.client import client_for
from headwater_schemas.errors import EventRejected, Reason
from headwater_schemas.events import AliasMoved, ExpectedVersion
from headwater_stores.config.settings import read_settings

from tests.queue.artifacts import filled

PETS = "team/animals/pets"
RACES = 10_001

pytestmark = pytest.mark.usefixtures("store")


def test_a_process_that_lost_ten_thousand_races_hears_of_the_next_one() -> None:
    with headwater.init() as run:
        first = run.log_artifact(filled({"a": "1"}), aliases=["prod"]).wait()
        run.log_artifact(filled({"a": "2"})).wait()
    lost = AliasMoved(collection=PETS, alias="prod", version=0, expected=ExpectedVersion(1))
    with pytest.raises(EventRejected):
        client_for(read_settings(), create=False).send([lost] * RACES).result()

    with pytest.raises(EventRejected, match=f"'prod' of {PETS} is on v0, not on v1") as refused:
        first.aliases.move("prod", expect="v1")

    assert refused.value.reason is Reason.ALIAS_MOVED


def test_of_many_tasks_in_one_batch_those_and_only_those_fail_that_were_refused() -> None:
    with headwater.init() as run:
        run.log_artifact(filled({"a": "1"}), aliases=["prod"]).wait()
    client = client_for(read_settings(), create=False)
    expected = [0, 1] * 60
    tasks = [
        client.send([AliasMoved(collection=PETS, alias="prod", version=0, expected=ExpectedVersion(version))])
        for version in expected
    ]

    client.queue.flush()

    assert [task.failed for task in tasks] == [version == 1 for version in expected]
