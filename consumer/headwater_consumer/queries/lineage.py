"""Lineage: the ancestry and the descendants of a version, as versions, runs and the edges between them.

The walk is one recursive statement from version to version, each of which is expanded once, so that cycles end. They do
occur: a run may use a version and log the same content again. Cost: the edges, but where a run has m versions on one
side and k on the other, m times k.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

from headwater_consumer.database import Database
from headwater_consumer.database.compiled_statements import Statement, compiled
from headwater_consumer.database.sql import and_, bindparam, literal, select, union_all
from headwater_consumer.database.tables import RUN_INPUTS, RUN_OUTPUTS, VERSIONS
from headwater_consumer.queries.results import Edge, Lineage, TreeLine

LINEAGE_NODES_MAX = 100_000  # versions; with their edges some 100 MB, and more than anyone reads
EDGES_PER_NODE = 10  # edges are limited to this many times nodes_max: a few nodes may have very many
TREE_LINES_MAX = 10_000  # as many as a terminal scrolls back

_RUN = -1  # in place of the version, where a node is a run
_Node = tuple[str, int]  # (collection, version) or (run, _RUN)


def ancestry(database: Database, collection: str, version: int, *, nodes_max: int = LINEAGE_NODES_MAX) -> Lineage:
    """The runs that logged a version, what they used, and so on."""
    return _walk(database, collection, version, upstream=True, nodes_max=nodes_max)


def descendants(database: Database, collection: str, version: int, *, nodes_max: int = LINEAGE_NODES_MAX) -> Lineage:
    """The runs that used a version, what they logged, and so on."""
    return _walk(database, collection, version, upstream=False, nodes_max=nodes_max)


def tree(lineage: Lineage, *, lines_max: int = TREE_LINES_MAX) -> list[TreeLine]:
    """The lines of a tree for printing, from the version that was asked about; as many as `lines_max` may mean more.

    The children of a node are listed once, where it occurs first; later the node is only named, and marked.
    """
    below = _children(lineage)
    lines: list[TreeLine] = []
    shown: set[_Node] = set()
    open_nodes: list[tuple[_Node, int, bool, Edge | None]] = [((lineage.collection, lineage.version), 0, True, None)]
    while open_nodes and len(lines) < lines_max:
        node, depth, last, edge = open_nodes.pop()
        children = sorted(below[node].items()) if node in below else []
        repeated = node in shown and bool(children)
        lines.append(_line(node, depth, last, repeated, edge))
        if node not in shown:
            shown.add(node)
            hanging = [
                (child, depth + 1, i == len(children) - 1, leading) for i, (child, leading) in enumerate(children)
            ]
            open_nodes.extend(reversed(hanging))
    return lines


def _walk(database: Database, collection: str, version: int, *, upstream: bool, nodes_max: int) -> Lineage:
    edges_max = nodes_max * EDGES_PER_NODE
    values = {"collection": collection, "version": version, "nodes_max": nodes_max + 1, "edges_max": edges_max + 1}
    with database.autocommit() as connection:
        rows = _edges(upstream).tuples(connection, **values)
        if not database.adapter.walks_nearest_first:
            rows = _nearest_first(rows, (collection, version), upstream=upstream)
    truncated = len(rows) > edges_max or _versions_exceed(nodes_max, rows)
    return Lineage(collection, version, upstream, truncated, tuple(rows[:edges_max]))


def _nearest_first(rows: list[tuple[Any, ...]], start: _Node, *, upstream: bool) -> list[tuple[Any, ...]]:
    """The edges in the order of a breadth-first walk from `start`; those of one node by name."""
    leading: dict[_Node, list[tuple[Any, ...]]] = defaultdict(list)
    for row in sorted(rows):
        version, run = (row[0], row[1]), (row[2], _RUN)
        leading[run if bool(row[3]) == upstream else version].append(row)
    ordered: list[tuple[Any, ...]] = []
    waiting, seen = deque([start]), {start}
    while waiting:
        node = waiting.popleft()
        for row in leading[node]:
            ordered.append(row)
            end = (row[0], row[1]) if node[1] == _RUN else (row[2], _RUN)
            if end not in seen:
                seen.add(end)
                waiting.append(end)
    return ordered


def _versions_exceed(nodes_max: int, rows: Sequence[tuple[Any, ...]]) -> bool:
    # Each version but the first was reached by an edge of its own, so few edges need no counting.
    return len(rows) >= nodes_max and len({row[:2] for row in rows}) > nodes_max


def _children(lineage: Lineage) -> dict[_Node, dict[_Node, Edge]]:
    below: dict[_Node, dict[_Node, Edge]] = defaultdict(dict)
    for edge in lineage.edges:
        ends: tuple[_Node, _Node] = (edge.run, _RUN), (edge.collection, edge.version)
        parent, child = ends if bool(edge.used) == lineage.upstream else reversed(ends)
        below[parent][child] = edge
    return below


def _line(node: _Node, depth: int, last: bool, repeated: bool, edge: Edge | None) -> TreeLine:
    name, version = node
    if version == _RUN:
        return TreeLine(depth, last, repeated, collection=None, version=None, run=name, edge=edge)
    return TreeLine(depth, last, repeated, collection=name, version=version, run=None, edge=edge)


@compiled
def _edges(upstream: bool) -> Statement:
    """(collection, version, run, used) of each edge: first those that lead to runs, then those from the runs onwards.

    The runs are made distinct in between, so that a run with many versions on both sides gives each edge once.
    """
    outputs, uses = RUN_OUTPUTS, RUN_INPUTS
    near, far = (outputs, uses) if upstream else (uses, outputs)  # how a version's runs, and a run's versions are found
    versions = VERSIONS  # starts from a row, so that the columns sort like those that the walk adds
    start = select(versions.c.collection, versions.c.version).where(
        versions.c.collection == bindparam("collection"), versions.c.version == bindparam("version")
    )
    node: Any = start.cte("node", recursive=True)

    def runs_of(versions: Any) -> Any:
        return and_(near.c.collection == versions.c.collection, near.c.version == versions.c.version)

    step = node.join(near, runs_of(node)).join(far, far.c.run == near.c.run)
    node = node.union(select(far.c.collection, far.c.version).select_from(step))
    nodes = select(node).limit(bindparam("nodes_max")).subquery("nodes")
    reached: Any = (
        select(nodes.c.collection, nodes.c.version, near.c.run)
        .select_from(nodes.join(near, runs_of(nodes)))
        .cte("reached")
    )
    runs = select(reached.c.run).distinct().subquery("runs")
    to_runs = select(reached.c.collection, reached.c.version, reached.c.run, literal(int(not upstream)))
    onwards = select(far.c.collection, far.c.version, far.c.run, literal(int(upstream)))
    edges = union_all(to_runs, onwards.select_from(runs.join(far, far.c.run == runs.c.run)))
    return edges.limit(bindparam("edges_max"))
