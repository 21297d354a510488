"""All of the lineage that a picture is about: the versions and runs on one side of its subject, or on both."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from headwater_consumer import queries
from headwater_consumer.database import Database
from headwater_consumer.queries import LineageGraph
from headwater_consumer.queries.lineage_graphs import Node, NodeFacts, Scopes

from headwater_server.web.lineage.asked import Direction

Edge = tuple[Node, Node]  # from what was made first to what was made of it


@dataclass(frozen=True, slots=True)
class Universe:
    """Versions, runs, and all edges between them."""

    facts: Mapping[Node, NodeFacts]
    edges: Collection[Edge]
    before: Mapping[Node, int]  # how many more lead to a node, beyond the bounds
    after: Mapping[Node, int]  # how many more it leads to
    complete: bool  # no bound of nodes or edges was met: only that of depth, if there was one


def universe_of(
    database: Database, subject: Node, direction: Direction, scopes: Scopes, *, depth: int | None = None
) -> Universe:
    """What is around a version or run, as far as it lies in these scopes; empty where it does not exist.

    `depth`: in edges. Cost: a statement for each side, see `lineage_graphs`.
    """
    graphs = [
        queries.lineage_graph(
            database,
            subject,
            upstream=upstream,
            other_edges=direction is Direction.BOTH and not upstream,  # from one side to the other
            scopes=scopes,
            depth=depth,
        )
        for upstream in (True, False)
        if direction is not (Direction.DOWN if upstream else Direction.UP)
    ]
    return _united(graphs)


def between(database: Database, first: Node, last: Node, scopes: Scopes) -> Universe:
    """What leads on from one version or run, and what leads to another: see `connecting`."""
    after = queries.lineage_graph(database, first, upstream=False, scopes=scopes)
    before = queries.lineage_graph(database, last, upstream=True, scopes=scopes)
    return _united([before, after])


def connecting(universe: Universe, first: Iterable[Node], last: Iterable[Node]) -> Universe:
    """Only what is on a way from any of the first to any of the last; these themselves, where there is none."""
    first, last = set(first), set(last)
    after, before = neighbours(universe.edges), neighbours((b, a) for a, b in universe.edges)
    ways = _reached(first, after) & _reached(last, before)
    kept = ways or first | last
    edges = [edge for edge in universe.edges if ways and edge[0] in ways and edge[1] in ways]
    return Universe(
        {node: universe.facts[node] for node in universe.facts if node in kept}, edges, {}, {}, universe.complete
    )


def neighbours(edges: Iterable[Edge]) -> Mapping[Node, list[Node]]:
    """What each node leads to."""
    found: defaultdict[Node, list[Node]] = defaultdict(list)
    for start, end in edges:
        found[start].append(end)
    return found


def _reached(start: set[Node], leading: Mapping[Node, list[Node]]) -> set[Node]:
    seen, waiting = set(start), list(start)
    while waiting:
        for node in leading.get(waiting.pop(), ()):
            if node not in seen:
                seen.add(node)
                waiting.append(node)
    return seen


def _united(graphs: Sequence[LineageGraph]) -> Universe:
    facts: dict[Node, NodeFacts] = {}
    for graph in graphs:
        facts |= graph.nodes
    edges: set[Edge] = set()
    beyond: set[Edge] = set()
    for graph in graphs:
        for edge in graph.edges:
            (edges if edge[0] in facts and edge[1] in facts else beyond).add(edge)
        edges |= {edge for edge in graph.other_edges if edge[0] in facts and edge[1] in facts}
    return Universe(
        facts=facts,
        edges=edges,
        before=Counter(end for start, end in beyond if start not in facts),
        after=Counter(start for start, end in beyond if start in facts),
        complete=all(graph.complete for graph in graphs),
    )
