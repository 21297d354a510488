"""The servers that all tests of a run share."""

import psycopg
import pytest

from services.kafka import brokers
from tests.support.servers import fresh_database, servers


@pytest.mark.parametrize("number", range(4))  # so that several workers ask at once
def test_every_test_of_a_run_gets_the_same_servers(number: int) -> None:
    with psycopg.connect(fresh_database()) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)

    assert brokers(servers().kafka) == {1}
