"""Where a version came from, and what came of it: versions and runs, and the edges between them.

The walk is one recursive statement. Its nodes are versions and runs; each is expanded once, so cycles end and a node
with many edges costs its edges. Cycles do occur: a run may use a version and log the same content again.
"""

from collections import defaultdict
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Text, and_, bindparam, cast, func, literal, null, or_, select, union_all

from headwater_consumer.database import Database
from headwater_consumer.queries.answers import Edge, Lineage, TreeLine
from headwater_consumer.queries.asking import Statement
from headwater_consumer.rows import Output, Use

LINEAGE_NODES_MAX = 100_000  # versions and runs, some 50 MB: more than anybody reads
EDGES_PER_NODE = 10  # so many times the nodes are given: a few nodes may have very many edges
TREE_LINES_MAX = 10_000  # what a terminal scrolls back

_RUN = -1  # in place of the version, where a node is a run
_COUNT = 2  # marks the row that counts the nodes, beside the two kinds of edges
_Node = tuple[str, int]  # (collection, version) or (run, _RUN)


def ancestry(database: Database, collection: str, version: int, *, nodes_max: int = LINEAGE_NODES_MAX) -> Lineage:
    """The runs that logged a version, what they used, and so on."""
    return _walk(database, collection, version, upstream=True, nodes_max=nodes_max)


def descendants(database: Database, collection: str, version: int, *, nodes_max: int = LINEAGE_NODES_MAX) -> Lineage:
    """The runs that used a version, what they logged, and so on."""
    return _walk(database, collection, version, upstream=False, nodes_max=nodes_max)


def tree(lineage: Lineage, *, lines_max: int = TREE_LINES_MAX) -> list[TreeLine]:
    """The lines of a tree for printing, from where the question began; as many as `lines_max` may mean more.

    What hangs below a node is shown once, where it occurs first; later the node is only named, and marked.
    """
    below = _children(lineage)
    lines: list[TreeLine] = []
    shown: set[_Node] = set()
    open_nodes: list[tuple[_Node, int, bool]] = [((lineage.collection, lineage.version), 0, True)]
    while open_nodes and len(lines) < lines_max:
        node, depth, last = open_nodes.pop()
        children = sorted(below[node]) if node in below else []
        repeated = node in shown and bool(children)
        lines.append(_line(node, depth, last, repeated))
        if node not in shown:
            shown.add(node)
            hanging = [(child, depth + 1, i == len(children) - 1) for i, child in enumerate(children)]
            open_nodes.extend(reversed(hanging))
    return lines


def _walk(database: Database, collection: str, version: int, *, upstream: bool, nodes_max: int) -> Lineage:
    edges_max = nodes_max * EDGES_PER_NODE
    values = {"collection": collection, "version": version, "nodes_max": nodes_max + 1, "edges_max": edges_max + 1}
    with database.reading() as connection:
        # The count comes first, and on its own: of edges there may be more than are given.
        (_, nodes, _, _), *rows = _edges(upstream).tuples(connection, **values)
    # A run that asked for a version by several names used it several times.
    edges = tuple(dict.fromkeys(map(Edge._make, rows[:edges_max])))
    return Lineage(collection, version, upstream, edges, truncated=nodes > nodes_max or len(rows) > edges_max)


def _children(lineage: Lineage) -> dict[_Node, list[_Node]]:
    below: dict[_Node, list[_Node]] = defaultdict(list)
    for collection, version, run, used in lineage.edges:
        ends = (run, _RUN), (collection, version)
        parent, child = ends if bool(used) == lineage.upstream else reversed(ends)
        below[parent].append(child)
    return below


def _line(node: _Node, depth: int, last: bool, repeated: bool) -> TreeLine:
    name, version = node
    if version == _RUN:
        return TreeLine(depth, last, repeated, collection=None, version=None, run=name)
    return TreeLine(depth, last, repeated, collection=name, version=version, run=None)


@cache
def _edges(upstream: bool) -> Statement:
    """First a row with the number of nodes, then (collection, version, run, used) of each edge, nearest first."""
    outputs, uses = Output.table, Use.table
    near, far = (outputs, uses) if upstream else (uses, outputs)  # how a version's runs, and a run's versions are found
    start = select(
        cast(bindparam("collection"), Text).label("name"), cast(bindparam("version"), BigInteger).label("version")
    )
    node: Any = start.cte("node", recursive=True)

    def runs_of(versions: Any) -> Any:
        return and_(near.c.collection == versions.c.name, near.c.version == versions.c.version)

    def versions_of(runs: Any) -> Any:
        return and_(runs.c.version == _RUN, far.c.run == runs.c.name)

    # One recursive part for both kinds of nodes, because PostgreSQL takes no more than one.
    neighbours = node.outerjoin(near, runs_of(node)).outerjoin(far, versions_of(node))
    found = or_(near.c.run.is_not(None), far.c.run.is_not(None))
    name = func.coalesce(near.c.run, far.c.collection)
    node = node.union(select(name, func.coalesce(far.c.version, _RUN)).select_from(neighbours).where(found))

    nodes = select(node).limit(bindparam("nodes_max")).cte("nodes")
    to_runs = select(nodes.c.name, nodes.c.version, near.c.run, literal(int(not upstream)).label("used"))
    to_versions = select(far.c.collection, far.c.version, nodes.c.name, literal(int(upstream)))
    edges = union_all(
        to_runs.select_from(nodes.join(near, runs_of(nodes))),
        to_versions.select_from(nodes.join(far, versions_of(nodes))),
    ).limit(bindparam("edges_max"))
    count = select(null(), func.count(), null(), literal(_COUNT)).select_from(nodes)
    return Statement(union_all(count, select(edges.subquery("edges"))))
