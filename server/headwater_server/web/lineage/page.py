"""The lineage of a version or a run: a picture of it, and what else can be asked about it."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import time_ns

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries.lineage_graphs import A_RUN, Node, Scopes
from headwater_schemas.access import READER
from headwater_schemas.names import check_alias, parse_version
from markupsafe import Markup
from pydantic_core import to_json

from headwater_server.access.caller import Caller
from headwater_server.http.problems import not_found
from headwater_server.resources.naming import may_read
from headwater_server.web import addresses
from headwater_server.web.lineage.asked import Asked, Direction, Level
from headwater_server.web.lineage.drawing import drawing_of, level_for
from headwater_server.web.lineage.flow import in_flow
from headwater_server.web.lineage.parts import kind_of, node_of, nodes_of, title_of
from headwater_server.web.lineage.picture import Picture, PictureNode, picture_of
from headwater_server.web.lineage.universe import Universe, between, connecting, universe_of

DEPTHS = (1, 2, 3, 5, 10)
_FOR_SCRIPTS = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_LEVELS = {
    Level.PIPELINE: "Pipeline",
    Level.AROUND: "Around this {}",
    Level.EXECUTIONS: "Every execution",
}
_DIRECTIONS = {
    Direction.BOTH: "Both ways",
    Direction.UP: "What it was made from",
    Direction.DOWN: "What was made of it",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Something else that can be asked, or the same once more."""

    label: str
    address: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table beside the picture."""

    node: PictureNode
    before: Sequence[PictureNode]
    after: Sequence[PictureNode]


@dataclass(frozen=True, slots=True)
class LineagePage:
    """One picture, and the ways to others."""

    subject: str  # "entity/project/name:v3", or "entity/project/ID" of a run
    is_run: bool
    collection: str | None  # of a version
    version: int | None
    project: str
    level: Level
    levels: Sequence[Choice]
    directions: Sequence[Choice]
    depth: int  # runs on each side, of use at one level only
    depths: Sequence[Choice]
    opened: Sequence[Choice]  # what is opened, each with the address where it is closed
    path: tuple[str, str] | None  # of interest: what people call its ends
    without_path: str  # the address of all
    picture: Picture
    mermaid: str  # addresses
    dot: str

    def rows(self) -> Iterator[Row]:
        """The picture as a table, in the order in which one reads the picture."""
        known = {node.id: node for node in self.picture.nodes}
        before, after = defaultdict(list), defaultdict(list)
        for edge in self.picture.edges:
            after[edge.source].append(known[edge.target])
            before[edge.target].append(known[edge.source])
        ends = [(edge.source, edge.target) for edge in self.picture.edges]
        for part in in_flow(list(known), ends):
            yield Row(known[part], before[part], after[part])

    def embedded(self) -> Markup:
        """The picture for the script, as JSON in which no character means anything to HTML."""
        return Markup(to_json(self.picture).decode().translate(_FOR_SCRIPTS))  # noqa: S704 - nothing of HTML is left


def version_named(database: Database, collection: str, selector: str) -> Node:
    """The version that "v3" or an alias names; it may be deleted. Raises: Problem where there is none, InvalidName."""
    number = parse_version(selector)
    if number is None:
        number = queries.resolve_version(database, collection, check_alias(selector))
    if number is None or queries.version_info(database, collection, number) is None:
        raise not_found(f"{collection}:{selector}")
    return collection, number


def run_named(database: Database, run: str) -> Node:
    """A run. Raises: Problem where it never started."""
    if queries.run_info(database, run) is None:
        raise not_found(f"run {run}")
    return run, A_RUN


def lineage(database: Database, caller: Caller, subject: Node, asked: Asked) -> LineagePage:
    """The picture that an address asks for. `subject` is there, and `caller` may read it.

    Cost: that of `universe_of`; without a level that of the whole lineage, to see how large it is.
    """
    scopes = caller.scopes(READER)
    universe, starts = _universe(database, caller, subject, asked, scopes)
    level = asked.level or level_for(universe)
    asked = replace(asked, level=level)
    drawing = drawing_of(universe, starts, level, depth=asked.depth, opened=asked.opened)
    with_drafts = asked.direction is not Direction.UP and asked.path is None and level is not Level.PIPELINE
    address = _address_of(subject)
    picture = picture_of(
        database,
        universe,
        drawing,
        subject,
        asked,
        address=address,
        with_drafts=with_drafts,
        now_us=time_ns() // 1000,
    )
    return _page(subject, asked, level, picture, address)


def _universe(
    database: Database, caller: Caller, subject: Node, asked: Asked, scopes: Scopes
) -> tuple[Universe, Sequence[Node]]:
    """What the picture is about, and where it begins."""
    if asked.path is None:
        steps = 2 * asked.depth + len(asked.opened) if asked.level is Level.AROUND else None
        return universe_of(database, subject, asked.direction, scopes, depth=steps), [subject]
    first, last = map(node_of, asked.path)
    if first is not None and last is not None and may_read(caller, first[0]) and may_read(caller, last[0]):
        # Afresh: what connects two versions need not be of the lineage of a third.
        ways = connecting(between(database, first, last, scopes), [first], [last])
        if not ways.edges:
            ways = connecting(between(database, last, first, scopes), [last], [first])
        return ways, [first, last]
    universe = universe_of(database, subject, asked.direction, scopes)
    one, other = (nodes_of(part, universe.facts) for part in asked.path)
    ways = connecting(universe, one, other)
    return ways if ways.edges else connecting(universe, other, one), [*one, *other]


def _address_of(subject: Node) -> Callable[[Asked], str]:
    name, version = subject

    def address(asked: Asked) -> str:
        query = asked.query()
        if version == A_RUN:
            return addresses.run_lineage(name, **query)
        return addresses.lineage(name, version, **query)

    return address


def _page(subject: Node, asked: Asked, level: Level, picture: Picture, address: Callable[[Asked], str]) -> LineagePage:
    name, version = subject
    is_run = version == A_RUN
    fresh = replace(asked, opened=())
    noun = "run" if is_run else "version"
    return LineagePage(
        subject=name if is_run else f"{name}:v{version}",
        is_run=is_run,
        collection=None if is_run else name,
        version=None if is_run else version,
        project=name.rpartition("/")[0],
        level=level,
        levels=[
            Choice(label.format(noun), address(replace(fresh, level=one)), one is level)
            for one, label in _LEVELS.items()
        ],
        directions=[
            Choice(label, address(replace(fresh, direction=one)), one is asked.direction)
            for one, label in _DIRECTIONS.items()
        ],
        depth=asked.depth,
        depths=[Choice(str(depth), address(replace(fresh, depth=depth)), depth == asked.depth) for depth in DEPTHS],
        opened=[Choice(_called(part), address(asked.closing(part)), True) for part in dict.fromkeys(asked.opened)],
        path=None if asked.path is None else (_called(asked.path[0]), _called(asked.path[1])),
        without_path=address(replace(asked, path=None)),
        picture=picture,
        mermaid=_ending(address(asked), addresses.MERMAID),
        dot=_ending(address(asked), addresses.DOT),
    )


def _ending(address: str, ending: str) -> str:
    path, mark, query = address.partition("?")
    return f"{path}{ending}{mark}{query}"


def _called(part: str) -> str:
    return title_of(part) or kind_of(part)
