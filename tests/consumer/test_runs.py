"""What becomes known about a run after its start: values, signs of life, what it executes; and the order of runs."""

import json

import pytest
from headwater_consumer import queries
from headwater_schemas.errors import InvalidName, Reason
from headwater_schemas.events import Capture, Event, RunFinished, RunHeartbeat, RunStarted, RunUpdated
from headwater_schemas.limits import HEARTBEAT_SECONDS_MAX, METADATA_BYTES_MAX, RUN_VALUES_REMOVED_MAX

from tests.consumer.inspection import Databases, rejections_of, rows_of
from tests.support.history import History
from tests.support.memory_log import START_US, MemoryLog

PROJECT = "team/vision"
RUN, OTHER = f"{PROJECT}/r1", f"{PROJECT}/r2"
COMMIT, LONG_COMMIT = "0123456789abcdef0123456789abcdef01234567", "0129" * 16
CODE = Capture(COMMIT, "https://example.org/vision.git", "main", "yes", '{"python":"3.12"}')


class TimelessLog(MemoryLog):
    """A log whose records were all appended at one time, as those of one batch are."""

    @property
    def time_us(self) -> int:
        return START_US


def _info(history: History, run: str = RUN) -> queries.RunInfo:
    info = queries.run_info(history.database, run)
    assert info is not None
    return info


def _values(history: History) -> tuple[object, object]:
    return json.loads(_info(history).config), json.loads(_info(history).summary)


# --- config and summary -----------------------------------------------------------------------------------------


def test_values_are_set_replaced_and_removed_by_name_and_the_others_stay(history: History) -> None:
    history.run(RUN, config='{"a":1,"b":{"x":1},"c":3}', state=None)

    history.write(RunUpdated(run=RUN, config_set='{"b":{"y":null},"d":null}', config_removed=("a", "none")))
    history.write(RunUpdated(run=RUN, summary_set='{"loss":0.5}'))
    history.write(RunUpdated(run=RUN, summary_set='{"loss":0.25}', summary_removed=("loss",)))

    assert _values(history) == ({"b": {"y": None}, "c": 3, "d": None}, {"loss": 0.25})
    assert rejections_of(history.database) == []


def test_two_writers_of_one_run_set_values_of_different_names(history: History) -> None:
    history.run(RUN, state=None)

    history.write(RunUpdated(run=RUN, config_set='{"a":1}'), by="ada")
    history.write(RunUpdated(run=RUN, config_set='{"b":2}'), by="grace")

    assert _values(history)[0] == {"a": 1, "b": 2}


def test_every_state_of_the_values_stays_known_and_none_is_kept_of_what_is_empty(history: History) -> None:
    history.run(RUN, config='{"a":1}', state=None)
    history.write(RunUpdated(run=RUN, config_set='{"a":2}'))
    history.write(RunUpdated(run=RUN, config_set='{"a":2}'))
    history.write(RunUpdated(run=RUN, config_removed=("a",)))

    rows = rows_of(history.database, "SELECT value, to_position IS NULL FROM run_values ORDER BY from_position")
    assert [(value, bool(is_open)) for value, is_open in rows] == [('{"a":1}', False), ('{"a":2}', False)]
    assert _values(history) == ({}, {})


def test_a_run_that_starts_again_has_the_new_config_and_keeps_its_summary(history: History) -> None:
    history.run(RUN, config='{"a":1}', state=None)
    history.write(RunUpdated(run=RUN, summary_set='{"loss":1}', capture=CODE))

    history.run(RUN, config='{"b":2}', state=None)

    assert _values(history) == ({"b": 2}, {"loss": 1})
    assert (_info(history).capture, queries.capture_of(history.database, RUN)) == (None, None)


def test_values_may_arrive_after_the_end_and_end_nothing(history: History) -> None:
    history.run(RUN, state="failed")

    history.write(RunUpdated(run=RUN, summary_set='{"loss":1}'), RunHeartbeat(run=RUN, heartbeat_seconds=300))

    assert (_values(history)[1], _info(history).state) == ({"loss": 1}, "failed")


@pytest.mark.parametrize(
    "event",
    [
        RunUpdated(run=OTHER, config_set='{"a":1}'),
        RunHeartbeat(run=OTHER, heartbeat_seconds=300),
        RunFinished(run=OTHER, state="killed"),
        RunUpdated(run=RUN, config_set="[1]"),
        RunUpdated(run=RUN, summary_set='{"b": 1}'),
        RunUpdated(run=RUN, config_set='{"b":"' + "x" * (METADATA_BYTES_MAX - 8) + '"}'),
        RunUpdated(run=RUN, config_removed=("x",) * (RUN_VALUES_REMOVED_MAX + 1)),
        RunUpdated(run=RUN, capture=Capture(commit="0123")),
        RunUpdated(run=RUN, capture=Capture(commit=COMMIT.upper())),
        RunUpdated(run=RUN, capture=Capture(branch="a\x00b")),
        RunUpdated(run=RUN, capture=Capture(dirty="perhaps")),
        RunUpdated(run=RUN, capture=Capture(environment="3.12")),
        RunHeartbeat(run=RUN, heartbeat_seconds=0),
        RunHeartbeat(run=RUN, heartbeat_seconds=HEARTBEAT_SECONDS_MAX + 1),
        RunStarted(run=RUN, heartbeat_seconds=-1),
    ],
)
def test_what_breaks_a_rule_about_a_run_changes_nothing(history: History, event: Event) -> None:
    history.run(RUN, config='{"a":1}', state=None)
    before = _info(history)

    history.write(event)

    assert rejections_of(history.database) == [Reason.INVALID]
    assert (_info(history), queries.run_info(history.database, OTHER)) == (before, None)


