"""The rule that a test is there for all ways to run."""

from tests.support.mode_summary import in_one_way_only
from tests.support.mode_summary import tests_by_way as by_way


def test_a_test_that_ran_in_both_ways_is_counted_once_in_each() -> None:
    ran = by_way(
        [
            "a.py::test_x[embedded-1]",
            "a.py::test_x[service-1]",
            "tests/contract/b.py::test_y[1-folder]",
            "tests/contract/b.py::test_y[1-s3]",
        ]
    )

    assert {way: len(tests) for way, tests in ran.items()} == {"embedded": 2, "service": 2, "over_http": 0}
    assert in_one_way_only(ran) == []


def test_a_test_that_ran_in_one_way_only_is_named() -> None:
    ran = by_way(
        ["a.py::test_x[embedded]", "a.py::test_x[service]", "tests/contract/a.py::test_z[kafka]", "a.py::test_w[kafka]"]
    )

    assert in_one_way_only(ran) == ["tests/contract/a.py::test_z[]"]


def test_a_test_may_be_left_out_over_http_and_none_may_be_there_alone() -> None:
    both = ["a.py::test_x[embedded]", "a.py::test_x[service]", "a.py::test_y[embedded]", "a.py::test_y[service]"]

    assert in_one_way_only(by_way([*both, "a.py::test_x[over_http]"])) == []
    assert in_one_way_only(by_way([*both, "a.py::test_z[over_http]"])) == ["a.py::test_z[]"]
