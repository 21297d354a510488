"""Where the content of events is: stored now, uploaded before, or stored already. Clients say nothing about it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from headwater_producer.staged_blobs import published_anew
from headwater_producer.stored_content import StoredContent
from headwater_schemas import digests
from headwater_schemas.entries import BlobLocation, FileEntries
from headwater_schemas.errors import BlobMissing, HeadwaterError, InvalidInput
from headwater_schemas.events import EntryAdded, Move, Stamped
from headwater_schemas.names import CollectionName
from headwater_schemas.problems import word_of
from headwater_schemas.submissions import PACK_BYTES_MAX, Contents, EventsRefused, Refusal
from headwater_stores.stores import Stores

Place = tuple[str, bytes]  # a project, and a digest in the stored form


@dataclass(slots=True)
class Prepared:
    """What one client sent, checked: the events, and the content that came along or was uploaded before."""

    events: list[Stamped]
    contents: dict[Place, bytes] = field(default_factory=dict, repr=False)
    receipts: dict[Place, BlobLocation] = field(default_factory=dict)

    @property
    def wanted(self) -> dict[Place, None]:
        """The content that the events name."""
        return {
            (project, digest): None
            for stamped in self.events
            if isinstance(stamped.event, EntryAdded)
            for project in (project_of(stamped.event),)
            for digest in stamped.event.files.packed_digests()
        }

    @property
    def size(self) -> int:
        """Bytes that came along."""
        return sum(map(len, self.contents.values()))


def hashed(along: Iterable[Contents]) -> dict[Place, bytes]:
    """Contents by what they are: the digests are computed here, whatever a client may say of them."""
    found: dict[Place, bytes] = {}
    for one in along:
        hash_one, code = digests.one_shot(one.algorithm), digests.pack(one.algorithm, b"")
        for content in one.contents:
            found[one.project, code + hash_one(content)] = bytes(content)
    return found


class ContentPlaces:
    """The content of one server's stores."""

    def __init__(self, stores: Stores, stored: StoredContent) -> None:
        self._blobs = stores.blobs
        self.stored = stored

    def put(self, contents: Mapping[Place, bytes]) -> dict[Place, BlobLocation]:
        """Store contents, durably: one pack for each project, or more where they are too many for one."""
        by_project: dict[str, dict[bytes, bytes]] = {}
        for (project, digest), content in contents.items():
            by_project.setdefault(project, {})[digest] = content
        return {
            (project, digest): place
            for project, of_project in by_project.items()
            for part in _parts(of_project)
            for digest, place in self.put_pack(project, part).items()
        }

    def put_pack(self, project: str, contents: Mapping[bytes, bytes]) -> dict[bytes, BlobLocation]:
        """Store contents of one project as one object, durably. Raises: StoreUnavailable, StoreReadOnly."""
        staged = self._blobs.stage_pack(list(contents.values()), project=project)
        name = published_anew(self._blobs, staged, project)
        self.stored.note_put(name, staged.size)
        sizes = list(map(len, contents.values()))
        offsets = accumulate(sizes[:-1], initial=0)
        return {d: BlobLocation(name, at, size) for d, at, size in zip(contents, offsets, sizes, strict=True)}

    def find(self, wanted: Iterable[Place]) -> dict[Place, BlobLocation]:
        """Where these contents are stored already, and whole. What is not, is left out."""
        by_project: dict[str, list[bytes]] = {}
        for project, digest in wanted:
            by_project.setdefault(project, []).append(digest)
        return {
            (project, digest): place
            for project, of_project in by_project.items()
            for digest, place in self.stored.find(project, of_project).items()
        }

    def still_there(self, uploaded: Mapping[Place, BlobLocation]) -> dict[Place, BlobLocation]:
        """Those of the places of receipts whose object is whole, and stays: it may have been collected since."""
        sizes = self.stored.sizes({place.object_name for place in uploaded.values()}) if uploaded else {}
        condemned = self.stored.condemned(sizes)
        return {
            key: place
            for key, place in uploaded.items()
            if sizes.get(place.object_name, -1) >= place.offset + place.size and place.object_name not in condemned
        }

    def moves(self, placed: Mapping[Place, BlobLocation]) -> Iterator[tuple[str, list[Move]]]:
        """Project and moves, for content that was lost and is stored anew."""
        for project in {project for project, _ in placed}:
            lost = set(self.stored.lost_in(project))
            anew = {d: place for (of, d), place in placed.items() if of == project and d in lost}
            if anew and (moves := self.stored.moves(project, anew)):
                yield project, moves


def with_places(events: Sequence[Stamped], places: Mapping[Place, BlobLocation]) -> list[Stamped]:
    """The events, with where their content is. Raises: EventsRefused for those whose content is nowhere."""
    found, refusals = list[Stamped](), list[Refusal]()
    for index, stamped in enumerate(events):
        try:
            found.append(_with_places(stamped, places))
        except HeadwaterError as error:
            refusals.append(Refusal(index, word_of(error), str(error)))
    if refusals:
        raise EventsRefused(refusals)
    return found


def project_of(event: EntryAdded) -> str:
    """The project that has the content of an event."""
    return CollectionName.parse(event.collection).namespace


def _with_places(stamped: Stamped, places: Mapping[Place, BlobLocation]) -> Stamped:
    event = stamped.event
    if not isinstance(event, EntryAdded) or not len(event.files):
        return stamped
    files, project = event.files, project_of(event)
    packed = files.packed_digests()
    rows = [places.get((project, digest)) for digest in packed]
    for path, digest, size, place in zip(files.paths, packed, files.sizes, rows, strict=True):
        if place is None:
            raise BlobMissing(
                f"{path!r} cannot be logged to {event.collection}: content {digests.to_text(digest)} is not stored in "
                f"{project}, and did not come along. Add it again from a file that has it."
            )
        if place.size != size:
            raise InvalidInput(f"{path!r} of {event.collection} has {place.size:,} bytes, not {size:,}. Log it again.")
    there = [place for place in rows if place is not None]
    names, offsets = [place.object_name for place in there], [place.offset for place in there]
    placed = FileEntries.of_columns(files.algorithm, files.paths, packed, files.sizes, names, offsets, files.executable)
    return Stamped(stamped.origin, replace(event, files=placed))


def _parts(contents: Mapping[bytes, bytes]) -> Iterator[dict[bytes, bytes]]:
    part: dict[bytes, bytes] = {}
    size = 0
    for digest, content in contents.items():
        if part and size + len(content) > PACK_BYTES_MAX:
            yield part
            part, size = {}, 0
        part[digest] = content
        size += len(content)
    if part:
        yield part
