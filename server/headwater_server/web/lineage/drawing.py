"""Which parts of a lineage are drawn, and what each of them hides. Pure: no database, no addresses.

A part is a version or a run, or a group of them. What is near the subject is drawn first, the newest of many alike
before others. Nothing is left out silently: each part knows how many of its neighbours are not drawn.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headwater_consumer.queries.lineage_graphs import A_RUN, Node, NodeFacts

from headwater_server.web.lineage.asked import Level
from headwater_server.web.lineage.parts import group_of, id_of
from headwater_server.web.lineage.universe import Universe

DRAWN_MAX = 300  # parts
BEGUN_MAX = 200  # before anything is opened, so that there is room
EXECUTIONS_MAX = 80  # versions and runs that are all drawn unless another level is asked for
OPENED_AT_ONCE = 20
FAN_MAX = 8  # neighbours of one part, on each side, before it is opened

Sides = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The parts that are drawn, from the oldest to the newest, and the edges between them."""

    members: Mapping[str, Sequence[Node]]  # of each part that is drawn
    edges: Mapping[tuple[str, str], int]  # of how many edges each consists
    before: Mapping[str, int]  # neighbours that lead to a part and are not drawn
    after: Mapping[str, int]  # neighbours that a part leads to and that are not drawn


def level_for(universe: Universe) -> Level:
    """The level that shows most of what is there and can still be read."""
    if len(universe.facts) <= EXECUTIONS_MAX:
        return Level.EXECUTIONS
    groups = {group_of(node, facts) for node, facts in universe.facts.items()}
    return Level.PIPELINE if len(groups) <= BEGUN_MAX else Level.AROUND


def drawing_of(
    universe: Universe, starts: Iterable[Node], level: Level, *, depth: int, opened: Sequence[str]
) -> Drawing:
    """What is drawn around `starts`. `depth`: runs on each side, AROUND alone. `opened`: in this order."""
    part_of = _parts(universe, level, opened)
    members: defaultdict[str, list[Node]] = defaultdict(list)
    for node in universe.facts:
        members[part_of[node]].append(node)
    edges = Counter((part_of[start], part_of[end]) for start, end in universe.edges)
    age = {part: min(_age(node, universe.facts[node]) for node in nodes) for part, nodes in members.items()}
    before, after = _sides(edges, age)
    fan = None if level is Level.PIPELINE or (level is Level.EXECUTIONS and len(members) <= DRAWN_MAX) else FAN_MAX
    most = DRAWN_MAX if fan is None else BEGUN_MAX
    begin = [part_of[node] for node in starts if node in part_of]
    drawn = _near(begin, before, after, fan, 2 * depth if level is Level.AROUND else None, most)
    _open(opened, drawn, before, after)
    shown = sorted(drawn, key=lambda part: (age[part], part))
    return Drawing(
        members={part: members[part] for part in shown},
        edges={ends: count for ends, count in sorted(edges.items()) if ends[0] in drawn and ends[1] in drawn},
        before=_hidden(drawn, before, universe.before, members),
        after=_hidden(drawn, after, universe.after, members),
    )


def _parts(universe: Universe, level: Level, opened: Sequence[str]) -> dict[Node, str]:
    if level is not Level.PIPELINE:
        return {node: id_of(node) for node in universe.facts}
    groups: defaultdict[str, list[Node]] = defaultdict(list)
    for node, facts in universe.facts.items():
        groups[group_of(node, facts)].append(node)
    part_of: dict[Node, str] = {}
    times = Counter(opened)
    for group, nodes in groups.items():
        if group in times:
            nodes.sort(key=lambda node: _age(node, universe.facts[node]))
        alone = times[group] * OPENED_AT_ONCE
        if len(nodes) - alone <= 1:  # a group of one says less than that one
            alone = len(nodes)
        kept = len(nodes) - alone
        part_of |= dict.fromkeys(nodes[:kept], group)
        part_of |= {node: id_of(node) for node in nodes[kept:]}
    return part_of


def _age(node: Node, facts: NodeFacts) -> tuple[int, str, int]:
    """By which the older comes first."""
    name, version = node
    time_us = facts.started_us if version == A_RUN else facts.created_us
    return time_us or 0, name, version


def _sides(edges: Iterable[tuple[str, str]], age: Mapping[str, object]) -> tuple[Sides, Sides]:
    """What leads to each part, and what it leads to: the newest first."""
    before: defaultdict[str, list[str]] = defaultdict(list)
    after: defaultdict[str, list[str]] = defaultdict(list)
    for start, end in edges:
        after[start].append(end)
        before[end].append(start)
    for side in (before, after):
        for parts in side.values():
            parts.sort(key=lambda part: (age[part], part), reverse=True)
    return before, after


def _near(begin: Iterable[str], before: Sides, after: Sides, fan: int | None, depth: int | None, most: int) -> set[str]:
    """The parts that are near, those of fewer steps first; of the neighbours of each, `fan` on each side."""
    steps = dict.fromkeys(begin, 0)
    waiting = deque(steps)
    while waiting and len(steps) < most:
        part = waiting.popleft()
        if steps[part] == depth:
            continue
        for side in (before, after):
            fresh = [other for other in side.get(part, ())[:fan] if other not in steps][: most - len(steps)]
            steps |= dict.fromkeys(fresh, steps[part] + 1)
            waiting += fresh
    return set(steps)


def _open(opened: Iterable[str], drawn: set[str], before: Sides, after: Sides) -> None:
    """Add what is next to the opened parts, as far as there is room."""
    for part in opened:
        if part in drawn:
            for side in (before, after):
                hidden = [other for other in side.get(part, ()) if other not in drawn]
                drawn |= set(hidden[: min(OPENED_AT_ONCE, DRAWN_MAX - len(drawn))])


def _hidden(
    drawn: set[str], side: Sides, beyond: Mapping[Node, int], members: Mapping[str, Sequence[Node]]
) -> dict[str, int]:
    found = {}
    for part in sorted(drawn):
        count = sum(other not in drawn for other in side.get(part, ()))
        count += sum(beyond.get(node, 0) for node in members[part])
        if count:
            found[part] = count
    return found
