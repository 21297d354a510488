"""An event for every partition, of a process that is killed when only some have it, is finished by maintenance."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_consumer.database.tables import BROADCASTS, PROJECT_FACTS, RETIRED_SESSIONS
from headwater_consumer.queries.broadcasts import condemned_everywhere, unfinished_broadcasts
from headwater_schemas.events import BlobsCondemned, RulesChanged, SessionsRetired
from headwater_stores.servers import open_database
from sqlalchemy import func, select

from tests.service_faults.deployment import NAMESPACE, PARTITIONS, Deployment, deployed
from tests.support.projector_host import projected
from tests.support.statements import count_of

KINDS = (BlobsCondemned.name, RulesChanged.name, SessionsRetired.name)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path) as deployment, projected(deployment.environment):
        yield deployment


def rows_of(deployment: Deployment) -> tuple[int, ...]:
    """How many rows there are of broadcasts that were received, of rules, and of partitions with retired sessions."""
    with closing(open_database(deployment.profile, create=False)) as database, database.snapshot() as connection:
        rules = select(func.count()).select_from(PROJECT_FACTS).where(PROJECT_FACTS.c.kind == "rule")
        others = [select(func.count()).select_from(table) for table in (BROADCASTS, RETIRED_SESSIONS)]
        received, retired = (count_of(connection, count) for count in others)
        return received, count_of(connection, rules), retired


def test_what_processes_wrote_to_some_partitions_before_they_were_killed_is_finished(deployment: Deployment) -> None:
    having = {kind: number for number, kind in enumerate(KINDS, 1)}
    killed = [
        deployment.run(
            "tests.service_faults.broadcaster", kind, number, fault=("appending to Kafka", "before", 2, "KILL")
        )
        for kind, number in having.items()
    ]
    for process in killed:
        process.was_killed()

    maintained = deployment.command("maintain", "--json")
    maintained.succeeded()

    (report,) = [maintained.out.read_text()]
    assert f'"broadcasts_finished": {sum(PARTITIONS - number for number in having.values())}' in report
    assert rows_of(deployment) == (len(KINDS) * PARTITIONS, PARTITIONS, PARTITIONS)
    with closing(open_database(deployment.profile, create=False)) as database:
        assert unfinished_broadcasts(database, PARTITIONS) == []
        assert len(condemned_everywhere(database, NAMESPACE, PARTITIONS)) == 1
    again = deployment.command("maintain", "--json")
    again.succeeded()
    assert '"broadcasts_finished": 0' in again.out.read_text()
