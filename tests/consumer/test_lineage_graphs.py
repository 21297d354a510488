"""The graph behind a picture of lineage, compared with a plain model of it."""

from collections.abc import Iterable, Sequence
from itertools import product
from random import Random

import pytest
from headwater_consumer import queries
from headwater_consumer.queries import lineage_graphs
from headwater_consumer.queries.lineage_graphs import A_RUN, Node
from headwater_schemas.events import (
    ArtifactUsed,
    DraftOpened,
    EntryAdded,
    Event,
    RunStarted,
    VersionCommitted,
    VersionDeleted,
    VersionRecalled,
    own_draft,
    shared_draft,
)

from tests.support.history import History, files_of

PROJECTS = ("team/vision", "team/audio", "other/vision")
VISION, AUDIO, OTHER = PROJECTS
RAW, MODEL = f"{VISION}/raw", f"{VISION}/model"
LOAD, FIT = (f"{VISION}/load", A_RUN), (f"{VISION}/fit", A_RUN)
SCOPES: list[list[str] | None] = [None, ["team"], [VISION, OTHER], [AUDIO, OTHER, "nobody"], []]
Edge = tuple[Node, Node]


def _used(run: str, version: Node) -> Event:
    return ArtifactUsed(collection=version[0], version=version[1], run=run, requested="it")


def _use(history: History, run: str, version: Node) -> None:
    history.write(_used(run, version))


def _pipeline(history: History) -> None:
    """load → raw → fit → model."""
    history.run(LOAD[0], job_type="load")
    history.commit(RAW, {"a": b"1"}, run=LOAD[0])
    history.run(FIT[0], job_type="fit", state="failed")
    _use(history, FIT[0], (RAW, 0))
    history.commit(MODEL, {"a": b"2"}, type="model", run=FIT[0])


class Model:
    """Edges, and what walks along them as the query is to do."""

    def __init__(self) -> None:
        self.edges: set[Edge] = set()

    def random(self, history: History, seed: int, steps: int) -> None:
        """Runs of three projects use some versions and log one: mostly a new one, some what was there before."""
        random = Random(seed)
        versions: list[Node] = []
        events: list[Event] = []
        for n in range(steps):
            run = f"{random.choice(PROJECTS)}/r{n}"
            if random.random() < 0.8:  # of others nobody said that they started
                events.append(RunStarted(run=run, job_type=random.choice(("fit", "cut", None))))
            for used in random.sample(versions, min(len(versions), random.choice((0, 1, 1, 2, 4)))):
                events.append(_used(run, used))
                self.edges.add((used, (run, A_RUN)))
            collection = f"{random.choice(PROJECTS)}/{random.choice('abc')}"
            live = [version for version in versions if version[0] == collection]
            if live and random.random() < 0.2:  # the same content again: a cycle, where the run used it
                logged = random.choice(live)
            else:
                logged = collection, len(live)
                versions.append(logged)
            draft, filled = history.draft(collection, {"a": b"%d" % logged[1]})
            events += [*filled, VersionCommitted(collection=collection, draft=draft, run=run)]
            self.edges.add(((run, A_RUN), logged))
        history.write(*events)

    def walk(self, start: Node, upstream: bool, scopes: Sequence[str] | None, depth: int | None) -> set[Node]:
        steps = {start: 0}
        waiting = [start]
        for node in waiting:
            if depth is not None and steps[node] == depth:
                continue
            for other in self.beside(node, upstream):
                if other not in steps and _lies_in(other, scopes):
                    steps[other] = steps[node] + 1
                    waiting.append(other)
        return set(steps)

    def beside(self, node: Node, upstream: bool) -> list[Node]:
        if upstream:
            return [start for start, end in self.edges if end == node]
        return [end for start, end in self.edges if start == node]

    def leading(self, nodes: Iterable[Node], upstream: bool, scopes: Sequence[str] | None) -> set[Edge]:
        """All edges from these nodes in one direction, to what lies in the scopes."""
        found = {(node, other) for node in nodes for other in self.beside(node, upstream) if _lies_in(other, scopes)}
        return {(b, a) for a, b in found} if upstream else found


def _lies_in(node: Node, scopes: Sequence[str] | None) -> bool:
    project = node[0].rpartition("/")[0]
    return scopes is None or project in scopes or project.partition("/")[0] in scopes


def test_a_graph_is_what_a_walk_along_the_edges_finds(history: History) -> None:
    model = Model()
    model.random(history, seed=7, steps=24)
    nodes = {node for edge in model.edges for node in edge}
    starts = [node for node in sorted(nodes) if node[1] != A_RUN or queries.run_info(history.database, node[0])]

    for scopes, depth, upstream in product(SCOPES, (None, 1, 3), (True, False)):
        for start in starts[::3]:
            found = queries.lineage_graph(
                history.database, start, upstream=upstream, other_edges=True, scopes=scopes, depth=depth
            )
            reached = model.walk(start, upstream, scopes, depth)
            assert set(found.nodes) == reached
            assert found.edges == model.leading(reached, upstream, scopes)
            assert found.other_edges == model.leading(reached, not upstream, scopes)
            assert found.complete


def test_a_graph_has_what_groups_and_marks_its_nodes(history: History) -> None:
    _pipeline(history)
    history.write(VersionDeleted(collection=RAW, version=0, delete_aliases=True))

    facts = queries.lineage_graph(history.database, (MODEL, 0), upstream=True).nodes

    assert (facts[MODEL, 0].type, facts[MODEL, 0].deleted, facts[MODEL, 0].job_type) == ("model", 0, None)
    assert (facts[RAW, 0].type, facts[RAW, 0].deleted) == ("dataset", 1)
    assert (facts[FIT].job_type, facts[FIT].state, facts[FIT].type) == ("fit", "failed", None)
    info = queries.run_info(history.database, FIT[0])
    assert info is not None
    assert facts[FIT].started_us == info.started_us


