"""What is the core, and which tests concern each part of it: those that are fast and need no servers, nearest first."""

from pathlib import Path

# The longest beginning of a module's path counts. A module of the core that none names is an error.
TESTS: dict[str, tuple[str, ...]] = {
    "schemas/": ("tests/schemas", "tests/producer"),
    "producer/": ("tests/producer",),
    "consumer/headwater_consumer/projector/": ("tests/consumer",),
    "consumer/headwater_consumer/": ("tests/consumer",),
    "sdk/headwater/_commit/": ("tests/queue", "tests/sdk/test_shared_drafts.py"),
}
CORE = (
    "schemas/headwater_schemas/",
    "producer/headwater_producer/",
    "consumer/headwater_consumer/",
    "sdk/headwater/_commit/",
)
# Of the consumer, the reading side and the service are not part of it.
NOT_CORE = ("consumer/headwater_consumer/queries/", "consumer/headwater_consumer/service/")


def core_modules(root: Path) -> list[str]:
    """The paths of the modules that faults are put into."""
    found = [path.relative_to(root).as_posix() for folder in CORE for path in sorted((root / folder).rglob("*.py"))]
    return [path for path in found if not path.startswith(NOT_CORE)]


def concerning(path: str) -> tuple[str, ...]:
    """The folders and files of tests that concern a module."""
    beginning = max((name for name in TESTS if path.startswith(name)), key=len)
    return TESTS[beginning]
