"""Lost content of which the store has another copy: stored anew, so that every version that needs it can be read."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headwater_producer.batches import move_events
from headwater_producer.producer import Producer
from headwater_producer.stager import BlobStager
from headwater_producer.stored_content import COPIES_TRIED_MAX, ContentCheck, Located
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation
from headwater_schemas.object_names import project_of
from headwater_stores.lost_content import lost_contents
from headwater_stores.stores import Stores

from headwater._ingest.rehash import ingest_stored


@dataclass(frozen=True, slots=True)
class Healing:
    """What became of lost content."""

    healed: int  # contents that were stored anew
    lost: int  # contents of which there is no copy


def heal_from_copies(
    stores: Stores, producer: Producer, *, verify: bool, project: str | None = None, quiet: bool = False
) -> Healing:
    """Store lost content anew from other objects of its project that have it, and send where it is now.

    `verify` reads all content, showing how far it is, and heals what is damaged as well. `project`: "entity/project";
    None for all. The caller confirms. Raises: as `Producer.send`; StoreUnavailable, StoreReadOnly. What was sent before
    that counts.
    """
    found: dict[tuple[str, str], list[Located]] = defaultdict(list)
    for name, lost in lost_contents(stores, verify=verify, quiet=quiet).items():
        for place, digest in lost.contents if project in (None, project_of(name)) else ():
            found[project_of(name), digests.algorithm_of(digest)].append((place, digest))
    contents = healed = 0
    for (of, algorithm), located in sorted(found.items()):
        contents += len({digest for _, digest in located})
        healed += _heal_project(stores, producer, of, algorithm, located)
    return Healing(healed, contents - healed)


def _heal_project(stores: Stores, producer: Producer, project: str, algorithm: str, lost: Sequence[Located]) -> int:
    reads = stores.reads
    stager = BlobStager(stores.blobs, reads.stored_locations, algorithm=algorithm, project=project, objects=reads)
    stager.note_lost(project, lost)
    copies = _sound_copies(stores, stager, {digest for _, digest in lost})
    ingest_stored(stores.blobs, stager, [(place, digest) for digest, place in copies.items()])
    healed, moves = stager.heal(project)
    producer.send(list(move_events(project, moves)))
    stager.close()
    return len(healed)


def _sound_copies(stores: Stores, stager: BlobStager, wanted: Iterable[bytes]) -> dict[bytes, BlobLocation]:
    """Where each content can be read. A copy that is damaged counts as lost, too."""
    copies: dict[bytes, BlobLocation] = {}
    left, check = set(wanted), ContentCheck(stores.blobs)
    for _ in range(COPIES_TRIED_MAX):
        found = stager.find_copies(stager.project, left)
        rotten = list(check.damaged([(place, digest) for digest, place in found.items()]))
        stager.note_lost(stager.project, rotten)
        left = {digest for _, digest in rotten}
        copies |= {digest: place for digest, place in found.items() if digest not in left}
        if not left:
            break
    return copies
