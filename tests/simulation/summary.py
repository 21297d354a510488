"""The line at the end of a test run that says how many schedules ran, and when each mutant was found."""

from typing import Any

SCHEDULES, MUTANT = "schedules", "mutant"  # names of properties that tests record, also in other processes


def pytest_terminal_summary(terminalreporter: Any) -> None:
    recorded = [
        recorded
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for recorded in report.user_properties
    ]
    if total := sum(value for name, value in recorded if name == SCHEDULES):
        terminalreporter.write_line(f"schedules run: {total}")
    for mutant in sorted(value for name, value in recorded if name == MUTANT):
        terminalreporter.write_line(f"mutant {mutant}")