def test_a_run_can_have_the_name_of_a_collection(history: History) -> None:
    history.commit(RAW, {"a": b"1"}, run=RAW)
    _use(history, RAW, (RAW, 0))

    graph = queries.lineage_graph(history.database, (RAW, 0), upstream=True)

    assert set(graph.nodes) == {(RAW, 0), (RAW, A_RUN)}
    assert graph.edges == {((RAW, A_RUN), (RAW, 0)), ((RAW, 0), (RAW, A_RUN))}


def test_a_graph_starts_at_a_run_too(history: History) -> None:
    _pipeline(history)

    graph = queries.lineage_graph(history.database, FIT, upstream=True)

    assert graph.edges == {(LOAD, (RAW, 0)), ((RAW, 0), FIT)}


def test_what_does_not_exist_has_an_empty_graph(history: History) -> None:
    _pipeline(history)

    for start in ((MODEL, 7), ("team/vision/nothing", 0), ("team/vision/nobody", A_RUN)):
        graph = queries.lineage_graph(history.database, start, upstream=True)
        assert (graph.nodes, graph.edges, graph.complete) == ({}, set(), True)


def test_a_graph_that_is_cut_says_so_and_has_what_is_nearest(history: History) -> None:
    events: list[Event] = []
    for n in range(12):
        run = f"{VISION}/r{n}"
        events += [_used(run, (MODEL, n - 1))] if n else []
        draft, filled = history.draft(MODEL, {"a": b"%d" % n})
        events += [*filled, VersionCommitted(collection=MODEL, draft=draft, run=run)]
    history.write(*events)

    cut = queries.lineage_graph(history.database, (MODEL, 11), upstream=True, nodes_max=6)

    assert not cut.complete
    assert {(MODEL, 11), (f"{VISION}/r11", A_RUN), (MODEL, 10)} < set(cut.nodes)
    assert len(cut.nodes) == 7
    assert queries.lineage_graph(history.database, (MODEL, 11), upstream=True, nodes_max=24).complete


def test_a_graph_that_takes_too_long_is_cut_and_says_so(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model()
    model.random(history, seed=3, steps=40)
    start = f"{VISION}/a", 0
    whole = queries.lineage_graph(history.database, start, upstream=False)
    monkeypatch.setattr(lineage_graphs, "GRAPH_S_MAX", 0.0)
    monkeypatch.setattr(lineage_graphs, "HURRIED_NODES_MAX", 3)

    cut = queries.lineage_graph(history.database, start, upstream=False)

    assert whole.complete
    assert not cut.complete
    assert len(cut.nodes) == 3 < len(whole.nodes)
    assert start in cut.nodes
    monkeypatch.undo()
    assert queries.lineage_graph(
        history.database, start, upstream=False
    ).complete  # the connection has all its time again


# --- what is said of nodes ------------------------------------------------------------------------------------------


def test_versions_and_runs_are_labelled(history: History) -> None:
    _pipeline(history)
    history.commit(RAW, {"a": b"9"}, aliases=("good", "best"))
    history.write(VersionRecalled(collection=RAW, version=0, reason="wrong labels"))
    history.run(f"{VISION}/named", display_name="a name", group="night")

    versions = queries.version_labels(history.database, [(RAW, 0), (RAW, 1), (MODEL, 0), (MODEL, 5)])
    runs = queries.run_labels(history.database, [f"{VISION}/named", FIT[0], f"{VISION}/nobody"])

    assert set(versions) == {(RAW, 0), (RAW, 1), (MODEL, 0)}
    assert versions[RAW, 0][:3] == ((), "wrong labels", 1)
    assert versions[RAW, 1].aliases == ("best", "good", "latest")
    assert (versions[MODEL, 0].recalled, versions[MODEL, 0].entry_count) == (None, 1)
    assert runs == {f"{VISION}/named": ("a name", "night"), FIT[0]: (None, None)}


def test_as_many_labels_as_are_asked_for(history: History) -> None:
    for n in range(3):
        history.commit(RAW, {"a": b"%d" % n})
    asked = [(RAW, n) for n in range(200)]

    assert list(queries.version_labels(history.database, asked)) == [(RAW, n) for n in range(3)]
    assert queries.version_labels(history.database, []) == {}


def test_open_drafts_are_found_with_their_base_and_the_runs_that_write_them(history: History) -> None:
    _pipeline(history)
    opened = DraftOpened(collection=RAW, draft=shared_draft("night"), type="dataset", base=0)
    entries = files_of(VISION, {"b": b"2"})
    added = EntryAdded(collection=RAW, draft=opened.draft, files=entries, writer=FIT[0])
    history.write(opened, added)
    history.write(DraftOpened(collection=MODEL, draft=own_draft("mine"), type="model"))

    drafts, count = queries.drafts_beside(history.database, [RAW, MODEL, RAW], limit=10)

    assert count == 2
    assert drafts == [
        (MODEL, own_draft("mine"), "model", None, ()),
        (RAW, shared_draft("night"), "dataset", 0, (FIT[0],)),
    ]
    assert queries.drafts_beside(history.database, [RAW, MODEL], limit=1) == (drafts[:1], 2)
    assert queries.drafts_beside(history.database, [], limit=1) == ([], 0)
