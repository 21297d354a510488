"""Projectors report in the database that they keep up to date: who waits for it can say that none is running.

The clock is the database's, so that nobody compares the clocks of two machines.
"""

from dataclasses import dataclass
from typing import Any

from headwater_runtime.durations import format_seconds

from headwater_consumer.database.connection import POSTGRESQL, Connection
from headwater_consumer.database.database import Database

REPORT_EVERY_S = 5.0
GONE_AFTER_S = 4 * REPORT_EVERY_S  # without a report: it was killed, hangs or is cut off
FORGOTTEN_AFTER_S = 3600.0  # so that projectors which fail and are started again do not fill the table

_US = 1_000_000
_REPORT = """
    INSERT INTO projectors (projector, reported_us, is_running) VALUES ({value}, {clock}, {value})
    ON CONFLICT (projector) DO UPDATE SET reported_us = excluded.reported_us, is_running = excluded.is_running
"""
_FORGET = "DELETE FROM projectors WHERE projector <> {value} AND reported_us < {clock} - {value}"
_READ = """
    SELECT count(*) FILTER (WHERE is_running AND reported_us > {clock} - {value}), {clock} - max(reported_us)
    FROM projectors
"""


@dataclass(frozen=True, slots=True)
class ProjectorReports:
    """What projectors said of themselves."""

    running: int  # how many reported within GONE_AFTER_S and did not say that they end
    age_s: float | None  # of the last report of any; None where none is known

    def __str__(self) -> str:
        if self.running:
            return "1 projector reports" if self.running == 1 else f"{self.running:,} projectors report"
        return "none has reported" if self.age_s is None else f"none has reported for {format_seconds(self.age_s)}"

    @property
    def advice(self) -> str:
        """What to do about a projection that is behind."""
        if self.running:
            return f"{str(self).capitalize()}: see what their health endpoints say, or wait longer."
        return f"Of projectors, {self}: start `headwater projector`."


def report_projector(database: Database, projector: str, *, is_running: bool) -> None:
    """Say that this projector is running, or that it ends; and forget the ones of long ago. Raises: StoreError."""
    with database.transaction() as connection:
        _run(database, connection, _REPORT, projector, is_running)
        _run(database, connection, _FORGET, projector, int(FORGOTTEN_AFTER_S * _US))


def projector_reports(database: Database) -> ProjectorReports:
    """What is known of the projectors of this database. One statement. Raises: StoreError."""
    with database.autocommit() as connection:
        running, age_us = _run(database, connection, _READ, int(GONE_AFTER_S * _US)).fetchone()
    return ProjectorReports(running, None if age_us is None else max(0, age_us) / _US)


def _run(database: Database, connection: Connection, sql: str, *values: object) -> Any:
    placeholder = "%s" if connection.dialect == POSTGRESQL else "?"
    return connection.driver.execute(sql.format(clock=database.adapter.clock_us, value=placeholder), values)
