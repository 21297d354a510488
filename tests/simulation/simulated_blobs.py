"""The blob store in memory, and as one virtual process reaches it: the real contract, simulated trouble."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import BinaryIO, NoReturn

from headwater_blobs import verify
from headwater_blobs.port import CHUNK_BYTES, Kept, Staged, StoredObject, Watch, first_attempt, unwatched
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobCorrupt, StoreUnavailable

from tests.simulation.faults import Fault, Violation
from tests.simulation.reachable import reachable_objects
from tests.simulation.world import Process, World

DISK = "disk of the blobs"


class SimulatedBlobs:
    """Objects in memory."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.objects: dict[str, bytes] = {}
        self.ever: dict[str, bytes] = {}  # as they were published: what a damaged one can be restored from
        self.staged: dict[str, bytes] = {}
        self.damaged_s: dict[str, float] = {}  # when an object was damaged last
        self.stored_s: dict[str, float] = {}  # when it was published
        self.deleted: set[str] = set()  # objects that were collected

    def tear(self, names: Collection[str] | None = None) -> None:
        """Damage one object, of those `names`."""
        there = [name for name in self.objects if names is None or name in names]
        if not there:
            return
        name = self._world.random.choice(there)
        data = self.objects[name]
        match self._world.random.choice(("flip", "truncate", "remove")):
            case "flip" if data:
                at = self._world.random.randrange(len(data))
                self.objects[name] = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
            case "truncate" if data:
                self.objects[name] = data[: self._world.random.randrange(len(data))]
            case _:
                del self.objects[name]
        self.damaged_s[name] = self._world.now_s
        self._world.note(f"object {name} is damaged")

    def is_whole(self, name: str) -> bool:
        return self.objects.get(name) == self.ever[name]

    def restore(self) -> None:
        """Bring every damaged object back, and none that was collected."""
        self.objects = {name: data for name, data in self.ever.items() if name not in self.deleted}

    def publish(self, name: str, data: bytes) -> None:
        self.objects.setdefault(name, data)
        self.ever.setdefault(name, data)
        self.stored_s.setdefault(name, self._world.clock_ms() / 1000)
        self.deleted.discard(name)

    def delete(self, name: str) -> None:
        """Raises: Violation when something needs it."""
        if self.objects.pop(name, None) is not None:
            self.deleted.add(name)
            if not self._world.is_behind_itself() and name in reachable_objects(self._world.database):
                raise Violation(f"a reachable content always verifies: {name} is deleted, and still needed")


