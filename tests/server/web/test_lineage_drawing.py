"""Which parts of a lineage are drawn, on generated lineages: nothing is left out without being counted."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from headwater_consumer.queries.lineage_graphs import A_RUN, Node, NodeFacts
from headwater_server.web.lineage.asked import Level
from headwater_server.web.lineage.drawing import (
    DRAWN_MAX,
    EXECUTIONS_MAX,
    OPENED_AT_ONCE,
    Drawing,
    drawing_of,
    level_for,
)
from headwater_server.web.lineage.parts import group_of, id_of
from headwater_server.web.lineage.universe import Universe, connecting

P = "team/vision"
SEEDS = range(6)


def universe(edges: Sequence[tuple[Node, Node]], before: dict[Node, int] | None = None) -> Universe:
    nodes = sorted({node for edge in edges for node in edge})
    facts = {node: _facts(node, i) for i, node in enumerate(nodes)}
    return Universe(facts, sorted(edges), Counter(before or {}), Counter(), complete=True)


def _facts(node: Node, time_us: int) -> NodeFacts:
    if node[1] == A_RUN:
        return NodeFacts(None, 0, None, node[0].rpartition("/")[2].partition("-")[0], "finished", time_us, None, None)
    return NodeFacts("dataset", 0, time_us, None, None, None, None, None)


def pipeline(seed: int, steps: int) -> Universe:
    """Runs of some job types use versions of some collections and log others."""
    random = Random(seed)
    versions: list[Node] = [(f"{P}/raw", 0)]
    edges = []
    for n in range(steps):
        run = f"{P}/{random.choice(('fit', 'cut', 'mix'))}-{n:05}", A_RUN
        recent = versions[-random.choice((3, 30, 10_000)) :]
        edges += [(used, run) for used in random.sample(recent, min(len(recent), random.choice((1, 1, 2, 3))))]
        made = f"{P}/{random.choice(('raw', 'set', 'model'))}", n + 1
        versions.append(made)
        edges.append((run, made))
    return universe(edges)


def hub(users: int) -> Universe:
    """One version that many runs used."""
    return universe([((f"{P}/raw", 0), (f"{P}/fit-{n:05}", A_RUN)) for n in range(users)])


def drawn(what: Universe, level: Level, *opened: str, start: Node | None = None, depth: int = 2) -> Drawing:
    return drawing_of(what, [start or next(iter(what.facts))], level, depth=depth, opened=opened)


def check_counts(what: Universe, drawing: Drawing) -> None:
    """What is drawn of each part's neighbours, and what it says it hides, is all that it has."""
    part_of = {node: part for part, nodes in drawing.members.items() for node in nodes}
    other = {node: f"hidden {id_of(node)}" for node in what.facts}
    edges = {(part_of.get(a, other[a]), part_of.get(b, other[b])) for a, b in what.edges}
    for part in drawing.members:
        hidden_before = {a for a, b in edges if b == part and a not in drawing.members}
        hidden_after = {b for a, b in edges if a == part and b not in drawing.members}
        assert drawing.before.get(part, 0) == len(hidden_before)
        assert drawing.after.get(part, 0) == len(hidden_after)
    whole = Counter((part_of[a], part_of[b]) for a, b in what.edges if a in part_of and b in part_of)
    assert dict(drawing.edges) == dict(whole)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("level", [Level.AROUND, Level.EXECUTIONS])
def test_each_node_knows_how_many_of_its_neighbours_are_hidden(level: Level, seed: int) -> None:
    what = pipeline(seed, steps=400)
    drawing = drawn(what, level)
    check_counts(what, drawing)
    assert 1 < len(drawing.members) <= DRAWN_MAX
    opened = next(part for part in drawing.members if drawing.after.get(part))
    check_counts(what, drawn(what, level, opened, opened))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_version_and_run_is_in_one_group_of_a_pipeline(seed: int) -> None:
    what = pipeline(seed, steps=400)
    drawing = drawn(what, Level.PIPELINE)
    assert sorted(node for nodes in drawing.members.values() for node in nodes) == sorted(what.facts)
    for part, nodes in drawing.members.items():
        groups = {group_of(node, what.facts[node]) for node in nodes}
        assert len(groups) == 1
        assert part in groups if len(nodes) > 1 else part == id_of(nodes[0])
    assert sum(drawing.edges.values()) == len(what.edges)
    assert not drawing.before
    assert not drawing.after


