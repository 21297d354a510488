"""The order in which a table lists the nodes of a picture: as one reads it, from left to right."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence


def in_flow(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> Iterator[str]:
    """What something was made from comes before it, as far as cycles allow; else in the order that is given."""
    after: dict[str, list[str]] = defaultdict(list)
    waits: dict[str, int] = dict.fromkeys(nodes, 0)
    for source, target in edges:
        if source != target:
            after[source].append(target)
            waits[target] += 1
    reached: set[str] = set()
    ready = deque(node for node in nodes if not waits[node])
    for node in ready:
        del waits[node]
    while ready or waits:
        if not ready:  # a cycle: it is entered where it is reached first
            entered = min(waits, key=lambda node: (node not in reached, waits[node]))
            del waits[entered]
            ready.append(entered)
        node = ready.popleft()
        yield node
        for target in after[node]:
            reached.add(target)
            if target in waits:
                waits[target] -= 1
                if not waits[target]:
                    del waits[target]
                    ready.append(target)
