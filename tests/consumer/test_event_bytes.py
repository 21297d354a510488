"""What a version event costs in the database is what the documentation says."""

import re
from contextlib import closing
from pathlib import Path

import pytest
from headwater_consumer.writing.runner import Projector
from headwater_eventlog.embedded import EmbeddedEventLog
from headwater_producer.producer import Producer

from bench.event_bytes import bytes_per_event
from bench.fabricated import record
from bench.rows import runs
from tests.support.modes import EMBEDDED, open_database

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
NEAR = 0.15  # of what is said: rows of other lengths fill pages otherwise


def stated_bytes(database: str) -> int:
    found = re.search(rf"(?m)^\| {database} \| (\d+) \|$", PAGE.read_text("utf-8"))
    assert found is not None
    return int(found[1])


def test_an_event_costs_the_bytes_that_are_stated(mode: str, tmp_path: Path) -> None:
    with closing(EmbeddedEventLog.open(tmp_path / "log")) as log:
        record(Producer(log, author="ana@laptop"), runs(400))
        with closing(open_database(mode, tmp_path / "projection.db")) as database:
            projector = Projector(log, database)
            while projector.project_batch(0):
                pass

            found = bytes_per_event(database)

    assert found == pytest.approx(stated_bytes("SQLite" if mode == EMBEDDED else "PostgreSQL"), rel=NEAR)
