"""What is the core, and which tests concern each part of it: those that are fast and need no servers, nearest first."""

from pathlib import Path

_CONSUMER = tuple(
    f"tests/consumer/test_{name}.py"
    for name in (
        "projector_rules",
        "refused_openings",
        "reasons_of_conflicts",
        "hostile_texts",
        "bounds",
        "drafts",
        "conflicts",
        "dead_letters",
        "updates",
        "settings",
        "runner",
        "layers",
        "projector_laws",
    )
)
# The longest beginning of a module's path counts. A module of the core that none names is an error.
TESTS: dict[str, tuple[str, ...]] = {
    "schemas/": ("tests/schemas", "tests/producer"),
    "producer/": ("tests/producer",),
    "consumer/headwater_consumer/": _CONSUMER,
    "sdk/headwater/_commit/": ("tests/queue", "tests/sdk/test_shared_drafts.py"),
}
# Of those, what takes long and tells little about a single fault, or needs a server after all.
LEFT_OUT = (
    "tests/consumer/test_projector_laws.py::test_every_database_gives_one_fingerprint",
    "tests/consumer/test_projector_laws.py::test_the_number_of_partitions_does_not_matter",
    "tests/consumer/test_projector_laws.py::test_the_order_between_partitions_does_not_matter",
    "tests/consumer/test_projector_laws.py::test_the_order_between_two_keys_does_not_matter",
    "tests/consumer/test_projector_laws.py::test_what_is_asked_as_of_a_position_is_what_was_the_case_then",
    "tests/consumer/test_runner.py::test_a_reader_never_sees_half_a_batch",
    "tests/consumer/test_runner.py::test_processes_that_make_one_projection_at_the_same_moment_all_open_it",
)
CORE = (
    "schemas/headwater_schemas/",
    "producer/headwater_producer/",
    "consumer/headwater_consumer/layers/",
    "consumer/headwater_consumer/projector/",
    "consumer/headwater_consumer/rows/",
    "consumer/headwater_consumer/writing/",
    "sdk/headwater/_commit/",
)


def core_modules(root: Path) -> list[str]:
    """The paths of the modules that faults are put into."""
    return [path.relative_to(root).as_posix() for folder in CORE for path in sorted((root / folder).rglob("*.py"))]


def part_of(path: str) -> str:
    """The beginning of a module's path by which its tests are found."""
    return max((beginning for beginning in TESTS if path.startswith(beginning)), key=len)


def concerning(path: str) -> tuple[str, ...]:
    """The folders and files of tests that concern a module; those that are called as it is come first."""
    tests = TESTS[part_of(path)]
    namesake = Path(tests[0], f"test_{Path(path).stem}.py")
    return (namesake.as_posix(), *tests) if namesake.exists() else tests
