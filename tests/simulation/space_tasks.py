"""What writers do that makes something come free, or keeps it: as `tasks`."""

from collections.abc import Iterator
from random import Random

from headwater_schemas.events import AliasMoved, ArtifactUsed, VersionDeleted, VersionRestored

from tests.simulation.tasks import ALIASES, PATHS, log_files
from tests.simulation.world import SMALL_BYTES_MAX
from tests.simulation.writers import COLLECTIONS, Task, Writer

VERSIONS_MAX = 3
LARGE = b"the same large content, " * 4
assert len(LARGE) > SMALL_BYTES_MAX
STEPS_UNTIL_USED_MAX = 6
STEPS_UNTIL_COLLECTED_MAX = 4


def regret(random: Random, name: str) -> Task:
    """Delete a version, and think better of it."""
    collection, waits = random.choice(COLLECTIONS), random.random() < 0.5

    def delete_and_restore(writer: Writer) -> Iterator[None]:
        latest, _ = writer.content_of_latest(collection)
        version = 0 if latest is None else writer.world.random.randint(0, latest)
        writer.send([VersionDeleted(collection=collection, version=version, delete_aliases=True)])
        yield
        if waits:
            yield from writer.wait()
        yield
        writer.send([VersionRestored(collection=collection, version=version)])

    return delete_and_restore


def log_and_use(random: Random, name: str) -> Task:
    """Log versions, and use or name each a while later."""
    collection, versions, number = COLLECTIONS[0], random.randint(1, VERSIONS_MAX), random.randrange(1000)

    def log_and_use_versions(writer: Writer) -> Iterator[None]:
        for i in range(versions):
            yield from log_files(writer, collection, {"a": f"{i} of {name}, {number}".encode()})
            yield from writer.wait()
            for _ in range(writer.world.random.randint(0, STEPS_UNTIL_USED_MAX)):
                yield
            if (version := writer.last_version) is not None:
                used = ArtifactUsed(collection=collection, version=version, run=f"e/p/{name}", requested="latest")
                named = AliasMoved(collection=collection, alias=writer.world.random.choice(ALIASES), version=version)
                writer.send([writer.world.random.choice((used, used, named))])
                yield from writer.wait()

    return log_and_use_versions


def supersede(random: Random, name: str) -> Task:
    """Log a version, and one that needs less of the same content; then delete the first, so that its pack is sparse."""
    collection, kept, number = COLLECTIONS[0], random.choice(PATHS), random.randrange(1000)
    files = {path: f"{path} of {name}, {number}".encode() for path in PATHS}

    def log_and_delete(writer: Writer) -> Iterator[None]:
        yield from log_files(writer, collection, files)
        yield from writer.wait()
        first = writer.last_version
        yield from log_files(writer, collection, {kept: files[kept]})
        yield from writer.wait()
        if first is not None:
            writer.send([VersionDeleted(collection=collection, version=first, delete_aliases=True)])
            yield from writer.wait()

    return log_and_delete


def bring_back(random: Random, name: str) -> Task:
    """Log a large content, delete it, and log it again when it may have been collected."""
    collection, times = COLLECTIONS[0], random.randint(1, VERSIONS_MAX)

    def log_and_delete(writer: Writer) -> Iterator[None]:
        for _ in range(times):
            yield from log_files(writer, collection, {"a": LARGE})
            yield from writer.wait()
            if (version := writer.last_version) is not None:
                writer.send([VersionDeleted(collection=collection, version=version, delete_aliases=True)])
                yield from writer.wait()
            for _ in range(writer.world.random.randint(0, STEPS_UNTIL_COLLECTED_MAX)):
                yield

    return log_and_delete
