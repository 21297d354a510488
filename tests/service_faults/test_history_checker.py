"""The checker of histories finds what it is there to find."""

from dataclasses import replace

import pytest

from tests.service_faults.history import Operation, Outcome, problems, problems_of_draft

# Two writers of one artifact; the second begins its first commit before the first is told of its own.
HISTORY = [
    Operation("a", "commit", "data", 0.0, 1.0, "ok", 0, "digest-a0"),
    Operation("b", "commit", "data", 0.5, 2.0, "ok", 1, "digest-b0"),
    Operation("a", "read", "data", 1.1, 1.2, "ok", 0, "digest-a0"),
    Operation("a", "commit", "data", 2.5, 3.0, "ok", 2, "digest-a1"),
    Operation("b", "read", "data", 3.5, 3.6, "ok", 2, "digest-a1"),
    Operation("b", "commit", "data", 4.0, 9.0, "unknown", None, "digest-b1"),
    Operation("a", "commit", "data", 4.0, 5.0, "fail", None, "digest-a2"),
]
THERE = [(0, "digest-a0"), (1, "digest-b0"), (2, "digest-a1")]


def found(*versions: tuple[int, str], history: list[Operation] = HISTORY) -> list[str]:
    return [problem.partition(":")[0] for problem in problems(history, {"data": versions})]


def changed(at: int, **fields: object) -> list[Operation]:
    history = list(HISTORY)
    history[at] = replace(history[at], **fields)  # type: ignore[arg-type] # each test knows its fields
    return history


def test_a_history_that_agrees_with_what_is_there_has_no_problems() -> None:
    assert found(*THERE) == []


def test_an_unknown_commit_may_have_happened() -> None:
    assert found(*THERE, (3, "digest-b1")) == []


def test_overlapping_commits_may_stand_in_either_order() -> None:
    history = changed(0, version=1)
    history[1] = replace(history[1], version=0)
    history[2] = replace(history[2], version=1)

    assert found((0, "digest-b0"), (1, "digest-a0"), (2, "digest-a1"), history=history) == []


def test_a_lost_commit_is_found() -> None:
    assert "lost" in found(*THERE[:2])


def test_a_whole_artifact_that_is_lost_is_found() -> None:
    assert problems(HISTORY, {}) != []


def test_a_doubled_commit_is_found() -> None:
    assert "there 2 times" in found(*THERE, (3, "digest-a1"))


def test_an_unknown_commit_that_happened_twice_is_found() -> None:
    assert found(*THERE, (3, "digest-b1"), (4, "digest-b1")) == ["there 2 times"]


def test_a_commit_that_failed_and_is_there_is_found() -> None:
    assert found(*THERE, (3, "digest-a2")) == ["happened after all"]


def test_a_version_that_nobody_wrote_is_found() -> None:
    assert found(*THERE, (3, "digest-x")) == ["phantom"]


def test_an_artifact_that_nobody_wrote_is_found() -> None:
    assert problems(HISTORY, {"data": THERE, "other": [(0, "digest-x")]}) == ["phantom: nobody wrote v0 (digest-x)"]


def test_a_gap_in_the_numbers_is_found() -> None:
    assert "numbers are not dense" in found(*THERE, (4, "digest-b1"))


def test_a_commit_under_another_number_than_was_told_is_found() -> None:
    assert "moved" in found((0, "digest-b0"), (1, "digest-a0"), (2, "digest-a1"))


@pytest.mark.parametrize("writer", ["a", "c"])
def test_a_commit_that_stands_before_one_that_was_over_when_it_began_is_found(writer: str) -> None:
    history = [
        Operation("a", "commit", "data", 0.0, 1.0, "ok", 1, "first"),
        Operation(writer, "commit", "data", 2.0, 3.0, "ok", 0, "second"),
    ]

    assert found((0, "second"), (1, "first"), history=history) == ["reordered"]


def test_an_unknown_commit_that_stands_before_one_that_was_over_when_it_began_is_found() -> None:
    history = [
        Operation("a", "commit", "data", 0.0, 1.0, "ok", 1, "first"),
        Operation("b", "commit", "data", 2.0, 3.0, "unknown", None, "second"),
    ]

    assert found((0, "second"), (1, "first"), history=history) == ["reordered"]


def test_a_read_that_misses_what_was_acknowledged_before_it_is_found() -> None:
    assert found(*THERE, history=changed(4, version=1, digest="digest-b0")) == ["stale"]


def test_a_read_that_finds_nothing_after_a_commit_was_acknowledged_is_found() -> None:
    assert found(*THERE, history=changed(2, version=None, digest=None)) == ["stale"]


def test_reads_that_go_back_are_found() -> None:
    early = Operation("c", "read", "data", 0.6, 0.7, "ok", 1, "digest-b0")

    assert found(*THERE, history=[*HISTORY, early]) == ["stale"]


def test_a_read_of_other_content_than_is_there_is_found() -> None:
    assert found(*THERE, history=changed(4, digest="digest-x")) == ["changed"]


def added(**outcomes: Outcome) -> list[Operation]:
    return [Operation("a", "upsert", "data", 0.0, 1.0, outcome, None, path) for path, outcome in outcomes.items()]


def test_a_draft_with_all_that_was_acknowledged_has_no_problems() -> None:
    assert problems_of_draft(added(a="ok", b="unknown", c="unknown", d="fail"), ["a", "b"]) == []


@pytest.mark.parametrize(
    ("paths", "problem"),
    [([], "lost: a"), (["a", "d"], "happened after all: d"), (["a", "x"], "phantom: nobody added x")],
)
def test_what_is_wrong_with_a_shared_draft_is_found(paths: list[str], problem: str) -> None:
    assert problems_of_draft(added(a="ok", d="fail"), paths) == [problem]
