"""A subscriber without any headwater server: its database dies under it, and it misses nothing."""

import time
from pathlib import Path

import pytest

from tests.service_faults.deployment import NAMESPACE, OwnServers, deployed
from tests.support.servers import own_postgres

pytestmark = pytest.mark.slow  # servers die and come back

COMMITS = 20
AWAY_S = 1.0
DEATHS = 2


def test_a_subscriber_rides_out_the_death_of_its_database_and_reads_every_event_in_order(tmp_path: Path) -> None:
    with (
        own_postgres(tmp_path / "postgres") as postgres,
        deployed(tmp_path, OwnServers(postgres=postgres)) as deployment,
    ):
        deployment.projector().joined()
        deployment.writer("data", 1).succeeded()  # there is a store
        options = ("--follow", "--after", "start", "--name", "follower", "--kind", "version-committed")
        follower = deployment.command("events", NAMESPACE, *options)
        follower.wait_for_lines(1)

        writer = deployment.writer("more", COMMITS)
        for _ in range(DEATHS):
            time.sleep(AWAY_S)
            postgres.kill()
            time.sleep(AWAY_S)
            postgres.start()
        writer.succeeded()
        follower.wait_for_lines(1 + COMMITS)

        versions = [event["data"]["version"] for event in follower.lines()[1:]]
        assert versions == [f"v{n}" for n in range(COMMITS)]
        assert follower.alive
