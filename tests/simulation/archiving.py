"""Archiving, as somebody runs it now and then: each run is a new process, and goes on where the last one ended."""

from collections.abc import Iterator

from headwater_consumer.archive.archive import Archive
from headwater_consumer.archive.archived_log import ArchivedLog
from headwater_consumer.archive.archiver import archive_log
from headwater_schemas.errors import StoreUnavailable

from tests.simulation.simulated_files import ProcessFiles
from tests.simulation.simulated_log import ProcessLog
from tests.simulation.world import Bystander, Process, World

RUN_RATE = 0.1  # of its steps, until nothing goes wrong any more


class Archiver(Process):
    """Several at once write to one archive."""

    has_end = False

    def script(self) -> Iterator[None]:
        world = self.world
        log, place = ProcessLog(self), ProcessFiles(self, world.archived)
        while True:
            yield
            if world.calm or world.random.random() >= RUN_RATE:
                continue
            try:
                archived = archive_log(
                    log, Archive.open(place, create=True), progress=lambda done, total: world.overtaken()
                )
                self.note(f"archives {archived.records} records in {archived.files} files")
            except StoreUnavailable as error:
                self.note(f"StoreUnavailable {error}")


def archived_log(world: World) -> ArchivedLog:
    """The log of a world that came to rest, as it is in the archive. Raises: what reading a damaged one does."""
    bystander = Bystander(world, "archiver")
    archive = Archive.open(ProcessFiles(bystander, world.archived), create=True)
    archive_log(ProcessLog(bystander), archive, progress=lambda done, total: None)
    log = ArchivedLog.open(archive, None)
    log.verify(lambda records: None)
    return log
