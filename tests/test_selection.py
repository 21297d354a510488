"""Which tests run, and in what order."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import durations
from tests.support.durations import longest_first
from tests.support.node_ids import folder_of, split_way, without_group
from tests.support.selection import DAYS, ON_STORES, choose, sampled

BEHAVIOUR = [f"tests/sdk/test_runs.py::test_a_run[service-{number}]" for number in range(100)]
FAULTS = [f"tests/faults/test_forks.py::test_a_fork[service-{number}]" for number in range(20)]


def test_five_days_see_every_test_and_one_day_a_fifth() -> None:
    by_day = [sampled(BEHAVIOUR, day) for day in range(20_000, 20_000 + DAYS)]

    assert set.union(*by_day) == set(BEHAVIOUR)
    assert sum(map(len, by_day)) == len(BEHAVIOUR)
    assert all(10 <= len(chosen) <= 30 for chosen in by_day)
    assert sampled(BEHAVIOUR, 20_000 + DAYS) == by_day[0]


@pytest.mark.parametrize("day", range(DAYS))
def test_what_is_particular_to_servers_runs_every_day(day: int) -> None:
    always = [
        "tests/contract/test_event_log.py::test_y[kafka]",
        "tests/kafka/test_groups.py::test_y",
        "tests/s3/test_s3_reading.py::test_y",
        "tests/projectors/test_sharing.py::test_y",
        "tests/documents/test_using.py::test_y[service]",
        "tests/faults/test_many_writers.py::test_y[service]",
    ]

    assert sampled(always, day) == set(always)


def test_what_runs_again_over_http_takes_turns_everywhere() -> None:
    documents = [f"tests/documents/test_using.py::test_y[over_http-{number}]" for number in range(100)]
    by_day = [sampled(documents, day) for day in range(DAYS)]

    assert set.union(*by_day) == set(documents)
    assert all(10 <= len(chosen) <= 30 for chosen in by_day)


@pytest.mark.parametrize("choice", ["none", "all"])
def test_what_is_done_on_the_stores_themselves_is_not_done_over_http(choice: str) -> None:
    items = [item("a.py::test_y[embedded]"), item("a.py::test_y[over_http]"), marked("a.py::test_x[over_http]")]

    kept = [one.nodeid for one in choose(items, choice)[0]]

    assert kept == ["a.py::test_y[embedded]"] + (["a.py::test_y[over_http]"] if choice == "all" else [])


@pytest.mark.parametrize("day", range(DAYS))
def test_of_every_kind_of_fault_one_runs_every_day(day: int) -> None:
    chosen = sampled([*FAULTS, "tests/service_faults/test_storage.py::test_a_disk_is_full"], day)

    assert {FAULTS[0], "tests/service_faults/test_storage.py::test_a_disk_is_full"} <= chosen
    assert len(chosen) < len(FAULTS)


def marked(node_id: str) -> Any:
    """A test with the marker of those on the stores themselves."""
    return SimpleNamespace(nodeid=node_id, get_closest_marker=lambda name: name == ON_STORES)


def item(node_id: str, group: str = "") -> Any:
    marker = SimpleNamespace(args=(group,)) if group else None
    return SimpleNamespace(nodeid=node_id, get_closest_marker=lambda name: marker)


def test_long_tests_come_first_in_whole_groups_and_the_others_as_they_were() -> None:
    items = [item("short"), item("a@one", "one"), item("long"), item("new"), item("b@one", "one")]
    seconds = {"short": 2.0, "a": 4.0, "long": 9.0, "b": 6.0}

    assert [one.nodeid for one in longest_first(items, seconds)] == ["a@one", "b@one", "long", "short", "new"]


def test_a_machine_that_ran_no_tests_yet_knows_the_long_ones_that_there_are() -> None:
    named = json.loads(durations.SEED.read_text("utf-8"))

    assert named
    gone = [name for name in named if not durations.exists(name)]
    assert gone == [], "run `python -m tests.support.durations` after a full run"


@pytest.mark.parametrize(
    ("node_id", "plain"),
    [
        ("tests/test_demo.py::test_y[service]@demo", "tests/test_demo.py::test_y[service]"),
        ("tests/test_demo.py::test_y@demo", "tests/test_demo.py::test_y"),
        ("tests/a/b.py::test_y[x]@tests/a/b", "tests/a/b.py::test_y[x]"),
        ("tests/a/b.py::test_y@killed commands", "tests/a/b.py::test_y"),
        ("tests/a/b.py::test_y[mailto:me@host]", "tests/a/b.py::test_y[mailto:me@host]"),
    ],
    ids=["parameter", "none", "module", "words", "at sign"],
)
def test_an_id_is_the_same_with_and_without_workers(node_id: str, plain: str) -> None:
    assert without_group(node_id) == plain


def test_an_id_says_folder_and_way_to_run() -> None:
    assert folder_of("tests/sdk/test_runs.py::test_y[a/b]") == "tests/sdk"
    assert split_way("a.py::test_x[1-service-2]") == ("service", "a.py::test_x[1--2]")
    assert split_way("a.py::test_x[kafka]") is None
    assert split_way("tests/contract/a.py::test_x[kafka]") == ("service", "tests/contract/a.py::test_x[]")
