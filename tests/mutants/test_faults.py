"""Which faults there are to draw from, and that each changes one thing of the text and nothing else."""

import ast
import textwrap
from pathlib import Path

import pytest

from tests.mutants.faults import CALL, COMPARISON, CONDITION, GUARD, OFF_BY_ONE, Fault, faults_in
from tests.mutants.records import Records
from tests.mutants.selection import concerning, core_modules
from tests.mutants.trial import KILLED, Trial

ROOT = Path(__file__).parents[2]


def changed(text: str) -> dict[str, list[str]]:
    """Kind → the module with each of its faults of that kind."""
    found: dict[str, list[str]] = {}
    for fault in faults_in("m.py", textwrap.dedent(text)):
        found.setdefault(fault.kind, []).append(fault.within(textwrap.dedent(text)))
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [("<", "<="), ("<=", "<"), (">", ">="), (">=", ">"), ("==", "!="), ("in", "not in"), ("is not", "is")],
)
def test_a_comparison_becomes_its_neighbour(before: str, after: str) -> None:
    assert changed(f"x = a {before} b")[COMPARISON] == [f"x = a {after} b"]
    assert changed(f"x = (a) {before}  (\n  b)")[COMPARISON] == [f"x = (a) {after}  (\n  b)"]


def test_each_comparison_of_a_chain_is_one_fault() -> None:
    assert changed("x = 'é' < b <= c")[COMPARISON] == ["x = 'é' <= b <= c", "x = 'é' < b < c"]


def test_an_integer_is_off_by_one_and_a_truth_is_not() -> None:
    assert changed("LIMIT = 10_000\nFLAG = True") == {OFF_BY_ONE: ["LIMIT = 10001\nFLAG = True"]}


def test_a_guard_is_dropped_and_its_condition_negated() -> None:
    found = changed("""
        def f(a):
            if a:
                raise ValueError
            return a
    """)

    assert found[GUARD] == ["\ndef f(a):\n    pass\n    return a\n"]
    assert found[CONDITION] == ["\ndef f(a):\n    if (not (a)):\n        raise ValueError\n    return a\n"]


def test_a_condition_is_not_negated_where_that_is_another_fault_already() -> None:
    assert CONDITION not in changed("x = 1 if a is None else 2")
    assert changed("x = b if not a else c")[CONDITION] == ["x = b if (a) else c"]
    assert changed("x = b if a < 1 else c")[CONDITION] == ["x = b if (not (a < 1)) else c"]


def test_each_part_of_a_condition_is_negated_too() -> None:
    assert changed("while a and b: f(a)")[CONDITION] == [
        "while (not (a)) and b: f(a)",
        "while (not (a and b)): f(a)",
        "while a and (not (b)): f(a)",
    ]
    assert changed("x = [a for a in b if a]")[CONDITION] == ["x = [a for a in b if (not (a))]"]


def test_a_call_is_dropped_where_nothing_is_done_with_its_value() -> None:
    assert changed("f(1.0)\nx = g(1.0)")[CALL] == ["pass\nx = g(1.0)"]


def test_what_decides_nothing_has_no_faults() -> None:
    assert (
        changed("""
        if TYPE_CHECKING:
            import a
        assert a < 1
        x: Annotated[int, 3]
        y = f"{a:>10} {1 < a}"

        @cache(4)
        def f() -> Literal[5]:
            "Docstring."
    """)
        == {}
    )


def test_every_fault_of_the_core_gives_a_module_that_is_another_and_can_be_read() -> None:
    for path in core_modules(ROOT)[::4]:
        text = (ROOT / path).read_text("utf-8")
        for fault in faults_in(path, text)[::5]:
            ast.parse(mutant := fault.within(text))
            assert mutant != text


def test_every_module_of_the_core_has_tests_that_are_there() -> None:
    modules = core_modules(ROOT)

    assert modules
    named = {tests for path in modules for stage in concerning(path) for tests in stage}
    assert [tests for tests in sorted(named) if not (ROOT / tests).exists()] == []


def test_what_became_of_a_fault_is_known_after_a_stop_until_its_module_changes(tmp_path: Path) -> None:
    (fault,) = faults_in("m.py", "x = 1")
    Records(tmp_path / "results.jsonl").add(fault, "x = 1", trial := Trial(KILLED, 1.5, "tests/a.py::test_b"))

    again = Records(tmp_path / "results.jsonl")

    assert again.get(fault, "x = 1") == trial
    assert again.get(fault, "x = 1  # but") is None
    assert again.get(Fault("m.py", 1, 4, 5, OFF_BY_ONE, "3"), "x = 1") is None
