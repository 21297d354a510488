"""Objects that versions need and that the store lost: which versions need them, and what can bring them back."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.queries.contents import contents
from headwater_producer.stored_content import damaged
from headwater_schemas.object_names import project_of

from headwater._progress import Progress
from headwater._stores.stores import Stores

CONTENTS_EXAMINED_MAX = 100  # of one object; more say little about what needs it
VERSIONS_NAMED_MAX = 5  # of one object

MISSING, CUT_SHORT, DAMAGED = "missing", "cut short", "damaged"


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


def lost_objects(stores: Stores, *, verify: bool, quiet: bool = False) -> list[LostObject]:
    """The objects that lost content, by name. Changes nothing.

    Cost: reads every entry and asks for each object; `verify` reads all content, and shows how far it is.
    """
    named: set[str] = set()
    total = 0
    for page in contents(stores.database):
        named.update(place.object_name for place, _ in page)
        total += sum(place.size for place, _ in page)
    with Progress("verifying", total=total, unit="B", quiet=quiet or not verify) as progress:
        return _lost_among(stores, named, progress, verify=verify)


def _lost_among(stores: Stores, named: set[str], progress: Progress, *, verify: bool) -> list[LostObject]:
    sizes = stores.blobs.sizes(named)
    problems: dict[str, str] = {}
    lost: dict[str, list[bytes]] = defaultdict(list)
    for page in contents(stores.database):
        short = [(p, digest) for p, digest in page if sizes.get(p.object_name, -1) < p.offset + p.size]
        problems |= {p.object_name: CUT_SHORT if p.object_name in sizes else MISSING for p, _ in short}
        if verify:
            rest = [(p, digest) for p, digest in page if p.object_name not in problems]
            rotten = list(damaged(stores.blobs, rest, progress.advance))
            problems |= {p.object_name: DAMAGED for p, _ in rotten}
            short += rotten
        for place, digest in short:
            lost[place.object_name].append(digest)
    return [_described(stores, name, problems[name], lost[name], problems) for name in sorted(problems)]


def _described(stores: Stores, name: str, problem: str, digests: list[bytes], without: Collection[str]) -> LostObject:
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
    return LostObject(name, problem, len(digests), shown, len(copies) == len(examined) == len(digests))
