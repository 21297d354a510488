"""Small files beside the content, in memory: where collections and archives keep what they remember."""

from collections.abc import Iterator

from headwater_schemas.errors import StoreUnavailable

from tests.simulation.faults import Fault
from tests.simulation.world import Process


class ProcessFiles:
    """`headwater_blobs.file_places.FilePlace` for one process, on files that all of them share."""

    url = "memory://files"

    def __init__(self, process: Process, files: dict[str, bytes]) -> None:
        self._process, self._files = process, files

    def put(self, path: str, content: bytes) -> None:
        with self._process.effect(f"writing {path}"):
            self._may_fail()
            self._files[path] = content

    def get(self, path: str) -> bytes | None:
        self._may_fail()
        return self._files.get(path)

    def paths(self, prefix: str = "") -> Iterator[str]:
        self._may_fail()
        return iter(sorted(path for path in self._files if path.startswith(prefix)))

    def reclaim(self, *, idle_s: float) -> None:
        """Nothing is half written."""

    def close(self) -> None:
        pass

    def _may_fail(self) -> None:
        if self._process.world.faults.strikes(Fault.UNANSWERED):
            raise StoreUnavailable("the simulated files do not answer.")
