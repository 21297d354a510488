"""What a collector does to a store, in a moment: condemn, rewrite and delete objects."""

import uuid
from collections.abc import Iterable

from headwater_consumer.queries.contents import contents
from headwater_producer.batches import move_events
from headwater_producer.producer import Producer
from headwater_schemas.events import BlobsCondemned, Event, Move
from headwater_schemas.object_names import pack_name
from headwater_stores.stores import Stores

from tests.faults.processes import NAMESPACE, Workspace
from tests.faults.stores import opened


def collect_all(workspace: Workspace, *, deletes: bool = True) -> set[str]:
    """Condemn every object, and delete it; their names. Without `deletes`, as one that is killed in between."""
    with opened(workspace.behind().settings()) as stores:
        names = {found.name for found in stores.blobs.list_objects()}
        collect(stores, names, deletes=deletes)
    return names


def rewrite_all(workspace: Workspace) -> set[str]:
    """Copy every content to another object, each by itself, and collect all others; their names."""
    with opened(workspace.behind().settings()) as stores:
        places = [located for page in contents(stores.database) for located in page]
        moves = []
        for place, digest in places:
            staged = stores.blobs.stage_pack([stores.blobs.read(place, digest)], project=NAMESPACE)
            name = staged.name or pack_name(NAMESPACE)
            stores.blobs.publish(staged, name)
            if staged.name is None:
                stores.blobs.discard(staged)
            moves.append(Move(place.object_name, place.offset, place.size, name, 0))
        send(stores, list(move_events(NAMESPACE, moves)))
        names = {place.object_name for place, _ in places}
        collect(stores, names)
    return names


def collect(stores: Stores, names: Iterable[str], *, deletes: bool = True) -> None:
    """Condemn these objects, and delete them once that is known everywhere."""
    objects = tuple(sorted(names))
    send(stores, [BlobsCondemned(broadcast=uuid.uuid4().hex, project=NAMESPACE, objects=objects)])
    if deletes:
        stores.blobs.delete(objects)


def send(stores: Stores, events: list[Event]) -> None:
    """Write events as an operator does, and wait until they are projected."""
    producer = Producer(stores.log, author="collector", watch_append=stores.projection.watch_append)
    producer.send(events)
    stores.projection.catch_up(producer.confirm(), timeout_s=60)
