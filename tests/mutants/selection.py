"""What is the core, and which tests concern each part of it: those that are fast and need no servers, nearest first."""

from pathlib import Path

# The longest beginning of a module's path counts. A module of the core that none names is an error.
TESTS: dict[str, tuple[str, ...]] = {
    "schemas/": ("tests/schemas", "tests/producer"),
    "producer/": ("tests/producer",),
    "consumer/headwater_consumer/": ("tests/consumer",),
    "sdk/headwater/_commit/": ("tests/queue", "tests/sdk/test_shared_drafts.py"),
}
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


def concerning(path: str) -> tuple[str, ...]:
    """The folders and files of tests that concern a module."""
    beginning = max((name for name in TESTS if path.startswith(name)), key=len)
    return TESTS[beginning]
