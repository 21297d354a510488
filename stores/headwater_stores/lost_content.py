"""Objects that versions need and that the store lost: which versions need them, and what can bring them back."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from headwater_blobs.port import UNREADABLE
from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries.contents import contents
from headwater_consumer.queries.holders import Holders
from headwater_consumer.queries.needed_objects import needed_ranges
from headwater_producer.stored_content import ContentCheck, Located
from headwater_schemas.entries import BlobLocation
from headwater_schemas.object_names import project_of

from headwater_stores.stores import Stores
from headwater_stores.telling.progress import Progress

CONTENTS_EXAMINED_MAX = 100  # of one object; more say little about what needs it
VERSIONS_NAMED_MAX = 5  # of one object

MISSING, CUT_SHORT, DAMAGED = "missing", "cut short", "damaged"


@dataclass(frozen=True, slots=True)
class LostContents:
    """What an object lost."""

    problem: str  # MISSING, CUT_SHORT or DAMAGED
    contents: list[Located] = field(default_factory=list)

    def add(self, place: BlobLocation, digest: bytes) -> None:
        """This content is lost as well."""
        self.contents.append((place, digest))


@dataclass(frozen=True, slots=True)
class LostObject:
    """An object of which content is lost."""

    name: str
    problem: str  # MISSING, CUT_SHORT or DAMAGED
    contents: int  # how many of it are lost
    versions: tuple[str, ...]  # "entity/project/name:vN" of versions that need it, some of them
    has_copies: bool  # other objects of the project have the same content

    def __str__(self) -> str:
        needed = f", needed by {', '.join(self.versions)}" if self.versions else ""
        copies = "; other objects have the same content" if self.has_copies else ""
        return f"{self.name} ({self.problem}{needed}{copies})"


def lost_contents(stores: Stores, *, verify: bool, quiet: bool = False) -> dict[str, LostContents]:
    """Object → what it lost of what something needs. Changes nothing.

    What only purged versions had was given up, and is not lost.
    Cost: reads every entry and asks for each object; `verify` reads all content, and shows how far it is.
    """
    named: set[str] = set()
    total = 0
    for page in contents(stores.database):
        named.update(place.object_name for place, _ in page)
        total += sum(place.size for place, _ in page)
    with Progress("verifying", total=total, unit="B", quiet=quiet or not verify) as progress:
        return _needed_among(stores.database, _lost_among(stores, named, progress, verify=verify))


def _lost_among(stores: Stores, named: set[str], progress: Progress, *, verify: bool) -> dict[str, LostContents]:
    sizes = stores.blobs.sizes(named)
    lost, check = dict[str, LostContents](), ContentCheck(stores.blobs, progress.advance)
    for page in contents(stores.database):
        short = [one for one in page if sizes.get(one[0].object_name, -1) < one[0].offset + one[0].size]
        for place, digest in short:
            problem = _problem_of(sizes.get(place.object_name))
            lost.setdefault(place.object_name, LostContents(problem)).add(place, digest)
        if verify:
            for place, digest in check.damaged(set(page).difference(short)):
                lost.setdefault(place.object_name, LostContents(DAMAGED)).add(place, digest)
    return lost


def _needed_among(database: Database, lost: dict[str, LostContents]) -> dict[str, LostContents]:
    of_project: dict[str, list[str]] = defaultdict(list)
    for name in lost:
        of_project[project_of(name)].append(name)
    found: dict[str, LostContents] = {}
    for project, names in of_project.items():
        for name, ranges in needed_ranges(database, names, Holders(project, (), restorable=True)).items():
            needed = [one for one in lost[name].contents if (one[0].offset, one[0].size) in ranges]
            if needed:
                found[name] = LostContents(lost[name].problem, needed)
    return found


def _problem_of(size: int | None) -> str:
    """What is wrong with an object of this size, which should be larger."""
    if size is None:
        return MISSING
    return DAMAGED if size == UNREADABLE else CUT_SHORT


def lost_objects(stores: Stores, *, verify: bool, quiet: bool = False) -> list[LostObject]:
    """The objects that lost content, by name. Changes nothing. Cost: as `lost_contents`."""
    lost = lost_contents(stores, verify=verify, quiet=quiet)
    return [_described(stores, name, lost[name], lost) for name in sorted(lost)]


def _described(stores: Stores, name: str, lost: LostContents, without: Collection[str]) -> LostObject:
    digests = [digest for _, digest in lost.contents]
    project, examined = project_of(name), digests[:CONTENTS_EXAMINED_MAX]
    copies = queries.stored_locations(stores.database, project, examined, without=without)
    versions: dict[str, None] = {}
    for digest in examined:
        if len(versions) >= VERSIONS_NAMED_MAX:
            break
        found = queries.versions_containing(stores.database, digest, limit=CONTENTS_EXAMINED_MAX)
        names = [f"{collection}:v{version}" for collection, version, _ in found if collection.startswith(f"{project}/")]
        versions |= dict.fromkeys(names)
    shown = tuple(list(versions)[:VERSIONS_NAMED_MAX])
    return LostObject(name, lost.problem, len(digests), shown, len(copies) == len(examined) == len(digests))
