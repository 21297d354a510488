"""What is checked whenever somebody looks, while a schedule runs and at its end."""

from headwater_schemas.entries import BlobLocation
from headwater_schemas.errors import BlobCorrupt, BlobMissing

from tests.simulation import views
from tests.simulation.faults import Violation
from tests.simulation.reachable import reachable_objects
from tests.simulation.simulated_blobs import ProcessBlobs
from tests.simulation.views import Shown
from tests.simulation.world import World


def check_seen(world: World, name: tuple[str, int], shown: Shown) -> None:
    """Raises: Violation when a version is not what it was when anybody saw it first."""
    first = world.seen.setdefault(name, shown)
    if first != shown:
        raise Violation(f"2, never changes: {name[0]}:v{name[1]} was {first}, now it is {shown}")
    if first is shown and (now := views.digest_of(shown.entries)) != shown.digest:
        raise Violation(f"1, never half visible: {name[0]}:v{name[1]} has {shown.digest} but shows {now}: {shown}")


def check_read(world: World, blobs: ProcessBlobs, place: BlobLocation, digest: bytes) -> None:
    """Raises: Violation when reading gives other bytes, or an error though the object is as it was stored."""
    try:
        content = blobs.read(place, digest)
    except (BlobCorrupt, BlobMissing) as error:
        if world.blobs.is_whole(place.object_name):
            raise Violation(f"1, never lost: {place} is whole but cannot be read: {error}") from error
        check_collected(world, place.object_name)
        return
    if content != world.ledger.contents[digest]:
        raise Violation(f"verified reads: {place} gave {content!r}, not {world.ledger.contents[digest]!r}")


def check_collected(world: World, name: str) -> None:
    """Raises: Violation when an object was collected, and is needed. Who read in vain may have looked long ago."""
    if name in world.blobs.deleted and not world.is_behind_itself() and name in reachable_objects(world.database):
        raise Violation(f"a reachable content always verifies: {name} was collected, and is needed")
