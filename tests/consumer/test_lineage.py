"""Where versions came from and what came of them."""

from itertools import islice
from pathlib import Path

from headwater_consumer import queries
from headwater_consumer.queries import Edge
from headwater_consumer.writing.replay import replay
from headwater_schemas.events import ArtifactUsed

from tests.support.history import History
from tests.support.modes import open_database

PROJECT = "team/vision"
RAW, SPLIT, MODEL = (f"{PROJECT}/{name}" for name in ("raw", "split", "model"))
LOAD, CUT, FIT = (f"{PROJECT}/{name}" for name in ("load", "cut", "fit"))


def _use(history: History, run: str, collection: str, version: int = 0, requested: str = "it") -> None:
    history.write(ArtifactUsed(collection=collection, version=version, run=run, requested=requested))


def _pipeline(history: History) -> None:
    """load → raw → cut → split → fit → model; fit uses raw too."""
    history.commit(RAW, {"a": b"1"}, run=LOAD)
    _use(history, CUT, RAW)
    history.commit(SPLIT, {"a": b"2"}, run=CUT)
    _use(history, FIT, SPLIT)
    _use(history, FIT, RAW)
    history.commit(MODEL, {"a": b"3"}, run=FIT)


_EDGES = {
    Edge(RAW, 0, LOAD, False),
    Edge(RAW, 0, CUT, True),
    Edge(SPLIT, 0, CUT, False),
    Edge(SPLIT, 0, FIT, True),
    Edge(RAW, 0, FIT, True),
    Edge(MODEL, 0, FIT, False),
}


def _chain(history: History, length: int) -> None:
    """Run n uses versions n-2 and n-1 of one collection and logs version n."""
    for n in range(length):
        for used in range(max(0, n - 2), n):
            _use(history, f"{PROJECT}/r{n}", MODEL, used)
        history.commit(MODEL, {"a": b"%d" % n}, run=f"{PROJECT}/r{n}")


def _printed(lineage: queries.Lineage) -> list[str]:
    return [
        "  " * line.depth
        + (line.run or f"{line.collection}:v{line.version}").removeprefix(f"{PROJECT}/")
        + ("…" if line.repeated else "")
        for line in queries.tree(lineage)
    ]


def test_an_ancestry_leads_back_to_the_first_run(history: History) -> None:
    _pipeline(history)

    lineage = queries.ancestry(history.database, MODEL, 0)

    assert set(lineage.edges) == _EDGES
    assert (lineage.collection, lineage.version, lineage.upstream, lineage.truncated) == (MODEL, 0, True, False)


def test_an_ancestry_has_nothing_of_what_came_later_or_beside_it(history: History) -> None:
    _pipeline(history)
    history.commit(f"{PROJECT}/report", {"r": b"1"}, run=CUT)

    assert set(queries.ancestry(history.database, SPLIT, 0).edges) == {
        Edge(SPLIT, 0, CUT, False),
        Edge(RAW, 0, CUT, True),
        Edge(RAW, 0, LOAD, False),
    }


def test_descendants_lead_on_to_the_last_version(history: History) -> None:
    _pipeline(history)

    lineage = queries.descendants(history.database, RAW, 0)

    assert set(lineage.edges) == _EDGES - {Edge(RAW, 0, LOAD, False)}
    assert not lineage.upstream


def test_what_nobody_logged_or_used_has_no_lineage(history: History) -> None:
    history.commit(RAW, {"a": b"1"})

    assert queries.ancestry(history.database, RAW, 0).edges == ()
    assert queries.descendants(history.database, RAW, 7).edges == ()


