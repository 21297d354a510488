"""What is the core, and which tests concern each part of it: those that are fast and need no servers, nearest first."""

from pathlib import Path

_PROJECTOR = (
    *(
        "projector_rules",
        "refused_openings",
        "refused_sizes",
        "hostile_texts",
        "reasons_of_conflicts",
        "version_events",
    ),
    *("version_events", "bounds", "batch_cost"),
)
_WRITING = ("drafts", "conflicts", "dead_letters", "updates", "settings", "runner", "replay")
_LAWS = ("layers", "projector_laws")

# By the beginning of a module's path, of which the longest counts: its tests in stages, nearest first. A later stage
# runs only where no test of the earlier ones failed, so that most faults cost few tests.
TESTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "schemas/": (("tests/schemas", "tests/producer"),),
    "producer/": (("tests/producer",),),
    "consumer/headwater_consumer/": tuple(
        tuple(f"tests/consumer/test_{name}.py" for name in names) for names in (_PROJECTOR, _WRITING, _LAWS)
    ),
    "sdk/headwater/_commit/": (("tests/queue",), ("tests/sdk/test_shared_drafts.py",)),
    "sdk/headwater/_commit/shared_drafts.py": (("tests/sdk/test_shared_drafts.py",), ("tests/queue",)),
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


def concerning(path: str) -> tuple[tuple[str, ...], ...]:
    """The folders and files of tests that concern a module, in stages; those that are called as it is come first."""
    stages = TESTS[part_of(path)]
    folders = {test if not test.endswith(".py") else Path(test).parent.as_posix(): None for test in stages[0]}
    namesakes = [Path(folder, f"test_{Path(path).stem}.py") for folder in folders]
    first = tuple(namesake.as_posix() for namesake in namesakes if namesake.exists())
    return (first, *stages) if first else stages
