"""The graph behind a picture of lineage: what leads to a version or a run, or from it, with what groups and marks it.

One recursive statement walks from node to node, a version and a run by turns, so that a run with many versions on both
sides costs their sum. It enters only what lies in the given scopes: what is behind anything else is neither told nor
counted. Bounds: of depth, of nodes, of edges and of time. Cost: some index look-ups for each edge.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from headwater_consumer.database import Database
from headwater_consumer.database.branches import in_one_statement
from headwater_consumer.database.compiled_statements import CompiledStatement, Statement, padded
from headwater_consumer.database.conditions import holds, is_field
from headwater_consumer.database.port import TookTooLong
from headwater_consumer.database.sql import and_, bindparam, case, cast, func, literal, or_, select
from headwater_consumer.database.tables import (
    COLLECTIONS,
    RUN_HEARTBEATS,
    RUN_INPUTS,
    RUN_OUTPUTS,
    RUN_STATES,
    RUNS,
    VERSION_ATTRIBUTES,
    VERSIONS,
)
from headwater_consumer.rows import DELETED

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

GRAPH_NODES_MAX = 50_000  # a hundred times what anyone looks at; some 0.5 s
GRAPH_EDGES_MAX = 4 * GRAPH_NODES_MAX
GRAPH_S_MAX = 5.0
HURRIED_NODES_MAX = 1000  # where that was not enough

A_RUN = -1  # in place of the version, where a node is a run
_NODE, _EDGE, _OTHER_EDGE = "node", "edge", "other edge"  # branches of the statement

Node = tuple[str, int]  # (collection, version) or (run, A_RUN)
Scopes = Sequence[str] | None  # the entities and "entity/project"s that count; None: all


class NodeFacts(NamedTuple):
    """What groups a node, and what marks it. None (or 0) where a fact is of the other kind of node, or not known."""

    type: str | None  # of the collection
    deleted: int  # 1: it is
    created_us: int | None  # a version
    job_type: str | None
    state: str | None  # of a run, as recorded; None: it never said that it started
    started_us: int | None
    heartbeat_us: int | None  # see `results.RunInfo`
    heartbeat_due_us: int | None


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """One direction of the lineage of a node."""

    start: Node
    nodes: Mapping[Node, NodeFacts]  # the start too
    # From what was made first to what was made of it. One end may be beyond a bound: it is not among the nodes.
    edges: Set[tuple[Node, Node]]
    # Where asked for: those that come to these nodes from the other side, of which one end need not be among them.
    other_edges: Set[tuple[Node, Node]]
    complete: bool  # no bound of nodes or edges cut it; that of depth did where an edge leads to no node


def lineage_graph(
    database: Database,
    start: Node,
    *,
    upstream: bool,
    other_edges: bool = False,
    scopes: Scopes = None,
    depth: int | None = None,
    nodes_max: int = GRAPH_NODES_MAX,
    edges_max: int = GRAPH_EDGES_MAX,
) -> LineageGraph:
    """What `start` was made from, or what was made of it, nearest first; empty where `start` does not exist.

    `start` is not judged by the scopes. `depth`: how many edges lead to the farthest node, at most; None: as far as
    there is anything.
    """
    statement = _graph(
        start[1] == A_RUN, upstream, other_edges, None if scopes is None else len(padded(scopes or [""]))
    )
    values = {"name": start[0], "version": start[1], "nodes_max": nodes_max + 1, "edges_max": edges_max + 1}
    # Where depth does not count, each node is found once; where it does, once for each distance.
    values |= {"step": 0, "depth_max": 1} if depth is None else {"step": 1, "depth_max": depth}
    values |= {f"scope_{i}": f"{scope}/" for i, scope in enumerate(padded(scopes or [""]))}
    try:
        with database.within(GRAPH_S_MAX) as connection:
            rows = statement.tuples(connection, **values)
        in_time = True
    except TookTooLong:
        values |= {"nodes_max": HURRIED_NODES_MAX, "edges_max": 4 * HURRIED_NODES_MAX}
        with database.autocommit() as connection:
            rows = statement.tuples(connection, **values)
        in_time = False
    nodes: dict[Node, NodeFacts] = {}
    found: dict[str, set[tuple[Node, Node]]] = {_EDGE: set(), _OTHER_EDGE: set()}  # a run may request one by two names
    for kind, name, version, other, other_version, *facts in rows:
        if kind == _NODE:
            nodes[name, version] = NodeFacts._make(facts)
        elif upstream == (kind == _EDGE):
            found[kind].add(((other, other_version), (name, version)))
        else:
            found[kind].add(((name, version), (other, other_version)))
    complete = in_time and len(nodes) <= nodes_max and max(map(len, found.values())) <= edges_max
    return LineageGraph(start, nodes, found[_EDGE], found[_OTHER_EDGE], complete)


# --- the statement ----------------------------------------------------------------------------------------------


@cache
def _graph(from_run: bool, upstream: bool, other_edges: bool, scopes: int | None) -> CompiledStatement:
    """Compiled on its first use: servers alone need it, and stay."""
    arguments = from_run, upstream, other_edges, scopes
    return CompiledStatement(f"lineage_graph{arguments}", lambda: _nodes_and_edges(*arguments))


def _nodes_and_edges(from_run: bool, upstream: bool, other_edges: bool, scopes: int | None) -> Statement:
    reached: Any = _start(from_run).cte("reached", recursive=True)
    step = _neighbours(reached, upstream, scopes)
    depth: Any = reached.c.depth
    onwards = step.add_columns(depth + bindparam("step")).where(depth < bindparam("depth_max"))
    reached = reached.union(onwards)
    found = select(reached).limit(bindparam("nodes_max")).subquery("found")
    nodes: Any = select(found.c.name, found.c.version).distinct().cte("nodes")
    branches = {_EDGE: _edges_of(nodes, upstream, scopes)}
    if other_edges:
        branches[_OTHER_EDGE] = _edges_of(nodes, not upstream, scopes)
    return in_one_statement({_NODE: _with_facts(nodes), **branches})


def _edges_of(nodes: Any, upstream: bool, scopes: int | None) -> Any:
    return select(_neighbours(nodes, upstream, scopes, own=True).limit(bindparam("edges_max")).subquery())


def _start(from_run: bool) -> Any:
    """From a row, so that the columns sort like those that the walk adds."""
    depth = literal(0).label("depth")
    if from_run:
        of_run: Any = RUNS.c.run == bindparam("name")
        version = cast(bindparam("version"), VERSIONS.c.version.type).label("version")
        return select(RUNS.c.run.label("name"), version, depth).where(of_run, holds(RUNS))
    of_version = and_(VERSIONS.c.collection == bindparam("name"), VERSIONS.c.version == bindparam("version"))
    return select(VERSIONS.c.collection.label("name"), VERSIONS.c.version, depth).where(of_version)


def _neighbours(nodes: Any, upstream: bool, scopes: int | None, *, own: bool = False) -> Any:
    """(name, version) of what is one step from each node; `own`: with that of the node before it.

    The runs of a version, or the versions of a run: by two joins of which one finds nothing.
    """
    near: Any = RUN_OUTPUTS if upstream else RUN_INPUTS
    far: Any = RUN_INPUTS if upstream else RUN_OUTPUTS
    runs = and_(near.c.collection == nodes.c.name, near.c.version == nodes.c.version, *_readable(near.c.run, scopes))
    versions = and_(
        nodes.c.version == A_RUN, far.c.run == nodes.c.name, *_readable(far.c.collection, scopes)
    )  # a run and a collection may have one name
    other = func.coalesce(near.c.run, far.c.collection).label("other")
    other_version = func.coalesce(far.c.version, A_RUN).label("other_version")
    before = [nodes.c.name, nodes.c.version] if own else []
    joined = nodes.outerjoin(near, runs).outerjoin(far, versions)
    found = select(*before, other, other_version).select_from(joined)
    return found.where(or_(near.c.run.is_not(None), far.c.run.is_not(None)))


def _readable(name: Any, scopes: int | None) -> "list[ColumnElement[bool]]":
    """Whether an "entity/project/…" lies in one of the scopes, each of which ends with a slash here."""
    if scopes is None:
        return []
    project = _without_last_part(name)
    entity = _without_last_part(func.rtrim(project, "/"))
    given: list[Any] = [bindparam(f"scope_{i}") for i in range(scopes)]
    return [or_(project.in_(given), entity.in_(given))]


def _without_last_part(name: Any) -> Any:
    """All up to the last slash: cut from the right what is among the characters of the name, but no slash."""
    return func.rtrim(name, func.replace(name, "/", ""))


def _with_facts(nodes: Any) -> Any:
    deleted: Any = VERSION_ATTRIBUTES
    is_run = nodes.c.version == A_RUN
    is_deleted = and_(
        deleted.c.collection == nodes.c.name,
        deleted.c.version == nodes.c.version,
        is_field(deleted, DELETED),
        holds(deleted),
    )
    version = and_(VERSIONS.c.collection == nodes.c.name, VERSIONS.c.version == nodes.c.version)
    joined = (
        nodes.outerjoin(VERSIONS, version)
        .outerjoin(COLLECTIONS, and_(~is_run, COLLECTIONS.c.collection == nodes.c.name))
        .outerjoin(deleted, is_deleted)
        .outerjoin(RUNS, and_(is_run, RUNS.c.run == nodes.c.name, holds(RUNS)))
        .outerjoin(RUN_STATES, and_(is_run, RUN_STATES.c.run == nodes.c.name, holds(RUN_STATES)))
        .outerjoin(RUN_HEARTBEATS, and_(is_run, RUN_HEARTBEATS.c.run == nodes.c.name, holds(RUN_HEARTBEATS)))
    )
    columns = [nodes.c.name, nodes.c.version, *_fact_columns(deleted)]
    return select(*columns).select_from(joined)


def _fact_columns(deleted: Any) -> "list[Any]":
    """In the order of `NodeFacts`."""
    return [
        COLLECTIONS.c.type,
        case((deleted.c.field.is_not(None), 1), else_=0).label("deleted"),
        VERSIONS.c.created_us,
        RUNS.c.job_type,
        RUN_STATES.c.state,
        RUNS.c.started_us,
        RUN_HEARTBEATS.c.append_us.label("heartbeat_us"),
        RUN_HEARTBEATS.c.due_us.label("heartbeat_due_us"),
    ]