def test_a_long_chain_is_complete_and_names_each_edge_once(history: History) -> None:
    _chain(history, 60)

    edges = queries.ancestry(history.database, MODEL, 59).edges

    expected = {Edge(MODEL, n, f"{PROJECT}/r{n}", False) for n in range(60)}
    expected |= {Edge(MODEL, used, f"{PROJECT}/r{n}", True) for n in range(60) for used in range(max(0, n - 2), n)}
    assert set(edges) == expected
    assert len(edges) == len(expected)
    assert set(queries.descendants(history.database, MODEL, 0).edges) == expected - {
        Edge(MODEL, 0, f"{PROJECT}/r0", False)
    }


def test_a_version_asked_for_by_two_names_is_one_edge(history: History) -> None:
    _pipeline(history)
    _use(history, CUT, RAW, requested="raw:best")

    edges = queries.ancestry(history.database, SPLIT, 0).edges

    assert edges.count(Edge(RAW, 0, CUT, True)) == 1


def test_a_run_that_logs_what_it_used_is_no_endless_loop(history: History) -> None:
    history.commit(RAW, {"a": b"1"}, run=LOAD)
    _use(history, LOAD, RAW)
    _use(history, CUT, RAW)
    history.commit(RAW, {"a": b"1"}, run=CUT)
    loop = {Edge(RAW, 0, run, used) for run in (LOAD, CUT) for used in (True, False)}

    assert set(queries.ancestry(history.database, RAW, 0).edges) == loop
    assert set(queries.descendants(history.database, RAW, 0).edges) == loop
    assert len(_printed(queries.ancestry(history.database, RAW, 0))) == 5


def test_an_answer_that_was_cut_says_so(history: History) -> None:
    _chain(history, 30)

    whole = queries.ancestry(history.database, MODEL, 29, nodes_max=30)
    cut = queries.ancestry(history.database, MODEL, 29, nodes_max=10)

    assert not whole.truncated
    assert cut.truncated
    assert set(cut.edges) < set(whole.edges)
    assert Edge(MODEL, 29, f"{PROJECT}/r29", False) in cut.edges


def test_a_version_with_very_many_edges_is_cut_too(history: History) -> None:
    history.commit(RAW, {"a": b"1"})
    for n in range(25):
        _use(history, f"{PROJECT}/r{n}", RAW)

    cut = queries.descendants(history.database, RAW, 0, nodes_max=2)

    assert cut.truncated
    assert 0 < len(cut.edges) < 25
    assert not queries.descendants(history.database, RAW, 0, nodes_max=3).truncated


def test_a_tree_names_each_node_and_unfolds_it_once(history: History) -> None:
    _pipeline(history)

    assert _printed(queries.ancestry(history.database, MODEL, 0)) == [
        "model:v0",
        "  fit",
        "    raw:v0",
        "      load",
        "    split:v0",
        "      cut",
        "        raw:v0…",
    ]
    assert _printed(queries.descendants(history.database, RAW, 0)) == [
        "raw:v0",
        "  cut",
        "    split:v0",
        "      fit",
        "        model:v0",
        "  fit…",
    ]


def test_a_tree_says_which_line_is_the_last_below_its_node(history: History) -> None:
    _pipeline(history)

    lines = queries.tree(queries.ancestry(history.database, MODEL, 0))

    assert [line.last for line in lines] == [True, True, False, True, True, True, True]


def test_a_tree_of_a_deep_chain_stops_at_its_bound(history: History) -> None:
    _chain(history, 40)
    lineage = queries.ancestry(history.database, MODEL, 39)

    assert len(queries.tree(lineage, lines_max=10)) == 10
    assert max(line.depth for line in queries.tree(lineage)) > 39


def test_a_replay_keeps_the_order_of_the_edges(history: History, mode: str, tmp_path: Path) -> None:
    _pipeline(history)
    _chain(history, 20)
    anew = open_database(mode, tmp_path / "anew.db")
    replay(history.log, anew, history.database)

    before, after = (queries.ancestry(database, MODEL, 19).edges for database in (history.database, anew))
    anew.close()

    assert before == after
    assert list(islice(before, 1)) == [Edge(MODEL, 19, f"{PROJECT}/r19", False)]
