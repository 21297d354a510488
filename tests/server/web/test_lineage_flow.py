"""The order of the table beside a picture of lineage."""

import random

from headwater_server.web.lineage.flow import in_flow


def test_what_something_was_made_from_comes_before_it() -> None:
    for seed in range(50):
        chance = random.Random(seed)
        edges = [(str(a), str(b)) for a in range(30) for b in range(a + 1, 30) if chance.random() < 0.1]
        nodes = [str(n) for n in range(30)]
        chance.shuffle(nodes)

        order = list(in_flow(nodes, edges))

        assert sorted(order) == sorted(nodes)
        assert all(order.index(source) < order.index(target) for source, target in edges), seed


def test_a_cycle_is_entered_where_it_is_reached_first() -> None:
    edges = [("data", "train"), ("train", "model"), ("model", "train"), ("model", "use"), ("model", "model")]
    assert list(in_flow(["model", "train", "use", "data"], edges)) == ["data", "train", "model", "use"]


def test_what_no_edge_reaches_stays_in_the_order_that_is_given() -> None:
    assert list(in_flow(["b", "a", "c"], [])) == ["b", "a", "c"]
    assert list(in_flow([], [])) == []


def test_cycles_alone_lose_nothing() -> None:
    assert sorted(in_flow(["a", "b", "c", "d"], [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")])) == [
        "a",
        "b",
        "c",
        "d",
    ]