class ProcessBlobs:
    """`headwater_blobs.port.BlobStore` for one process."""

    def __init__(self, process: Process, blobs: SimulatedBlobs | None = None) -> None:
        """`blobs`: instead of those of the world."""
        self._process, self._world, self._blobs = process, process.world, blobs or process.world.blobs
        self.put: set[str] = set()  # the objects that this process stored

    def stage_pack(self, contents: Sequence[bytes], *, project: str, algorithm: str | None = None) -> Staged:
        return self._stage(b"".join(contents), None)

    def goes_along(self, contents: Sequence[bytes]) -> bool:
        return False

    def sent_in_vain(self, contents: Iterable[bytes]) -> dict[bytes, int]:
        return {}

    def stage_stream(self, *, project: str, size: int) -> NoReturn:
        raise AssertionError(f"only servers stage what comes piece by piece: {size} bytes for {project}")

    def stream_step(self, size: int) -> NoReturn:
        raise AssertionError(f"only servers keep what comes piece by piece: {size} bytes")

    def continue_stream(self, kept: Kept) -> NoReturn:
        raise AssertionError(f"only servers keep what comes piece by piece: {kept}")

    def stage_file(
        self,
        source: BinaryIO,
        algorithm: str,
        *,
        project: str,
        attempt: Callable[[bytes], int] = first_attempt,
        watch: Watch = unwatched,
    ) -> Staged:
        data = source.read()
        return self._stage(data, digests.pack(algorithm, digests.one_shot(algorithm)(data)))

    def publish(self, staged: Staged, name: str) -> None:
        with self._process.effect(f"publishing {name}"):
            self._refuse_if_full()
            data = self._blobs.staged[staged.handle]
            if name in self._blobs.objects and len(self._blobs.objects[name]) != len(data):
                raise BlobCorrupt(f"the simulated object {name} has another size than its content.")
            self._blobs.publish(name, data)
            self.put.add(name)
            self._process.thread()

    def discard(self, staged: Staged) -> None:
        self._blobs.staged.pop(staged.handle, None)

    def outlives(self, staged: Staged, names: Collection[str]) -> bool:
        return True

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        if self._world.faults.strikes(Fault.UNANSWERED):
            raise StoreUnavailable("the simulated blobs do not answer.")
        self._world.overtaken()
        return {name: len(self._blobs.objects[name]) for name in names if name in self._blobs.objects}

    def read(self, place: BlobLocation, digest: bytes) -> bytes:
        verify.check_location(place)
        if place.object_name not in self._blobs.objects:
            raise verify.missing(place.object_name, "the simulation")
        data = self._blobs.objects[place.object_name][place.offset : place.offset + place.size]
        verify.check_digest(data, place, digest, "the simulation")
        return data

    def read_many(self, wanted: Sequence[tuple[BlobLocation, bytes]]) -> list[bytes]:
        return [self.read(place, digest) for place, digest in wanted]

    def stream(self, place: BlobLocation, digest: bytes) -> Iterator[memoryview]:
        data = self._blobs.objects.get(place.object_name)
        if data is None:
            raise verify.missing(place.object_name, "the simulation")
        view = memoryview(data)[place.offset : place.offset + place.size]
        pieces = (view[start : start + CHUNK_BYTES] for start in range(0, len(view), CHUNK_BYTES))
        return verify.checked_pieces(pieces, place, digest, "the simulation")

    def stream_part(self, place: BlobLocation, start: int, size: int) -> Iterator[memoryview]:
        part = verify.part_of(place, start, size)
        if part.object_name not in self._blobs.objects:
            raise verify.missing(part.object_name, "the simulation")
        data = self._blobs.objects[part.object_name][part.offset : part.offset + part.size]
        return verify.counted_pieces([memoryview(data)] if data else [], part, "the simulation")

    def local_file(self, place: BlobLocation) -> str | None:
        return None

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        stored_s = self._blobs.stored_s
        found = [StoredObject(n, len(d), stored_s[n]) for n, d in sorted(self._blobs.objects.items())]
        return (one for one in found if one.name.startswith(prefix))

    def abandoned(self) -> Iterator[StoredObject]:
        return (StoredObject(name, len(data), 0.0) for name, data in sorted(self._blobs.staged.items()))

    def reclaim(self, *, idle_s: float, dry_run: bool) -> Iterator[StoredObject]:
        return iter(())  # whose writer lives is not simulated

    def adopt(self, staged: Staged) -> Staged | None:
        return None

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            with self._process.effect(f"deleting {name}"):
                if self._world.faults.strikes(Fault.UNANSWERED):
                    raise StoreUnavailable("the simulated blobs do not answer.")
                self._blobs.delete(name)
                self._process.note(f"deletes {name}")

    def close(self) -> None:
        pass

    def _stage(self, data: bytes, digest: bytes | None) -> Staged:
        with self._process.effect(f"staging {len(data)} bytes"):
            self._refuse_if_full()
            location = f"{self._process.name}-{len(self._blobs.staged)}-{self._world.steps}"
            self._blobs.staged[location] = data
            self._process.thread()
        return Staged(location, len(data), digest)

    def _refuse_if_full(self) -> None:
        if self._world.is_full(DISK) or self._world.faults.strikes(Fault.UNANSWERED):
            raise StoreUnavailable("the disk of the simulated blobs is full.")