# --- signs of life ----------------------------------------------------------------------------------------------


def test_a_run_is_crashed_once_its_heartbeat_is_overdue_by_as_much_again(history: History) -> None:
    history.run(RUN, state=None, heartbeat_seconds=300)
    started_us = _info(history).started_us

    assert _info(history).heartbeat_due_us == started_us + 300_000_000
    assert _info(history).state_at(started_us + 600_000_000) == "running"
    assert _info(history).state_at(started_us + 600_000_001) == "crashed"


def test_a_heartbeat_says_when_the_next_is_due(history: History) -> None:
    history.run(RUN, state=None, heartbeat_seconds=300)
    history.write(RunHeartbeat(run=RUN, heartbeat_seconds=600))

    info = _info(history)
    assert info.heartbeat_us is not None
    assert info.heartbeat_due_us == info.heartbeat_us + 600_000_000
    assert info.state_at(info.heartbeat_us + 1_200_000_000) == "running"
    assert info.state_at(info.heartbeat_us + 1_200_000_001) == "crashed"
    assert info.state == "running", "what is recorded depends on no clock"


def test_a_run_that_ended_or_whose_writer_sends_no_heartbeats_never_crashes(history: History) -> None:
    long_after = START_US * 2
    history.run(RUN, state="killed", heartbeat_seconds=300)
    assert _info(history).state_at(long_after) == "killed"

    history.run(RUN, state=None)
    assert _info(history).state_at(long_after) == "running"


# --- what a run executes ----------------------------------------------------------------------------------------


def test_what_a_run_executes_is_told_and_replaced_as_a_whole(history: History) -> None:
    history.run(RUN, state=None)
    history.write(RunUpdated(run=RUN, capture=CODE))
    assert _info(history).capture == Capture(CODE.commit, CODE.remote, CODE.branch, "yes")
    assert queries.capture_of(history.database, RUN) == CODE

    history.write(RunUpdated(run=RUN, capture=Capture(COMMIT, dirty="no")))

    assert _info(history).capture == Capture(COMMIT, dirty="no")
    assert queries.capture_of(history.database, RUN) == Capture(COMMIT, dirty="no")


def test_runs_are_found_by_the_first_digits_of_their_commit(history: History) -> None:
    for run, commit in ((RUN, COMMIT), (OTHER, LONG_COMMIT), (f"{PROJECT}/r3", None), ("team/other/r1", COMMIT)):
        history.run(run, state=None)
        history.write(RunUpdated(run=run, capture=Capture(commit)))
    history.run(f"{PROJECT}/r4")

    def found(commit: str) -> list[str]:
        infos = queries.runs(history.database, PROJECT, commit=commit)
        assert queries.count_runs(history.database, PROJECT, commit=commit) == len(infos)
        return [info.run for info in infos]

    assert found(COMMIT) == found(COMMIT[:12]) == found("0123") == [RUN]
    assert found(LONG_COMMIT) == [OTHER]
    assert found("ffff") == []


@pytest.mark.parametrize("commit", ["", "012", "main", "ABCD", "0123%", "0" * 65])
def test_what_cannot_be_a_commit_is_refused_when_runs_are_looked_for(history: History, commit: str) -> None:
    with pytest.raises(InvalidName, match="is not a git commit"):
        queries.runs(history.database, PROJECT, commit=commit)


# --- their order ------------------------------------------------------------------------------------------------


def test_runs_that_started_at_one_time_are_listed_and_paged_by_partition_and_offset(databases: Databases) -> None:
    names = [f"{PROJECT}/{letter}" for letter in "dbacegf"]
    with databases.empty() as database:
        history = History(TimelessLog(3), database)
        places = {name: history.writer().write(RunStarted(run=name)) for name in names}
        history.project()

        listed: list[queries.RunInfo] = []
        while page := queries.runs(database, PROJECT, after=listed[-1].run if listed else None, limit=2):
            listed += page
            count = queries.count_runs(database, PROJECT, after=queries.cursor_of(page[-1]))
            assert count == len(names) - len(listed)

        newest_first = sorted(names, key=lambda name: (places[name].partition, places[name].offset), reverse=True)
        assert [info.run for info in listed] == newest_first
        assert len({info.started_us for info in listed}) == 1


def test_a_run_that_is_updated_stays_where_it_started_in_the_list(history: History) -> None:
    for run in (RUN, OTHER):
        history.run(run, state=None)

    history.write(RunUpdated(run=RUN, config_set='{"a":1}', capture=CODE), RunHeartbeat(run=RUN, heartbeat_seconds=300))

    assert [info.run for info in queries.runs(history.database, PROJECT)] == [OTHER, RUN]