def test_a_group_opens_some_at_a_time_the_newest_first() -> None:
    what = hub(users=50)
    group = f"runs:{P}/fit"
    once = drawn(what, Level.PIPELINE, group)
    assert len(once.members) == 1 + 1 + OPENED_AT_ONCE
    assert len(once.members[group]) == 50 - OPENED_AT_ONCE
    assert id_of((f"{P}/fit-00049", A_RUN)) in once.members
    assert group not in drawn(what, Level.PIPELINE, group, group, group).members


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("level", [Level.AROUND, Level.EXECUTIONS])
def test_opening_only_adds_to_what_is_drawn(level: Level, seed: int) -> None:
    what = pipeline(seed, steps=300)
    before = drawn(what, level)
    opened: list[str] = []
    for _ in range(8):
        part = next((part for part in before.members if before.before.get(part) or before.after.get(part)), None)
        if part is None:
            return
        opened.append(part)
        after = drawn(what, level, *opened)
        assert set(before.members) <= set(after.members)
        assert len(before.members) < len(after.members) <= DRAWN_MAX or len(before.members) == DRAWN_MAX
        before = after


def test_what_many_runs_used_shows_the_newest_and_how_many_there_are() -> None:
    what = hub(users=5000)
    drawing = drawn(what, Level.AROUND)
    raw = id_of((f"{P}/raw", 0))
    assert drawing.after[raw] == 5000 - (len(drawing.members) - 1)
    assert id_of((f"{P}/fit-04999", A_RUN)) in drawing.members


def test_bounds_of_what_was_asked_count_as_hidden() -> None:
    node: Node = (f"{P}/raw", 0)
    what = universe([((f"{P}/cut-1", A_RUN), node)], before={(f"{P}/cut-1", A_RUN): 7})
    assert drawn(what, Level.AROUND, start=node).before == {id_of((f"{P}/cut-1", A_RUN)): 7}


def test_around_a_version_is_what_is_a_few_runs_away() -> None:
    chain: list[tuple[Node, Node]] = []
    for n in range(10):
        chain += [((f"{P}/m", n), (f"{P}/fit-{n}", A_RUN)), ((f"{P}/fit-{n}", A_RUN), (f"{P}/m", n + 1))]
    drawing = drawn(universe(chain), Level.AROUND, start=(f"{P}/m", 5), depth=1)
    assert set(drawing.members) == {
        *(f"version:{P}/m:v{n}" for n in (4, 5, 6)),
        *(f"run:{P}/fit-{n}" for n in (4, 5)),
    }
    assert drawing.before == {f"version:{P}/m:v4": 1}
    assert drawing.after == {f"version:{P}/m:v6": 1}


def test_the_level_is_chosen_by_size() -> None:
    assert level_for(hub(users=EXECUTIONS_MAX - 1)) is Level.EXECUTIONS
    assert level_for(hub(users=EXECUTIONS_MAX)) is Level.PIPELINE
    many = universe([((f"{P}/c{n}", 0), (f"{P}/t{n}-0", A_RUN)) for n in range(150)])
    assert level_for(many) is Level.AROUND


@pytest.mark.parametrize("seed", SEEDS)
def test_a_path_of_interest_is_what_lies_on_a_way_between_two_nodes(seed: int) -> None:
    what = pipeline(seed, steps=60)
    nodes = sorted(what.facts)
    random = Random(seed)
    for _ in range(20):
        first, last = random.sample(nodes, 2)
        after, before = _beyond(what, first, 0, 1), _beyond(what, last, 1, 0)
        ways = connecting(what, [first], [last])
        assert set(ways.facts) == (after & before or {first, last})
        assert {node for edge in ways.edges for node in edge} <= set(ways.facts)


def _beyond(what: Universe, start: Node, near: int, far: int) -> set[Node]:
    found = [start]
    for node in found:
        found += [edge[far] for edge in what.edges if edge[near] == node and edge[far] not in found]
    return set(found)
