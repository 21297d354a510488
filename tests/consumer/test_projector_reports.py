"""Projectors report in the database that they keep up to date, and nobody else's answers change by that."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from headwater_consumer.database import Database, projector_reports
from headwater_consumer.database.fingerprint import fingerprint
from headwater_consumer.database.projector_reports import ProjectorReports, report_projector
from headwater_consumer.database.projector_reports import projector_reports as reports

from tests.support.modes import open_database


@pytest.fixture
def database(mode: str, tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(mode, tmp_path / "projection.db")) as database:
        yield database


def age(database: Database, projector: str, seconds: float) -> None:
    """As if its last report was so much earlier."""
    with database.transaction() as connection:
        connection.driver.execute(
            f"UPDATE projectors SET reported_us = reported_us - {int(seconds * 1e6)} WHERE projector = '{projector}'"
        )


def test_before_any_projector_was_started_none_has_reported(database: Database) -> None:
    assert reports(database) == ProjectorReports(running=0, age_s=None)
    assert str(reports(database)) == "none has reported"


def test_each_projector_is_counted_once_however_often_it_reports(database: Database) -> None:
    for _ in range(3):
        report_projector(database, "one", is_running=True)
    assert str(reports(database)) == "1 projector reports"

    report_projector(database, "other", is_running=True)

    assert str(reports(database)) == "2 projectors report"


def test_one_that_said_that_it_ends_is_not_running(database: Database) -> None:
    report_projector(database, "one", is_running=True)
    report_projector(database, "one", is_running=False)

    found = reports(database)

    assert found.running == 0
    assert found.age_s is not None


def test_one_that_was_killed_is_gone_when_its_reports_fail_to_appear(database: Database) -> None:
    report_projector(database, "one", is_running=True)
    age(database, "one", projector_reports.GONE_AFTER_S + 100)

    assert str(reports(database)) == "none has reported for 2 min"
    assert "start `headwater projector`" in reports(database).advice


def test_those_of_long_ago_are_forgotten_by_the_next_report(database: Database) -> None:
    report_projector(database, "killed", is_running=True)
    report_projector(database, "recent", is_running=False)
    age(database, "killed", projector_reports.FORGOTTEN_AFTER_S + 1)

    report_projector(database, "one", is_running=True)

    with database.snapshot() as connection:
        known = connection.driver.execute("SELECT projector FROM projectors ORDER BY projector").fetchall()
    assert [name for (name,) in known] == ["one", "recent"]


def test_reports_are_no_part_of_the_fingerprint(database: Database) -> None:
    with database.snapshot() as connection:
        before = fingerprint(connection)

    report_projector(database, "one", is_running=True)

    with database.snapshot() as connection:
        assert fingerprint(connection) == before
